"""Whether the opposite contrast would match better: bright particles searched with dark templates.

Beside a particle of the opposite contrast the side lobes of a template score, and the particle itself scores
as low as it ought to score high.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray
from simkit.correlation.normalised import ratio as normalised
from simkit.correlation.peaks import Indices, Peak, local_maxima
from simkit.correlation.refinement import Probe
from simkit.correlation.search import Scan
from simkit.correlation.steering import SteeredBank, resampled
from simkit.correlation.tiles import best_over_views

STRIP = 1024
"""Rows among which low places are looked for at once."""


def opposite_heights(found: Scan, probes: Sequence[Probe], peaks: Sequence[Peak]) -> FloatArray:
    """Return how high the opposite contrast scores within a diameter of each peak, by the peak's template.

    Parameters
    ----------
    found : Scan
        The search.
    probes : sequence of Probe
        What was searched for.
    peaks : sequence of Peak
        Where to look.

    Returns
    -------
    array, shape (n,)
        0 where it nowhere scores. The place is found by the mean of all views, the score there is that of
        the best view, on the search's own grid.
    """
    heights = np.zeros(len(peaks))

    def look(template: int) -> None:
        mine = [i for i, peak in enumerate(peaks) if peak.template == template]
        if mine:
            near = np.array([peaks[i].position for i in mine])
            heights[mine] = _around(found, template, probes[template], near, probes[template].bank.diameter)

    with ThreadPoolExecutor(found.workers) as pool:
        list(pool.map(look, range(len(probes))))
    return heights


def _around(found: Scan, template: int, probe: Probe, places: FloatArray, reach: float) -> FloatArray:
    darkness = -_mean_score(found, probe)
    low = _maxima_in_strips(darkness)
    low = low[darkness[tuple(low.T)] > 0]
    positions = np.array(found.grid.origin) + low * found.grid.pixel_size
    depth = darkness[tuple(low.T)]
    known: dict[int, float] = {}
    heights = np.zeros(len(places))
    for i, near in enumerate(KDTree(positions).query_ball_point(places, reach) if len(low) else []):
        if near:
            deepest = max(near, key=lambda j: depth[j])
            if deepest not in known:
                known[deepest] = _opposite(found, template, probe, low[deepest])
            heights[i] = known[deepest]
    return heights


def _maxima_in_strips(values: FloatArray) -> Indices:
    """Return `local_maxima`, those of a few rows at a time: all at once they take more than the image."""
    found = []
    for begin in range(0, len(values), STRIP):
        first = max(begin - 1, 0)
        tops = local_maxima(values[first : begin + STRIP + 1])
        tops[:, 0] += first
        found.append(tops[(begin <= tops[:, 0]) & (tops[:, 0] < begin + STRIP)])
    return np.concatenate(found)


def _mean_score(found: Scan, probe: Probe) -> FloatArray:
    """Return the product with the mean of all views at every place of the scan."""
    ratio = found.grid.pixel_size / probe.bank.pixel_size
    kernel = resampled(probe.kernels.mean(axis=0, keepdims=True), ratio)
    mean = SteeredBank.exact(kernel)
    # What lies under the mask of a bank that is not steered is not asked for.
    return best_over_views(
        found.samples, mean, found.best, start=found.start, workers=found.workers, device=found.device
    )


def _opposite(found: Scan, template: int, probe: Probe, index: Indices) -> float:
    """Return the best score of the opposite contrast at one place of the scan."""
    bank, sample = found.banks[template], index + found.start
    box = bank.basis.shape[1:]
    patch = found.samples[tuple(slice(s - n // 2, s - n // 2 + n) for s, n in zip(sample, box, strict=True))]
    ratio = found.grid.pixel_size / probe.bank.pixel_size
    pixel = np.ix_(*[[round(int(s) * ratio)] for s in sample])
    scores = bank.scores(patch[None], probe.sums[pixel].ravel())
    return -float(
        (scores if probe.norm is None else normalised(scores, probe.norm[pixel].ravel()[:, None])).min()
    )
