"""The search: every view of every template at every place.

All scores are computed fast, in single precision and, unless the search is exhaustive, on the grid
of the templates' own band limit. Those peaks that can matter are then worked out exactly, on
full-resolution pixels in double precision (`simkit.correlation.exact`), so that both searches give
the same picks, but for a few that hardly stand out of the noise, where a coarse search may climb the
other side of a dip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.device import HOST, Device
from simkit.correlation.normalised import ratio
from simkit.correlation.padding import UNIT
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.steering import BankSpectrum, SteeredBank, coarsest, steer, without_pedestal
from simkit.correlation.tiles import best_over_views

STRIP = 64
"""Rows that are resampled at once."""


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
        Standard deviation of a score at one place and angle; NaN where the field does not know it.
    lost_energy : float
        Largest share of any view's energy that the search did not see.
    workers : int
        Threads, for what follows too.
    rival, runner : arrays like `best` and `winner`, or None
        The same of all templates but those of the winner's group; None if there is one group only.
    device : Device
        What computed it, and computes what follows on the whole image.
    """

    best: FloatArray
    winner: FloatArray
    grid: Grid
    start: tuple[int, ...]
    samples: FloatArray
    banks: tuple[SteeredBank, ...]
    noise_sd: float
    lost_energy: float
    workers: int = 1
    rival: FloatArray | None = None
    runner: FloatArray | None = None
    device: Device = HOST


def scan(
    field: Field,
    probes: Sequence[Probe],
    *,
    lost_energy: float,
    workers: int = 1,
    groups: Sequence[int] | None = None,
    device: Device = HOST,
) -> Scan:
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
    groups : sequence of int, optional
        Group of each template; of several, the best outside the winner's group is kept too.
    device : Device
        What correlates; the templates are prepared on the processor.
    """
    kept, banks, lost = _reduced(field, probes, lost_energy, workers)
    samples = _sampled(field.values, kept, workers)
    step = UNIT / kept
    frame = field.frame
    start = tuple(int(frame.before / step) - 2 for _ in frame.shape)
    stop = [int(np.ceil((frame.before + n - 1) / step)) + 3 for n in frame.image.shape]
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    pixels = np.ix_(*[np.rint(np.arange(a, b) * step).astype(int) for a, b in zip(start, stop, strict=True)])

    best = np.full(shape, -np.inf, np.float32)
    winner = np.zeros(shape, np.int16)
    group = np.array(groups if groups is not None else [0] * len(probes))
    compete = len(set(group)) > 1
    rival, runner = (
        (np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int16)) if compete else (None, None)
    )
    for i, (probe, bank) in enumerate(zip(probes, banks, strict=True)):
        sums = probe.sums[pixels].astype(np.float32)
        scores = best_over_views(samples, bank, sums, start=start, workers=workers, device=device)
        if probe.norm is not None:
            scores = ratio(scores, probe.norm[pixels].astype(np.float32))
        if rival is not None and runner is not None:
            _keep_rival(i, scores, best, winner, rival, runner, group)
        winner[scores > best] = i
        best = np.maximum(best, scores)
    origin = tuple((a * step - frame.before) * frame.image.pixel_size for a in start)
    grid = Grid(shape, frame.image.pixel_size * step, origin)
    noise_sd = math.nan if field.noise_sd is None else field.noise_sd
    return Scan(best, winner, grid, start, samples, banks, noise_sd, lost, workers, rival, runner, device)


def _keep_rival(
    i: int,
    scores: FloatArray,
    best: FloatArray,
    winner: FloatArray,
    rival: FloatArray,
    runner: FloatArray,
    group: FloatArray,
) -> None:
    """Keep the best outside the winner's group, before a template's scores are compared with the best."""
    other = group[winner] != group[i]
    beaten = other & (scores > best) & (best > -np.inf)
    runner[beaten], rival[beaten] = winner[beaten], best[beaten]
    beside = other & (scores <= best) & (scores > rival)
    runner[beside], rival[beside] = i, scores[beside]


def _reduced(
    field: Field, probes: Sequence[Probe], lost_energy: float, workers: int
) -> tuple[int, tuple[SteeredBank, ...], float]:
    if lost_energy == 0:
        return UNIT, tuple(SteeredBank.exact(p.kernels) for p in probes), 0.0
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(lambda p: without_pedestal(p.kernels, p.mask), probes))
    spectra = [BankSpectrum.of(particles, field.weight, workers=workers) for particles, _ in parts]
    kept = coarsest(spectra, lost_energy / 2)

    def steered_by(part: tuple[FloatArray, FloatArray], spectrum: BankSpectrum) -> tuple[SteeredBank, float]:
        return steer(*part, spectrum, kept=kept, lost_energy=lost_energy)

    with ThreadPoolExecutor(workers) as pool:
        steered = list(pool.map(steered_by, parts, spectra))
    return kept, tuple(bank for bank, _ in steered), max(lost for _, lost in steered)


def _sampled(values: FloatArray, kept: int, workers: int) -> FloatArray:
    """Sample a periodic image on the search grid, axis by axis: no spectrum of the whole is ever held."""
    if kept == UNIT:
        return values.astype(np.float32)
    for axis, n in enumerate(values.shape):
        along = _resampled_rows(np.moveaxis(values, axis, -1), n // UNIT * kept, workers)
        values = np.moveaxis(along, -1, axis)
    return np.ascontiguousarray(values)


def _resampled_rows(values: FloatArray, wanted: int, workers: int) -> FloatArray:
    *lead, n = values.shape
    rows = values.reshape(-1, n)
    resampled = np.empty((len(rows), wanted), np.float32)

    def work(begin: int) -> None:
        strip = slice(begin, begin + STRIP)
        spectra = fourier.crop_spectrum(fourier.forward_stack(rows[strip], (n,)), (n,), (wanted,))
        resampled[strip] = fourier.inverse(spectra, (wanted,)) * (wanted / n)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(0, len(rows), STRIP)))
    return resampled.reshape(*lead, wanted)
