"""Between the pixels: the top of the quadratic through a maximum's neighbours, and views moved and turned."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid

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


def with_derivatives(view: FloatArray, offset: FloatArray, turn: float = 0.0) -> tuple[FloatArray, Bends]:
    """Move and turn a view, and say how that changes it.

    Parameters
    ----------
    view : array
        Constant at its rim, so that nothing leaves the box; its centre is the central pixel n // 2.
    offset : array, shape (ndim,)
        Pixels to move it by.
    turn : float
        Radians to turn it by before, +x towards +y; two dimensions only.

    Returns
    -------
    gradient : array, shape (1 + p, *box)
        The view v and ∂v/∂θ for θ = offset and, in two dimensions, the turn; p = 1 or 3. A constant is taken
        off: v is 0 at its rim.
    bends : callable
        ``bends(f)`` → Σ f ∂²v/∂θ∂θ over the box, shape (p, p).

    Notes
    -----
    With (y, x) measured from the particle's centre, ∂v/∂turn = D v and D = y ∂/∂x − x ∂/∂y. Exact for a view
    without energy beyond the Nyquist frequency; that of even axes is left out. In the precision of the view.
    """
    grid, ndim = Grid(view.shape, 1.0), view.ndim
    still = view - rim_mean(view).astype(view.dtype)
    spectrum = fourier.forward(turned(still, turn) if turn else still)
    spectrum = fourier.zero_nyquist(spectrum, grid.shape)
    spectrum *= fourier.phase_ramp(grid, offset.tolist()).astype(spectrum.dtype)
    slopes = [(-2j * np.pi * k).astype(spectrum.dtype) for k in grid.frequencies()]
    first = [s * spectrum for s in slopes]
    pairs = itertools.combinations_with_replacement(range(ndim), 2)
    second = [slopes[i] * first[j] for i, j in pairs]
    images = fourier.inverse(np.stack([spectrum, *first, *second]), grid.shape)
    if ndim == 1:
        return images[:2], lambda f: np.array([[np.vdot(f, images[2])]], np.float64)
    y, x = ((r - d).astype(view.dtype) for r, d in zip(grid.offsets(), offset, strict=True))
    turning = x * images[1] - y * images[2]
    return np.concatenate([images[:3], turning[None]]), functools.partial(_bends, images[1:], y, x)


def _bends(derivatives: FloatArray, y: FloatArray, x: FloatArray, f: FloatArray) -> FloatArray:
    """Return Σ f ∂²v/∂θ∂θ from v's derivatives along y, x, yy, yx and xx."""
    f = f.astype(derivatives.dtype)
    weights = np.stack([f, y * f, x * f, y * y * f, x * y * f, x * x * f])
    table = weights.reshape(6, -1) @ derivatives.reshape(5, -1).T
    once, by_y, by_x, by_yy, by_yx, by_xx = table.astype(np.float64)
    along_y, along_x, yy, yx, xx = range(5)
    twist_y = by_x[yy] - by_y[yx] + once[along_x]
    twist_x = by_x[yx] - by_y[xx] - once[along_y]
    turning = by_xx[yy] - 2 * by_yx[yx] + by_yy[xx] + by_x[along_x] + by_y[along_y]
    return np.array(
        [[once[yy], once[yx], twist_y], [once[yx], once[xx], twist_x], [twist_y, twist_x, turning]]
    )


def rim_mean(view: FloatArray) -> np.floating[Any]:
    """Return the mean of the outermost pixels."""
    inner = np.zeros(view.shape, bool)
    inner[(slice(1, -1),) * view.ndim] = True
    return view[~inner].mean(dtype=np.float64)


def turned(image: FloatArray, angle: float) -> FloatArray:
    """Turn an image about its central pixel n // 2 by a small angle.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Zero at its rim.
    angle : float
        Radians, +x towards +y.

    Notes
    -----
    Three shears, along x, y and x, of which each moves rows by fractions of a pixel and is exact for a
    band-limited image [1]_; and the mean with y, x and y, so that a picture on its side is turned alike.

    References
    ----------
    .. [1] Unser, Thévenaz & Yaroslavsky, IEEE Trans. Image Process. 4 (1995) 1371.
    """
    side = max(image.shape)
    box = tuple(slice(side // 2 - n // 2, side // 2 - n // 2 + n) for n in image.shape)
    both = np.zeros((2, side, side), image.dtype)
    both[0][box] = image
    both[1] = both[0].T
    along_x, along_y = _ramps(side, -math.tan(angle / 2)), _ramps(side, math.sin(angle))
    for ramps in (along_x, along_y, along_x):
        both = _sheared(both, np.stack([ramps, ramps.conj()])).swapaxes(1, 2)
    # Three exchanges of the axes are one.
    return np.asarray((both[0].T + both[1])[box] / 2)


def _sheared(images: FloatArray, ramps: ComplexArray) -> FloatArray:
    """Move every row as its ramp says."""
    n = images.shape[-1]
    spectra = fourier.forward_stack(images, (n,))
    spectra *= ramps
    return fourier.inverse(spectra, (n,))


def _ramps(n: int, slope: float) -> ComplexArray:
    """Return what moves each of n rows of n pixels by slope times its distance from the middle row.

    They are the powers of what moves the row beside the middle one.
    """
    once = np.exp(-2j * np.pi * slope * np.fft.rfftfreq(n))
    powers = np.broadcast_to(once, (n // 2 + 1, len(once))).copy()
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    return np.concatenate([powers[:0:-1].conj(), powers[: n - n // 2]])
