"""Counts of rare, independent things: quantiles of Poisson's law."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr, pdtrik

from simkit.core.grid import FloatArray


def poisson_quantile(share: npt.ArrayLike, mean: npt.ArrayLike) -> FloatArray:
    """Return the least count n that is not exceeded with a chance of `share` at least.

    Parameters
    ----------
    share : float or array
        0 < share < 1.
    mean : float or array
        Expected count, ≥ 0; shapes are broadcast.

    Returns
    -------
    array
        Whole numbers.

    Notes
    -----
    P(N ≤ n) is continued to real n by the incomplete gamma function, whose root is rounded up. Where P(N ≤ n)
    *is* the share, rounding may put the root just above n, so n is asked itself. `scipy.stats.poisson.ppf`
    does the same, but takes a third of a second to load.
    """
    above = np.ceil(pdtrik(share, mean))
    below = np.maximum(above - 1, 0)
    return np.where(pdtr(below, mean) >= share, below, above)
