"""The records of all cells, gathered into tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from simkit.scenario.spec import Scenario
from simkit.sweeps.cells import Cell
from simkit.sweeps.completion import Case, failures, scores_of
from simkit.sweeps.results import HIGH, LOW, AxisInfo, SweepResult, axes_of, axis_columns
from simkit.sweeps.store import Store

Record = Mapping[str, Any]
Rows = list[dict[str, Any]]

POINT = ("recall", "precision", "f1", "false_picks")
COMPARED = ("a", "b", "basis", "metric", "difference", "low", "high")
TEXTS = ("picker", "class", "a", "b", "basis", "metric", "stage")
LIMITS = ("d_prime", "sigma_y", "sigma_x", "sigma_psi")


def gather(
    scenario: Scenario,
    cells: Sequence[Cell],
    cases: Sequence[Case],
    store: Store,
    *,
    answers: Sequence[Mapping[str, Any]] = (),
    seconds: Mapping[str, float] | None = None,
) -> SweepResult:
    """Return what a sweep's cells come to, as far as they are there.

    Parameters
    ----------
    scenario : Scenario
        With its sweep.
    cells, cases : sequence
        The cells and, of each, its scenario as it was run last.
    store : Store
        Holds their records.
    answers : sequence of mapping
        What searches along an axis found.
    seconds : mapping
        Stage → seconds of work.
    """
    axes = axes_of(scenario, cells)
    at = _places(axes, cells)
    records = [scores_of(case, store) for case in cases]
    wrong = [
        {"cell": cell.number, **vars(failure)}
        for cell, case, record in zip(cells, cases, records, strict=True)
        if record is None
        for failure in failures(case, store)
    ]
    failed = {failure["cell"] for failure in wrong}
    there = [(place, record) for place, record in zip(at, records, strict=True) if record is not None]
    return SweepResult(
        scenario=scenario,
        axes=axes,
        cells=pa.Table.from_pylist(
            [
                place
                | {
                    "micrographs": 0 if record is None else record["micrographs"],
                    "key": case.keys.scores,
                    "failed": cell.number in failed,
                }
                for place, record, case, cell in zip(at, records, cases, cells, strict=True)
            ]
        ),
        scores=_table(_scores(there), axes, "picker", "class", "oracle"),
        comparisons=_table(
            _comparisons(there), axes, "a", "b", "basis", "metric", "difference", "low", "high"
        ),
        counts=_table(_counts(there), axes, "picker", "micrograph", "tp", "picks", "truths"),
        ceilings=_table(_ceilings(there), axes, "class", *POINT, *LIMITS),
        costs=_table(_costs(there), axes, "stage", "seconds"),
        failures=tuple(wrong),
        units=_units(cases),
        answers=tuple(answers),
        settings=tuple(cell.written for cell in cells),
        seconds=dict(seconds or {}),
    )


def _places(axes: Sequence[AxisInfo], cells: Sequence[Cell]) -> Rows:
    columns = axis_columns(axes, cells)
    return [
        {"cell": cell.number, **{name: values[i] for name, values in columns.items()}}
        for i, cell in enumerate(cells)
    ]


def _scores(there: Sequence[tuple[dict[str, Any], Record]]) -> Rows:
    rows = []
    for place, record in there:
        for picker, entry in record["pickers"].items():
            for name, values in entry.items():
                if isinstance(values, dict):
                    intervals = record["intervals"][picker].get(name, {})
                    ends = {m + LOW: ends[0] for m, ends in intervals.items()}
                    ends |= {m + HIGH: ends[1] for m, ends in intervals.items()}
                    who = {"picker": picker, "class": name, "oracle": entry["oracle"]}
                    rows.append({**place, **who, **_numbers(values), **ends})
    return rows


def _comparisons(there: Sequence[tuple[dict[str, Any], Record]]) -> Rows:
    rows = []
    for place, record in there:
        for comparison in record["comparisons"]:
            low, high = comparison["interval"] or (None, None)
            told = {key: value for key, value in comparison.items() if key != "interval"}
            rows.append({**place, **told, "low": low, "high": high})
    return rows


def _counts(there: Sequence[tuple[dict[str, Any], Record]]) -> Rows:
    return [
        {**place, "picker": picker, "micrograph": i, "tp": tp, "picks": picks, "truths": truths}
        for place, record in there
        for picker, counts in record["counts"].items()
        for i, (tp, picks, truths) in enumerate(
            zip(counts["tp"], counts["picks"], counts["truths"], strict=True)
        )
    ]


def _ceilings(there: Sequence[tuple[dict[str, Any], Record]]) -> Rows:
    rows = []
    for place, record in there:
        ceiling = record["ceiling"]
        if ceiling is None:
            continue
        for name, point in ceiling["at_equal_false_picks"].items():
            limits = ceiling["species"].get(name, {})
            rows.append(
                {
                    **place,
                    "class": name,
                    **{key: point[key] for key in POINT},
                    **{key: _number(limits.get(key)) for key in LIMITS},
                }
            )
    return rows


def _costs(there: Sequence[tuple[dict[str, Any], Record]]) -> Rows:
    return [
        {**place, "stage": stage, "seconds": seconds}
        for place, record in there
        for stage, seconds in record["seconds"].items()
    ]


def _table(rows: Rows, axes: Sequence[AxisInfo], *fixed: str) -> pa.Table:
    """Return rows as a table; what some rows lack is null there, and a number is a number throughout.

    Of no rows it has the axes and the fixed columns all the same.
    """
    always = ["cell", *(axis.name for axis in axes), *fixed]
    names = list(dict.fromkeys([*always, *(name for row in rows for name in row)]))
    return pa.table({name: pa.array([row.get(name) for row in rows], _type(rows, name)) for name in names})


def _type(rows: Rows, name: str) -> pa.DataType | None:
    kinds = {type(row[name]) for row in rows if row.get(name) is not None}
    if kinds <= {int, float} and float in kinds:
        return pa.float64()
    return None if kinds else pa.string() if name in TEXTS else pa.float64()


def _numbers(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _units(cases: Sequence[Case]) -> dict[str, str]:
    score = cases[0].scenario.score if cases else None
    return {
        name: unit for metric in (score.used_metrics if score else ()) for name, unit in metric.units.items()
    }
