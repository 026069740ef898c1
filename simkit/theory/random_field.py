"""False picks: how many peaks pure noise throws up in a search over position and angle.

The score of a whitened matched filter in Gaussian noise is itself a smooth Gaussian random field
of unit variance. High above its mean it exceeds a level in isolated caps, one maximum each, and
their expected number is the expected Euler characteristic of what exceeds the level [1]_.

References
----------
.. [1] Adler & Taylor, Random Fields and Geometry (2007), theorem 12.4.1.
.. [2] Siegmund & Worsley, Ann. Statist. 23 (1995) 608: the same with a searched rotation or scale.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid

LOWEST_LEVEL = 1.8
"""Below √3 the closed form no longer falls with the level, so no level is computed below this."""

HIGHEST_LEVEL = 37.0
"""Beyond, the tail of a Gaussian is smaller than the smallest double."""


def expected_maxima(
    u: float, *, area: float, moments: FloatArray, angle_range: float = 0.0, views: int | None = None
) -> float:
    """Return the expected number of local maxima above u of a noise score field.

    In two dimensions A·[√detΛ₂ (2π)^(−3/2) u + Ψ √detΛ₃ (2π)^(−2) (u² − 1)] e^(−u²/2), in one
    L·√Λ₁ (2π)^(−1) e^(−u²/2) and correspondingly with an angle; √det is averaged over the views.

    Parameters
    ----------
    u : float
        Level in standard deviations of the score at one place and angle; meant for u ≥ 1.8.
    area : float
        Searched area A in Å² (length in Å in one dimension).
    moments : array, shape (n_views, d, d)
        Covariance Λ of the field's gradient at evenly spaced views, positions first (1/Å²) and the angle
        last (1/rad²) if it was searched: see `spectral_moments`.
    angle_range : float, optional
        Searched angle Ψ in radians, 2π/n for a particle of symmetry Cn; 0 for a single angle, when
        `moments` has no angle.
    views : int, optional
        How many views are searched, if `moments` are those of some.

    Returns
    -------
    float

    Notes
    -----
    Over position alone the count is met within a few per cent, but for templates with sharp edges. Over an
    angle too it is a bound: picks after non-maximum suppression are 1.1 to 3 times fewer, the more the
    lower the level, since suppression merges neighbours and the maximum over ψ at one place counts once; as
    a level, that is 0.05 to 0.25 standard deviations too high. `simkit.picker._calibration` measures it.
    Views so far apart that they are practically independent never count for more than n
    single views.
    """
    ndim = moments.shape[-1] - (angle_range > 0)
    one_view = area * _mean_root_det(moments[:, :ndim, :ndim]) * _density(u, ndim)
    if angle_range == 0:
        return one_view
    turning = area * angle_range * _mean_root_det(moments) * _density(u, ndim + 1)
    return min(one_view + turning, (views or len(moments)) * one_view)


def _mean_root_det(moments: FloatArray) -> float:
    return float(np.sqrt(np.clip(np.linalg.det(moments), 0, None)).mean())


def _density(u: float, dimensions: int) -> float:
    """Return the Euler-characteristic density (2π)^(−(d+1)/2) He_{d−1}(u) e^(−u²/2)."""
    hermite = np.polynomial.hermite_e.hermeval(u, [0.0] * (dimensions - 1) + [1.0])
    return float((2 * np.pi) ** (-(dimensions + 1) / 2) * hermite * np.exp(-(u**2) / 2))


def spectral_moments(
    views: FloatArray,
    *,
    pixel_size: float,
    angle_step: float = 0.0,
    noise_spectrum: FloatArray | None = None,
    wanted: Sequence[int] | None = None,
) -> FloatArray:
    """Return the covariance Λ of the gradient of the score field of a template bank.

    Along an axis it is the second moment of the whitened template's energy spectrum,
    Λ_ab = Σ (2πk_a)(2πk_b) |t̂|², and along the angle it comes from the difference between
    neighbouring views. Two neighbours have the midpoint's covariance between place and angle, so
    the one-sided difference loses no order.

    Parameters
    ----------
    views : array, shape (n_views, ny, nx) or (n_views, nx)
        The template at evenly spaced angles, on any scale.
    pixel_size : float
        Å.
    angle_step : float, optional
        Radians between neighbouring views, the last one's neighbour being the first; 0 if
        the angle is not searched.
    noise_spectrum : array in real-FFT layout of one view, optional
        Noise variance per pixel at each frequency; white by default.
    wanted : sequence of int, optional
        Views of which it is wanted; all by default.

    Returns
    -------
    array, shape (n_wanted, d, d)
        d is the number of position axes (y, x), plus one for the angle if `angle_step` > 0.
    """
    grid = Grid(views.shape[1:], pixel_size)
    noise = 1.0 if noise_spectrum is None else noise_spectrum
    shape = (*grid.shape[:-1], grid.shape[-1] // 2 + 1)
    root = np.broadcast_to(np.sqrt(fourier.hermitian_weights(grid.shape) / noise), shape).ravel()
    waves = [np.broadcast_to(2 * np.pi * k, shape).ravel() for k in grid.frequencies()]
    products = np.stack([a * b for a in waves for b in waves], axis=-1)

    @functools.lru_cache(2)
    def unit_energy(i: int) -> ComplexArray:
        spectrum = fourier.forward(views[i]).ravel() * root
        return spectrum / np.sqrt(fourier.power(spectrum).sum())

    ndim = grid.ndim
    index = list(range(len(views))) if wanted is None else list(wanted)
    moments = np.empty((len(index), *(ndim + (angle_step > 0),) * 2))
    for i, result in zip(index, moments, strict=True):
        here = unit_energy(i)
        result[:ndim, :ndim] = (fourier.power(here) @ products).reshape(ndim, ndim)
        if angle_step > 0:
            turning = (unit_energy((i + 1) % len(views)) - here) / angle_step
            result[-1, -1] = fourier.power(turning).sum()
            # The score at x weighs the noise with t(· − x): a step in x moves the template backwards,
            # −2πik t, of whose product with the turning the real part is 2πk Im(t · conjugate).
            across = (here * turning.conj()).imag
            result[-1, :-1] = result[:-1, -1] = [across @ k for k in waves]
    return moments


def level_for(count: float, expected_above: Callable[[float], float]) -> float:
    """Return the level above which `count` peaks are expected.

    Parameters
    ----------
    count : float
        Wanted expected number, > 0.
    expected_above : callable
        ``expected_above(u)`` → expected number above u, falling for u ≥ 1.8.

    Returns
    -------
    float
        In standard deviations, within [1.8, 37]: so many false peaks that the level would be lower
        give 1.8, where the closed form ends.
    """
    from scipy.optimize import brentq  # takes a tenth of a second to load

    if expected_above(LOWEST_LEVEL) <= count:
        return LOWEST_LEVEL
    if expected_above(HIGHEST_LEVEL) >= count:
        return HIGHEST_LEVEL
    return float(brentq(lambda u: expected_above(u) - count, LOWEST_LEVEL, HIGHEST_LEVEL))
