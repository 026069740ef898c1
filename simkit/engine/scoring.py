"""Truth and picks → scores. Pixels are never in scope here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simkit.audit.base import Measurement
from simkit.core.tables import Picks, Truth
from simkit.engine.results import Judgement, Value
from simkit.matching.optimal import match
from simkit.metric.base import Comparison
from simkit.scenario.expectation import Expectation
from simkit.scenario.spec import Scenario, Score


def judge(
    truth: Truth,
    picks: Picks,
    score: Score,
    *,
    classes: Sequence[str],
    symmetry: Mapping[str, str],
    ndim: int,
    knows: tuple[str, ...] = (),
    oracle: bool = False,
    complete: bool = True,
    unjudged: frozenset[str] = frozenset(),
) -> Judgement:
    """Score one picker over all micrographs.

    Parameters
    ----------
    truth, picks : Truth, Picks
        All micrographs.
    score : Score
        Radius, rule and metrics.
    classes : sequence of str
        Classes to score one by one, besides the class-blind "all".
    symmetry : mapping
        Class → Cn.
    ndim : int
        1 or 2.
    knows, oracle : tuple of str, bool
        What the picker was told; copied into the result.
    complete : bool
        Whether the truth holds every particle of the micrographs that are judged.
    unjudged : frozenset of str
        Micrographs of which no truth is known: picks on them count nowhere.
    """
    blind = match(truth, picks, radius=score.radius, ndim=ndim)
    judged = picks.take(~np.isin(picks["micrograph"], list(unjudged)))

    def values(truth: Truth, picks: Picks) -> dict[str, Value]:
        pairs = match(truth, picks, radius=score.radius, ndim=ndim)
        comparison = Comparison(truth, picks, pairs, score.radius, symmetry, ndim, complete)
        return {
            name: value for metric in score.used_metrics for name, value in metric.score(comparison).items()
        }

    by_class = {
        name: values(truth.take(truth["class"] == name), judged.take(judged["class"] == name))
        for name in classes
    }
    return Judgement(
        knows=knows, oracle=oracle, values={"all": values(truth, judged), **by_class}, match=blind
    )


def judge_points(truth: Truth, picks: Picks, radius: float) -> Judgement:
    """Judge coordinates of any origin, blind to class.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Positions in Å; rows are compared within equal `micrograph` names.
    radius : float
        Å, inclusive.
    """
    blind = np.full(len(truth), ""), np.full(len(picks), "")
    return judge(
        truth.replace(**{"class": blind[0]}),
        picks.replace(**{"class": blind[1]}),
        Score(radius=radius),
        classes=(),
        symmetry={},
        ndim=2,
    )


def verdict(
    scenario: Scenario,
    judgements: Mapping[str, Judgement],
    measurements: Mapping[str, Measurement],
    notices: Sequence[str] = (),
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
        "pickers": {
            name: {"knows": list(j.knows), "oracle": j.oracle, **j.values} for name, j in judgements.items()
        },
        "audit": {name: dict(m.values) for name, m in measurements.items()},
        "expectations": outcomes,
        "passed": all(outcome["passed"] for outcome in outcomes),
    }


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
