"""Noise: what the detector does."""

from typing import Annotated

from simkit.core.family import Family
from simkit.noise.base import Noise

FAMILY = Family("noise", Noise)
AnyNoise = Annotated[Noise, FAMILY]
