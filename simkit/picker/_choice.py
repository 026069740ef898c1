"""Which of several templates a pick is: that whose score noise would give most seldom.

Templates differ in what noise gives them: in the deviation of their scores, and in how many angles and
places are practically different. The false picks E(s) that one template alone is expected to give hold both.
For a signal of unknown height, place and angle, 1 / E is Laplace's approximation of the evidence for a
template but for a factor of the level itself, so that of two equally frequent templates the first is there
with the chance E₂ / (E₁ + E₂) [1]_.

References
----------
.. [1] MacKay, Information Theory, Inference, and Learning Algorithms (2003), chapter 28: Occam factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from simkit.core.grid import FloatArray
from simkit.correlation.candidates import peaks_near
from simkit.correlation.exact import MayStand, margin
from simkit.correlation.peaks import Indices, Peak
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.search import Scan
from simkit.picker._expectation import Expectation
from simkit.theory.random_field import LOWEST_LEVEL

WITHIN = 0.5
"""Radii of a pick's template within which another one's peak competes with it for the same particle."""

CERTAIN = 40.0
"""Difference of log E from which on a certainty is 1 in double precision, whatever the rest."""

SMALLEST = 1e-290
"""Expected number below which a tail may be cut to nothing."""


@dataclass(frozen=True)
class Choice:
    """Peaks after the choice.

    Attributes
    ----------
    peaks : list of Peak
        Each where and what the likeliest template says; its score is still the highest there, by which it was
        found.
    columns : mapping
        `runner_up` and `certainty`, see `Picks`; empty where nothing competes.
    """

    peaks: Sequence[Peak]
    columns: Mapping[str, Sequence[str] | FloatArray]


def chosen(
    peaks: Sequence[Peak],
    picked: FloatArray,
    *,
    found: Scan,
    field: Field,
    probes: Sequence[Probe],
    groups: Sequence[int],
    expected: Expectation,
    may_stand: MayStand,
) -> Choice:
    """Choose between the best template at a place and the best of any other group.

    Parameters
    ----------
    peaks : sequence of Peak
        Of the scan.
    picked : array of bool, shape (n,)
        For which peaks to choose.
    found, field, probes
        What was searched, and for what.
    groups : sequence of int
        Group of every probe: views of one template do not compete.
    expected : Expectation
        Of the whole search.
    may_stand : callable
        See `best_peaks`.
    """
    rows = np.flatnonzero(picked).tolist()
    if found.rival is None or found.runner is None or not rows or not found.noise_sd > 0:
        return Choice(peaks, {})
    rarity = _Rarity(expected, groups)
    reaches = [WITHIN * probes[peaks[i].template].bank.support for i in rows]
    near = [
        _highest_other(peaks[i], found, (found.rival, found.runner), np.array(groups), reach)
        for i, reach in zip(rows, reaches, strict=True)
    ]
    result, runner_up, certainty = list(peaks), [""] * len(peaks), np.full(len(peaks), np.nan)
    open_: list[int] = []
    for number, (i, (_, template, score)) in enumerate(zip(rows, near, strict=True)):
        # At its best the rival would still be what noise gives far more often.
        best = score + margin(score, found.noise_sd, probes[template].turning_rise)
        if rarity.of(template, float(best)) - rarity(peaks[i]) > CERTAIN:
            runner_up[i], certainty[i] = probes[template].bank.name, 1.0
        else:
            open_.append(number)
    index, templates = (np.array([near[n][column] for n in open_], np.intp) for column in (0, 1))
    rivals = peaks_near(found, field, probes, index, templates, may_stand=may_stand) if open_ else []
    for number, rival in zip(open_, rivals, strict=True):
        i, reach = rows[number], reaches[number]
        peak = peaks[i]
        if rival is None or np.linalg.norm(rival.position - peak.position) > 2 * reach:
            continue
        gain = rarity(rival) - rarity(peak)
        if gain < 0:
            result[i], rival = replace(rival, score=peak.score), peak
        runner_up[i], certainty[i] = probes[rival.template].bank.name, expit(abs(gain))
    return Choice(result, {"runner_up": runner_up, "certainty": certainty})


class _Rarity:
    """Logarithm of the false picks that noise alone gives a peak's group above its score."""

    def __init__(self, expected: Expectation, groups: Sequence[int]) -> None:
        self._expected, self._groups = expected, groups
        self._alone: dict[int, Expectation] = {}

    def __call__(self, peak: Peak) -> float:
        return self.of(peak.template, peak.score)

    def of(self, template: int, score: float) -> float:
        """Return it for a score of a template."""
        group = self._groups[template]
        if group not in self._alone:
            self._alone[group] = self._expected.alone([i for i, g in enumerate(self._groups) if g == group])
        count = self._alone[group](max(score / self._expected.noise_sd, LOWEST_LEVEL))
        if count > SMALLEST:
            return math.log(count)
        # Beyond what a double holds, the exponent of the tail is all that matters.
        return -(self._expected.sought[template].law.level(score) ** 2) / 2


def _highest_other(
    peak: Peak, found: Scan, others: tuple[FloatArray, FloatArray], groups: Indices, reach: float
) -> tuple[Indices, int, float]:
    """Return the sample near a peak where a template of another group scores most, which, and how much."""
    middle = np.rint((peak.position - np.array(found.grid.origin)) / found.grid.pixel_size).astype(np.intp)
    steps = int(reach / found.grid.pixel_size)
    # A peak is worked out from a sample and its neighbours.
    last = np.array(found.best.shape) - 2
    low, high = (np.clip(middle + side * steps, 1, last) for side in (-1, 1))
    near = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    mine = groups[found.winner[near]] == groups[peak.template]
    scores = np.where(mine, others[0][near], found.best[near])
    where = np.unravel_index(scores.argmax(), scores.shape)
    template = (others[1] if mine[where] else found.winner)[near][where]
    return low + np.array(where), int(template), float(scores[where])
