"""What an interval resamples: whole micrographs, or tiles where there are few."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.tables import Table

ENOUGH = 8
"""Micrographs from which on they are the clusters themselves; percentiles need 6."""

TILES = 16
"""Fewest tiles that fewer micrographs are cut into, all together."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Clusters:
    """What is drawn as one when the experiment is repeated by resampling.

    Attributes
    ----------
    count : int
        How many there are, those that hold nothing included.
    text : str
        What they are, in words: "32 micrographs", "16 tiles of 1 micrograph".
    """

    count: int
    text: str


def clusters_of(
    names: Sequence[str],
    extents: Mapping[str, tuple[float, ...]] | None,
    tables: Sequence[Table],
    *,
    ndim: int = 2,
) -> tuple[Clusters, list[Indices]]:
    """Sort the rows of tables into clusters.

    Particles of one micrograph succeed and fail together, so micrographs are what an experiment
    repeats. Where there are fewer than `ENOUGH` of them each is cut into equal tiles, g along each
    axis, so that there are `TILES` at least. Intervals from tiles say how sure a number is for these
    micrographs, and nothing of others: what differs from one micrograph to the next (ice, focus,
    threshold) is not in them.

    Parameters
    ----------
    names : sequence of str
        Every micrograph that was searched, distinct; also those without any row.
    extents : mapping or None
        Micrograph → (height, width) in Å, or (width,), from the centre of pixel (0, 0). Where it is not
        known, tiles cut what the points of all tables span.
    tables : sequence of Table
        With columns `micrograph`, `y` and `x`; coordinates are finite.
    ndim : int
        1 or 2; in one dimension y is not looked at.

    Returns
    -------
    Clusters
        How many and what.
    list of arrays of int
        For each table, the cluster of each row.

    Raises
    ------
    KeyError
        If a row is of a micrograph that `names` does not hold.
    """
    number = {name: i for i, name in enumerate(names)}
    homes = [_numbers(table, number) for table in tables]
    if len(names) >= ENOUGH or not names:
        return Clusters(len(names), f"{len(names)} micrographs"), homes
    across = math.ceil((TILES / len(names)) ** (1 / ndim))
    per_image = across**ndim
    tile: list[Indices] = [np.zeros(len(table), np.intp) for table in tables]
    for axis in ("y", "x")[-ndim:]:
        low, high = _spans(names, extents, axis, tables, homes)
        for i, (table, home) in enumerate(zip(tables, homes, strict=True)):
            share = (table[axis] - low[home]) / (high - low)[home]
            tile[i] = tile[i] * across + np.clip(share * across, 0, across - 1).astype(np.intp)
    clusters = Clusters(
        len(names) * per_image,
        f"{len(names) * per_image} tiles of {len(names)} micrograph{'s' * (len(names) > 1)}",
    )
    return clusters, [home * per_image + part for home, part in zip(homes, tile, strict=True)]


def _numbers(table: Table, number: Mapping[str, int]) -> Indices:
    """Return the number of each row's micrograph."""
    codes, texts = table.codes("micrograph")
    return np.array([number[text] for text in texts], np.intp)[codes]


def _spans(
    names: Sequence[str],
    extents: Mapping[str, tuple[float, ...]] | None,
    axis: str,
    tables: Sequence[Table],
    homes: Sequence[Indices],
) -> tuple[FloatArray, FloatArray]:
    """Return where each micrograph begins and ends along an axis, in Å; 1 Å at least."""
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for table, home in zip(tables, homes, strict=True):
        np.minimum.at(low, home, table[axis])
        np.maximum.at(high, home, table[axis])
    for i, name in enumerate(names):
        if extents is not None and name in extents:
            low[i], high[i] = 0.0, extents[name][0 if axis == "y" else -1]
    low[np.isinf(low)] = 0.0
    return low, np.maximum(high, low + 1.0)
