"""Sweeps made up in memory: their counts are drawn, and every table follows from the counts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from simkit.judging.comparison import METRICS, compare
from simkit.metric.detection import rates
from simkit.scenario.loading import Draft, read_draft
from simkit.statistics.bootstrap import interval
from simkit.sweeps.cells import Cell, expand
from simkit.sweeps.results import SweepResult, axes_of, axis_columns
from simkit.sweeps.tallies import tally

SCENARIO = """\
schema_version: 1
title: {title}
image: {{shape: [64, 64], pixel_size: 4 Å, boundary: periodic}}
specimen:
  ring:
    unit_cell: {{kind: shapes, shapes: [{{kind: ring, radius: 30 Å, width: 8 Å}}]}}
    lattice: {{kind: scattered, count: 2, min_distance: 100 Å}}
noise: {{film: {{kind: gaussian, snr: 0.5}}}}
templates: {{ring: {{kind: specimen, of: ring}}}}
pickers:
  new: {{kind: matched_filter, threshold: {{kind: top, count: 2}}}}
  old: {{kind: ncc, threshold: {{kind: fixed, value: 0.3}}}}
  told: {{kind: matched_filter, noise: declared, threshold: {{kind: top, count: 2}}}}
  plain: {{kind: correlation, threshold: {{kind: top, count: 2}}}}
score: {{radius: 20 Å, metrics: [{{kind: detection}}]}}
sweep: {sweep}
"""

TRUTHS = 30
"""Particles of every micrograph."""

Skill = Callable[[str, Mapping[str, Any]], float]
"""Picker and values of the axes → chance that a particle is found."""


def draft(sweep: str, title: str = "A sweep") -> Draft:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "s.yaml")
        file.write_text(SCENARIO.format(sweep=sweep, title=title), encoding="utf-8")
        return read_draft(file)


def skill(picker: str, place: Mapping[str, Any]) -> float:
    """The new one is better where the first axis is low, the old one where it is high."""
    value = next((v for v in place.values() if isinstance(v, float)), 1.0)
    return {"new": 0.8, "old": min(0.2 + 0.1 * value, 0.95), "told": 0.85}[picker]


def made(
    sweep: str,
    *,
    title: str = "A sweep",
    skill: Skill = skill,
    pickers: Collection[str] = ("new", "old", "told"),
    micrographs: int = 8,
    seed: int = 0,
    failed: Collection[int] = (),
    limited: bool = True,
    answers: tuple[Mapping[str, Any], ...] = (),
    cells: tuple[Cell, ...] | None = None,
) -> SweepResult:
    scenario = draft(sweep, title).validated().scenario
    scenario = scenario.model_copy(
        update={"pickers": {name: spec for name, spec in scenario.pickers.items() if name in pickers}}
    )
    assert scenario.sweep is not None
    every = cells or expand(scenario.sweep)
    axes = axes_of(scenario, every)
    columns = axis_columns(axes, every)
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in ("cells", "scores", "comparisons")}
    tables |= {name: [] for name in ("counts", "ceilings", "costs")}
    for i, cell in enumerate(every):
        place = {"cell": cell.number, **{name: values[i] for name, values in columns.items()}}
        there = cell.number not in failed
        tables["cells"].append(
            place | {"micrographs": micrographs if there else 0, "key": f"{i}", "failed": not there}
        )
        if there:
            _one(tables, place, scenario, skill, micrographs, seed, limited)
    return SweepResult(
        scenario=scenario,
        axes=axes,
        **{name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
        failures=tuple(
            {"cell": n, "what": "micrograph 0", "kind": "ScenarioError", "message": f"no <b>room</b> in {n}"}
            | {"trace": ""}
            for n in failed
        ),
        answers=answers,
        settings=tuple(cell.written for cell in every),
    )


def _one(
    tables: dict[str, list[dict[str, Any]]],
    place: dict[str, Any],
    scenario: Any,
    skill: Skill,
    micrographs: int,
    seed: int,
    limited: bool,
) -> None:
    """Fill in one cell. The same seed gives the same draws in all cells, as common random numbers do."""
    values = {name: value for name, value in place.items() if name != "cell"}
    tallies = []
    for turn, (name, spec) in enumerate(scenario.pickers.items()):
        rng = np.random.default_rng([seed, turn])
        tp = rng.binomial(TRUTHS, skill(name, values), micrographs)
        picks = tp + rng.poisson(3, micrographs)
        found = tally(name, *(np.asarray(n, float) for n in (tp, picks, np.full(micrographs, TRUTHS))))
        tables["counts"] += [
            {**place, "picker": name, "micrograph": m, "tp": t, "picks": p, "truths": TRUTHS}
            for m, (t, p) in enumerate(zip(tp.tolist(), picks.tolist(), strict=True))
        ]
        ends = interval(found.sums, lambda s: rates(**s), seed=0, resamples=200)
        row: dict[str, Any] = {metric: found.value(metric) for metric in METRICS}
        for metric in METRICS:
            row[f"{metric}_low"], row[f"{metric}_high"] = ends.get(metric, (None, None))
        known = {**place, "picker": name, "oracle": spec.oracle}
        tables["scores"] += [
            {**known, "class": "all", **row},
            {**known, "class": "ring", **dict.fromkeys(row, 0.5)},
        ]
        tables["costs"].append({**place, "stage": name, "seconds": 0.5 + turn})
        if not spec.oracle:
            tallies.append(found)
    for basis in ("own thresholds", "equal false picks"):
        for c in compare(tallies, basis=basis, seed=0, resamples=200):
            low, high = c.interval or (None, None)
            told = {key: value for key, value in asdict(c).items() if key != "interval"}
            tables["comparisons"].append({**place, **told, "low": low, "high": high})
    if limited:
        best = {"recall": 0.95, "precision": 0.96, "f1": 0.955, "false_picks": 1.0}
        tables["ceilings"] += [
            {**place, "class": "all", **best},
            {**place, "class": "ring", **best, "f1": 0.5},
        ]
