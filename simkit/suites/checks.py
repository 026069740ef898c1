"""One statement of an expectation held to what a case came to: limits, theory, baseline, run time.

Every text says what was found; what was demanded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simkit.scenario.expectation import Bound, RunTime, SuiteExpectation
from simkit.suites.noninferiority import Vectors, not_worse, paired, proven_worse, unpaired
from simkit.suites.outcome import Check
from simkit.suites.theory import Account, predict

if TYPE_CHECKING:
    from simkit.suites.evidence import Evidence


def limits(evidence: Evidence, expectation: SuiteExpectation) -> Check:
    """Return whether a value keeps its limits, with its interval where it has one."""
    value = _value(evidence, expectation)
    of = evidence.record["intervals"][expectation.picker].get(expectation.class_, {})
    ends = of.get(expectation.metric)
    asked = {name: bounds for name, bounds in expectation.limits_by_field.items() if name != "baseline"}
    unit = next(iter(asked.values()))[0].unit
    shown = "does not exist" if value is None else f"{value:.4g}"
    shown += f" {unit}" if unit and value is not None else ""
    shown += f" [{ends[0]:.4g}, {ends[1]:.4g}]" if ends else ""
    demanded = ", ".join(f"{name.replace('_', ' ')} {_written(bounds)}" for name, bounds in asked.items())
    return Check("limits", f"{shown}; {demanded}", expectation.holds(value), value=value)


def theory(evidence: Evidence, expectation: SuiteExpectation) -> Check:
    """Return whether a value lies where theory says, up to as many standard deviations as are allowed."""
    picker, sigmas = str(expectation.picker), expectation.sigmas or 0.0
    ceiling = (evidence.record["ceiling"] or {}).get("at_equal_false_picks", {})
    account = Account(
        values=evidence.record["pickers"][picker][expectation.class_],
        ceiling=ceiling.get(expectation.class_),
        expected_false=evidence.deeds[picker].expected_false,
        dims=evidence.case.scenario.image.ndim,
    )
    value, told = _value(evidence, expectation), predict(expectation.metric, account, sigmas)
    if value is None or told is None:
        return Check("theory", f"{expectation.metric} or its theory does not exist here", False, value=value)
    text = f"{value:.4g}; {told.why} {told.value:.4g} [{told.low:.4g}, {told.high:.4g}] at {sigmas:g} σ"
    return Check("theory", text, told.low <= value <= told.high, value=value)


def against_baseline(
    metric: str, new: Vectors, old: Vectors, *, margin: float, alpha: float, same: bool
) -> Check:
    """Return whether a picker lost no more than a margin against its baseline.

    Parameters
    ----------
    metric : str
        One of `simkit.suites.noninferiority.MEASURES`.
    new, old : Vectors
        What it did, and what it did by its baseline.
    margin : float
        What may be lost, in the unit of the metric.
    alpha : float
        Chance of the error that the comparison may make.
    same : bool
        Whether both are of the same micrographs: a loss of the margin must then be excluded. On others it
        must be proven to fail, for the difference of the micrographs is in it too.
    """
    gain = (paired if same else unpaired)(metric, new, old)
    if gain is None:
        return Check("baseline", f"{metric} does not exist", False)
    low, high = gain.limits(alpha, margin if same else 0.0)
    text = (
        f"{gain.new:.4g}, baseline {gain.old:.4g}: gain {gain.gain:+.4g} [{low:+.4g}, {high:+.4g}]; "
        f"margin {margin:g}, alpha {alpha:.2g}"
    )
    if not same:
        return Check("baseline", text, not proven_worse(gain, margin=margin, alpha=alpha), value=gain.new)
    held, hidden = not_worse(gain, margin=margin, alpha=alpha), gain.traceless(margin)
    if gain.cluster is not None:
        text += f"; {gain.cluster}, too many for chance, and count as one"
    if hidden > alpha:
        enough, few = gain.unit * math.log(1 / alpha), "clusters" if gain.cluster else "particles"
        text += (
            f"; so few {few} do not show a loss of the margin with a chance of {hidden:.2g}; "
            f"with a margin of {enough:.2g}, or {enough / margin:.2g} times the micrographs, they would"
        )
    doubted = hidden > alpha or gain.cluster is not None
    return Check("baseline", text, held, value=gain.new, warning=doubted)


def run_time(allowed: RunTime, new: float, old: float) -> Check:
    """Return how much slower a picker became; too slow is a warning, for machines differ.

    Parameters
    ----------
    allowed : RunTime
        How much slower it may be.
    new, old : float
        Seconds of a micrograph.
    """
    ratio = new / old if old > 0 else 1.0
    text = f"{ratio:.3g} times the baseline's; at most {allowed.at_most_ratio:g}"
    return Check("run_time", text, True, warning=ratio > allowed.at_most_ratio)


def _value(evidence: Evidence, expectation: SuiteExpectation) -> float | None:
    values = evidence.record["pickers"][expectation.picker][expectation.class_]
    value: float | None = values[expectation.metric]
    return value


def _written(bounds: tuple[Bound, ...]) -> str:
    return " to ".join(str(bound.written) for bound in bounds)
