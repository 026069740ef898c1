"""A share of independent trials: Wilson's interval."""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from simkit.core.grid import FloatArray


@overload
def wilson(k: float, n: float, level: float = ...) -> tuple[float, float] | None: ...
@overload
def wilson(
    k: npt.NDArray[np.integer], n: npt.NDArray[np.integer], level: float = ...
) -> tuple[FloatArray, FloatArray]: ...
def wilson(
    k: float | npt.NDArray[np.integer], n: float | npt.NDArray[np.integer], level: float = 0.95
) -> tuple[float, float] | tuple[FloatArray, FloatArray] | None:
    """Return Wilson's interval of a share.

    Parameters
    ----------
    k, n : number or array of int
        Successes, and how many trials; 0 ≤ k ≤ n.
    level : float
        How often the interval holds the true share.

    Returns
    -------
    (low, high) or None
        Within [0, 1], arrays if k or n is one. With n = 0 there is no interval: None, and NaN in arrays.

    Notes
    -----
    All p that are no further than z standard deviations √(p (1 − p) / n) from k / n [1]_. It can be believed
    where trials are independent. Particles of one micrograph share its ice, its focus and its
    threshold: what is pooled over micrographs needs `simkit.statistics.bootstrap`.

    References
    ----------
    .. [1] Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    hits, trials = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    z2 = ndtri((1 + level) / 2) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (hits + z2 / 2) / (trials + z2)
        half = np.sqrt(z2 * (hits * (trials - hits) / trials + z2 / 4)) / (trials + z2)
    # At the ends the two are equal but for rounding.
    low = np.where(hits == 0, 0.0, centre - half)
    high = np.where(hits == trials, 1.0, centre + half)
    low, high = (np.where(trials > 0, bound, np.nan) for bound in (low, high))
    if low.ndim:
        return low, high
    return (float(low), float(high)) if trials > 0 else None
