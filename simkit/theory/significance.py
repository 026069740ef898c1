"""Significance of picks: how likely noise alone gives one as high, and which share of a list is false.

Both follow from the expected number E(u) of false peaks above a level, since rare peaks of noise come
independently of each other: their number above a high level has a Poisson law [1]_.

References
----------
.. [1] Aldous, Probability Approximations via the Poisson Clumping Heuristic (1989), section A.
.. [2] Benjamini & Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
.. [3] Storey, J. R. Stat. Soc. B 64 (2002) 479: q-values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.theory.random_field import LOWEST_LEVEL, level_for

Indices = npt.NDArray[np.intp]


def p_values(levels: FloatArray, *, expected_above: Callable[[float], float]) -> FloatArray:
    """Return the probability that noise alone has a peak as high anywhere in the image: 1 − e^(−E(u)).

    Parameters
    ----------
    levels : array, shape (n,)
        Scores in units of their standard deviation in noise, in any order.
    expected_above : callable
        ``expected_above(u)`` → expected number E(u) of false peaks per image above u.

    Returns
    -------
    array, shape (n,)
        Levels below 1.8 have that of 1.8: see `random_field.LOWEST_LEVEL`.
    """
    return -np.expm1(-_expected(levels, expected_above))


def q_values(
    levels: FloatArray,
    *,
    expected_above: Callable[[float], float],
    misplaced: FloatArray | None = None,
) -> FloatArray:
    """Return for every pick the least false discovery rate of a list that ends below it.

    With levels u₁ ≥ u₂ ≥ … and chances m_i that a particle's pick is in a wrong place,
    q_i = min_{j ≥ i} (E(u_j) + m₁ + … + m_j) / j, at most 1: of the j picks from u_j up, E(u_j) are expected
    to be noise and m₁ + … + m_j to be beside their particles. Without the m_i it is the rule of Benjamini
    and Hochberg; that the whole image may hold noise, though part of it holds particles, and that what is
    noise may be misplaced too, errs on the safe side.

    Parameters
    ----------
    levels : array, shape (n,)
        Scores of *all* peaks, as far down as q-values matter, in units of their standard deviation in
        noise, in any order.
    expected_above : callable
        As for `p_values`.
    misplaced : array, shape (n,), optional
        Chance of every peak that its particle is elsewhere, see `misplacement`; none by default.

    Returns
    -------
    array, shape (n,)
        In the order of `levels`; equal levels have equal values.
    """
    levels = np.asarray(levels, float)
    order = np.argsort(-levels, kind="stable")
    rank = np.searchsorted(-levels[order], -levels[order], side="right")
    false = _expected(levels[order], expected_above) + _up_to(order, rank, misplaced)
    share = false / np.maximum(rank, 1)
    least = np.minimum.accumulate(share[::-1])[::-1]
    result = np.empty(len(levels))
    result[order] = np.minimum(least, 1.0)
    return result


def accepted(
    levels: FloatArray,
    q: float,
    *,
    expected_above: Callable[[float], float],
    misplaced: FloatArray | None = None,
) -> int:
    """Return how many picks have a q-value of at most q: the largest k with E(u_k) + m₁ + … + m_k ≤ q k.

    Parameters
    ----------
    levels, expected_above, misplaced
        As for `q_values`; E has to fall with the level.
    """
    levels = np.asarray(levels, float)
    order = np.argsort(-levels, kind="stable")
    # Of k picks E may be q k at most, so those below the level of E = q n can never be among them.
    lowest = level_for(q * len(order), expected_above) if len(order) else 0.0
    order = order[levels[order] >= lowest * (1 - 1e-12)]
    rank = np.searchsorted(-levels[order], -levels[order], side="right")
    false = _expected(levels[order], expected_above) + _up_to(order, rank, misplaced)
    return int(rank[false <= q * rank].max(initial=0))


def _up_to(order: Indices, rank: Indices, misplaced: FloatArray | None) -> FloatArray:
    """Return the sum of chances in an order up to each rank."""
    chances = np.zeros(len(order)) if misplaced is None else np.asarray(misplaced, float)[order]
    return np.concatenate([[0.0], np.cumsum(chances)])[rank]


def _expected(levels: FloatArray, expected_above: Callable[[float], float]) -> FloatArray:
    return np.array([expected_above(max(float(u), LOWEST_LEVEL)) for u in levels])
