"""The numbers of a coordinate file as they stand there: what readers return and writers take."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray

_T = TypeVar("_T")

LARGEST = 1e9
"""Larger coordinates are damage: no micrograph has so many pixels, nor its edge so many Å."""

JUDGED = ("sigma_y", "sigma_x", "sigma_psi", "p_value", "q_value", "runner_up", "certainty", "flags")
"""Columns of `Picks` in which a picker says what its own picks are worth."""


@dataclass(frozen=True)
class RawPoints:
    """The numbers of a coordinate file as they stand there: arrays of shape (n,), None where not said.

    Attributes
    ----------
    y, x : array
        Position in the format's own unit, from its own origin.
    box : tuple of two arrays, optional
        Height and width of the boxes.
    psi, rot, tilt : array, optional
        Euler angles in degrees, NaN where one does not exist.
    score : array, optional
        NaN where one does not exist.
    number : array, optional
        Number of the class, NaN where one does not exist.
    class_, template, micrograph : sequence of str, optional
        Names; where there may be many rows, `Labels`.
    mirror : array of bool, optional
        Only in what simkit writes itself.
    pixel_size : float or array, optional
        Å of a pixel of the micrograph.
    shape : tuple of two arrays, optional
        Rows and columns of the micrograph of every point.
    unit : str, optional
        Where the file itself states the unit.
    judged : mapping, optional
        What a picker says of its own picks, by the names of `Picks`; only in what simkit writes itself.
    """

    y: FloatArray
    x: FloatArray
    box: tuple[FloatArray, FloatArray] | None = None
    psi: FloatArray | None = None
    rot: FloatArray | None = None
    tilt: FloatArray | None = None
    score: FloatArray | None = None
    number: FloatArray | None = None
    class_: Sequence[str] | None = None
    template: Sequence[str] | None = None
    micrograph: Sequence[str] | None = None
    mirror: npt.NDArray[np.bool_] | None = None
    pixel_size: FloatArray | float | None = None
    shape: tuple[FloatArray, FloatArray] | None = None
    unit: Literal["pixel", "Å"] | None = None
    judged: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def scores(self) -> FloatArray:
        """The score, NaN throughout where there is none."""
        return np.full(len(self), np.nan) if self.score is None else self.score


def stated(value: _T | None, what: str) -> _T:
    """Return what a writer cannot do without.

    Raises
    ------
    ValueError
        If it is not there.
    """
    if value is None:
        raise ValueError(f"the points do not say their {what}")
    return value


def finite(text: Any, name: str, file: str, line: int | None = None) -> float:
    """Read a finite number.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        value = float(text)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{name} is {text!r}, not a finite number", file, line)
    return value


def coordinate(text: Any, name: str, file: str, line: int | None = None) -> float:
    """Read a position; see `finite`, and it must be within `LARGEST`."""
    value = finite(text, name, file, line)
    if abs(value) > LARGEST:
        raise DataError(f"{name} is {text}, beyond any micrograph", file, line)
    return value


def extent(text: Any, name: str, file: str, line: int | None = None) -> float:
    """Read the side of a box; see `coordinate`, and it must not be negative."""
    value = coordinate(text, name, file, line)
    if value < 0:
        raise DataError(f"{name} is {text}; the side of a box cannot be negative", file, line)
    return value


@dataclass(frozen=True)
class Number:
    """How a column of numbers is read: a cell, with an error that says all, or a million of them.

    Attributes
    ----------
    read : callable
        `finite`, `coordinate` or `extent`.
    lowest, highest : float
        Between which `read` has no objection.
    absent : str or None
        What stands for a value that does not exist; it is read as NaN.
    """

    read: Callable[..., float]
    lowest: float = -sys.float_info.max
    highest: float = sys.float_info.max
    absent: str | None = None

    def one(self, text: Any, name: str, file: str, line: int | None = None) -> float:
        """Read a cell; see `finite` for the arguments and what is raised."""
        return math.nan if text == self.absent else self.read(text, name, file, line)

    def all(self, cells: npt.NDArray[np.bytes_]) -> FloatArray | None:
        """Read many cells; None if `one` may object to some of them."""
        missing = np.zeros(len(cells), bool) if self.absent is None else cells == self.absent.encode()
        try:
            values = np.where(missing, b"nan", cells).astype(float)
        except ValueError:
            return None
        fine = missing | ((self.lowest <= values) & (values <= self.highest))
        return values if fine.all() else None


FINITE = Number(finite)
POSITION = Number(coordinate, -LARGEST, LARGEST)
EXTENT = Number(extent, 0.0, LARGEST)
