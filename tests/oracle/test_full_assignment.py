"""The cheapest full assignment against SciPy's dense one, and the order of rows by several keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from simkit.matching._mutual import ranks, sorted_by
from simkit.matching.full_assignment import cheapest_full
from simkit.matching.optimal import match_optimal
from simkit.matching.pairs import near_points

FORBIDDEN = 1e3
"""Cost of a pair that may not be made: more than all others together."""


def dense(i, j, cost, shape):
    matrix = np.full(shape, FORBIDDEN)
    matrix[i, j] = cost
    return float(matrix[linear_sum_assignment(matrix)].sum())


@given(st.integers(1, 9), st.integers(0, 4), st.sampled_from([0.0, 0.3, 0.7]), st.integers(0, 2**32 - 1))
def test_it_is_as_cheap_as_the_dense_assignment_or_refused(fewer, spare, missing, seed):
    rng = np.random.default_rng(seed)
    shape = fewer, fewer + spare
    i, j = np.nonzero(rng.random(shape) >= missing)
    # Few different costs, so that many choices cost the same, and others.
    cost = rng.integers(0, 5, len(i)) / 4 if seed % 2 else rng.random(len(i))
    least = dense(i, j, cost, shape)
    if least >= FORBIDDEN:
        with pytest.raises(ValueError, match="stays alone"):
            cheapest_full(i, j, cost, shape)
        return
    chosen = cheapest_full(i, j, cost, shape)
    assert len(set(i[chosen])) == len(chosen) == fewer
    assert len(set(j[chosen])) == fewer
    # Costs are rounded to 2⁻⁴⁵ and less.
    assert cost[chosen].sum() == pytest.approx(least, abs=1e-12)


@pytest.mark.parametrize("displacement", [0.0, 0.1])
def test_a_crystal_with_vacancies_and_ghosts_is_matched_at_best(displacement):
    # 900 sites, 15 % missed and as many picks elsewhere: a reach of 2.2 spacings links all.
    rng = np.random.default_rng(0)
    sites = np.stack(np.meshgrid(*[np.arange(30.0)] * 2), axis=-1).reshape(-1, 2)
    seen = sites[rng.random(len(sites)) > 0.15] + rng.normal(0, displacement, 2)
    picks = np.concatenate([seen, rng.uniform(0, 29, (135, 2))])
    radius = 2.2
    found = match_optimal(sites, picks, radius)
    pairs = near_points(sites, picks, radius)
    matrix = np.full((len(sites), len(picks)), FORBIDDEN)
    matrix[pairs.truth, pairs.pick] = (pairs.distance / radius) ** 2
    best = matrix[linear_sum_assignment(matrix)]
    assert len(found.truth) == (best < FORBIDDEN).sum()
    assert ((found.distance / radius) ** 2).sum() == pytest.approx(best[best < FORBIDDEN].sum(), abs=1e-9)


@given(
    st.integers(0, 40).flatmap(
        lambda n: st.lists(
            arrays(float, n, elements=st.sampled_from([0.0, -1.0, 2.0, np.inf, np.nan])),
            min_size=1,
            max_size=3,
        )
    )
)
def test_rows_are_ordered_as_lexsort_does(keys):
    order = np.lexsort(keys)
    np.testing.assert_array_equal(sorted_by(*keys), order)
    np.testing.assert_array_equal(ranks(*keys)[order], np.arange(len(order)))
