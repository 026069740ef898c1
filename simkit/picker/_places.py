"""Picks of particles in wrong places: how likely each is one, and what that does to a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray
from simkit.correlation.peaks import Peak
from simkit.correlation.refinement import Probe
from simkit.correlation.search import Scan
from simkit.picker._harvest import Harvest
from simkit.theory.fisher import limits
from simkit.theory.misplacement import misplacement
from simkit.threshold import AnyThreshold
from simkit.threshold.base import SearchStatistics

NEAR = 0.5
"""Radii of a particle within which a pick is in its place, unless the threshold says otherwise."""

APART = 0.5
"""Share of the distance to the nearest other pick within which scores may be this particle's."""

SURE = 1e3
"""d′ of a particle whose place is beyond doubt: of images without noise it is infinite."""

Detectability = Callable[[FloatArray, float], FloatArray]


def placed(
    harvest: Harvest,
    found: Scan,
    probes: Sequence[Probe],
    *,
    threshold: AnyThreshold,
    detectability: Detectability,
) -> Harvest:
    """Return a harvest that knows how likely each peak is misplaced, cut anew on account of it.

    Parameters
    ----------
    harvest : Harvest
        Of peaks that may be anywhere.
    found, probes
        What was searched, and for what.
    threshold : Threshold
        Only one that counts misplaced picks cuts higher than it did.
    detectability : callable
        ``detectability(scores, noise_sd)`` → the d′ that scores speak of.
    """
    scores = np.array([peak.score for peak in harvest.peaks])
    heights = np.minimum(detectability(scores, found.noise_sd), SURE)
    if not len(scores) or not np.isfinite(heights).any():
        return harvest
    supports = np.array([probes[peak.template].bank.support for peak in harvest.peaks])
    positions = np.array([peak.position for peak in harvest.peaks])
    chances = misplacement(
        np.minimum(detectability(found.best, found.noise_sd), SURE),
        found.grid,
        positions,
        heights,
        _areas(harvest.peaks, probes, heights),
        within=np.full(len(scores), threshold.nearness) if threshold.nearness else NEAR * supports,
        around=np.minimum(supports, APART * _gaps(positions, harvest.picks)),
        turned=any(probe.bank.step is not None for probe in probes),
    )
    statistics = SearchStatistics(scores, found.noise_sd, harvest.above, chances)
    # What is picked stays in its place in the list, which ends sooner.
    cut = max(harvest.cut, threshold.level(statistics))
    return replace(harvest, misplaced=chances, cut=cut, level=cut)


def _areas(peaks: Sequence[Peak], probes: Sequence[Probe], heights: FloatArray) -> FloatArray:
    """Return 2π times the root of the determinant of the covariance of every peak's place, by its height."""
    of_one = [np.inf if probe.moments is None else _area(probe.moments, probe.mask.ndim) for probe in probes]
    return np.array([of_one[peak.template] for peak in peaks]) / heights ** probes[0].mask.ndim


def _area(moments: FloatArray, ndim: int) -> float:
    covariance = limits(moments, wanted=range(ndim))
    return float(np.sqrt((2 * np.pi) ** ndim * np.nan_to_num(np.linalg.det(covariance), nan=np.inf)).mean())


def _gaps(positions: FloatArray, picks: Sequence[Peak]) -> FloatArray:
    """Return how far every position is from the nearest pick that is not there itself."""
    if not picks:
        return np.full(len(positions), np.inf)
    # The nearest of a pick is itself.
    gaps = KDTree([pick.position for pick in picks]).query(positions, k=2)[0]
    return np.where(gaps[:, 0] > 0, gaps[:, 0], gaps[:, 1])
