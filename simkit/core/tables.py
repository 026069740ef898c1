"""The tables and images that pass between stages: names, units and dtypes in one place.

A `Truth` lists the copies that were placed, `Picks` what a picker found; positions are real
numbers in Å, angles in degrees. A micrograph is an `xarray.DataArray` with its axes in Å.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from simkit.core.grid import FloatArray, Grid

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Column:
    """What a table's column holds."""

    dtype: type
    unit: str
    meaning: str


class Table:
    """An immutable table: columns of equal length with fixed names and dtypes.

    Parameters
    ----------
    **values : array_like
        One array a column. A scalar is repeated; a missing column is filled with NaN, False or "".
    """

    columns: ClassVar[Mapping[str, Column]]

    def __init__(self, **values: npt.ArrayLike) -> None:
        unknown = set(values) - set(self.columns)
        if unknown:
            raise KeyError(f"{type(self).__name__} has no column {', '.join(sorted(unknown))}")
        arrays = {name: np.asarray(value) for name, value in values.items()}
        length = max((a.shape[0] for a in arrays.values() if a.ndim), default=0)
        self._values = MappingProxyType(
            {name: self._column(name, arrays.get(name), length) for name in self.columns}
        )

    def _column(self, name: str, value: Array | None, length: int) -> Array:
        dtype = self.columns[name].dtype
        if value is None:
            value = np.asarray(np.nan if dtype is float else dtype())
        column: Array = np.broadcast_to(value, (length,)).astype(dtype)
        column.flags.writeable = False
        return column

    def __getitem__(self, name: str) -> Array:
        return self._values[name]

    def __len__(self) -> int:
        return len(next(iter(self._values.values())))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            np.array_equal(self[name], other[name], equal_nan=self.columns[name].dtype is float)
            for name in self.columns
        )

    __hash__ = None  # type: ignore[assignment]

    def take(self, rows: npt.ArrayLike) -> Self:
        """Return the rows selected by indices or by a boolean mask."""
        index = np.asarray(rows)
        index = index if index.dtype == bool else index.astype(np.intp)
        return type(self)(**{name: self[name][index] for name in self.columns})

    def replace(self, **values: npt.ArrayLike) -> Self:
        """Return a copy with some columns replaced."""
        return type(self)(**{**self._values, **values})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a mapping from column name to plain Python value."""
        lists = {name: self[name].tolist() for name in self.columns}
        for i in range(len(self)):
            yield {name: values[i] for name, values in lists.items()}

    def split(self, column: str) -> dict[Any, Self]:
        """Return value of a column → the rows that hold it; values and rows in their order."""
        rows: dict[Any, list[int]] = {}
        for row, value in enumerate(self[column].tolist()):
            rows.setdefault(value, []).append(row)
        return {value: self.take(indices) for value, indices in rows.items()}

    @classmethod
    def concat(cls, tables: Sequence[Self]) -> Self:
        """Stack tables of this type, in order; of none, return an empty one."""
        if not tables:
            return cls()
        return cls(**{name: np.concatenate([t[name] for t in tables]) for name in cls.columns})


class Truth(Table):
    """The copies whose centres lie within the images."""

    columns = MappingProxyType(
        {
            "micrograph": Column(str, "", "name of the micrograph"),
            "class": Column(str, "", "the species"),
            "y": Column(float, "Å", "centre, down from the centre of pixel (0, 0)"),
            "x": Column(float, "Å", "centre, right from the centre of pixel (0, 0)"),
            "psi": Column(float, "°", "in-plane angle, +x turned towards +y"),
            "rot": Column(float, "°", "first Euler angle of the view; NaN for a flat particle"),
            "tilt": Column(float, "°", "second Euler angle of the view; NaN for a flat particle"),
            "mirror": Column(bool, "", "mirrored x → −x before turning"),
            "h": Column(float, "", "lattice index along a; NaN without a lattice"),
            "k": Column(float, "", "lattice index along b; NaN without a lattice"),
            "edge": Column(bool, "", "the image border cuts the support"),
            "overlap": Column(float, "", "largest share of the support that one neighbour covers, 0 to 1"),
            "border": Column(float, "Å", "distance of the centre to the nearest border of the image"),
            "background": Column(float, "", "mean of the noise-free image around this copy, it left out"),
            "defocus": Column(float, "Å", "mean defocus of the lens, underfocus positive; NaN without one"),
            "d_prime": Column(float, "", "detectability of this copy by the ideal observer"),
            "sigma_y": Column(float, "Å", "Cramér–Rao limit of y"),
            "sigma_x": Column(float, "Å", "Cramér–Rao limit of x"),
            "sigma_psi": Column(float, "°", "Cramér–Rao limit of ψ"),
        }
    )


class Picks(Table):
    """What a picker found, best first within a micrograph."""

    columns = MappingProxyType(
        {
            "micrograph": Column(str, "", "name of the micrograph"),
            "class": Column(str, "", "the species that the template finds"),
            "template": Column(str, "", "the template that matched best"),
            "y": Column(float, "Å", "centre, down from the centre of pixel (0, 0)"),
            "x": Column(float, "Å", "centre, right from the centre of pixel (0, 0)"),
            "psi": Column(float, "°", "in-plane angle of the template, +x turned towards +y"),
            "rot": Column(float, "°", "first Euler angle of the template's view; NaN for a flat one"),
            "tilt": Column(float, "°", "second Euler angle of the template's view; NaN for a flat one"),
            "h": Column(float, "", "lattice index along a, where the picker gives one"),
            "k": Column(float, "", "lattice index along b, where the picker gives one"),
            "score": Column(float, "", "height of the peak, in the picker's own scale"),
        }
    )


@dataclass(frozen=True)
class Placements:
    """Where a lattice puts copies: parallel arrays of shape (n,).

    Attributes
    ----------
    y, x : array
        Å; in one dimension y is all zeros.
    psi : array
        Degrees, +x turned towards +y.
    mirror : array of bool
        Mirrored x → −x before turning.
    h, k : array
        Lattice indices, NaN where there is no lattice.
    rot, tilt : array
        Degrees: the direction a solid is seen from (`simkit.core.orientation`); NaN for a flat particle.
    """

    y: FloatArray
    x: FloatArray
    psi: FloatArray
    mirror: npt.NDArray[np.bool_]
    h: FloatArray
    k: FloatArray
    rot: FloatArray
    tilt: FloatArray

    @classmethod
    def at(
        cls,
        y: npt.ArrayLike,
        x: npt.ArrayLike,
        *,
        psi: npt.ArrayLike = 0.0,
        mirror: npt.ArrayLike = False,
        h: npt.ArrayLike = np.nan,
        k: npt.ArrayLike = np.nan,
        rot: npt.ArrayLike = np.nan,
        tilt: npt.ArrayLike = np.nan,
    ) -> Placements:
        """Build placements, repeating scalars."""
        n = np.asarray(x).shape

        def column(value: npt.ArrayLike, dtype: type = float) -> Array:
            return np.broadcast_to(np.asarray(value, dtype), n).copy()

        angles = column(psi), column(mirror, bool)
        return cls(column(y), column(x), *angles, column(h), column(k), column(rot), column(tilt))

    def __len__(self) -> int:
        return len(self.x)

    def positions(self, ndim: int) -> tuple[FloatArray, ...]:
        """Return (y, x) in two dimensions and (x,) in one."""
        return (self.y, self.x)[-ndim:]

    def take(self, rows: Array) -> Placements:
        """Return the placements selected by indices or by a boolean mask."""
        return Placements(*(getattr(self, field.name)[rows] for field in fields(self)))


def as_micrograph(pixels: Array, grid: Grid, name: str, units: str, **attributes: Any) -> xr.DataArray:
    """Wrap pixels as a micrograph: dims (y, x) or (x,), coordinates in Å, what it is in `attrs`."""
    axes = {
        axis: ((axis,), start + grid.pixel_size * np.arange(n), {"units": "Å"})
        for axis, start, n in zip(grid.axes, grid.origin, grid.shape, strict=True)
    }
    described = {"units": units, "pixel_size": grid.pixel_size, **attributes}
    return xr.DataArray(pixels, dims=grid.axes, coords=axes, name=name, attrs=described)


def grid_of(micrograph: xr.DataArray) -> Grid:
    """Return the grid of a micrograph, from its shape and `pixel_size` attribute."""
    return Grid(tuple(micrograph.shape), float(micrograph.attrs["pixel_size"]))
