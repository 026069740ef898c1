"""How well a peak of known height tells place and angle: the Cramér–Rao limit, pick by pick.

Near a particle of detectability d′ the score of a matched filter is d′ (1 − ½ θᵀΛθ) plus noise of unit
variance whose gradient has the covariance Λ, so that the information about θ = (y, x, ψ) is d′² Λ and its
inverse the covariance of the place of the top. A peak's own height is all that is known of its d′.
"""

from __future__ import annotations

import numpy as np

from simkit.core.grid import FloatArray
from simkit.theory.fisher import limits
from simkit.theory.outliers import LOWEST_REACHABLE


def peak_limits(moments: FloatArray, d_prime: FloatArray, *, period: float | None = None) -> FloatArray:
    """Return the standard deviation of the place and angle of peaks.

    Parameters
    ----------
    moments : array, shape (n, d, d)
        Λ at the view of every peak, positions first (1/Å²) and, where it was searched, the angle last
        (1/rad²): see `random_field.spectral_moments`.
    d_prime : array, shape (n,)
        Height in standard deviations of the noise; NaN where it has no such meaning.
    period : float, optional
        Searched angle in radians, if it was searched.

    Returns
    -------
    array, shape (n, d)
        Å, and radians of the angle. NaN below d′ = 6, where the top is often not the particle's, and for an
        angle that is known no better than by chance, period / √12.
    """
    informed = np.where(d_prime >= LOWEST_REACHABLE, d_prime, np.nan)
    variance = np.diagonal(limits(moments, wanted=range(moments.shape[-1])), axis1=-2, axis2=-1)
    sigma = np.sqrt(variance) / informed[:, None]
    if period is not None:
        sigma[:, -1] = np.where(sigma[:, -1] < period / np.sqrt(12), sigma[:, -1], np.nan)
    return sigma
