"""Every two methods of a sweep against each other: where which one is better, by how much, how surely."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simkit.judging.comparison import PairedComparison, Tally, compare
from simkit.statistics.paired import holm
from simkit.sweeps.places import value_text
from simkit.sweeps.results import AxisInfo, SweepResult
from simkit.sweeps.tallies import Tallies, tallies, together

ALPHA = 0.05
"""Chance of calling any difference sure that is none, over all places together."""

OWN = "own thresholds"
EQUAL = "equal false picks"
"""Where the methods were cut: `PairedComparison.basis`."""

SEARCHED = ("pickers.", "templates.")
"""Paths that change what searches and nothing of the micrographs."""

MOST_LEVELS = 12
"""Values of axes of the search that are compared each with each."""

MOST_DUELS = 600
"""Comparisons between cells that are worked out; each takes some milliseconds."""


@dataclass(frozen=True)
class Duel:
    """Two methods in one place of a sweep.

    Attributes
    ----------
    a, b : str
        The methods; the difference is a − b.
    place : mapping
        Axis → value in canonical units, or label; axes that tell the methods apart are not there.
    basis, metric : str
        As of a `PairedComparison`.
    difference : float or None
        None where either does not exist.
    low, high : float or None
        Ends of its interval of 95 %, of this place alone.
    p, p_holm : float or None
        Of the paired test, and corrected by Holm's method for all duels on that basis and metric.
    clusters : int
        Micrographs, or tiles of one.
    picker : str
        Which picker it is whose cells are compared; "" where `a` and `b` are pickers themselves.
    """

    a: str
    b: str
    place: Mapping[str, Any]
    basis: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    clusters: int
    picker: str = ""

    @property
    def turned(self) -> Duel:
        """The same with the methods in the other order."""
        difference = None if self.difference is None else -self.difference
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return replace(self, a=self.b, b=self.a, difference=difference, low=low, high=high)

    @property
    def winner(self) -> str | None:
        """The better one, if the interval of 95 % leaves no doubt in this place."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return None
        return self.a if self.low > 0 else self.b

    @property
    def holds(self) -> bool:
        """Whether the difference is still there after Holm's correction for all places."""
        return self.winner is not None and self.p_holm is not None and self.p_holm <= ALPHA


def duels(result: SweepResult) -> tuple[Duel, ...]:
    """Return the comparisons of pickers in every cell, corrected for the number of cells.

    Oracles are not among them, and pickers of different particles are no pair.
    """
    names = [axis.name for axis in result.axes]
    kept = ("a", "b", "basis", "metric", "difference", "low", "high", "p", "p_holm", "clusters")
    rows = result.comparisons.to_pylist()
    return corrected(
        Duel(place={n: row[n] for n in names if row[n] is not None}, **{k: row[k] for k in kept})
        for row in rows
    )


def corrected(found: Iterable[Duel]) -> tuple[Duel, ...]:
    """Return duels with p corrected by Holm's method for all those on the same basis and metric."""
    all_of_them = list(found)
    groups: dict[Hashable, list[int]] = {}
    for i, duel in enumerate(all_of_them):
        groups.setdefault((duel.basis, duel.metric), []).append(i)
    for members in groups.values():
        p = [np.nan if all_of_them[i].p is None else all_of_them[i].p for i in members]
        for i, value in zip(members, holm(np.array(p, float)).tolist(), strict=True):
            tested = all_of_them[i].p is not None
            all_of_them[i] = replace(all_of_them[i], p_holm=value if tested else None)
    return tuple(all_of_them)


def pooled(result: SweepResult, a: str, b: str) -> tuple[PairedComparison, ...]:
    """Compare two pickers on all cells together, at their own thresholds.

    Parameters
    ----------
    result : SweepResult
        The sweep.
    a, b : str
        Its pickers.

    Returns
    -------
    tuple of PairedComparison
        By F1, recall and precision of the summed counts; see `together`. Empty if no cell has both.
    """
    there = tallies(result.counts)
    cells = [cell for cell, picker in there if picker == a and (cell, b) in there]
    if not cells:
        return ()
    sides = [together(name, [there[cell, name] for cell in cells]) for name in (a, b)]
    return compare(sides, basis=OWN, seed=result.scenario.seed)


def method_axes(result: SweepResult) -> tuple[AxisInfo, ...]:
    """Return the axes whose values are methods: all values search the same data."""
    return tuple(
        axis for axis in result.axes if axis.paths and all(p.startswith(SEARCHED) for p in axis.paths)
    )


def level_duels(result: SweepResult) -> tuple[Duel, ...]:
    """Compare cells that differ in axes of the search alone, every two of them, picker by picker.

    Returns
    -------
    tuple of Duel
        At their own thresholds. Empty if there is no such axis, or more than `MOST_LEVELS` values or
        `MOST_DUELS` comparisons.
    """
    varied = method_axes(result)
    groups = [group for group in _groups(result, varied, tallies(result.counts)) if len(group.members) > 1]
    size = sum(math.comb(len(group.members), 2) for group in groups)
    if not 0 < size <= MOST_DUELS or max(len(group.members) for group in groups) > MOST_LEVELS:
        return ()
    return corrected(
        _duel(group, comparison)
        for group in groups
        for comparison in compare(group.members, basis=OWN, seed=result.scenario.seed)
    )


@dataclass
class _Group:
    """What one picker did in one place at every value of the axes of the search."""

    place: Mapping[str, Any]
    picker: str
    members: list[Tally]


def _groups(result: SweepResult, varied: Sequence[AxisInfo], there: Tallies) -> list[_Group]:
    concerned = _concerned(result, varied)
    fixed = [axis for axis in result.axes if axis not in varied]
    groups: dict[Hashable, _Group] = {}
    for row, picker in itertools.product(result.cells.to_pylist(), concerned):
        found = there.get((row["cell"], picker))
        if found is None:
            continue
        place = {axis.name: row[axis.name] for axis in fixed if row[axis.name] is not None}
        level = ", ".join(f"{axis.name} {value_text(axis, row[axis.name])}" for axis in varied)
        # Other truths are other micrographs, which cannot be compared one by one.
        key = (picker, tuple(place.items()), found.truths.tobytes())
        groups.setdefault(key, _Group(place, picker, [])).members.append(replace(found, name=level))
    return list(groups.values())


def _concerned(result: SweepResult, varied: Sequence[AxisInfo]) -> list[str]:
    """Return the pickers that axes of the search change."""
    paths = [path.split(".") for axis in varied for path in axis.paths]
    named = {parts[1] for parts in paths if parts[0] == "pickers" and len(parts) > 1}
    everyone = any(parts[0] == "templates" for parts in paths)
    return [name for name in result.scenario.pickers if everyone or name in named]


def _duel(group: _Group, comparison: PairedComparison) -> Duel:
    c = comparison
    low, high = c.interval or (None, None)
    return Duel(
        a=c.a,
        b=c.b,
        place=group.place,
        basis=c.basis,
        metric=c.metric,
        difference=c.difference,
        low=low,
        high=high,
        p=c.p,
        p_holm=c.p_holm,
        clusters=c.clusters,
        picker=group.picker,
    )
