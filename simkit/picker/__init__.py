"""Pickers: how to look."""

from typing import Annotated

from simkit.core.family import Family
from simkit.picker.base import Picker

FAMILY = Family("picker", Picker)
AnyPicker = Annotated[Picker, FAMILY]
