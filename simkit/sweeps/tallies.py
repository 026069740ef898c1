"""What every picker did in the micrographs of a sweep's cells, ready to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from simkit.core.grid import FloatArray
from simkit.judging.comparison import COUNTS, Tally

Tallies = dict[tuple[int, str], Tally]
"""(cell, picker) → its counts, micrograph by micrograph."""


def tallies(counts: pa.Table) -> Tallies:
    """Return what every picker did in every cell.

    Parameters
    ----------
    counts : pyarrow.Table
        `SweepResult.counts`.
    """
    if not counts.num_rows:
        return {}
    encoded = counts.column("picker").combine_chunks().dictionary_encode()
    names, pickers = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    cells, micrographs = (counts.column(name).to_numpy() for name in ("cell", "micrograph"))
    numbers = {name: counts.column(name).to_numpy().astype(float) for name in COUNTS}
    order = np.lexsort((micrographs, pickers, cells))
    changes = (np.diff(cells[order]) != 0) | (np.diff(pickers[order]) != 0)
    return {
        (int(cells[rows[0]]), names[pickers[rows[0]]]): tally(
            names[pickers[rows[0]]], *(numbers[name][rows] for name in COUNTS)
        )
        for rows in np.split(order, np.flatnonzero(changes) + 1)
    }


def tally(name: str, tp: FloatArray, picks: FloatArray, truths: FloatArray) -> Tally:
    """Return a tally of which the particles themselves are not known, only how many were found."""
    return Tally(name, tp, picks, truths, hits=np.zeros(0, bool))


def together(name: str, several: Sequence[Tally]) -> Tally:
    """Add up what was done in several cells, micrograph by micrograph.

    All cells have the scenario's seed, so their micrographs of one number share their random draws. They
    are one cluster, whatever differs between the cells; adding them keeps what is drawn again independent.
    """
    length = max(len(one.tp) for one in several)
    return tally(name, *(_sum((getattr(one, count) for one in several), length) for count in COUNTS))


def _sum(arrays: Iterable[FloatArray], length: int) -> FloatArray:
    total = np.zeros(length)
    for values in arrays:
        total[: len(values)] += values
    return total
