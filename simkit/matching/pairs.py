"""Which picks lie within reach of which truths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from simkit.core.grid import FloatArray
from simkit.core.labels import Codes, common_codes
from simkit.core.tables import Picks, Table, Truth

ROUNDING = 1e-9
"""Share of the radius by which a pair may exceed it: a distance declared equal to the radius must
not be lost to the last bit of a subtraction."""

BLOCK = 1 << 17
"""Truths and picks that are searched at a time: so many fit into the caches of a processor."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pairs:
    """Every truth and pick that are near enough to be matched, in no particular order.

    Attributes
    ----------
    truth, pick : array of int, shape (n,)
        Row numbers.
    distance : array, shape (n,)
        Å.
    """

    truth: Indices
    pick: Indices
    distance: FloatArray

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: npt.NDArray[Any]) -> Pairs:
        """Return the pairs selected by indices or by a boolean mask."""
        return Pairs(self.truth[rows], self.pick[rows], self.distance[rows])

    def of_rows(self, truth: Indices, pick: Indices) -> Pairs:
        """Return the same pairs by the numbers that their rows have in larger tables."""
        return Pairs(truth[self.truth], pick[self.pick], self.distance)

    @classmethod
    def concat(cls, parts: Sequence[Pairs]) -> Pairs:
        """Put pairs of the same tables together."""
        nobody = np.empty(0, np.intp)
        return cls(
            np.concatenate([nobody, *(part.truth for part in parts)]),
            np.concatenate([nobody, *(part.pick for part in parts)]),
            np.concatenate([np.empty(0), *(part.distance for part in parts)]),
        )


def near_points(truth_points: FloatArray, pick_points: FloatArray, radius: float) -> Pairs:
    """Return every pair at most `radius` apart, those at distance 0 and exactly `radius` included.

    Parameters
    ----------
    truth_points, pick_points : array, shape (n, d) and (m, d)
        Å.
    radius : float
        Å, more than 0.
    """
    # Balanced trees take twice as long to build and are not searched faster, however points lie.
    build = {"balanced_tree": False, "compact_nodes": False}
    found = cKDTree(truth_points, **build).sparse_distance_matrix(
        cKDTree(pick_points, **build), radius * (1 + ROUNDING), output_type="ndarray"
    )
    return Pairs(found["i"].astype(np.intp), found["j"].astype(np.intp), found["v"].astype(float))


def near(truth: Truth, picks: Picks, *, radius: float, ndim: int = 2) -> Pairs:
    """Return every truth and pick of the same micrograph at most `radius` Å apart, whatever their class."""
    blocks = near_by_block(truth, picks, radius=radius, ndim=ndim)
    return Pairs.concat([found.of_rows(*rows) for found, *rows in blocks])


def near_by_block(
    truth: Truth, picks: Picks, *, radius: float, ndim: int = 2
) -> Iterator[tuple[Pairs, Indices, Indices]]:
    """Find the same a few whole micrographs at a time, so that what is done with them stays in the caches.

    Yields
    ------
    pairs : Pairs
        By numbers within the block.
    truths, picks : array of int
        The rows of the block.
    """
    sheets = common_codes(truth.labels("micrograph"), picks.labels("micrograph"))
    points = [positions(table, ndim) for table in (truth, picks)]
    for rows in _blocks(*sheets):
        # Micrographs are stacked like sheets, further apart than the radius: one search does them all.
        stacked = [
            np.column_stack([p[r], 2 * radius * s[r]]) for p, r, s in zip(points, rows, sheets, strict=True)
        ]
        yield near_points(stacked[0], stacked[1], radius), *rows


def positions(table: Table, ndim: int = 2) -> FloatArray:
    """Return the positions of a table's rows in Å: shape (n, 2), (y, x), or (n, 1) in one dimension."""
    return np.stack([table[axis] for axis in ("y", "x")[-ndim:]], axis=1)


def numbered(*columns: npt.NDArray[np.str_]) -> tuple[Indices, ...]:
    """Give names numbers in the order in which they first occur, equal names of all columns alike."""
    number: dict[str, int] = {}

    def of(names: npt.NDArray[np.str_]) -> Indices:
        # Tables list a micrograph's rows together: only the first of every run is looked up.
        begins = np.ones(len(names), bool)
        begins[1:] = names[1:] != names[:-1]
        starts = np.flatnonzero(begins)
        codes = [number.setdefault(name, len(number)) for name in names[starts].tolist()]
        return np.repeat(np.array(codes, np.intp), np.diff(starts, append=len(names)))

    return tuple(of(names) for names in columns)


def _blocks(truth_sheet: Codes, pick_sheet: Codes) -> Iterator[tuple[Indices, Indices]]:
    """Yield the rows of truths and picks of a few whole micrographs at a time."""
    order = [np.argsort(sheet, kind="stable") for sheet in (truth_sheet, pick_sheet)]
    count = max((int(sheet.max()) + 1 for sheet in (truth_sheet, pick_sheet) if len(sheet)), default=0)
    ends = [np.cumsum(np.bincount(sheet, minlength=count)) for sheet in (truth_sheet, pick_sheet)]
    block = (ends[0] + ends[1]) // BLOCK
    last = np.flatnonzero(np.diff(block, append=-1))
    start = [0, 0]
    for end in zip(*(e[last] for e in ends), strict=True):
        rows = tuple(o[a:b] for o, a, b in zip(order, start, end, strict=True))
        if len(rows[0]) and len(rows[1]):
            yield rows[0], rows[1]
        start = list(end)
