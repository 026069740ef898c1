"""Between the pixels: the top of the quadratic through a maximum's neighbours, and views moved and turned."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid


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
    view: FloatArray, offset: FloatArray, turn: float = 0.0
) -> tuple[FloatArray, FloatArray]:
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
    hessian : array, shape (p, p, *box)
        ∂²v/∂θ∂θ.

    Notes
    -----
    With (y, x) measured from the particle's centre, ∂v/∂turn = D v and D = y ∂/∂x − x ∂/∂y. Exact for a view
    without energy beyond the Nyquist frequency; that of even axes is left out.
    """
    grid, ndim = Grid(view.shape, 1.0), view.ndim
    still = view - rim_mean(view)
    spectrum = fourier.forward(turned(still, turn) if turn else still)
    spectrum = fourier.zero_nyquist(spectrum, grid.shape) * fourier.phase_ramp(grid, offset.tolist())
    slopes = [-2j * np.pi * k for k in grid.frequencies()]
    first = [s * spectrum for s in slopes]
    pairs = list(itertools.combinations_with_replacement(range(ndim), 2))
    second = [slopes[i] * first[j] for i, j in pairs]
    images = fourier.inverse(np.stack([spectrum, *first, *second]), grid.shape)
    gradient, bends = images[: 1 + ndim], dict(zip(pairs, images[1 + ndim :], strict=True))
    hessian = np.array([[bends[min(i, j), max(i, j)] for j in range(ndim)] for i in range(ndim)])
    if ndim == 1:
        return gradient, hessian
    y, x = (r - d for r, d in zip(grid.offsets(), offset, strict=True))
    _, along_y, along_x = gradient
    turning = x * along_y - y * along_x
    twist_y = x * hessian[0, 0] - y * hessian[0, 1] + along_x
    twist_x = x * hessian[0, 1] - y * hessian[1, 1] - along_y
    whole = np.empty((3, 3, *view.shape))
    whole[:2, :2] = hessian
    whole[2, 0] = whole[0, 2] = twist_y
    whole[2, 1] = whole[1, 2] = twist_x
    whole[2, 2] = x * twist_y - y * twist_x
    return np.concatenate([gradient, turning[None]]), whole


def rim_mean(view: FloatArray) -> float:
    """Return the mean of the outermost pixels."""
    inner = np.zeros(view.shape, bool)
    inner[(slice(1, -1),) * view.ndim] = True
    return float(view[~inner].mean())


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
    return (_turned_from_x(image, angle) + _turned_from_x(image.T, -angle).T) / 2


def _turned_from_x(image: FloatArray, angle: float) -> FloatArray:
    along_x, along_y = -np.tan(angle / 2), np.sin(angle)
    return _sheared(_sheared(_sheared(image, along_x).T, along_y).T, along_x)


def _sheared(image: FloatArray, slope: float) -> FloatArray:
    """Move every row by slope times its distance from the middle row, in pixels."""
    rows, n = image.shape
    shifts = slope * (np.arange(rows) - rows // 2)
    ramps = np.exp(-2j * np.pi * np.multiply.outer(shifts, np.fft.rfftfreq(n)))
    return fourier.inverse(fourier.forward_stack(image, (n,)) * ramps, (n,))
