"""How often a suite raises a false alarm without any change, and how small a loss it sees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import ndtri

from simkit.statistics.proportion import wilson
from simkit.suites.outcome import Outcome

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


def smallest_loss(*, recall: float, particles: float, margin: float, alpha: float) -> float | None:
    """Return the smallest loss of recall that fails against a baseline on the same micrographs.

    Parameters
    ----------
    recall : float
        Of the baseline.
    particles : float
        In all micrographs.
    margin, alpha : float
        What may be lost, and the chance that as much passes.

    Returns
    -------
    float or None
        Seen with a chance of `POWER`; None where even losing everything is not.

    Notes
    -----
    Who loses each of the particles found with a chance q loses L = q r of the recall r, with a standard
    error √(L (1 − L / r) / n) of n particles. That fails where L plus z_α standard errors exceed the
    margin, and does so in `POWER` of all cases where (margin − L) / error = z_α − z_power: normal deviates in
    place of Student's, with which a little less passes.
    """
    reach = float(-ndtri(alpha) - ndtri(POWER))

    def short(loss: float) -> float:
        return margin - loss - reach * math.sqrt(loss * (1 - loss / recall) / particles)

    if recall <= 0 or short(recall) > 0:
        return None
    return float(brentq(short, 0.0, recall))
