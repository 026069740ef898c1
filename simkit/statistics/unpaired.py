"""Two methods on different data: the interval of their difference, and a test of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simkit.core.grid import FloatArray
from simkit.statistics.bootstrap import Sums, in_fixed_order, parts

Interval = tuple[float, float]


def difference_interval(a: float, interval_a: Interval, b: float, interval_b: Interval) -> Interval:
    """Return the interval of a − b from the intervals of two independent values.

    Parameters
    ----------
    a, b : float
        The values.
    interval_a, interval_b : tuple of float
        Their intervals, of one level.

    Returns
    -------
    low, high : float
        Of that level: each end lies as far from a − b as the two ends that push it there do together, in
        squares [1]_. Skew intervals, as of a share close to 1, so keep their skew.

    References
    ----------
    .. [1] Zou & Donner, Statistics in Medicine 27 (2008) 1693.
    """
    (low_a, high_a), (low_b, high_b) = interval_a, interval_b
    return (
        a - b - math.hypot(a - low_a, high_b - b),
        a - b + math.hypot(high_a - a, b - low_b),
    )


def exchange(
    a: Sums, b: Sums, statistic: Callable[[Sums], Sums], *, seed: int, resamples: int = 9999
) -> dict[str, float]:
    """Test whether pooled values of two methods that saw different data differ.

    Parameters
    ----------
    a, b : mapping
        Name → array of shape (clusters of that method,): what each cluster adds to a sum. The same names.
    statistic : callable
        From named sums, arrays of any equal shape, to named values of that shape, NaN where a value does
        not exist.
    seed : int
        Of the draws.
    resamples : int
        How many.

    Returns
    -------
    dict
        Name of a value → two-sided p; only values that exist for both methods.

    Notes
    -----
    If the methods are alike, it is chance which clusters are whose. They are dealt out anew, as many to each
    method as it had, and p = (k + 1) / (n + 1) where k of n deals differ at least as much as they do, or have
    no difference [1]_.

    References
    ----------
    .. [1] Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39.
    """
    names = list(a)
    mine, other = (np.stack([np.asarray(side[name], float) for name in names]) for side in (a, b))
    everything = in_fixed_order(np.concatenate([mine, other], axis=1))
    total, count = everything.sum(axis=1)[:, None], mine.shape[1]

    def difference(of_a: FloatArray) -> dict[str, FloatArray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = statistic(dict(zip(names, of_a, strict=True)))
            second = statistic(dict(zip(names, total - of_a, strict=True)))
        return {name: first[name] - second[name] for name in first}

    rng = np.random.default_rng(seed)
    dealt = [
        np.einsum("rc,sc->sr", _deals(rng, size, everything.shape[1], count), everything)
        for size in parts(resamples, everything.shape[1])
    ]
    drawn = difference(np.concatenate(dealt, axis=1))
    observed = difference(mine.sum(axis=1)[:, None])
    return {
        name: float((1 + _as_far(drawn[name], value).sum()) / (1 + resamples))
        for name, (value,) in observed.items()
        if np.isfinite(value)
    }


def _deals(rng: np.random.Generator, deals: int, clusters: int, count: int) -> FloatArray:
    """Return which clusters go to the first method, shape (deals, clusters), as 0 and 1."""
    turns = rng.random((deals, clusters)).argsort(axis=1)
    return (turns < count).astype(float)


def _as_far(values: FloatArray, observed: float) -> FloatArray:
    # Sums of equal counts in another order differ by rounding.
    return ~(np.abs(values) < abs(observed) - 1e-12)
