"""A search along one axis for the point where a metric crosses a level, or one method overtakes another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.quantity import shortest
from simkit.scenario.sweep import Axis, Find, Sweep
from simkit.sweeps.axes import Level, at, point
from simkit.sweeps.cells import Cell, expand
from simkit.sweeps.completion import Case, scores_of
from simkit.sweeps.store import Store

NEAREST = 0.2
"""Share of a bracket that the next point keeps from both its ends: where interpolation goes astray, the
bracket still shrinks."""

Settled = Callable[[Sequence[Cell]], list[Case]]


@dataclass(frozen=True)
class Reading:
    """What a cell says at one point of the axis: the value less the level that is looked for.

    Attributes
    ----------
    share : float
        Where, 0 to 1 from one end of the axis to the other.
    excess : float
        Of the metric over the level, or over the other picker's.
    low, high : float
        Ends of its interval; NaN where there is none.
    """

    share: float
    excess: float
    low: float
    high: float

    @property
    def undecided(self) -> bool:
        """Whether noise hides on which side of the level it is."""
        return self.low <= 0 <= self.high


@dataclass
class Search:
    """One search: the values of all other axes, and what is known so far."""

    others: Mapping[str, Level]
    cells: list[Cell] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    failed: bool = False

    def next_share(self) -> float | None:
        """Return where to look next; None where there is nothing more to gain."""
        found = bracket(self.readings)
        if self.failed or found is None or self.readings[-1].undecided:
            return None
        return between(*found)


def bracket(readings: Sequence[Reading]) -> tuple[Reading, Reading] | None:
    """Return the two neighbours along the axis between which the sign changes; the first such two."""
    ordered = sorted(readings, key=lambda reading: reading.share)
    for a, b in itertools.pairwise(ordered):
        if (a.excess > 0) != (b.excess > 0):
            return a, b
    return None


def between(a: Reading, b: Reading) -> float:
    """Return where a straight line through two readings is 0, kept off both."""
    share = a.excess / (a.excess - b.excess)
    return a.share + min(max(share, NEAREST), 1 - NEAREST) * (b.share - a.share)


def ends(sweep: Sweep) -> tuple[Cell, ...]:
    """Return the cells that a search begins with: both ends of the axis, with all values of the others.

    Raises
    ------
    ScenarioError
        If an entry of `exclude` names the axis.
    """
    searches = _searches(sweep)
    return tuple(cell for search in searches for cell in search.cells)


def find(sweep: Sweep, settled: Settled, store: Store) -> tuple[list[Cell], list[Case], list[dict[str, Any]]]:
    """Search along an axis, once for every combination of the others.

    Parameters
    ----------
    sweep : Sweep
        Its `find` says what for.
    settled : callable
        ``settled(cells)`` → their cases, run or failed.
    store : Store
        Holds their records.

    Returns
    -------
    cells, cases : list
        All that were run.
    answers : list of dict
        Of every search where the crossing is, in which interval, and as `text`.

    Notes
    -----
    After both ends, each new cell is put where a straight line through the nearest two readings on either
    side crosses the level (regula falsi, kept off the ends of the bracket). A search ends when noise hides
    on which side the last reading is: more cells would only follow the noise, more micrographs would not.
    The crossing is interpolated linearly; its interval is where the level lies within the interpolated
    ends of the readings' intervals.
    """
    wanted = _find_of(sweep)
    searches = _searches(sweep)
    pending = [(search, list(search.cells)) for search in searches]
    for search in searches:
        search.cells = []
    number = 0
    for _ in range(wanted.cells - 1):
        fresh: list[tuple[Search, Cell]] = []
        for search, cells in pending:
            for cell in cells:
                fresh.append((search, Cell(number, cell.levels)))
                number += 1
        cases = settled([cell for _, cell in fresh])
        for (search, cell), case in zip(fresh, cases, strict=True):
            _read(search, cell, case, sweep, store)
        shares = [(search, search.next_share()) for search in searches]
        pending = [(s, [_cell(sweep, s.others, share)]) for s, share in shares if share is not None]
        if not pending:
            break
    cells = [cell for search in searches for cell in search.cells]
    cases = [case for search in searches for case in search.cases]
    order = np.argsort([cell.number for cell in cells])
    return [cells[i] for i in order], [cases[i] for i in order], [_answer(s, sweep) for s in searches]


def _find_of(sweep: Sweep) -> Find:
    if sweep.find is None:
        raise TypeError("the sweep searches for nothing")
    return sweep.find


def _along(sweep: Sweep) -> Axis:
    return sweep.axes[_find_of(sweep).along]


def _searches(sweep: Sweep) -> list[Search]:
    along = _find_of(sweep).along
    for i, entry in enumerate(sweep.exclude):
        if along in entry:
            raise ScenarioError(
                f"{along} is searched along; shorten its `between:` instead", ("sweep", "exclude", i, along)
            )
    others = {name: axis for name, axis in sweep.axes.items() if name != along}
    combinations: Sequence[Mapping[str, Level]] = [{}]
    if others:
        combinations = [cell.levels for cell in expand(sweep.model_copy(update={"axes": others}))]
    searches = [Search(combination) for combination in combinations]
    for i, search in enumerate(searches):
        both = [_cell(sweep, search.others, share) for share in (0.0, 1.0)]
        search.cells = [Cell(2 * i + k, cell.levels) for k, cell in enumerate(both)]
    return searches


def _cell(sweep: Sweep, others: Mapping[str, Level], share: float) -> Cell:
    along = _find_of(sweep).along
    level = at(_along(sweep), _value(_along(sweep), share), ("sweep", "axes", along, "between"))
    chosen = {**others, along: level}
    return Cell(0, {name: chosen[name] for name in sweep.axes})


def _value(axis: Axis, share: float) -> float:
    if axis.between is None:
        raise TypeError("the axis is not between two values")
    return point(axis.between, share, log=axis.scale == "log")


def _share(axis: Axis, value: float) -> float:
    if axis.between is None:
        raise TypeError("the axis is not between two values")
    first, last = axis.between.ends
    if axis.scale == "log":
        return math.log(value / first) / math.log(last / first)
    return (value - first) / (last - first)


def _read(search: Search, cell: Cell, case: Case, sweep: Sweep, store: Store) -> None:
    search.cells.append(cell)
    search.cases.append(case)
    record = scores_of(case, store)
    along = cell.levels[_find_of(sweep).along].value
    excess = None if record is None else excess_of(record, _find_of(sweep))
    if excess is None or along is None:
        search.failed = True
        return
    search.readings.append(Reading(_share(_along(sweep), along), *excess))


def excess_of(record: Mapping[str, Any], find: Find) -> tuple[float, float, float] | None:
    """Return how far a metric is above what it is to cross, with its interval; None where it is not there."""
    if find.overtakes is not None:
        return _difference(record, find)
    value = record["pickers"][find.picker].get(find.class_, {}).get(find.metric)
    if value is None or find.crosses is None:
        return None
    ends = record["intervals"][find.picker].get(find.class_, {}).get(find.metric, (math.nan, math.nan))
    return value - find.crosses, ends[0] - find.crosses, ends[1] - find.crosses


def _difference(record: Mapping[str, Any], find: Find) -> tuple[float, float, float] | None:
    both = (find.picker, find.overtakes)
    values = [record["pickers"][name].get(find.class_, {}).get(find.metric) for name in both]
    if None in values:
        return None
    low = high = math.nan
    for pair in record["comparisons"]:
        same = {pair["a"], pair["b"]} == set(both)
        if same and pair["basis"] == "own thresholds" and pair["metric"] == find.metric and pair["interval"]:
            low, high = pair["interval"]
            if pair["a"] != find.picker:
                low, high = -high, -low
    return values[0] - values[1], low, high


def _answer(search: Search, sweep: Sweep) -> dict[str, Any]:
    wanted, axis = _find_of(sweep), _along(sweep)
    what = f"{wanted.metric} of {wanted.picker}"
    aim = f"that of {wanted.overtakes}" if wanted.overtakes else f"{wanted.crosses:g}"
    where = "".join(f", {name} {level.label}" for name, level in search.others.items())
    answer: dict[str, Any] = {
        "kind": "crossing",
        "along": wanted.along,
        "others": {name: level.label for name, level in search.others.items()},
        "cells": len(search.cells),
        "value": None,
        "low": None,
        "high": None,
    }
    found = bracket(search.readings)
    if found is None:
        return answer | {"text": f"{what}{where}: {_without(search, aim)}"}
    share = crossing([r.share for r in search.readings], [r.excess for r in search.readings])
    low, high = region(search.readings)
    values = [None if s is None else _value(axis, s) for s in (share, low, high)]
    answer |= dict(zip(("value", "low", "high"), values, strict=True))
    unit = axis.between.unit if axis.between else ""
    text = f"{what}{where} crosses {aim} at {wanted.along} {_short(values[0])} {unit}".rstrip()
    if values[1] is not None and values[2] is not None:
        text += f" [{_short(min(values[1], values[2]))}, {_short(max(values[1], values[2]))}]"
    return answer | {"text": f"{text} ({len(search.cells)} cells)"}


def _without(search: Search, aim: str) -> str:
    if search.failed or not search.readings:
        return "no answer, a cell failed"
    side = "above" if search.readings[0].excess > 0 else "below"
    return f"{side} {aim} at both ends, so that no crossing is searched"


def _short(value: float | None) -> str:
    return "–" if value is None else shortest(float(f"{value:.3g}"))


def crossing(shares: Sequence[float], excess: Sequence[float]) -> float | None:
    """Return where a line from point to point first crosses 0; None where it does not."""
    order = np.argsort(shares, kind="stable")
    x, y = np.asarray(shares, float)[order], np.asarray(excess, float)[order]
    for i in range(len(x) - 1):
        if (y[i] > 0) != (y[i + 1] > 0):
            return float(x[i] + y[i] / (y[i] - y[i + 1]) * (x[i + 1] - x[i]))
    return None


def region(readings: Sequence[Reading]) -> tuple[float | None, float | None]:
    """Return the stretch in which 0 lies between the interpolated ends of the readings' intervals.

    Either end is None where the band does not leave 0 before the axis ends, or readings have no interval.
    """
    known = [r for r in readings if math.isfinite(r.low) and math.isfinite(r.high)]
    shares = [r.share for r in known]
    sides = [crossing(shares, [r.low for r in known]), crossing(shares, [r.high for r in known])]
    if None in sides:
        return None, None
    low, high = sorted(side for side in sides if side is not None)
    return low, high
