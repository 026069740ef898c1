"""The search: every view of every template at every place, and the peaks of what comes out.

First all scores are computed fast, in single precision and, unless the search is exhaustive, on the
grid of the templates' own band limit. Then those peaks that can matter are worked out exactly, on
full-resolution pixels in double precision, so that both searches give the same picks, but for a few
that hardly stand out of the noise, where a coarse search may climb the other side of a dip.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.normalised import ratio
from simkit.correlation.padding import UNIT
from simkit.correlation.peaks import Indices, Peak, local_maxima, suppress, suppress_lazily
from simkit.correlation.refinement import Field, Probe, Summit, climb, peak_at
from simkit.correlation.steering import BankSpectrum, SteeredBank, coarsest, steer, without_pedestal
from simkit.correlation.subpixel import quadratic_peak
from simkit.correlation.tiles import best_over_views

RELATIVE_MARGIN = 0.08
"""Share of its score by which a peak of the fast search may differ from the exact one."""

NOISE_MARGIN = 0.5
"""Standard deviations of the noise by which it may differ besides."""

MOST_STARTS = 4
"""Places and angles from which one peak is climbed: all angles of a round template are alike."""


@dataclass(frozen=True)
class Scan:
    """All scores of one image.

    Attributes
    ----------
    best : array, float32
        The best score over all views of all templates, on `grid`.
    winner : array of int
        Which template that was.
    grid : Grid
        Covers the image and two samples around it.
    start : tuple of int
        Where `best` begins in `samples`.
    samples : array, float32
        The prepared image on the search grid.
    banks : tuple of SteeredBank
        The templates on the search grid.
    noise_sd : float
        Standard deviation of a score at one place and angle; of several templates the largest.
    lost_energy : float
        Largest share of any view's energy that the search did not see.
    """

    best: FloatArray
    winner: FloatArray
    grid: Grid
    start: tuple[int, ...]
    samples: FloatArray
    banks: tuple[SteeredBank, ...]
    noise_sd: float
    lost_energy: float


def scan(field: Field, probes: Sequence[Probe], *, lost_energy: float, workers: int = 1) -> Scan:
    """Compute the best score at every place.

    Parameters
    ----------
    field : Field
        The prepared image.
    probes : sequence of Probe
        The prepared templates.
    lost_energy : float
        Share of any view's energy that may be lost for speed; 0 for every view on every pixel.
    workers : int
        Threads; the result does not depend on it.
    """
    kept, banks, lost = _reduced(field, probes, lost_energy)
    samples = _sampled(field.values, kept, workers)
    step = UNIT / kept
    frame = field.frame
    start = tuple(int(frame.before / step) - 2 for _ in frame.shape)
    stop = [int(np.ceil((frame.before + n - 1) / step)) + 3 for n in frame.image.shape]
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    pixels = np.ix_(*[np.rint(np.arange(a, b) * step).astype(int) for a, b in zip(start, stop, strict=True)])

    best = np.full(shape, -np.inf, np.float32)
    winner = np.zeros(shape, np.int16)
    spreads = []
    for i, (probe, bank) in enumerate(zip(probes, banks, strict=True)):
        sums = probe.sums[pixels].astype(np.float32)
        scores, first = best_over_views(samples, bank, sums, start=start, workers=workers)
        if probe.norm is not None:
            norm = probe.norm[pixels].astype(np.float32)
            scores, first = ratio(scores, norm), ratio(first, norm)
        winner[scores > best] = i
        best = np.maximum(best, scores)
        spreads.append(robust_sd(first) if field.noise_sd is None else field.noise_sd)
    origin = tuple((a * step - frame.before) * frame.image.pixel_size for a in start)
    grid = Grid(shape, frame.image.pixel_size * step, origin)
    return Scan(best, winner, grid, start, samples, banks, max(spreads), lost)


def _reduced(
    field: Field, probes: Sequence[Probe], lost_energy: float
) -> tuple[int, tuple[SteeredBank, ...], float]:
    if lost_energy == 0:
        return UNIT, tuple(SteeredBank.exact(p.kernels) for p in probes), 0.0
    parts = [without_pedestal(p.kernels, p.mask) for p in probes]
    spectra = [BankSpectrum.of(particles, field.weight) for particles, _ in parts]
    kept = coarsest(spectra, lost_energy / 2)
    steered = [
        steer(*part, spectrum, kept=kept, lost_energy=lost_energy)
        for part, spectrum in zip(parts, spectra, strict=True)
    ]
    return kept, tuple(bank for bank, _ in steered), max(lost for _, lost in steered)


def _sampled(values: FloatArray, kept: int, workers: int) -> FloatArray:
    shape = tuple(n // UNIT * kept for n in values.shape)
    samples = values if kept == UNIT else fourier.resample(values, shape, workers=workers)
    return samples.astype(np.float32)


def robust_sd(values: FloatArray) -> float:
    """Return the standard deviation of the bulk of values: 1.4826 times their median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


@dataclass(frozen=True)
class Candidates:
    """Peaks of a scan, not yet exact.

    Attributes
    ----------
    index : array of int, shape (n, ndim)
        Sample of the scan.
    position : array, shape (n, ndim)
        Å.
    height : array, shape (n,)
        Score at the top between the samples.
    """

    index: Indices
    position: FloatArray
    height: FloatArray


def find_candidates(found: Scan) -> Candidates:
    """Return every local maximum of positive score: one that is not positive matches nothing."""
    index = local_maxima(found.best)
    inner = ((index > 0) & (index < np.array(found.grid.shape) - 1)).all(axis=1)
    index = index[inner & (found.best[tuple(index.T)] > 0)]
    windows = np.lib.stride_tricks.sliding_window_view(found.best, (3,) * found.best.ndim)
    offset, height = quadratic_peak(windows[tuple((index - 1).T)])
    position = np.array(found.grid.origin) + (index + offset) * found.grid.pixel_size
    return Candidates(index, position, height)


def best_peaks(
    found: Scan,
    field: Field,
    probes: Sequence[Probe],
    *,
    level: Callable[[FloatArray], float],
    reach: Sequence[float],
    may_stand: Callable[[FloatArray, int], bool],
) -> tuple[list[Peak], float]:
    """Work out the peaks above a level exactly and keep the best of every close group.

    Parameters
    ----------
    level : callable
        ``level(scores)`` → the lowest score to keep, given those of all peaks.
    reach : sequence of float
        Å around each probe's peaks within which only the best stays.
    may_stand : callable
        ``may_stand(position, template)`` → whether there may be a peak (Å).

    Returns
    -------
    peaks : list of Peak
        Best first.
    level : float
        The lowest score that was kept.
    """
    rough = find_candidates(found)
    winner = found.winner[tuple(rough.index.T)]
    reaches = np.asarray(reach)[winner]
    survivors = suppress(rough.position, rough.height, reaches)
    bounds = rough.height + _margin(rough.height, found.noise_sd)

    @functools.cache
    def summit(i: int) -> Summit | None:
        return _summit(found, rough, field, probes, i)

    @functools.cache
    def peak(i: int, top: Summit) -> Peak | None:
        # Only from where a pick may be is it worth looking further, across a dip.
        higher = climb(field, probes[winner[i]], top.place, top.view, radius=2)
        exact = higher and peak_at(field, probes[winner[i]], higher, int(winner[i]))
        return exact if exact and exact.score > 0 and may_stand(exact.position, exact.template) else None

    def refined(rows: Indices, floor: float, j: int) -> Peak | None:
        i = int(rows[j])
        top = summit(i)
        return peak(i, top) if top and top.score * (1 + RELATIVE_MARGIN) >= floor else None

    cut = level(rough.height[survivors])
    while True:
        floor = cut
        rows = np.flatnonzero(bounds >= floor)
        peaks = suppress_lazily(
            rough.position[rows],
            bounds[rows],
            reaches[rows],
            slack=2 * (found.grid.pixel_size + field.frame.image.pixel_size),
            refine=functools.partial(refined, rows, floor),
        )
        below = rough.height[survivors[bounds[survivors] < floor]]
        cut = level(np.concatenate([[p.score for p in peaks], below]))
        # Peaks lower than the rough ones promised can lower the level below what was worked out.
        if cut >= floor:
            return [p for p in peaks if p.score >= cut], cut


def _margin(score: FloatArray | float, noise_sd: float) -> FloatArray | float:
    return RELATIVE_MARGIN * np.abs(score) + NOISE_MARGIN * noise_sd


def _summit(found: Scan, rough: Candidates, field: Field, probes: Sequence[Probe], i: int) -> Summit | None:
    template = int(found.winner[tuple(rough.index[i])])
    starts = _starts(found, rough.index[i] + found.start, field, probes[template], template)
    climbed = [climb(field, probes[template], place, view) for place, view in starts]
    summits = [s for s in climbed if s is not None]
    here = rough.position[i] / field.frame.image.pixel_size + field.frame.before
    step = found.grid.pixel_size / field.frame.image.pixel_size
    # A summit further off is another candidate's; it must not take the place of a lower one here.
    own = [s for s in summits if np.abs(s.place - here).max() <= 1.5 * step + 1]
    return max(own or summits, key=lambda s: s.score, default=None)


def _starts(
    found: Scan, sample: Indices, field: Field, probe: Probe, template: int
) -> list[tuple[tuple[int, ...], int]]:
    """Return the pixels and views from which the exact peak near a sample may be reached.

    Neighbouring samples hold peaks of other angles that the best over all angles hides, and a
    score that is nearly the best may be so on finer pixels.
    """
    bank = found.banks[template]
    box = bank.basis.shape[1:]
    corner = [int(s) - n // 2 - 1 for s, n in zip(sample, box, strict=True)]
    around = found.samples[tuple(slice(c, c + n + 2) for c, n in zip(corner, box, strict=True))]
    patches = np.lib.stride_tricks.sliding_window_view(around, box)
    step = found.grid.pixel_size / field.frame.image.pixel_size
    pixels = [np.rint((int(s) + np.arange(-1, 2)) * step).astype(int) for s in sample]
    scores = bank.scores(patches, probe.sums[np.ix_(*pixels)])
    if probe.norm is not None:
        scores = ratio(scores, probe.norm[np.ix_(*pixels)][..., None])
    size = (3,) * len(box) + (1 if probe.bank.step is None else 3,)
    modes = ["constant"] * len(box) + ["wrap"]
    tops = scores == ndimage.maximum_filter(scores, size, mode=modes, cval=-np.inf)
    likely = scores >= scores.max() - _margin(scores.max(), found.noise_sd)
    index = np.argwhere(tops & likely)
    best = np.argsort(-scores[tuple(index.T)], kind="stable")[:MOST_STARTS]
    return [
        (tuple(int(p[j]) for p, j in zip(pixels, row, strict=False)), int(row[-1])) for row in index[best]
    ]
