"""Where a picker fails: its scores split by how hard the particles are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.statistics.proportion import wilson

BY = ("d_prime", "overlap", "border", "defocus", "class", "micrograph")
"""What particles are sorted by."""

UNITS = {"d_prime": ("", 1.0), "overlap": (" %", 100.0), "border": (" Å", 1.0), "defocus": (" µm", 1e-4)}
"""Column → unit it is shown in, and its factor; others have no unit."""

EDGES = {"d_prime": (4.0, 6.0, 8.0, 12.0), "overlap": (0.0, 10.0, 30.0)}
"""Column → upper ends of its strata, as shown; of others the data choose them."""

FEW = 5
"""Values up to which each is a stratum by itself."""

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Stratum:
    """The particles of one degree of difficulty.

    Attributes
    ----------
    by : str
        What they are sorted by: a column of the truth ("d_prime", "overlap", "border", "class" …).
    label : str
        Which of them these are, for a reader: "6 to 8", "side".
    truths, found : int
        How many there are and how many were found.
    recall : float
        found / truths; a stratum has at least one truth.
    recall_interval : tuple of float
        Wilson's interval of 95 %. It takes particles as independent; where micrographs differ, it is too
        narrow.
    rmse : float or None
        Å, of those that were found.
    picks : int or None
        Picks in it; None where picks without a particle cannot be sorted so.
    precision : float or None
        Share of those picks that are particles; None where there are none, or where the truth is not
        complete: strata would then be compared by how well they were annotated.
    """

    by: str
    label: str
    truths: int
    found: int
    recall: float
    recall_interval: tuple[float, float]
    rmse: float | None
    picks: int | None = None
    precision: float | None = None


def stratify(
    truth: Truth,
    picks: Picks,
    match: Match,
    *,
    ignored_truth: Mask | None = None,
    ignored_picks: Mask | None = None,
    pick_border: FloatArray | None = None,
    complete: bool = True,
    by: Sequence[str] = BY,
) -> tuple[Stratum, ...]:
    """Split a picker's scores by how hard the particles are.

    Parameters
    ----------
    truth, picks : Truth, Picks
        All of them.
    match : Match
        Class-blind pairs, as row numbers into both.
    ignored_truth, ignored_picks : array of bool, optional
        Rows that count nowhere. A particle whose pick is ignored is missed.
    pick_border : array, shape (n_picks,), optional
        Å, distance of every pick to the nearest border: sorts picks as it sorts particles.
    complete : bool
        Whether the truth holds every particle.
    by : sequence of str
        Columns of the truth.

    Returns
    -------
    tuple of Stratum
        Column by column, in the order of `by`; within one, easy to read off: numbers rising, names sorted.
        A column is left out if it does not hold two strata, `micrograph` also if it holds more than
        five. Particles of which a number is not known (NaN) are a stratum "unknown" of their own.

    Notes
    -----
    d′ is cut at 4, 6, 8 and 12 (below 6 localisation breaks down, from 8 the Cramér–Rao limit is
    attained), overlap at 0, 10 and 30 %, defocus at its values if they are few, the rest at quartiles
    rounded to two digits. An edge belongs to the stratum below it. Picks can be sorted by their class,
    their micrograph, its defocus if it has one, and their distance to the border. Strata are not
    independent of each other: small particles may also be the crowded ones.
    """
    judged = np.ones(len(truth), bool) if ignored_truth is None else ~ignored_truth
    judged_picks = np.ones(len(picks), bool) if ignored_picks is None else ~ignored_picks
    pairs = judged[match.truth] & judged_picks[match.pick]
    squared = np.full(len(truth), np.nan)
    squared[match.truth[pairs]] = match.distance[pairs] ** 2
    hit = np.zeros(len(picks), bool)
    hit[match.pick[pairs]] = True
    strata: list[Stratum] = []
    for column in by:
        order = _sorted_by(column, truth, picks, judged, pick_border)
        known = len(np.unique(order.truth[judged & (order.truth < len(order.labels))]))
        if known >= 2 and (column != "micrograph" or known <= FEW):
            strata += _scores(
                column,
                order.labels,
                order.truth[judged],
                squared[judged],
                None if order.picks is None else order.picks[judged_picks],
                hit[judged_picks],
                complete,
            )
    return tuple(strata)


@dataclass(frozen=True)
class _Order:
    """Which stratum each row belongs to: its label's number, one more where it is unknown."""

    labels: tuple[str, ...]
    truth: Indices
    picks: Indices | None  # −1 where there is no such stratum; None where picks cannot be sorted


def _sorted_by(
    column: str, truth: Truth, picks: Picks, judged: Mask, pick_border: FloatArray | None
) -> _Order:
    if column in ("class", "micrograph"):
        numbers, names = truth.codes(column)
        of_picks = _looked_up(picks, column, dict(zip(names, range(len(names)), strict=True)))
        nowhere = bool(len(picks)) and bool((of_picks < 0).all())
        labels = tuple(name or f"no {column}" for name in names)
        return _Order(labels, numbers.astype(np.intp), None if nowhere else of_picks)
    unit, factor = UNITS.get(column, ("", 1.0))
    values = truth[column] * factor
    if column == "defocus":
        values = np.round(values, 3)
    edges, labels = _cut(column, values[judged & np.isfinite(values)], unit)
    of_truth = _between(values, edges)
    if column == "border" and pick_border is not None:
        return _Order(labels, of_truth, _between(pick_border * factor, edges))
    return _Order(labels, of_truth, _by_micrograph(truth, of_truth, picks) if column == "defocus" else None)


def _cut(column: str, values: FloatArray, unit: str) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the upper ends of all strata but the last, and every stratum's label."""
    distinct = np.unique(values) if column == "defocus" else values
    if column == "defocus" and len(distinct) <= FEW:
        return distinct[:-1], tuple(f"{value:.10g}{unit}" for value in distinct)
    edges = np.array(EDGES[column]) if column in EDGES else _round_quartiles(values)
    texts = [f"{edge:.10g}" for edge in edges + 0.0]  # no −0
    if not texts:
        return edges, (f"all{unit}",)
    first = "none" if column == "overlap" else f"up to {texts[0]}{unit}"
    between = [f"{low} to {high}{unit}" for low, high in pairwise(texts)]
    return edges, (first, *between, f"over {texts[-1]}{unit}")


def _round_quartiles(values: FloatArray) -> FloatArray:
    """Return quartiles rounded to two digits of what they span; none of values that are all the same."""
    if len(values) == 0 or np.ptp(values) <= 1e-6 * np.abs(values).max():
        return np.empty(0)
    quartiles = np.quantile(values, [0.25, 0.5, 0.75])
    span = np.ptp(quartiles) or np.ptp(values)
    return np.unique(np.round(quartiles, 1 - int(np.floor(np.log10(span)))))


def _between(values: FloatArray, edges: FloatArray) -> Indices:
    stratum = np.digitize(values, edges, right=True).astype(np.intp)
    stratum[np.isnan(values)] = len(edges) + 1
    return stratum


def _looked_up(picks: Picks, column: str, number: Mapping[str, int]) -> Indices:
    codes, names = picks.codes(column)
    return np.array([number.get(name, -1) for name in names], np.intp)[codes]


def _by_micrograph(truth: Truth, stratum: Indices, picks: Picks) -> Indices | None:
    """Sort picks by the stratum of their micrograph; None if not every one has one, and one only."""
    homes, names = truth.codes("micrograph")
    least, most = np.full(len(names), np.iinfo(np.intp).max), np.full(len(names), -1)
    np.minimum.at(least, homes, stratum)
    np.maximum.at(most, homes, stratum)
    of_picks = _looked_up(picks, "micrograph", dict(zip(names, most.tolist(), strict=True)))
    return of_picks if (least == most).all() and (of_picks >= 0).all() else None


def _scores(
    column: str,
    labels: Sequence[str],
    of_truth: Indices,
    squared: FloatArray,
    of_picks: Indices | None,
    hit: Mask,
    complete: bool,
) -> list[Stratum]:
    """Return the strata that hold a particle; `squared` is the squared distance of those that were found."""
    found = ~np.isnan(squared)
    strata = []
    for i, label in enumerate([*labels, "unknown"]):
        here = of_truth == i
        truths, hits = int(here.sum()), int((here & found).sum())
        interval = wilson(hits, truths)
        if interval is None:
            continue
        picks = None if of_picks is None else int((of_picks == i).sum())
        right = None if of_picks is None else int((hit & (of_picks == i)).sum())
        strata.append(
            Stratum(
                by=column,
                label=label,
                truths=truths,
                found=hits,
                recall=hits / truths,
                recall_interval=interval,
                rmse=float(np.sqrt(squared[here & found].mean())) if hits else None,
                picks=picks,
                precision=right / picks if right is not None and picks and complete else None,
            )
        )
    return strata
