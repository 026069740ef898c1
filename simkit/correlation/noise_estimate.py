"""The noise power spectrum of an image that also holds particles: what is looked for is left out of it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import chdtri

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.correlation.bank import TemplateBank
from simkit.correlation.peaks import highest_within
from simkit.correlation.rings import Rings
from simkit.correlation.whitening import NoiseSpectrum

EDGE = {1: 4096, 2: 512}
"""Pixels along a block's edge by number of dimensions, unless four templates need more."""

BLOCKS = {1: 9, 2: 2}
"""Blocks along an axis at most: they hold as much noise as an estimate needs, and cost little of a search."""

PASSES = 3
"""How often what stands out is looked for anew, with the spectrum of what did not."""

SETTLED = 0.02
"""Change of the share of pixels left, from pass to pass, below which no other pass follows."""

VIEWS = 48
"""Views that stand for all of the templates, at most."""

COMPONENTS = 6
"""Principal components of those views at most; a particle of several more is seen by its share in these."""

ENERGY = 0.9
"""Share of the views' energy that so many components need not exceed."""

ALIKE = 0.01
"""Relative difference of energies below which two components are a pair."""

CHANCE = 1e-6
"""Chance that noise stands out at a place; the rest is then too quiet, by 0.6 % for a chance of 3e-5."""

QUIET = 0.2
"""Share of the places that noise alone is expected at, to tell its scale by."""

DOMINANT = 0.25
"""Height, relative to the highest within a diameter, below which a place is a slope or a sidelobe of that."""

SOFT = 0.3
"""Width of the soft edge around what is left out, relative to a particle's radius."""

LEAST_LEFT = 0.2
"""Share of the pixels that must be left: of fewer, what is left is what happens to be quiet."""

FLANK = 0.25
"""Share of half a block over which its window rises, once its spectrum is nearly flat."""

FLOOR = 1e-4
"""Least noise power relative to the largest: an image without noise must not be divided by nothing, nor the
step at a template's rim count for more than the particle."""

SPOTTY = 2.5
"""Mean power of the products with the templates, relative to that of the rings, beyond which the particles'
power is in Bragg spots, which the rings have clipped: nothing is then left out, for the holes would be a
lattice too."""


Blocks = Sequence[FloatArray] | FloatArray


def estimated_spectrum(
    image: FloatArray,
    grid: Grid,
    banks: Sequence[TemplateBank],
    *,
    valid: FloatArray | None = None,
    workers: int = 1,
) -> NoiseSpectrum:
    """Estimate the noise power spectrum of an image that also holds particles.

    Parameters
    ----------
    image : array, float64
        Zero-mean pixels.
    grid : Grid
        Of the image.
    banks : sequence of TemplateBank
        What the particles look like.
    valid : array of bool, optional
        Where the image has values.
    workers : int
        Threads; the result does not depend on it.

    Returns
    -------
    callable
        The estimate on any grid of the same pixel size; a function of |k| alone.

    Notes
    -----
    The first estimate is that of noise and particles together: the periodogram of a few large blocks under a
    Hann window, so that borders give no cross of leaked power, averaged over rings without Bragg spots and
    lines. Whitened by it, the blocks are compared with the templates: the sum of squares of the products with
    n principal components is in noise χ² of n degrees of freedom, in units of its lower quantile, which
    particles hardly move. Where it stands out by more than chance, and is no sidelobe of what stands out
    more, a disk of the particle's radius is left out, and the rest estimated anew: first as it is, for
    particles whitened by their own spectrum have halos that reach far beyond them; then whitened by the
    estimate before, so that the holes do not spread a steep spectrum.
    """
    side = max(max(bank.grid.shape) for bank in banks)
    shape = _block_shape(grid, side)
    parts = _parts(grid.shape, shape)
    rings = Rings.of(Grid(shape, grid.pixel_size), side=side * grid.pixel_size, periodograms=len(parts))
    blocks = np.array([image[part] for part in parts])
    scale = float(blocks.std() or image.std())
    if scale == 0 or len(rings.radius) == 0:
        variance = scale**2 or 1.0
        return lambda other: np.full((*other.shape[:-1], other.shape[-1] // 2 + 1), variance)
    blocks /= scale
    holes = np.zeros(blocks.shape, bool) if valid is None else np.array([~valid[part] for part in parts])
    # Single precision tells a spectrum far better than any sample of noise does.
    single = blocks.astype(np.float32)
    with ThreadPoolExecutor(workers) as pool:
        known = _away(pool, holes, 0.0, side / 2)
        levels = _floored(rings.levels(_periodograms(pool, single, known * _taper(shape, 1.0))))
        levels = _without_particles(pool, single, known, rings, rings.smoothed(levels), banks)
    return rings.spectrum(levels * scale**2)


def _without_particles(
    pool: Executor,
    blocks: FloatArray,
    known: FloatArray,
    rings: Rings,
    together: FloatArray,
    banks: Sequence[TemplateBank],
) -> FloatArray:
    """Return the rings' levels of what does not look like a particle, given those of everything."""
    grid = Grid(blocks.shape[1:], banks[0].pixel_size)
    radius = float(np.mean([bank.support for bank in banks])) / grid.pixel_size
    views = _views(banks)
    around = Grid(tuple(fourier.fast_length(2 * n) for n in views.shape[1:]), grid.pixel_size)
    seen = fourier.forward_stack(views, around.shape)
    spectra = list(pool.map(fourier.forward, blocks))
    window = known * _taper(grid.shape, FLANK)
    inside = window > 0.5
    levels, left = together, 1.0
    for number in range(PASSES):
        power = rings.spectrum(levels)(grid)
        power[(0,) * grid.ndim] = np.inf
        kernels = _components(views, seen, rings.spectrum(levels)(around), around)
        heights = _heights(pool, spectra, power.astype(np.float32), kernels, grid.shape)
        if number == 0 and heights[inside].mean() > SPOTTY * len(kernels):
            break
        out = _standing_out(pool, heights, inside, len(kernels), radius)
        held = window * _away(pool, out, radius, max(2.0, SOFT * radius))
        before, left = left, float((held**2).sum() / (window**2).sum())
        if left < LEAST_LEFT:
            break
        if number and abs(left - before) < SETTLED:
            break
        flat = blocks if number == 0 else _flattened(pool, spectra, power, grid.shape)
        found = rings.smoothed(_floored(rings.levels(_periodograms(pool, flat, held))))
        levels = _floored(found if number == 0 else levels * found)
    return levels


def _block_shape(grid: Grid, side: int) -> tuple[int, ...]:
    wanted = fourier.fast_length(max(EDGE[grid.ndim], 4 * side))
    return tuple(min(n, wanted) for n in grid.shape)


def _parts(whole: tuple[int, ...], shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    starts = [
        np.linspace(0, n - m, min(BLOCKS[len(whole)], math.ceil(n / m))).astype(int)
        for n, m in zip(whole, shape, strict=True)
    ]
    corners = itertools.product(*starts)
    return [tuple(slice(o, o + m) for o, m in zip(corner, shape, strict=True)) for corner in corners]


def _taper(shape: tuple[int, ...], flank: float) -> FloatArray:
    """Return a window that rises as sin² over a share of half its length: all of it is Hann's."""
    window = np.ones(())
    for n in shape:
        depth = np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / (n / 2)
        window = window[..., None] * np.sin(np.pi / 2 * np.minimum(depth / flank, 1)) ** 2
    return window


def _periodograms(pool: Executor, blocks: Blocks, windows: FloatArray) -> FloatArray:
    """Return the noise variance per pixel at each frequency, of the blocks of which half the mean is seen."""
    area = np.array([(window**2).sum() for window in windows])
    seen = [i for i in range(len(area)) if area[i] > 0.5 * area.mean()]

    def periodogram(i: int) -> FloatArray:
        window = windows[i]
        centred = blocks[i] - np.float32((blocks[i] * window).sum() / window.sum())
        return fourier.power(fourier.forward(centred * window.astype(np.float32))) / area[i]

    return np.array(list(pool.map(periodogram, seen)), np.float64)


def _flattened(
    pool: Executor, spectra: Sequence[ComplexArray], power: FloatArray, shape: tuple[int, ...]
) -> list[FloatArray]:
    """Return blocks whitened by the root of a spectrum."""
    weight = (1 / np.sqrt(power)).astype(np.float32)
    return list(pool.map(lambda spectrum: fourier.inverse(spectrum * weight, shape), spectra))


def _floored(levels: FloatArray) -> FloatArray:
    return np.maximum(levels, FLOOR * levels.max()) if levels.max() > 0 else np.ones(len(levels))


def _views(banks: Sequence[TemplateBank]) -> FloatArray:
    """Return evenly chosen views of all the templates, in boxes of one size with a common centre."""
    every = [view for bank in banks for view in bank.images]
    chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, VIEWS).astype(int))]
    box = np.max([view.shape for view in chosen], axis=0)
    room = [
        [(m // 2 - n // 2, (m + 1) // 2 - (n + 1) // 2) for m, n in zip(box, v.shape, strict=True)]
        for v in chosen
    ]
    return np.array([np.pad(v, around) for v, around in zip(chosen, room, strict=True)], np.float32)


def _components(views: FloatArray, seen: ComplexArray, power: FloatArray, grid: Grid) -> FloatArray:
    """Return the principal components of the views whose products with whitened noise have unit variance.

    Parameters
    ----------
    views : array, shape (n, *box)
        The views.
    seen : array
        Their spectra.
    power : array
        Of the noise.
    grid : Grid
        On which spectra and power are known.
    """
    weight = np.sqrt(fourier.hermitian_weights(grid.shape) / (power * grid.size))
    weight[(0,) * grid.ndim] = 0
    # Of complex numbers taken as pairs of real ones the products are the real part.
    white = (seen * weight.astype(np.float32)).reshape(len(views), -1).view(np.float32)
    energy, mixture = np.linalg.eigh((white @ white.T).astype(np.float64))
    energy, mixture = energy[::-1], mixture[:, ::-1]
    enough = int(np.searchsorted(np.cumsum(energy), ENERGY * energy.sum())) + 1
    n = min(enough, COMPONENTS, len(views))
    # Of a turned template components come in pairs of equal energy; of half a pair, rounding decides which.
    while 1 < n < len(views) and energy[n] > (1 - ALIKE) * energy[n - 1]:
        n -= 1
    return np.tensordot((mixture[:, :n] / np.sqrt(energy[:n])).T.astype(np.float32), views, axes=1)


def _heights(
    pool: Executor,
    spectra: Sequence[ComplexArray],
    power: FloatArray,
    kernels: FloatArray,
    shape: tuple[int, ...],
) -> FloatArray:
    """Return the sum of squares of every block's products with the kernels, at the kernels' centres."""
    weighed = np.conj(fourier.forward_stack(kernels, shape)) / power
    middle = [n // 2 for n in kernels.shape[1:]]

    def height(spectrum: ComplexArray) -> FloatArray:
        squares = sum(np.square(fourier.inverse(spectrum * kernel, shape)) for kernel in weighed)
        return np.roll(squares, middle, axis=tuple(range(len(shape))))

    return np.array(list(pool.map(height, spectra)))


def _standing_out(
    pool: Executor, heights: FloatArray, inside: npt.NDArray[np.bool_], freedom: int, radius: float
) -> npt.NDArray[np.bool_]:
    """Tell where heights are more than noise and no slope or sidelobe of higher ones."""
    # Where even the lower ones are high, particles are everywhere: the scale is then known no better than 1.
    scale = min(float(np.quantile(heights[inside], QUIET) / chdtri(freedom, 1 - QUIET)), 1.0)
    highest = functools.partial(highest_within, reach=math.ceil(2 * radius))
    return (heights > scale * chdtri(freedom, CHANCE)) & (
        heights > DOMINANT * np.array(list(pool.map(highest, heights)))
    )


def _away(pool: Executor, centres: npt.NDArray[np.bool_], radius: float, soft: float) -> FloatArray:
    """Return 0 within a radius of the centres, rising to 1 over a soft edge beyond it."""

    def away(centre: npt.NDArray[np.bool_]) -> FloatArray:
        if not centre.any():
            return np.ones(centre.shape)
        left = np.clip((ndimage.distance_transform_edt(~centre) - radius) / soft, 0, 1)
        edge = (left > 0) & (left < 1)
        left[edge] = np.sin(np.pi / 2 * left[edge]) ** 2
        return np.asarray(left)

    return np.array(list(pool.map(away, centres)))
