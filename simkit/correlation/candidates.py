"""From the scores of a search to its peaks: those that are picks exactly, those below them nearly so."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray
from simkit.correlation.exact import ExactPeaks, MayStand, RoughPeaks, margin
from simkit.correlation.peaks import Indices, Peak, local_maxima, suppress, suppress_lazily
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.search import Scan
from simkit.correlation.subpixel import quadratic_peak

FEWEST_BELOW = 100
"""Peaks that are kept below the level at least, if there are so many: where particles count as noise, a
level of so many standard deviations is not low."""

MOST_BELOW = 1000
"""The same at most: in structured images there may be any number."""


def rough_peaks(found: Scan) -> RoughPeaks:
    """Return every local maximum of positive score: one that is not positive matches nothing."""
    index = local_maxima(found.best)
    inner = ((index > 0) & (index < np.array(found.grid.shape) - 1)).all(axis=1)
    index = index[inner & (found.best[tuple(index.T)] > 0)]
    windows = np.lib.stride_tricks.sliding_window_view(found.best, (3,) * found.best.ndim)
    offset, height = quadratic_peak(windows[tuple((index - 1).T)])
    position = np.array(found.grid.origin) + (index + offset) * found.grid.pixel_size
    return RoughPeaks(index, position, height)


def best_peaks(
    found: Scan,
    field: Field,
    probes: Sequence[Probe],
    *,
    level: Callable[[FloatArray], float],
    low: float | None,
    reach: Sequence[float],
    may_stand: MayStand,
) -> tuple[list[Peak], float]:
    """Keep the best peak of every close group: exactly those above a level, and what is below them.

    Parameters
    ----------
    level : callable
        ``level(scores)`` → the lowest score of a pick, given those of all peaks.
    low : float
        Score down to which peaks below the level are kept too, neither fewer than `FEWEST_BELOW` nor
        more than `MOST_BELOW`; None for no peak below the level.
    reach : sequence of float
        Å around each probe's peaks within which only the best stays.
    may_stand : callable
        ``may_stand(position, template)`` → whether there may be a peak (Å).

    Returns
    -------
    peaks : list of Peak
        Best first. Those from the level up do not depend on `low`; those below have their score at the
        nearest top, which need not be the highest across a dip.
    level : float
        The lowest score of a pick.
    """
    rough = rough_peaks(found)
    work = ExactPeaks(found, field, probes, rough, may_stand)
    reaches = np.asarray(reach)[work.winner]
    survivors = suppress(rough.position, rough.height, reaches)
    rises = np.array([probe.turning_rise for probe in probes])[work.winner]
    bounds = rough.height + margin(rough.height, found.noise_sd, rises)

    slack = 2 * (found.grid.pixel_size + field.frame.image.pixel_size)

    def exact_above(floor: float) -> list[Peak]:
        rows = np.flatnonzero(bounds >= floor)
        # Nearly all of these will be asked for, one by one: threads share them out before.
        work.shared_out(functools.partial(work.exact, floor=floor), survivors[bounds[survivors] >= floor])
        return suppress_lazily(
            rough.position[rows],
            bounds[rows],
            reaches[rows],
            slack=slack,
            refine=lambda j: work.exact([int(rows[j])], floor=floor)[0],
        )

    cut = level(rough.height[survivors])
    while True:
        floor = cut
        peaks = exact_above(floor)
        below = rough.height[survivors[bounds[survivors] < floor]]
        cut = level(np.concatenate([[p.score for p in peaks], below]))
        # Peaks lower than the rough ones promised can lower the level below what was worked out.
        if cut >= floor:
            break
    # A climb may end higher than was promised, so that the order is not yet right.
    picks = _apart([p for p in peaks if p.score >= cut], reach)
    if low is None:
        return picks, cut
    rest = survivors[_gaps(rough.position[survivors], peaks) > slack]
    most, fewest = (_nth(rough.height[rest], n) for n in (MOST_BELOW, FEWEST_BELOW))
    lowest = min(max(low, most), fewest)
    lower = work.shared_out(functools.partial(work.near, below=cut), rest[rough.height[rest] >= lowest])
    everything = peaks + [p for p in lower if p is not None]
    return _apart(everything, reach)[: len(picks) + MOST_BELOW], cut


def best_near(
    found: Scan,
    field: Field,
    probes: Sequence[Probe],
    *,
    places: FloatArray,
    radius: float,
    low: float,
    may_stand: MayStand,
) -> list[Peak | None]:
    """Return the best peak near each of some places, whatever stands beside it.

    Parameters
    ----------
    places : array, shape (n, ndim)
        Å.
    radius : float
        Å around a place within which its peak's top must be.
    low : float
        Lowest score that is looked for.
    may_stand : callable
        As for `best_peaks`.

    Returns
    -------
    list of Peak or None
        One for each place, exact as the picks of `best_peaks`; None where there is none.
    """
    rough = rough_peaks(found)
    if not len(rough.position):
        return [None] * len(places)
    work = ExactPeaks(found, field, probes, rough, may_stand)
    # A top may lie so far from where the coarse search has it.
    slack = 2 * found.grid.pixel_size + field.frame.image.pixel_size
    nearby = KDTree(rough.position).query_ball_point(places, radius + slack)
    near: list[Peak | None] = []
    for place, rows in zip(places, nearby, strict=True):
        peaks = [work.exact([i], floor=low)[0] for i in sorted(rows)]
        own = [p for p in peaks if p and p.score >= low and np.linalg.norm(p.position - place) <= radius]
        near.append(max(own, key=lambda p: p.score, default=None))
    return near


def peaks_near(
    found: Scan,
    field: Field,
    probes: Sequence[Probe],
    index: Indices,
    templates: Indices,
    *,
    may_stand: MayStand,
) -> list[Peak | None]:
    """Return the exact peak of one template near each sample of a scan, None where there is none.

    Parameters
    ----------
    index : array of int, shape (n, ndim)
        Samples of the scan.
    templates : array of int, shape (n,)
        Whose peak is wanted there.
    """
    position = np.array(found.grid.origin) + index * found.grid.pixel_size
    work = ExactPeaks(found, field, probes, RoughPeaks(index, position, np.zeros(len(index))), may_stand)
    work.winner = templates
    return work.shared_out(work.highest, np.arange(len(index)))


def _nth(descending: FloatArray, n: int) -> float:
    """Return the n-th value of a list, 0 where it is shorter."""
    return float(descending[n - 1]) if n <= len(descending) else 0.0


def _gaps(positions: FloatArray, peaks: Sequence[Peak]) -> FloatArray:
    """Return how far every position is from the nearest peak."""
    if not peaks:
        return np.full(len(positions), np.inf)
    return np.asarray(KDTree([p.position for p in peaks]).query(positions)[0])


def _apart(peaks: Sequence[Peak], reach: Sequence[float]) -> list[Peak]:
    if not peaks:
        return []
    positions, scores = np.array([p.position for p in peaks]), np.array([p.score for p in peaks])
    return [peaks[i] for i in suppress(positions, scores, np.array([reach[p.template] for p in peaks]))]
