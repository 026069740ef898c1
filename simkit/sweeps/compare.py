"""Two sweeps: what became of every picker in every cell that both have."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.judging.comparison import COUNTS, METRICS, Tally, compare
from simkit.metric.detection import rates
from simkit.statistics.bootstrap import Sums, interval
from simkit.statistics.unpaired import difference_interval, exchange
from simkit.sweeps.change import Change, corrected
from simkit.sweeps.duels import OWN
from simkit.sweeps.keys import SIMULATED
from simkit.sweeps.places import place_text
from simkit.sweeps.results import SweepResult
from simkit.sweeps.tallies import Tallies, tallies, together

Place = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class SweepComparison:
    """Two sweeps compared.

    Attributes
    ----------
    changes : tuple of Change
        Cell by cell, in the order of the first, for every picker that both have.
    together : tuple of Change
        The same of all these cells together, for every picker.
    only_before, only_after : tuple of str
        Cells and pickers that only one of the two has.
    differing : str
        Why micrographs are not compared one by one; "" where they are.
    """

    changes: tuple[Change, ...]
    together: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differing: str


@dataclass(frozen=True)
class _Match:
    """One picker in one cell of both sweeps."""

    picker: str
    place: Place
    before: Tally
    after: Tally
    paired: bool


def compare_sweeps(before: SweepResult, after: SweepResult) -> SweepComparison:
    """Compare two sweeps.

    Parameters
    ----------
    before, after : SweepResult
        Differences are those of the second less the first.

    Returns
    -------
    SweepComparison
        Class-blind F1, recall and precision at the pickers' own thresholds.

    Raises
    ------
    ScenarioError
        If no picker has scores in a cell that both have.

    Notes
    -----
    Cells are the same if all axes have the same values. Micrographs are compared one by one where both
    sweeps image alike, as far as the axes do not say otherwise, and both counted the same particles; of a
    cell that has more of them in one sweep, those that both have. Otherwise the two are independent: then
    intervals are those of independent values, and micrographs are exchanged between them for the test.
    """
    differing = _differing(before, after)
    a, b = _by_place(before), _by_place(after)
    matches = [
        _match(picker, place, one, b[place, picker], differing=differing)
        for (place, picker), one in a.items()
        if (place, picker) in b
    ]
    if not matches:
        raise ScenarioError(
            f"the sweeps have no cell and picker in common: the first varies {_varied(before)} and has "
            f"{_pickers(before)}, the second varies {_varied(after)} and has {_pickers(after)}"
        )
    seed = before.scenario.seed
    unlike = differing or ("their particles are not the same" if not all(m.paired for m in matches) else "")
    return SweepComparison(
        changes=corrected(change for match in matches for change in _changes(match, seed)),
        together=corrected(change for match in _together(matches) for change in _changes(match, seed)),
        only_before=_only(before, a, b),
        only_after=_only(after, b, a),
        differing=unlike,
    )


def _by_place(result: SweepResult) -> dict[tuple[Place, str], Tally]:
    """Return (where, picker) → what it did, in the order of the cells."""
    places = {
        row["cell"]: tuple((a.name, row[a.name]) for a in sorted(result.axes, key=lambda axis: axis.name))
        for row in result.cells.to_pylist()
    }
    there: Tallies = tallies(result.counts)
    return {(places[cell], picker): found for (cell, picker), found in there.items()}


def _match(picker: str, place: Place, before: Tally, after: Tally, *, differing: str) -> _Match:
    """Bring both sides of a cell together, on the micrographs that both have if they are the same."""
    shared = min(len(before.tp), len(after.tp))
    if differing or not np.array_equal(before.truths[:shared], after.truths[:shared]):
        return _Match(picker, place, before, after, paired=False)
    return _Match(picker, place, _first(before, shared), _first(after, shared), paired=True)


def _first(tally: Tally, count: int) -> Tally:
    return replace(tally, **{name: getattr(tally, name)[:count] for name in COUNTS})


def _together(matches: Sequence[_Match]) -> list[_Match]:
    """Return every picker's cells added up."""
    pickers = dict.fromkeys(match.picker for match in matches)
    groups = {picker: [match for match in matches if match.picker == picker] for picker in pickers}
    return [
        _Match(
            picker,
            (),
            together(picker, [match.before for match in group]),
            together(picker, [match.after for match in group]),
            paired=all(match.paired for match in group),
        )
        for picker, group in groups.items()
    ]


def _changes(match: _Match, seed: int) -> list[Change]:
    if match.paired:
        sides = [replace(match.after, name="after"), replace(match.before, name="before")]
        # What did the same in every micrograph is no test, and counts as none when Holm corrects.
        same = all(np.array_equal(match.before.sums[name], match.after.sums[name]) for name in COUNTS)
        found = {c.metric: (c.interval, None if same else c.p) for c in compare(sides, basis=OWN, seed=seed)}
    else:
        found = _independent(match, seed)
    return [_change(match, metric, *found[metric]) for metric in METRICS]


def _change(match: _Match, metric: str, ends: tuple[float, float] | None, p: float | None) -> Change:
    before, after = match.before.value(metric), match.after.value(metric)
    low, high = ends or (None, None)
    return Change(
        picker=match.picker,
        place=dict(match.place),
        metric=metric,
        basis=OWN,
        before=before,
        after=after,
        difference=None if before is None or after is None else after - before,
        low=low,
        high=high,
        p=p,
        paired=match.paired,
        micrographs=(len(match.before.tp), len(match.after.tp)),
    )


def _independent(match: _Match, seed: int) -> dict[str, tuple[tuple[float, float] | None, float | None]]:
    """Return metric → interval of the difference and p, of micrographs that are not the same."""
    sides = (match.after, match.before)
    after, before = (interval(side.sums, _rates, seed=seed) for side in sides)
    tests = exchange(match.after.sums, match.before.sums, _rates, seed=seed)
    found: dict[str, tuple[tuple[float, float] | None, float | None]] = {}
    for metric in METRICS:
        values = [side.value(metric) for side in sides]
        ends = None
        if metric in after and metric in before and values[0] is not None and values[1] is not None:
            ends = difference_interval(values[0], after[metric], values[1], before[metric])
        found[metric] = ends, tests.get(metric)
    return found


def _rates(sums: Sums) -> Sums:
    found = rates(tp=sums["tp"], truths=sums["truths"], picks=sums["picks"])
    return {metric: found[metric] for metric in METRICS}


def _differing(before: SweepResult, after: SweepResult) -> str:
    """Say why equal cells of two sweeps do not hold the same micrographs; "" where they do."""
    one, other = _imaged(before), _imaged(after)
    unlike = [name for name in one if one[name] != other[name]]
    if unlike:
        return f"{' and '.join(unlike)} of the two scenarios differ"
    if _worded(before) != _worded(after):
        return "what their axes set differs"
    return ""


def _imaged(result: SweepResult) -> dict[str, Any]:
    """Return what a scenario's micrographs depend on, without the values that the axes set."""
    plain = result.scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    sections = copy.deepcopy({name: plain.get(name) for name in (*SIMULATED, "micrographs")})
    for axis in result.axes:
        for path in axis.paths:
            _blank(sections, path.split("."))
    return sections


def _blank(data: Any, path: Sequence[str]) -> None:
    """Take out what stands at a path, if there is anything."""
    *way, last = path
    for part in way:
        data = _inside(data, part)
    if _inside(data, last) is not None:
        data[last if isinstance(data, dict) else int(last)] = "set by an axis"


def _inside(data: Any, part: str) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
        return data[int(part)]
    return None


def _worded(result: SweepResult) -> dict[str, Any]:
    """Return what axes set in the micrographs: paths, and of axes with labels what each label stands for."""
    paths = {axis.name: [p for p in axis.paths if p.split(".")[0] in SIMULATED] for axis in result.axes}
    told: dict[str, Any] = {name: of for name, of in paths.items() if of}
    for axis in result.axes:
        if not axis.numeric and axis.name in told:
            rows = zip(result.cells.column(axis.name).to_pylist(), result.settings, strict=True)
            told[axis.name] = {
                label: [(p, v) for p, v in settings if p in paths[axis.name]] for label, settings in rows
            }
    return told


def _only(
    result: SweepResult, mine: Mapping[tuple[Place, str], Tally], others: Iterable[tuple[Place, str]]
) -> tuple[str, ...]:
    known = set(others)
    missing = [key for key in mine if key not in known]
    return tuple(f"{picker} at {place_text(result.axes, dict(place))}" for place, picker in missing)


def _varied(result: SweepResult) -> str:
    return ", ".join(axis.name for axis in result.axes)


def _pickers(result: SweepResult) -> str:
    return ", ".join(result.scenario.pickers)
