"""Lattices: where it repeats."""

from typing import Annotated

from simkit.core.family import Family
from simkit.lattice.base import Lattice

FAMILY = Family("lattice", Lattice)
AnyLattice = Annotated[Lattice, FAMILY]
