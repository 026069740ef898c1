"""What is said of a pick besides where it is: how sure its place is, how likely noise made it, and doubts."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray, Grid
from simkit.correlation.contrast import opposite_heights
from simkit.correlation.peaks import Indices, Peak
from simkit.correlation.refinement import Probe
from simkit.correlation.search import Scan
from simkit.theory.outliers import LOWEST_REACHABLE
from simkit.theory.peak_limits import peak_limits
from simkit.theory.significance import p_values, q_values

CROWDED_WITHIN = 1.5
"""Diameters within which another candidate of comparable score makes a pick crowded."""

COMPARABLE = 0.75
"""Share of a pick's score from which another candidate's is comparable: it may bend the place of the top."""

CLEARLY = 1.2
"""How many times higher the opposite contrast scores where it is suspected to be right. Beside a particle of
the right contrast it cannot score as high as the particle, but for what neighbours add and the noise."""

FEWEST = 5
"""Peaks of a template from which on they tell what noise is under it."""

MEDIAN_ERROR = 1.4826 * 1.2533
"""Standard error of the median of n normal numbers, times √n, over their median absolute deviation."""

LEAST_UNREST = 0.1
"""Least share of the image's noise under a peak: beside what makes it quieter there is the detector's own."""

Flags = npt.NDArray[np.bool_]


def uncertainties(
    peaks: Sequence[Peak], probes: Sequence[Probe], d_prime: FloatArray
) -> dict[str, FloatArray]:
    """Return the columns `sigma_y`, `sigma_x` (Å) and `sigma_psi` (°) of peaks of given detectability.

    See `peak_limits`; NaN where they have no meaning. Where the noise under a template's peaks is not that of
    the rest of the image, as where particles are counted, theirs counts (`_unrest`).
    """
    sigma = np.full((len(peaks), 3), np.nan)
    of = np.array([peak.template for peak in peaks], int)
    views = np.array([peak.view for peak in peaks], int)
    for template, probe in enumerate(probes):
        rows = np.flatnonzero(of == template)
        if probe.moments is None or not len(rows):
            continue
        ndim, turned = probe.mask.ndim, probe.moments.shape[-1] > probe.mask.ndim
        # Those of a view and its next hold at the angle between them.
        moments = (probe.moments + np.roll(probe.moments, 1, axis=0)) / 2 if turned else probe.moments
        period = math.radians(probe.bank.period) if turned else None
        limit = peak_limits(moments[views[rows]], d_prime[rows], period=period)
        sigma[rows, 2 - ndim : 2] = limit[:, :ndim]
        if turned:
            sigma[rows, 2] = np.degrees(limit[:, -1])
    unrest = _unrest(peaks, of, d_prime)
    for i, peak in enumerate(peaks):
        if peak.covariance is not None and d_prime[i] >= LOWEST_REACHABLE:
            sigma[i] = _own(unrest[i] * peak.covariance, math.radians(probes[peak.template].bank.period))
    return dict(zip(("sigma_y", "sigma_x", "sigma_psi"), sigma.T, strict=True))


def _unrest(peaks: Sequence[Peak], of: Indices, d_prime: FloatArray) -> FloatArray:
    """Return the variance of the noise under every peak, in units of that of the image.

    What a particle adds to it grows with its signal, as in counted noise: 1 + b d′, with one b for all peaks
    of a template, the median. Of that only what its own scatter does not explain is believed [1]_.

    References
    ----------
    .. [1] James & Stein, Proc. 4th Berkeley Symp. 1 (1961) 361: the positive part.
    """
    result = np.ones(len(peaks))
    seen = np.array([np.nan if peak.unrest is None else peak.unrest for peak in peaks])
    told = np.isfinite(seen) & (d_prime >= LOWEST_REACHABLE)
    for template in np.unique(of[told]):
        rows = np.flatnonzero(told & (of == template))
        slopes = (seen[rows] - 1) / d_prime[rows]
        slope = float(np.median(slopes))
        error = MEDIAN_ERROR * float(np.median(np.abs(slopes - slope))) / math.sqrt(len(rows))
        if error < abs(slope) and len(rows) >= FEWEST:
            result[rows] = 1 + (1 - (error / slope) ** 2) * slope * d_prime[rows]
    return np.maximum(result, LEAST_UNREST)


def _own(covariance: FloatArray, period: float) -> FloatArray:
    """Return σ_y, σ_x (Å) and σ_ψ (°) of a covariance of position (Å) and angle, searched over a period."""
    sigma = np.full(3, np.nan)
    deviation = np.sqrt(np.diag(covariance))
    sigma[3 - len(deviation) :] = deviation
    sigma[2] = math.degrees(sigma[2]) if sigma[2] < period / math.sqrt(12) else np.nan
    return sigma


def significance(
    scores: FloatArray,
    noise_sd: float,
    above: Callable[[float], float],
    misplaced: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Return the columns `p_value` and `q_value`; NaN where the noise is unknown.

    What may be `misplaced` counts in q-values; a p-value tells that a pick is no noise, not that it is right.
    """
    if not noise_sd > 0:
        return {}
    levels, above = scores / noise_sd, functools.cache(above)
    return {
        "p_value": p_values(levels, expected_above=above),
        "q_value": q_values(levels, expected_above=above, misplaced=misplaced),
    }


def doubts(
    peaks: Sequence[Peak], *, grid: Grid, found: Scan, probes: Sequence[Probe], level: float
) -> dict[str, Flags]:
    """Return for every doubt which peaks it casts itself on.

    ``edge``: the border of the image cuts the template's support. ``crowded``: see `CROWDED_WITHIN`.
    ``inverted``: within a diameter the opposite contrast scores clearly higher, and above the level; it is
    asked of peaks above the level alone.
    """
    positions = np.array([p.position for p in peaks]).reshape(-1, grid.ndim)
    scores = np.array([p.score for p in peaks])
    supports = np.array([probes[p.template].bank.support for p in peaks])
    picked = [i for i, peak in enumerate(peaks) if peak.score >= level]
    opposite = np.zeros(len(peaks))
    opposite[picked] = opposite_heights(found, probes, [peaks[i] for i in picked])
    inside = [grid.contains(*(positions + side * supports[:, None]).T) for side in (-1, 1)]
    return {
        "edge": ~(inside[0] & inside[1]),
        "crowded": _crowded(positions, scores, CROWDED_WITHIN * 2 * supports),
        "inverted": (opposite > CLEARLY * scores) & (opposite >= level),
    }


def _crowded(positions: FloatArray, scores: FloatArray, reach: FloatArray) -> Flags:
    flags = np.zeros(len(scores), bool)
    if len(scores) < 2:
        return flags
    pairs = KDTree(positions).query_pairs(reach.max(), output_type="ndarray")
    gaps = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    for here, there in (pairs.T, pairs.T[::-1]):
        flags[here[(gaps < reach[here]) & (scores[there] >= COMPARABLE * scores[here])]] = True
    return flags


def spelled(doubts: dict[str, Flags]) -> list[str]:
    """Return the flags of every pick in words, parted by a space."""
    names = list(doubts)
    return [
        " ".join(n for n, set_ in zip(names, row, strict=True) if set_)
        for row in zip(*doubts.values(), strict=True)
    ]
