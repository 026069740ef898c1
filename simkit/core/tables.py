"""The tables and images that pass between stages: names, units and dtypes in one place.

A `Truth` lists the copies that were placed, `Picks` what a picker found; positions are real
numbers in Å, angles in degrees. A micrograph is an `xarray.DataArray` with its axes in Å.

Tables hold ten million rows: a column of text is kept as `Labels`, and one that is the same throughout,
absent columns above all, takes the memory of one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray, Grid
from simkit.core.labels import Codes, Labels

if TYPE_CHECKING:
    import xarray as xr

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
        One array a column, of text also `Labels`. A scalar is repeated; a missing column is filled with NaN,
        False or "".
    """

    columns: ClassVar[Mapping[str, Column]]
    _values: Mapping[str, Array | Labels]

    def __init__(self, **values: npt.ArrayLike) -> None:
        given = self._given(values)
        length = max((len(v) for v in given.values() if isinstance(v, Labels) or v.ndim), default=0)
        self._values = MappingProxyType(
            {name: _column(column.dtype, given.get(name), length) for name, column in self.columns.items()}
        )

    @classmethod
    def _given(cls, values: Mapping[str, npt.ArrayLike]) -> dict[str, Array | Labels]:
        if unknown := set(values) - set(cls.columns):
            raise KeyError(f"{cls.__name__} has no column {', '.join(sorted(unknown))}")
        return {name: v if isinstance(v, Labels) else np.asarray(v) for name, v in values.items()}

    @classmethod
    def _of(cls, values: Mapping[str, Array | Labels]) -> Self:
        """Wrap columns that are known to be right, without a copy."""
        table = cls.__new__(cls)
        table._values = MappingProxyType(dict(values))
        return table

    def __getitem__(self, name: str) -> Array:
        values = self._values[name]
        return values.spelled_out() if isinstance(values, Labels) else values

    def labels(self, name: str) -> Labels:
        """Return a column of text as it is kept."""
        values = self._values[name]
        if not isinstance(values, Labels):
            raise KeyError(f"{name} is a column of numbers")
        return values

    def codes(self, name: str) -> tuple[Codes, tuple[str, ...]]:
        """Return a column of text as `np.unique` would tell it, without its work.

        Returns
        -------
        codes : array of int, shape (n,)
            Row → number of its text.
        names : tuple of str
            The texts, sorted; each stands in some row.
        """
        labels = self.labels(name)
        return labels.codes, labels.names

    def __len__(self) -> int:
        return len(next(iter(self._values.values())))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Table)
            and type(self) is type(other)
            and all(_equal(values, other._values[name]) for name, values in self._values.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def take(self, rows: npt.ArrayLike) -> Self:
        """Return the rows selected by indices or by a boolean mask."""
        index, n = np.asarray(rows), len(self)
        if index.dtype == bool and index.shape != (n,):
            raise IndexError(f"a mask of shape {index.shape} for {n} rows")
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp)
        if len(index) and not -n <= index.min() <= index.max() < n:
            raise IndexError(f"there are {n} rows, and none of number {index[np.argmax(np.abs(index))]}")
        return self._of({name: _taken(values, index) for name, values in self._values.items()})

    def replace(self, **values: npt.ArrayLike) -> Self:
        """Return a copy with some columns replaced."""
        new = {
            name: _column(self.columns[name].dtype, value, len(self))
            for name, value in self._given(values).items()
        }
        return self._of({**self._values, **new})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a mapping from column name to plain Python value."""
        lists = {
            name: list(values) if isinstance(values, Labels) else values.tolist()
            for name, values in self._values.items()
        }
        for i in range(len(self)):
            yield {name: values[i] for name, values in lists.items()}

    def split(self, column: str) -> dict[str, Self]:
        """Return text in a column → the rows that hold it; texts and rows in their order."""
        codes, names = self.codes(column)
        groups = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        groups = [rows for rows in groups if len(rows)]
        named = sorted(zip(names, groups, strict=True), key=lambda group: int(group[1][0]))
        return {name: self.take(rows) for name, rows in named}

    @classmethod
    def concat(cls, tables: Sequence[Self]) -> Self:
        """Stack tables of this type, in order; of none, return an empty one."""
        filled = [table for table in tables if len(table)]
        if len(filled) < 2:
            return filled[0] if filled else cls()
        return cls._of({name: _stacked([table._values[name] for table in filled]) for name in cls.columns})


def _column(dtype: type, value: Array | Labels | None, length: int) -> Array | Labels:
    """Bring what was given for a column to its dtype and length."""
    if value is None:
        value = np.asarray(np.nan if dtype is float else dtype())
    if isinstance(value, Labels):
        if dtype is not str or len(value) != length:
            raise ValueError(f"{len(value)} texts for a column of {length} rows of {dtype.__name__}")
        return value
    spread = np.broadcast_to(value, (length,))
    if dtype is str:
        if _is_constant(spread):
            return Labels.constant(str(spread[0]), length)
        return Labels.of(spread.astype(str).tolist())
    if _is_constant(spread):
        return np.broadcast_to(spread[:1].astype(dtype)[0], (length,))
    column: Array = spread.astype(dtype)
    column.flags.writeable = False
    return column


def _is_constant(values: Array) -> bool:
    """Tell whether it is one value, repeated without being stored again."""
    return len(values) > 0 and values.strides == (0,)


def _equal(a: Array | Labels, b: Array | Labels) -> bool:
    if isinstance(a, Labels) or isinstance(b, Labels):
        return a is b or bool(a == b)
    return np.array_equal(a, b, equal_nan=a.dtype == float)


def _taken(values: Array | Labels, rows: Array) -> Array | Labels:
    if isinstance(values, Labels):
        return values.take(rows)
    if _is_constant(values):
        return np.broadcast_to(values[0], rows.shape)
    taken: Array = values[rows]
    taken.flags.writeable = False
    return taken


def _stacked(parts: Sequence[Array | Labels]) -> Array | Labels:
    labels = [part for part in parts if isinstance(part, Labels)]
    if labels:
        return Labels.concat(labels)
    arrays = [part for part in parts if not isinstance(part, Labels)]
    if all(_is_constant(a) for a in arrays) and all(_equal(a[:1], arrays[0][:1]) for a in arrays):
        return np.broadcast_to(arrays[0][0], (sum(map(len, arrays)),))
    stacked: Array = np.concatenate(arrays)
    stacked.flags.writeable = False
    return stacked


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
            "sigma_y": Column(float, "Å", "predicted standard error of y; NaN where none is known"),
            "sigma_x": Column(float, "Å", "predicted standard error of x; NaN where none is known"),
            "sigma_psi": Column(float, "°", "predicted standard error of ψ; NaN where none is known"),
            "p_value": Column(float, "", "chance that noise alone has so high a peak anywhere in the image"),
            "q_value": Column(float, "", "share of false picks to expect among those down to this one"),
            "runner_up": Column(str, "", "the likeliest other template at this place, where several compete"),
            "certainty": Column(float, "", "chance that it is this template, if it is one of the two"),
            "flags": Column(str, "", "doubts, parted by spaces: edge, crowded, inverted, off_lattice"),
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
    import xarray as xr  # pandas, which it loads, takes half a second

    axes = {
        axis: ((axis,), start + grid.pixel_size * np.arange(n), {"units": "Å"})
        for axis, start, n in zip(grid.axes, grid.origin, grid.shape, strict=True)
    }
    described = {"units": units, "pixel_size": grid.pixel_size, **attributes}
    return xr.DataArray(pixels, dims=grid.axes, coords=axes, name=name, attrs=described)


def grid_of(micrograph: xr.DataArray) -> Grid:
    """Return the grid of a micrograph, from its shape and `pixel_size` attribute."""
    return Grid(tuple(micrograph.shape), float(micrograph.attrs["pixel_size"]))
