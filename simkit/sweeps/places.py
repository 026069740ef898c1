"""Where in a sweep something is, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simkit.core.quantity import shortest
from simkit.sweeps.results import AxisInfo

DIGITS = 4
"""Of a value on an axis: enough to tell neighbours apart, few enough to read."""


def value_text(axis: AxisInfo, value: float | str | None) -> str:
    """Write a value of an axis: ``"0.03807"``, ``"20 Å"``, ``"ncc"``; a dash where a cell has none."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return rounded(value) + (axis.unit if axis.unit in ("", "°") else f" {axis.unit}")


def rounded(value: float) -> str:
    """Write a number with at most `DIGITS` digits, without an exponent where none is needed."""
    return shortest(float(f"{value:.{DIGITS}g}"))


def place_text(axes: Sequence[AxisInfo], row: Mapping[str, Any]) -> str:
    """Write where on some axes a row of a table is: ``"dose 5 e/Å², defocus 15000 Å"``."""
    there = [axis for axis in axes if row.get(axis.name) is not None]
    return ", ".join(f"{axis.name} {value_text(axis, row[axis.name])}" for axis in there) or "everywhere"
