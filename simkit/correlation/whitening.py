"""Whitening: weigh every spatial frequency by how little noise it has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid

NoiseSpectrum = Callable[[Grid], FloatArray]
"""``spectrum(grid)`` → noise variance per pixel at each frequency of a grid, real-FFT layout."""

DECLARED_FLOOR = 1e-8
"""Least declared noise power relative to the largest: it only keeps a division by zero away."""


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


def up_to(spectrum: NoiseSpectrum, highest: float) -> NoiseSpectrum:
    """Return the spectrum of noise that drowns everything beyond a frequency (1/Å): it is then left out."""
    return lambda grid: np.where(grid.frequency_radius() <= highest, spectrum(grid), np.inf)


def whitened(
    padded: FloatArray, grid: Grid, spectrum: NoiseSpectrum, *, widest: int | None = None, workers: int = 1
) -> tuple[FloatArray, NoiseSpectrum]:
    """Divide an image's spectrum by the noise power, the zero frequency left out.

    A product with a template is then a matched filter: F⁻¹[F(k) T*(k) / P(k)].

    Parameters
    ----------
    padded : array
        Periodic image.
    grid : Grid
        Its grid.
    spectrum : callable
        Noise power.
    widest : int, optional
        Pixels along the edges of the largest box that `weight` is asked for; covariances further apart, as
        many as pixels, are not kept.
    workers : int
        Threads.

    Returns
    -------
    image : array
        F⁻¹[F / P], in the image's own precision.
    weight : callable
        Noise power spectrum of that image, 1/P, exactly as templates in small boxes meet it.

    Raises
    ------
    ValueError
        `weight` is asked for a larger box.
    """
    # One after another and in place, for any of these fills the memory where an image is large.
    half = (*grid.shape[:-1], grid.shape[-1] // 2 + 1)
    inverse_power = np.empty(half, np.result_type(padded, np.float32))
    np.divide(1.0, spectrum(grid), out=inverse_power, casting="same_kind")
    inverse_power[(0,) * grid.ndim] = 0.0
    covariance = fourier.inverse_near_corner(inverse_power, grid.shape, widest or max(grid.shape))
    filtered = fourier.forward(padded, workers=workers)
    filtered *= inverse_power
    del inverse_power

    def weight(box: Grid) -> FloatArray:
        near = covariance
        for axis, (n, whole) in enumerate(zip(box.shape, grid.shape, strict=True)):
            if n > near.shape[axis] != whole:
                raise ValueError(f"covariances are kept for {near.shape[axis]} pixels, not for {n}")
            near = near.take(np.arange(n) - n // 2, axis=axis, mode="wrap")
        return fourier.forward(fourier.centre_to_corner(near).astype(np.float64)).real

    return fourier.inverse(filtered, grid.shape, workers=workers, overwrite=True), weight


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
    counted = weight(grid) * fourier.hermitian_weights(grid.shape) / grid.size
    # One by one, which the cache holds from one step to the next.
    power = (fourier.power(fourier.forward_stack(kernel, grid.shape)) for kernel in kernels)
    variance = np.array([np.vdot(p, counted) for p in power])
    sd = np.sqrt(np.where(variance > 0, variance, 1.0))
    return kernels / sd.reshape(-1, *(1,) * grid.ndim)


def white(grid: Grid) -> FloatArray:
    """Return the spectrum of white noise of unit variance."""
    return np.ones((*grid.shape[:-1], grid.shape[-1] // 2 + 1))
