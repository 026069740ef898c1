"""What was taken for what: classes of the truth against classes of the picks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.tables import Picks, Table, Truth
from simkit.matching.base import Match

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Confusion:
    """Counts of particles and picks by class.

    Attributes
    ----------
    truth, picks : tuple of str
        Classes of the rows and of the columns.
    counts : array of int, shape (n_truth + 1, n_picks + 1)
        Class-blind pairs; the last column counts missed particles, the last row picks without a
        particle (spurious). The corner is 0.
    """

    truth: tuple[str, ...]
    picks: tuple[str, ...]
    counts: npt.NDArray[np.intp]


def confusion(
    truth: Truth, picks: Picks, match: Match, *, truth_counts: Mask, pick_counts: Mask
) -> Confusion | None:
    """Count which class was picked as which.

    Parameters
    ----------
    truth, picks : Truth, Picks
        All of them.
    match : Match
        Class-blind pairs, as row numbers into both.
    truth_counts, pick_counts : array of bool, shape (n_truth,) and (n_picks,)
        Rows that are judged; the others are in no count. A particle whose pick is not judged is missed.

    Returns
    -------
    Confusion or None
        Classes sorted by name, only those that are judged. A row sums to the particles of its class, a
        column to the picks of its. None where neither side tells two classes apart.

    Notes
    -----
    Where the truth is not complete, the row of spurious picks holds unlabelled ones. Of a class with few
    particles a row says little: one share of it is a single proportion, with Wilson's interval.
    """
    row, truth_names = _classes(truth, truth_counts)
    column, pick_names = _classes(picks, pick_counts)
    if max(len(truth_names), len(pick_names)) < 2:
        return None
    both = truth_counts[match.truth] & pick_counts[match.pick]
    picked_as = np.full(len(truth), len(pick_names))
    picked_as[match.truth[both]] = column[match.pick[both]]
    spurious = pick_counts.copy()
    spurious[match.pick[both]] = False
    counts = np.zeros((len(truth_names) + 1, len(pick_names) + 1), np.intp)
    np.add.at(counts, (row[truth_counts], picked_as[truth_counts]), 1)
    np.add.at(counts[-1], column[spurious], 1)
    return Confusion(truth_names, pick_names, counts)


def _classes(table: Table, judged: Mask) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """Return the number of each judged row's class, −1 in others, and the names."""
    codes, names = table.take(judged).codes("class")
    number = np.full(len(table), -1, np.intp)
    number[judged] = codes
    return number, names
