"""Between the pixels: the top of the quadratic through a maximum's neighbours, and views moved and turned."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.products import products

Bends = Callable[[FloatArray], FloatArray]


def quadratic_peak(windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the top of the quadratic through the 3, 3 × 3 or 3 × 3 × 3 samples around each local maximum.

    Parameters
    ----------
    windows : array, shape (n, 3, …, 3)
        Samples around each maximum, which stands in the middle.

    Returns
    -------
    offset : array, shape (n, ndim)
        From the middle sample to the top, in samples, within ±1; 0 where the samples have no top.
    height : array, shape (n,)
        The quadratic's value at the offset.

    Notes
    -----
    s(δ) = s₀ + g·δ + ½ δᵀHδ with gradient and Hessian from central differences, the mixed term
    included, so that a ridge at 45° does not pull the top aside: δ = −H⁻¹g.
    """
    ndim = windows.ndim - 1
    values = np.asarray(windows, np.float64)
    slopes = values.reshape(len(values), 3**ndim) @ _operator(ndim)
    gradient, hessian = slopes[:, :ndim], slopes[:, ndim:].reshape(-1, ndim, ndim)
    curved = np.linalg.eigvalsh(hessian)[:, -1] < 0
    hessian[~curved] = -np.eye(ndim)
    offset = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
    offset = np.where(curved[:, None], np.clip(offset, -1.0, 1.0), 0.0)
    rise = (offset * (gradient + (hessian @ offset[..., None])[..., 0] / 2)).sum(axis=1)
    return offset, values[(slice(None),) + (1,) * ndim] + rise


@functools.cache
def _operator(ndim: int) -> FloatArray:
    """Return what samples are multiplied with to give gradient and Hessian: shape (3^ndim, ndim + ndim²)."""
    unit = np.eye(3**ndim).reshape(-1, *(3,) * ndim)
    gradient, hessian = _derivatives(unit, ndim)
    return np.hstack([gradient, hessian.reshape(len(unit), -1)])


def _derivatives(values: FloatArray, ndim: int) -> tuple[FloatArray, FloatArray]:
    unit = np.eye(ndim, dtype=int)

    def at(step: FloatArray) -> FloatArray:
        return values[(slice(None), *(1 + step))]

    slopes = [(at(e) - at(-e)) / 2 for e in unit]
    hessian = np.empty((len(values), ndim, ndim))
    for i, j in itertools.product(range(ndim), repeat=2):
        a, b = unit[i], unit[j]
        if i == j:
            hessian[:, i, i] = at(a) - 2 * at(0 * a) + at(-a)
        else:
            hessian[:, i, j] = (at(a + b) - at(a - b) - at(b - a) + at(-a - b)) / 4
    return np.stack(slopes, axis=-1), hessian


def with_derivatives(
    views: FloatArray, offset: FloatArray, turn: FloatArray | float = 0.0
) -> tuple[FloatArray, Bends]:
    """Move and turn views, and say how that changes them.

    Parameters
    ----------
    views : array, shape (…, *box)
        Constant at their rims, so that nothing leaves the box; the centre is the central pixel n // 2.
    offset : array, shape (…, ndim)
        Pixels to move each by.
    turn : array, shape (…)
        Radians to turn each by before, +x towards +y; two dimensions only.

    Returns
    -------
    gradient : array, shape (…, 1 + p, *box)
        The view v and ∂v/∂θ for θ = offset and, in two dimensions, the turn; p = 1 or 3. A constant is taken
        off: v is 0 at its rim.
    bends : callable
        ``bends(f)`` → Σ f ∂²v/∂θ∂θ over the box, shape (…, p, p), of f of shape (…, *box).

    Notes
    -----
    With (y, x) measured from the particle's centre, ∂v/∂turn = D v and D = y ∂/∂x − x ∂/∂y. Exact for a view
    without energy beyond the Nyquist frequency; that of even axes is left out. In the precision of the views.
    """
    ndim = offset.shape[-1]
    box = Grid(views.shape[-ndim:], 1.0)
    # Beyond the rim there is nothing, so that the next quick size will do as well.
    grid = Grid(tuple(map(fourier.fast_length, box.shape)), 1.0)
    still = views - rim_mean(views, ndim).astype(views.dtype)
    spectrum = fourier.forward_stack(turned(still, turn) if np.any(turn) else still, grid.shape)
    spectrum = fourier.zero_nyquist_batch(spectrum, grid.shape, grid.shape)
    shifts = [d.reshape(d.shape + (1,) * ndim) for d in np.moveaxis(offset, -1, 0)]
    spectrum *= fourier.phase_ramp(grid, shifts).astype(spectrum.dtype)
    slopes = [(-2j * np.pi * k).astype(spectrum.dtype) for k in grid.frequencies()]
    first = [s * spectrum for s in slopes]
    pairs = itertools.combinations_with_replacement(range(ndim), 2)
    second = [slopes[i] * first[j] for i, j in pairs]
    images = fourier.inverse(np.stack([spectrum, *first, *second], axis=-1 - ndim), grid.shape)
    inside: tuple[Any, ...] = (..., *map(slice, box.shape))
    images = images[inside]
    if ndim == 1:
        return images[..., :2, :], lambda f: (f * images[..., 2, :]).sum(axis=-1, dtype=float)[
            ..., None, None
        ]
    y, x = ((r - d).astype(views.dtype) for r, d in zip(box.offsets(), shifts, strict=True))
    turning = x * images[..., 1, :, :] - y * images[..., 2, :, :]
    gradient = np.concatenate([images[..., :3, :, :], turning[..., None, :, :]], axis=-3)
    return gradient, functools.partial(_bends, images[..., 1:, :, :], y, x)


def _bends(derivatives: FloatArray, y: FloatArray, x: FloatArray, f: FloatArray) -> FloatArray:
    """Return Σ f ∂²v/∂θ∂θ from v's derivatives along y, x, yy, yx and xx."""
    f = f.astype(derivatives.dtype)
    weights = np.stack([f, y * f, x * f, y * y * f, x * y * f, x * x * f], axis=-3)
    flat = derivatives.reshape(*derivatives.shape[:-2], -1)
    table = products(weights.reshape(*weights.shape[:-2], -1), flat)
    once, by_y, by_x, by_yy, by_yx, by_xx = np.moveaxis(table.astype(np.float64), -2, 0)
    along_y, along_x, yy, yx, xx = ((..., i) for i in range(5))
    twist_y = by_x[yy] - by_y[yx] + once[along_x]
    twist_x = by_x[yx] - by_y[xx] - once[along_y]
    turning = by_xx[yy] - 2 * by_yx[yx] + by_yy[xx] + by_x[along_x] + by_y[along_y]
    rows = [[once[yy], once[yx], twist_y], [once[yx], once[xx], twist_x], [twist_y, twist_x, turning]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rim_mean(views: FloatArray, ndim: int) -> FloatArray:
    """Return the mean of the outermost pixels of each view, shape (…, 1, …, 1)."""
    inner = np.zeros(views.shape[-ndim:], bool)
    inner[(slice(1, -1),) * ndim] = True
    return views[..., ~inner].mean(axis=-1, dtype=np.float64).reshape(views.shape[:-ndim] + (1,) * ndim)


def turned(images: FloatArray, angles: FloatArray | float) -> FloatArray:
    """Turn images about their central pixel n // 2 by small angles.

    Parameters
    ----------
    images : array, shape (…, ny, nx)
        Zero at their rims.
    angles : array, shape (…)
        Radians, +x towards +y.

    Notes
    -----
    Three shears, along x, y and x, of which each moves rows by fractions of a pixel and is exact for a
    band-limited image [1]_; and the mean with y, x and y, so that a picture on its side is turned alike.

    References
    ----------
    .. [1] Unser, Thévenaz & Yaroslavsky, IEEE Trans. Image Process. 4 (1995) 1371.
    """
    side = max(images.shape[-2:])
    parts = [slice(side // 2 - n // 2, side // 2 - n // 2 + n) for n in images.shape[-2:]]
    box: tuple[Any, ...] = (..., *parts)
    both = np.zeros((*images.shape[:-2], 2, side, side), images.dtype)
    upright, lying = both[..., 0, :, :], both[..., 1, :, :]
    upright[box] = images
    lying[...] = upright.swapaxes(-1, -2)
    along_x, along_y = _ramps(side, -np.tan(np.divide(angles, 2))), _ramps(side, np.sin(angles))
    for ramps in (along_x, along_y, along_x):
        both = _sheared(both, np.stack([ramps, ramps.conj()], axis=-3)).swapaxes(-1, -2)
    # Three exchanges of the axes are one.
    return np.asarray((both[..., 0, :, :].swapaxes(-1, -2) + both[..., 1, :, :])[box] / 2)


def _sheared(images: FloatArray, ramps: ComplexArray) -> FloatArray:
    """Move every row as its ramp says."""
    n = images.shape[-1]
    spectra = fourier.forward_stack(images, (fourier.fast_length(n),))
    spectra *= ramps
    return fourier.inverse(spectra, (fourier.fast_length(n),))[..., :n]


def _ramps(n: int, slopes: FloatArray) -> ComplexArray:
    """Return what moves each of n rows of n pixels by a slope times its distance from the middle row.

    They are the powers of what moves the row beside the middle one: shape (…, n, n_frequencies).
    """
    frequencies = np.fft.rfftfreq(fourier.fast_length(n))
    once = np.exp(-2j * np.pi * np.multiply.outer(slopes, frequencies))[..., None, :]
    powers = np.repeat(once, n // 2 + 1, axis=-2)
    powers[..., 0, :] = 1
    np.multiply.accumulate(powers, axis=-2, out=powers)
    return np.concatenate([powers[..., :0:-1, :].conj(), powers[..., : n - n // 2, :]], axis=-2)
