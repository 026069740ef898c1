"""How often a suite raises a false alarm without any change, and how small a loss it sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from scipy.optimize import bisect

from simkit.scenario.expectation import Bound
from simkit.statistics.proportion import wilson
from simkit.suites.noninferiority import MEASURES, Vectors, not_worse, paired
from simkit.suites.outcome import Outcome
from simkit.suites.spec import LoadedSuite
from simkit.suites.yardstick import Accepted

POWER = 0.8
"""Chance of being seen that makes a loss visible."""


@dataclass(frozen=True)
class Calibration:
    """What came of many runs without any change.

    Attributes
    ----------
    runs, alarms : int
        How many, and in how many of them anything failed.
    interval : tuple of float
        Wilson's, of 95 %, of the share of runs with an alarm.
    by_expectation : mapping
        Case and expectation → how many runs it failed in.
    """

    runs: int
    alarms: int
    interval: tuple[float, float]
    by_expectation: Mapping[tuple[str, str], int]


def tally(runs: Sequence[Sequence[Outcome]]) -> Calibration:
    """Return how often runs of the same code failed.

    Parameters
    ----------
    runs : sequence of sequence of Outcome
        At least one run; each of other micrographs.
    """
    failed: dict[tuple[str, str], int] = {}
    for outcomes in runs:
        for outcome in outcomes:
            key = outcome.case, outcome.expectation
            failed[key] = failed.get(key, 0) + (not outcome.passed)
    alarms = sum(any(not outcome.passed for outcome in outcomes) for outcomes in runs)
    return Calibration(len(runs), alarms, wilson(alarms, len(runs)) or (0.0, 1.0), failed)


@dataclass(frozen=True)
class Sight:
    """What a comparison with an accepted baseline can see.

    Attributes
    ----------
    margin : Bound
        What may be lost.
    passes : float
        Chance that a picker that loses as much passes, at most.
    loss : float or None
        The smallest loss that is seen, see `smallest_loss`; in the unit of the margin.
    """

    margin: Bound
    passes: float
    loss: float | None


def sight(suite: LoadedSuite, case: str, number: int) -> Sight | None:
    """Return what an expectation sees of a loss; None where it has no accepted baseline to compare with."""
    expectation = suite.suite.cases[case].expect[number]
    if expectation.baseline is None:
        return None
    old = Accepted(suite).vectors(case, str(expectation.picker))
    same = None if old is None else paired(expectation.metric, old, old)
    if old is None or same is None:
        return None
    margin, ndim = expectation.baseline.margin, suite.scenarios[case].image.ndim
    loss = smallest_loss(expectation.metric, old, margin=margin.value, alpha=suite.alpha, ndim=ndim)
    return Sight(margin, max(suite.alpha, same.traceless(margin.value)), loss)


def smallest_loss(
    metric: str, old: Vectors, *, margin: float, alpha: float, ndim: int = 2, draws: int = 400, seed: int = 0
) -> float | None:
    """Return the smallest loss that fails against a baseline on the same micrographs.

    Parameters
    ----------
    metric : str
        One of `simkit.suites.noninferiority.MEASURES`.
    old : Vectors
        Of the baseline.
    margin : float
        What may be lost, in the unit of the metric.
    alpha : float
        Chance that as much passes.
    ndim : int
        1 or 2.
    draws : int
        How many pickers that lose as much are drawn; the chance of being seen is known to ± 2 % of 400.
    seed : int
        Of the draws.

    Returns
    -------
    float or None
        The loss that is seen with a chance of `POWER`, in the unit of the metric; None where even the largest
        that is tried is not, or the baseline has no value.

    Notes
    -----
    Losses are drawn as `DEFECTS` says and judged by the comparison itself. A picker that loses the margin
    fails, up to `alpha` and the chance that nothing is hit (`Gain.traceless`): more than the margin and
    four particles is never needed.
    """
    value = MEASURES[metric].value(old)
    same = paired(metric, old, old)
    if value is None or same is None:
        return None
    top = margin + 4 * same.grain
    if MEASURES[metric].better > 0:
        top = min(top, value * (1 - 1e-9))

    def excess(loss: float) -> float:
        rng = np.random.default_rng(seed)
        gains = (paired(metric, DEFECTS[metric](old, loss, ndim, rng), old) for _ in range(draws))
        passed = sum(gain is not None and not_worse(gain, margin=margin, alpha=alpha) for gain in gains)
        return 1 - passed / draws - POWER

    if excess(top) < 0:
        return None
    return float(bisect(excess, 0.0, top, xtol=top / 200))


def _fewer(old: Vectors, lost: float, rng: Generator) -> Vectors:
    """Lose each of the particles found, so that as many are lost on average."""
    kept = old.tp - rng.binomial(old.tp.astype(int), lost / old.tp.sum())
    share = np.divide(kept, old.tp, out=np.zeros_like(old.tp), where=old.tp > 0)
    return Vectors(kept, old.picks - old.tp + kept, old.truths, old.squares * share)


def _false(old: Vectors, more: float, rng: Generator) -> Vectors:
    """Pick as many more on average where nothing is, anywhere."""
    return replace(old, picks=old.picks + rng.poisson(more / len(old.tp), len(old.tp)))


def _less_recall(old: Vectors, loss: float, ndim: int, rng: Generator) -> Vectors:
    return _fewer(old, loss * old.truths.sum(), rng)


def _less_f1(old: Vectors, loss: float, ndim: int, rng: Generator) -> Vectors:
    # f = 2 (TP − l) / (P + T − l), solved for the lost l.
    both = float((old.picks + old.truths).sum())
    left = 2 * float(old.tp.sum()) / both - loss
    return _fewer(old, (2 * float(old.tp.sum()) - left * both) / (2 - left), rng)


def _less_precision(old: Vectors, loss: float, ndim: int, rng: Generator) -> Vectors:
    pairs, picks = float(old.tp.sum()), float(old.picks.sum())
    return _false(old, pairs / (pairs / picks - loss) - picks, rng)


def _more_false(old: Vectors, loss: float, ndim: int, rng: Generator) -> Vectors:
    return _false(old, loss, rng)


def _farther(old: Vectors, loss: float, ndim: int, rng: Generator) -> Vectors:
    # Errors e with displacements δ of variance s² an axis: Σ |e + δ|² / s² is χ² around Σ |e|² / s².
    before = float(old.squares.sum() / old.tp.sum())
    variance = ((math.sqrt(before) + loss) ** 2 - before) / ndim
    if variance <= 0:
        return old
    there = old.tp > 0
    squares = np.zeros_like(old.squares)
    around = old.squares[there] / variance
    squares[there] = variance * rng.noncentral_chisquare(ndim * old.tp[there], around)
    return replace(old, squares=squares)


DEFECTS: Mapping[str, Callable[[Vectors, float, int, Generator], Vectors]] = MappingProxyType(
    {
        "recall": _less_recall,
        "f1": _less_f1,
        "precision": _less_precision,
        "fp": _more_false,
        "rmse": _farther,
    }
)
"""Metric → what a picker does on the same micrographs that is worse by a loss on average.

Particles that were found are lost, one independently of another (recall, f1); false picks come in anywhere
(precision, fp); every position is off by a normal deviate more (rmse).
"""
