"""Intervals of pooled values: clusters are drawn again, whole, as if the experiment were repeated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from scipy.special import ndtr, stdtrit

from simkit.core.grid import FloatArray

Sums = Mapping[str, FloatArray]

MOST_MISSING = 0.01
"""Share of resamples in which a value may be missing. That of one to which k of many clusters contribute
is missing in about e⁻ᵏ of them: fewer than five are too few."""

CHUNK = 4_000_000
"""Multiplicities that are held at a time."""


def interval(
    sums: Sums,
    statistic: Callable[[Sums], Sums],
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Return intervals of values that follow from sums over clusters.

    Parameters
    ----------
    sums : mapping
        Name → array of shape (clusters,): what each cluster adds to a sum; NaN of a sum that does not exist.
    statistic : callable
        From named sums, arrays of any equal shape, to named values of that shape, NaN where a value
        does not exist; 0 / 0 may be left to NumPy.
    seed : int
        Of the resampling; the same seed gives the same intervals, in whatever order the clusters come.
    resamples : int
        How often clusters are drawn.
    level : float
        How often the interval should hold the true value.

    Returns
    -------
    dict
        Name of a value → (low, high). A value has none if it does not exist, is missing in more than
        `MOST_MISSING` of the resamples, or is the same in all of them: no spread between clusters is no
        proof of certainty. Empty if fewer than `fewest_clusters(level)` clusters hold anything.

    Notes
    -----
    The expanded percentile interval [1]_. Plain percentiles are too narrow by √((n − 1) / n) and by the
    ratio of a normal to a Student deviate of n − 1 degrees of freedom; they are taken further out by
    both. n is the number of clusters that hold anything. The interval never leaves the range of what
    was resampled, so a share stays within [0, 1].

    How far to believe it: for pooled recall, precision and F1 of 0.6 to 0.9, micrographs of about 40
    particles and an intraclass correlation of 0.03, intervals of 95 % hold the true value in 91 to 94 %
    of experiments with 8 clusters (plain percentiles: 84 to 88 %), 93 to 95 % with 16 and 94 to 95 %
    with 40; BCa does no better. Close to 1 the few micrographs that fail may be absent from the sample:
    a recall of 0.97 is held in 90 % with 8 clusters and 92 % with 16, and missed for being lower. And an
    interval speaks of clusters like these: tiles of one micrograph say nothing of other micrographs.

    References
    ----------
    .. [1] Hesterberg, The American Statistician 69 (2015) 371, section 5.
    """
    stacked = in_fixed_order(np.stack([np.asarray(values, float) for values in sums.values()]))
    holding = int(np.nan_to_num(stacked).any(axis=0).sum())
    if holding < fewest_clusters(level):
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = statistic(_named(sums, stacked.sum(axis=1)))
        drawn = statistic(_named(sums, np.concatenate([*_resampled(stacked, seed, resamples)], axis=1)))
    tail = _expanded_tail(holding, level)
    return {
        name: (float(low), float(high))
        for name, values in drawn.items()
        for there in [values[np.isfinite(values)]]
        if np.isfinite(whole[name]) and len(there) >= (1 - MOST_MISSING) * resamples
        for low, high in [np.quantile(there, [tail, 1 - tail])]
        if low < high
    }


def fewest_clusters(level: float) -> int:
    """Return how many clusters an interval needs.

    Resampled values lie between those of the lowest and of the highest cluster, and with chance 2¹⁻ⁿ all n
    clusters fall on the same side of the middle: percentiles of fewer clusters cannot hold what they
    promise. For 95 % it is 6.
    """
    return 1 + math.ceil(-math.log2(1 - level))


def _expanded_tail(n: int, level: float) -> float:
    return float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))


def _named(sums: Sums, values: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(sums, values, strict=True))


def _resampled(stacked: FloatArray, seed: int, resamples: int) -> Iterator[FloatArray]:
    """Yield sums over drawn clusters, shape (sums, a part of the resamples)."""
    clusters = stacked.shape[1]
    rng = np.random.default_rng(seed)
    for size in parts(resamples, clusters):
        times = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size).astype(float)
        # Not a matrix product: its rounding may depend on how many cores there are.
        yield np.einsum("rc,sc->sr", times, stacked)


def parts(resamples: int, clusters: int) -> Iterator[int]:
    """Yield how many resamples to make at a time, so that memory stays bounded."""
    part = max(1, CHUNK // clusters)
    for start in range(0, resamples, part):
        yield min(part, resamples - start)


def in_fixed_order(stacked: FloatArray) -> FloatArray:
    """Sort clusters by what they hold, so that draws belong to them and not to their order.

    Parameters
    ----------
    stacked : array, shape (sums, clusters)

    Returns
    -------
    array, shape (sums, clusters)
    """
    return stacked[:, np.lexsort(stacked)]
