"""The threshold effect: below d′ ≈ 6 the highest peak is often not the particle's, and no limit holds.

The Cramér–Rao limit describes the top of the right peak. In a window that is searched for one particle,
noise now and then throws up a higher one anywhere; the error is then as large as the window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import ive

from simkit.core.grid import FloatArray
from simkit.theory.random_field import LOWEST_LEVEL

LOWEST_REACHABLE = 6.0
"""d′ below which the Cramér–Rao limit is out of reach: the highest peak is then often not the particle's."""

REACH = 9.0
"""Standard deviations around d′ over which the particle's height is integrated: 2e-19 is left out."""

TINY = 1e-6
"""d′ that stands for 0, which the density of a height is not written for."""

STEPS = 241
"""Steps of the trapezoidal rule, which converges faster than any power for a nearly Gaussian density."""


def outlier_probability(
    d_prime: npt.ArrayLike, false_above: Callable[[float], float], *, dims: int = 2
) -> FloatArray:
    """Return the chance that the highest noise peak in a search window exceeds the particle's own.

    P = ∫ p(u) (1 − e^(−E(u))) du, with E(u) the expected number of noise peaks above u: peaks that high are
    rare and so Poisson distributed. p is the density of the particle's own peak, the highest of the places
    and angles near it, whose square is non-central χ² (see `observer.recall_above`).

    Parameters
    ----------
    d_prime : array_like
        Detectability d′.
    false_above : callable
        ``false_above(u)`` → E(u) in the window; it is taken at 1.8 for any level below.
    dims : int
        Searched dimensions: axes of position, plus one for the angle.

    Returns
    -------
    array of the shape of `d_prime`
    """
    d = np.asarray(d_prime, float)[..., None]
    offset, step = np.linspace(-REACH, REACH, STEPS, retstep=True)
    height = np.maximum(d + offset, 0.0)
    # Non-central χ of dims + 1 degrees of freedom; SciPy's own would load all of its statistics.
    centre, order = np.maximum(d, TINY), (dims - 1) / 2
    weight = (height / centre) ** order * ive(order, centre * height) * height
    weight *= np.exp(-((height - centre) ** 2) / 2) * step
    levels = np.maximum(height, LOWEST_LEVEL)
    expected = np.array([false_above(float(u)) for u in levels.ravel()]).reshape(levels.shape)
    return np.asarray((weight * -np.expm1(-expected)).sum(axis=-1))


def expected_mse(bound_variance: npt.ArrayLike, p_out: npt.ArrayLike, window: float) -> FloatArray:
    """Return the mean squared error along one axis: (1 − P) · limit + P · W²/12.

    Parameters
    ----------
    bound_variance : array_like
        Cramér–Rao limit of the variance along the axis, Å².
    p_out : array_like
        P, the chance of an outlier, which lies anywhere in the window.
    window : float
        W, its edge in Å, the particle somewhere near its middle.

    Returns
    -------
    array, Å²
    """
    p = np.asarray(p_out, float)
    return np.asarray((1 - p) * np.asarray(bound_variance, float) + p * window**2 / 12)
