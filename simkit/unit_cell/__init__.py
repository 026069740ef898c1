"""Unit cells: what repeats."""

from typing import Annotated

from simkit.core.family import Family
from simkit.unit_cell.base import UnitCell

FAMILY = Family("unit_cell", UnitCell)
AnyUnitCell = Annotated[UnitCell, FAMILY]
