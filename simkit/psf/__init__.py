"""Point spread functions: how the optics smear it."""

from typing import Annotated

from simkit.core.family import Family
from simkit.psf.base import Psf

FAMILY = Family("psf", Psf)
AnyPsf = Annotated[Psf, FAMILY]
