"""Backgrounds: what else is in the ice."""

from typing import Annotated

from simkit.background.base import Background
from simkit.core.family import Family

FAMILY = Family("background", Background)
AnyBackground = Annotated[Background, FAMILY]
