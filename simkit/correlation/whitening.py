"""Whitening: weigh every spatial frequency by how little noise it has."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid

NoiseSpectrum = Callable[[Grid], FloatArray]
"""``spectrum(grid)`` → noise variance per pixel at each frequency of a grid, real-FFT layout."""

BLOCKS = 256
"""Blocks an image is cut into for its spectrum, at most."""

SMALLEST_BLOCK = 32
"""Pixels along a block's edge at least."""

FLOOR = 1e-4
"""Least estimated noise power relative to the largest: an image without noise must not be divided by nothing,
nor the step at a template's rim count for more than the particle."""

DECLARED_FLOOR = 1e-8
"""The same for a declared spectrum, where it only keeps a division by zero away."""


def radial_spectrum(image: FloatArray, grid: Grid, side: int) -> NoiseSpectrum:
    """Estimate the noise power spectrum of an image that also holds particles.

    Parameters
    ----------
    image : array, float64
        Zero-mean pixels.
    grid : Grid
        Of the image.
    side : int
        Edge of a template in pixels. It sees no finer detail of the spectrum than one over that;
        larger blocks would hold more particles and so fewer of them none.

    Returns
    -------
    callable
        The estimate on any grid of the same pixel size; a function of |k| alone.

    Notes
    -----
    The image is cut into overlapping blocks under a Hann window, so that its borders give no cross
    of leaked power. In every block the median of the periodogram over a ring passes over Bragg
    spots and lines; the median of that over blocks passes over those with particles, as long as
    they are the fewer. A periodogram of noise is exponentially distributed, so its median is
    ln 2 of its mean. Over dense particles the estimate is that of noise and particles together.
    """
    wanted = fourier.fast_length(max(SMALLEST_BLOCK, side))
    shape = tuple(min(n, wanted) for n in image.shape)
    power = np.stack([_periodogram(block) for block in _blocks(image, shape)])
    block = Grid(shape, grid.pixel_size)
    rings = max(2, max(block.shape) // (4 if grid.ndim == 2 else 8))
    ring = fourier.radial_bins(block, rings)
    ring[(0,) * grid.ndim] = rings + 1
    members = [np.flatnonzero(ring.ravel() == i) for i in range(rings)]
    flat = power.reshape(len(power), -1)
    medians = np.array([np.median(np.median(flat[:, m], axis=1)) for m in members]) / np.log(2)
    floor = FLOOR * medians.max() if medians.max() > 0 else image.var() or 1.0
    level = ndimage.convolve1d(np.log(np.maximum(medians, floor)), [0.25, 0.5, 0.25], mode="nearest")
    frequency = (np.arange(rings) + 0.5) / rings * grid.nyquist
    return lambda other: np.exp(np.interp(other.frequency_radius(), frequency, level))


def _blocks(image: FloatArray, shape: tuple[int, ...]) -> list[FloatArray]:
    most = round(BLOCKS ** (1 / image.ndim))
    starts = [
        np.unique(np.linspace(0, n - side, min(most, 2 * n // side)).astype(int))
        for n, side in zip(image.shape, shape, strict=True)
    ]
    return [
        image[tuple(slice(o, o + side) for o, side in zip(origin, shape, strict=True))]
        for origin in itertools.product(*starts)
    ]


def _periodogram(block: FloatArray) -> FloatArray:
    window = np.ones(())
    for n in block.shape:
        window = window[..., None] * np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
    return fourier.power(fourier.forward((block - block.mean()) * window)) / (window**2).sum()


def sampled_spectrum(values: FloatArray, grid: Grid) -> NoiseSpectrum:
    """Turn a noise power spectrum known on one grid into one for any grid, by linear interpolation.

    Parameters
    ----------
    values : array in real-FFT layout
        Noise variance per pixel. The zero frequency is never used: its neighbour's value stands there.
    grid : Grid
        The grid of `values`.
    """
    full = np.array(values, np.float64)
    full[(0,) * grid.ndim] = full[(0,) * (grid.ndim - 1) + (1,)]
    full = np.maximum(full, DECLARED_FLOOR * full.max())
    centred = np.fft.fftshift(full, axes=tuple(range(grid.ndim - 1)))

    def on(other: Grid) -> FloatArray:
        cycles = [k * grid.pixel_size * n for k, n in zip(other.frequencies(), grid.shape, strict=True)]
        index = [c + n // 2 for c, n in zip(cycles[:-1], grid.shape, strict=False)] + cycles[-1:]
        return ndimage.map_coordinates(centred, np.broadcast_arrays(*index), order=1, mode="nearest")

    return on


def whitened(
    padded: FloatArray, grid: Grid, spectrum: NoiseSpectrum, *, workers: int = 1
) -> tuple[FloatArray, NoiseSpectrum]:
    """Divide an image's spectrum by the noise power, the zero frequency left out.

    A product with a template is then a matched filter: F⁻¹[F(k) T*(k) / P(k)].

    Parameters
    ----------
    padded : array, float64
        Periodic image.
    grid : Grid
        Its grid.
    spectrum : callable
        Noise power.

    Returns
    -------
    image : array
        F⁻¹[F / P].
    weight : callable
        Noise power spectrum of that image, 1/P, exactly as templates in small boxes meet it.
    """
    inverse_power = 1.0 / spectrum(grid)
    inverse_power[(0,) * grid.ndim] = 0.0
    filtered = fourier.forward(padded, workers=workers) * inverse_power
    covariance = fourier.inverse(inverse_power.astype(np.complex64), grid.shape, workers=workers)

    def weight(box: Grid) -> FloatArray:
        near = covariance
        for axis, n in enumerate(box.shape):
            near = near.take(np.arange(n) - n // 2, axis=axis, mode="wrap")
        return fourier.forward(fourier.centre_to_corner(near).astype(np.float64)).real

    return fourier.inverse(filtered, grid.shape, workers=workers), weight


def unit_noise(kernels: FloatArray, weight: NoiseSpectrum) -> FloatArray:
    """Scale templates so that their score in noise of power `weight` has unit standard deviation.

    The variance of Σ g(x+t) h(t) is (1/N) Σ_k |H(k)|² W(k); it is summed on the smallest grid on which
    a template's own autocorrelation does not wrap.

    Parameters
    ----------
    kernels : array, shape (n, *box)
        One that is all zero stays so.
    weight : callable
        Power spectrum of the noise that they meet.
    """
    grid = Grid(tuple(fourier.fast_length(2 * n - 1) for n in kernels.shape[1:]), 1.0)
    power = fourier.power(fourier.forward_stack(kernels, grid.shape))
    counted = weight(grid) * fourier.hermitian_weights(grid.shape)
    variance = (power * counted).reshape(len(kernels), -1).sum(axis=1) / grid.size
    sd = np.sqrt(np.where(variance > 0, variance, 1.0))
    return kernels / sd.reshape(-1, *(1,) * grid.ndim)


def white(grid: Grid) -> FloatArray:
    """Return the spectrum of white noise of unit variance."""
    return np.ones((*grid.shape[:-1], grid.shape[-1] // 2 + 1))
