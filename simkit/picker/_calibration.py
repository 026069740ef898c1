"""Calibration of a search: how many picks noise gives for every peak that the closed form expects.

The closed form (`random_field.expected_maxima`) knows how fast the number of false peaks falls with the
level. It does not know that suppression merges neighbours, that a place counts once for all angles and
templates, or that scores on whole pixels and whole angles miss the tops between them. What that comes to is
measured on drawn noise, once for a set of templates, kind of spectrum and suppression distance.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.random import stream
from simkit.correlation.clumps import picks_above
from simkit.correlation.hiding import kept_free, neighbourhood, unhidden
from simkit.correlation.peaks import Indices
from simkit.correlation.score_field import ScoreField
from simkit.correlation.whitening import NoiseSpectrum
from simkit.theory.random_field import expected_maxima, level_for, spectral_moments

LOWEST = 3.25
"""Standard deviations above which picks are counted at least; more where they would stand too close."""

ABOVE = (0.0, 0.75, 2.0)
"""Steps up from there."""

DENSEST = 2.0
"""Peaks of the closed form within reach of one another from which on they stand too close."""

SMOOTH = 0.1
"""Squared step in units of the score's correlation length up to which angles are left out, and beyond which
the angles between are taken in."""

APART = 1.0
"""The same from which on nothing can be said of the angles between."""

FINE = 0.03
"""The same up to which samples are left out, or beyond which they are taken in, down to `FINEST`: picks
stand at continuous tops, of which a coarser grid misses 4 to 30 %, for it lacks what is finest in kernels."""

FINEST = 0.75
"""Pixels: between them a particle is moved to its top, but not the box that it is compared in, so that what a
sharp filter makes of the box's rim is not that smooth."""

MOST_VIEWS = 720
"""Views that are drawn at most; of more, whole templates are left out, which errs on the safe side."""

STEEPEST = 0.1
"""Share by which a top may be higher than the scores that its clump is counted by, on every second sample;
else they are counted on every one."""

FEW_TURNED = 24
"""Evenly spaced views of a template that tell how rough the scores of all are: within 0.3 % in the number of
peaks, which is what pixels make of a template turned."""

ROUNDED = 10_000
"""Parts of a view's largest value that kernels are told apart by."""

KNOTS = 6
"""Frequencies at which a kind of spectrum is told from another."""

LOG_STEP = 0.5
"""Steps of the logarithm of noise power that tell kinds of spectra from each other."""


@dataclass(frozen=True, eq=False)
class Views:
    """All views of one template, as a search meets them.

    Attributes
    ----------
    kernels : array, shape (n_views, *box)
        On any scale, centre at n // 2; evenly spaced in angle if `angle_step` > 0.
    pixel_size : float
        Å.
    angle_step : float
        Radians between neighbouring views; 0 if they are no sequence.
    angle_range : float
        Searched angle in radians; 0 if they are no sequence.
    reach : float
        Å within which only the best peak is a pick.
    """

    kernels: FloatArray
    pixel_size: float
    angle_step: float
    angle_range: float
    reach: float

    @property
    def grid(self) -> Grid:
        """Of one view."""
        return Grid(self.kernels.shape[1:], self.pixel_size)

    def moments(self, noise: NoiseSpectrum) -> FloatArray:
        """Return `random_field.spectral_moments` of `FEW_TURNED` views, of all if they are no sequence."""
        every = max(len(self.kernels) // FEW_TURNED, 1) if self.angle_step else 1
        return spectral_moments(
            self.kernels,
            pixel_size=self.pixel_size,
            angle_step=self.angle_step,
            noise_spectrum=noise(self.grid),
            wanted=range(0, len(self.kernels), every),
        )

    def peaks_above(self, u: float, moments: FloatArray, area: float) -> float:
        """Return what the closed form expects."""
        views = len(self.kernels)
        alone = 1 if self.angle_step else views
        return alone * expected_maxima(
            u, area=area, moments=moments, angle_range=self.angle_range, views=views
        )


@dataclass(frozen=True)
class Calibration:
    """Picks of noise for every peak that the closed form expects.

    Attributes
    ----------
    levels : tuple of float
        Where it was measured, in standard deviations.
    factors : tuple of float
        Picks / peaks at each.
    errors : tuple of float
        Relative standard error of each.
    around : float
        Å^ndim that a pick keeps free of others, see `hiding.saturated`.
    """

    levels: tuple[float, ...]
    factors: tuple[float, ...]
    errors: tuple[float, ...]
    around: float

    def __call__(self, u: float) -> float:
        """Return the factor at a level; beyond those measured it is that of the nearest."""
        return float(np.interp(u, self.levels, self.factors))


def calibrate(sought: Sequence[Views], noise: NoiseSpectrum) -> Calibration:
    """Measure how many picks noise gives, or remember it.

    Parameters
    ----------
    sought : sequence of Views
        All templates of a search.
    noise : callable
        Power spectrum of the noise that whitened kernels are divided by; only its kind matters (a function
        of |k| at `KNOTS` frequencies, in steps), so that one measurement serves all micrographs of a kind.

    Returns
    -------
    Calibration
        A function of the arguments alone: the noise is drawn from a stream named after them.
    """
    kind = _kind(noise, max((v.grid for v in sought), key=lambda g: max(g.shape)))
    return _measured(_Request(tuple(sought), kind))


class _Request:
    """What a calibration depends on, compared by its content."""

    def __init__(self, sought: tuple[Views, ...], kind: tuple[tuple[float, float], ...]) -> None:
        self.kind = kind
        self._whole = [replace(views, kernels=_rounded(views.kernels)) for views in sought]
        content = hashlib.blake2b(repr(kind).encode(), digest_size=16)
        for views in self._whole:
            content.update(repr((views.grid, views.angle_step, views.angle_range, views.reach)).encode())
            content.update(views.kernels.data)
        self.digest = content.hexdigest()

    @property
    def sought(self) -> tuple[Views, ...]:
        """The templates, rounded: what is compared is measured."""
        return tuple(replace(views, kernels=views.kernels / ROUNDED) for views in self._whole)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Request) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def _rounded(kernels: FloatArray) -> npt.NDArray[np.int16]:
    """Round every view to parts of its largest value; scaled anew for every micrograph, its bits differ."""
    whole = np.empty(kernels.shape, np.int16)
    for view, row in zip(kernels, whole, strict=True):
        row[...] = np.rint(view * (ROUNDED / (np.abs(view).max() or 1.0)))
    return whole


def _kind(noise: NoiseSpectrum, grid: Grid) -> tuple[tuple[float, float], ...]:
    frequency, power = fourier.radial_average(noise(grid), grid, max(max(grid.shape) // 2, 1))
    known = np.isfinite(power) & (power > 0)
    knots = np.geomspace(1 / max(grid.extent), grid.nyquist, KNOTS)
    level = np.interp(np.log(knots), np.log(frequency[known]), np.log(power[known]))
    steps = np.rint((level - level.max()) / LOG_STEP) * LOG_STEP
    return tuple(zip(np.log(knots).tolist(), steps.tolist(), strict=True))


def _spectrum_of(kind: tuple[tuple[float, float], ...]) -> NoiseSpectrum:
    frequency, level = np.array(kind).T

    def noise(grid: Grid) -> FloatArray:
        radius = grid.frequency_radius()
        return np.exp(np.interp(np.log(np.where(radius > 0, radius, np.exp(frequency[0]))), frequency, level))

    return noise


@functools.lru_cache(maxsize=64)
def _measured(request: _Request) -> Calibration:
    noise = _spectrum_of(request.kind)
    every = math.ceil(sum(len(v.kernels) for v in request.sought) / MOST_VIEWS)
    sought = request.sought[::every]
    moments = [views.moments(noise) for views in sought]
    ndim, reach = sought[0].grid.ndim, min(v.reach for v in sought)

    def expected(u: float, area: float) -> float:
        return sum(v.peaks_above(u, m, area) for v, m in zip(sought, moments, strict=True))

    lattice = _lattice([v.grid for v in sought])
    shape = _samples(lattice, max(float(m[:, range(ndim), range(ndim)].mean(axis=0).max()) for m in moments))
    step = lattice.extent[0] / shape[0]
    turns = [_turns(views, m) for views, m in zip(sought, moments, strict=True)]
    skips, finer = zip(*turns, strict=True)
    spectra = [
        _whitened(v.kernels[::skip], lattice, noise, shape) for v, skip in zip(sought, skips, strict=True)
    ]
    angles = [len(s) * n for s, n in zip(spectra, finer, strict=True)]
    field = ScoreField.of(spectra, finer, _neighbours(sought, angles), shape)
    rises = [
        max(_rise(v, m, n * step, skip) for v, m, skip in zip(sought, moments, skips, strict=True))
        for n in (1, 2)
    ]
    stride = 2 if rises[1] <= STEEPEST else 1
    whole = neighbourhood(reach, ndim)
    lowest = max(LOWEST, level_for(DENSEST, lambda u: expected(u, whole)))
    levels = tuple(lowest + above for above in ABOVE)
    rng = stream(0, "calibration", request.digest)
    counts = picks_above(field, levels, rise=rises[stride - 1], reach=reach / step, stride=stride, rng=rng)
    # The best of their neighbourhood, of so many that would be there if none hid another.
    apart = unhidden(counts.density, counts.places) / (stride * step) ** ndim
    factors = [float(n) / expected(u, 1.0) for u, n in zip(levels, apart, strict=True)]
    free = kept_free(field, lowest, window=counts.window, reach=reach / step, rng=rng)
    return Calibration(levels, tuple(factors), tuple(counts.error.tolist()), free * whole)


def _neighbours(sought: Sequence[Views], counts: Sequence[int]) -> Indices:
    """Return the views before, at and behind every one: see `ScoreField`."""
    blocks, first = [], 0
    for views, n in zip(sought, counts, strict=True):
        step = 1 if views.angle_step and n >= 3 else 0
        blocks.append(first + (np.arange(n)[:, None] + step * np.array([-1, 0, 1])) % n)
        first += n
    return np.concatenate(blocks)


def _rise(views: Views, moments: FloatArray, step: float, turn: float) -> float:
    """Return the share by which a top may be higher than the best sample, half a step away on every axis."""
    steps = [step] * views.grid.ndim + [views.angle_step * turn] * bool(views.angle_step)
    slopes = moments.diagonal(axis1=1, axis2=2).mean(axis=0)
    return float((slopes * np.square(steps)).sum() / 8)


def _turns(views: Views, moments: FloatArray) -> tuple[int, int]:
    """Return of how many angles one is kept, and how many stand for it: one of the two is 1."""
    n = len(views.kernels)
    if not views.angle_step or n < 3:
        return 1, 1
    turned = max(float(moments[:, -1, -1].mean()) * views.angle_step**2, 1e-12)
    if turned > SMOOTH:
        return 1, math.ceil(math.sqrt(turned / SMOOTH)) if turned < APART else 1
    most = max(int(math.sqrt(SMOOTH / turned)), 1)
    return max(d for d in range(1, min(most, n) + 1) if n % d == 0), 1


def _lattice(grids: Sequence[Grid]) -> Grid:
    """Return a periodic grid on which no template meets itself."""
    side = max(max(grid.shape) for grid in grids)
    return Grid((fourier.fast_length(2 * side - 1),) * grids[0].ndim, grids[0].pixel_size)


def _samples(lattice: Grid, sharpest: float) -> tuple[int, ...]:
    """Return how many samples of the lattice are close enough for a score of given second moment."""
    step = min(max(math.sqrt(FINE / sharpest), FINEST * lattice.pixel_size), lattice.extent[0] / 8)
    return (fourier.fast_length(math.ceil(lattice.extent[0] / step)),) * lattice.ndim


def _whitened(
    kernels: FloatArray, lattice: Grid, noise: NoiseSpectrum, shape: tuple[int, ...]
) -> ComplexArray:
    spectra = fourier.forward_stack(kernels.astype(np.float32), lattice.shape)
    # Templates of different boxes are laid centre upon centre.
    centre = [n // 2 for n in kernels.shape[1:]]
    turns = sum(k * c for k, c in zip(lattice.frequencies(), centre, strict=True)) * lattice.pixel_size
    spectra *= (np.exp(2j * np.pi * turns) / np.sqrt(noise(lattice))).astype(np.complex64)
    corner: tuple[slice | int, ...] = (slice(None), *(0,) * lattice.ndim)
    spectra[corner] = 0
    return fourier.crop_spectrum(spectra, lattice.shape, shape)
