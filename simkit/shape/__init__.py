"""Shapes: what unit cells and templates are drawn with."""

from typing import Annotated

from simkit.core.family import Family
from simkit.shape.base import Shape

FAMILY = Family("shape", Shape)
AnyShape = Annotated[Shape, FAMILY]
