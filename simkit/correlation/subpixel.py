"""Where between the pixels a peak is: the maximum of the quadratic through its neighbours."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from simkit.core.grid import FloatArray


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
