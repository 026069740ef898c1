"""Two methods on the same data: tests of their difference, and what to do with many tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from simkit.core.grid import FloatArray
from simkit.statistics.bootstrap import Sums, in_fixed_order, parts

MOST_ENUMERATED = 12
"""Clusters that differ, up to which every flip is tried: 4096."""

TIE = 1e-12
"""Differences closer than this are equal but for rounding: shares that differ do so by 1 / counts²."""


def sign_flip(
    a: Sums, b: Sums, statistic: Callable[[Sums], Sums], *, seed: int, resamples: int = 9999
) -> dict[str, float]:
    """Test whether pooled values of two methods differ.

    Parameters
    ----------
    a, b : mapping
        Name → array of shape (clusters,): what each cluster adds to a sum, by method. The same names and
        clusters in both.
    statistic : callable
        From named sums, arrays of any equal shape, to named values of that shape, NaN where a value
        does not exist; 0 / 0 may be left to NumPy.
    seed : int
        Of the flips, where they are too many to try all.
    resamples : int
        How many are drawn then.

    Returns
    -------
    dict
        Name of a value → two-sided p; only values that exist for both methods.

    Notes
    -----
    If the methods are alike, it is chance which of the two gave which result in a cluster. The
    results are exchanged, whole, in every subset of the clusters, the values pooled anew, and p is
    the share of subsets where they differ at least as much as they do (a value that a flip leaves
    without existence counts as such). This needs no sum of differences, so it serves F1. Up to
    `MOST_ENUMERATED` clusters that differ p is exact; beyond, k of n drawn subsets give
    (k + 1) / (n + 1) [1]_, which is never 0.

    It can be believed where clusters are independent. With n clusters that differ p is at least
    2¹⁻ⁿ: fewer than 6 never reach 0.05. Tiles of one micrograph test a difference on that
    micrograph and no other.

    References
    ----------
    .. [1] Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39.
    """
    names = list(a)
    both = in_fixed_order(np.stack([np.asarray(side[name], float) for side in (a, b) for name in names]))
    first, second = both[: len(names)], both[len(names) :]
    excess = (first - second)[:, (first != second).any(axis=0)]

    def difference(moved: FloatArray) -> dict[str, FloatArray]:
        """Return a − b with the excess of some clusters moved from a to b, shape (sums, flips)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            of_a = statistic(dict(zip(names, first.sum(axis=1)[:, None] - moved, strict=True)))
            of_b = statistic(dict(zip(names, second.sum(axis=1)[:, None] + moved, strict=True)))
        return {name: of_a[name] - of_b[name] for name in of_a}

    observed = difference(np.zeros((len(names), 1)))
    moved = [np.einsum("rc,sc->sr", flips, excess) for flips in _flips(excess.shape[1], seed, resamples)]
    flipped = difference(np.concatenate(moved, axis=1))
    itself = excess.shape[1] > MOST_ENUMERATED  # else it is one of the flips
    return {
        name: float((itself + as_far.sum()) / (itself + len(as_far)))
        for name, (value,) in observed.items()
        if np.isfinite(value)
        for as_far in [~(np.abs(flipped[name]) < abs(value) - TIE)]
    }


def _flips(clusters: int, seed: int, resamples: int) -> Iterator[FloatArray]:
    """Yield 1 where a cluster is exchanged, shape (a part of the flips, clusters)."""
    if clusters <= MOST_ENUMERATED:
        yield (np.arange(2**clusters)[:, None] >> np.arange(clusters) & 1).astype(float)
        return
    rng = np.random.default_rng(seed)
    for size in parts(resamples, clusters):
        yield rng.integers(0, 2, (size, clusters)).astype(float)


def mcnemar(only_a: int, only_b: int) -> float | None:
    """Test whether two methods find different shares of the same particles.

    Parameters
    ----------
    only_a, only_b : int
        Particles that one of the two alone found. What both or neither found says nothing.

    Returns
    -------
    float or None
        Two-sided p of McNemar's exact test [1]_: binomial, each of them with chance 1/2. None if there
        are none.

    Notes
    -----
    It takes particles as independent. Those of one micrograph are not, and then p is too small:
    `sign_flip` over micrographs is the test to quote.

    References
    ----------
    .. [1] McNemar, Psychometrika 12 (1947) 153.
    """
    n = only_a + only_b
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), n, 0.5))) if n else None


def holm(p: npt.ArrayLike) -> FloatArray:
    """Correct p-values for the number of tests.

    Parameters
    ----------
    p : array_like, shape (n,)
        NaN where a test does not exist; it is not counted.

    Returns
    -------
    array, shape (n,)
        Reject those of at most α, and the chance of rejecting any true hypothesis is at most α, whatever the
        tests have to do with each other [1]_.

    References
    ----------
    .. [1] Holm, Scand. J. Stat. 6 (1979) 65.
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")[: np.isfinite(values).sum()]
    tests_left = np.arange(len(order), 0, -1)
    corrected = np.full(values.shape, np.nan)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(tests_left * values[order]))
    return corrected
