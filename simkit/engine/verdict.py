"""What a run comes to: every value that it leaves in scores.json, and whether each expectation holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from simkit.audit.base import Measurement
from simkit.engine.ceiling import Ceiling
from simkit.engine.nulls import NullRun
from simkit.engine.results import Judgement
from simkit.judging.comparison import PairedComparison
from simkit.scenario.expectation import Expectation
from simkit.scenario.spec import Scenario


def verdict(
    scenario: Scenario,
    judgements: Mapping[str, Judgement],
    measurements: Mapping[str, Measurement],
    notices: Sequence[str] = (),
    *,
    comparisons: Sequence[PairedComparison] = (),
    ceiling: Ceiling | None = None,
    nulls: Sequence[NullRun] = (),
) -> dict[str, Any]:
    """Return the content of scores.json: every value, and whether each expectation holds."""
    outcomes = [_outcome(e, judgements, measurements) for e in scenario.expect]
    return {
        "schema_version": 1,
        "scenario": scenario.title,
        "seed": scenario.seed,
        "units": _units(scenario),
        "complete_truth": scenario.truth_is_complete,
        "notices": list(notices),
        "pickers": {name: picker_entry(j) for name, j in judgements.items()},
        "intervals": {name: intervals_entry(j) for name, j in judgements.items()},
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "ceiling": None if ceiling is None else ceiling_entry(ceiling),
        "nulls": {null.variant: _null_entry(null) for null in nulls},
        "audit": {name: dict(m.values) for name, m in measurements.items()},
        "expectations": outcomes,
        "passed": all(outcome["passed"] for outcome in outcomes),
    }


def picker_entry(judgement: Judgement) -> dict[str, Any]:
    """Return what scores.json says of one picker."""
    return {
        "knows": list(judgement.knows),
        "oracle": judgement.oracle,
        "threshold": judgement.threshold,
        **judgement.values,
    }


def intervals_entry(judgement: Judgement) -> dict[str, Any]:
    """Return a picker's intervals of 95 %, and what they resample."""
    return {
        "resampled": judgement.resampled,
        **{name: {m: list(limits) for m, limits in of.items()} for name, of in judgement.intervals.items()},
    }


def ceiling_entry(ceiling: Ceiling) -> dict[str, Any]:
    """Return what physics allows, as scores.json says it."""
    return {
        "species": {name: _plain(asdict(limit)) for name, limit in ceiling.species.items()},
        "lattices": {name: _plain(asdict(limit)) for name, limit in ceiling.lattices.items()},
    }


def _null_entry(null: NullRun) -> dict[str, Any]:
    return {
        "micrographs": null.micrographs,
        "pickers": {
            name: {"picks": found.picks, "predicted": found.predicted} for name, found in null.pickers.items()
        },
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Write what does not exist as null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _outcome(
    expectation: Expectation,
    judgements: Mapping[str, Judgement],
    measurements: Mapping[str, Measurement],
) -> dict[str, Any]:
    if expectation.audit is not None:
        value = measurements[expectation.audit].values[expectation.metric]
    else:
        value = judgements[str(expectation.picker)].values[expectation.class_][expectation.metric]
    written = expectation.model_dump(mode="json", by_alias=True, exclude_none=True)
    if expectation.audit is not None:
        written.pop("class")
    return {**written, "value": value, "passed": expectation.holds(value)}


def _units(scenario: Scenario) -> dict[str, Any]:
    scored = scenario.score.used_metrics if scenario.score else ()
    return {
        "pickers": {name: unit for metric in scored for name, unit in metric.units.items()},
        "audit": {name: dict(audit.units) for name, audit in scenario.audit.items()},
    }
