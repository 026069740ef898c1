"""Differences of independent values: against SciPy, closed forms and repeated experiments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from simkit.statistics.bootstrap import Sums
from simkit.statistics.unpaired import difference_interval, exchange


def mean(sums: Sums) -> Sums:
    return {"mean": sums["value"] / sums["one"]}


def test_exchange_agrees_with_scipys_permutations() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.8, 1, 6), rng.normal(0, 1, 5)
    exact = permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), n_resamples=np.inf, vectorized=True
    ).pvalue
    drawn = exchange(
        {"value": a, "one": np.ones(6)}, {"value": b, "one": np.ones(5)}, mean, seed=0, resamples=20_000
    )["mean"]
    # SciPy doubles the smaller tail of all 462 deals; ours counts both, which differ by a few deals. The
    # standard error of 20,000 draws is below 0.0036.
    deals = [
        a_sum / 6 - (np.concatenate([a, b]).sum() - a_sum) / 5
        for a_sum in _sums_of_six(np.concatenate([a, b]))
    ]
    both = np.mean(np.abs(deals) >= abs(a.mean() - b.mean()) - 1e-12)
    assert drawn == pytest.approx(both, abs=4 * 0.0036)
    assert drawn == pytest.approx(exact, abs=0.05)


def _sums_of_six(values: np.ndarray) -> list[float]:
    from itertools import combinations

    return [float(sum(chosen)) for chosen in combinations(values, 6)]


def test_exchange_is_believed_as_often_as_it_says() -> None:
    # 200 experiments without a difference, 4 against 7 clusters: p ≤ 0.1 in 20 of them on average, and in 38
    # or more with a chance below 1e-4 (binomial).
    rng = np.random.default_rng(2)
    believed = 0
    for i in range(200):
        sides = [{"value": rng.poisson(3, n).astype(float), "one": np.ones(n)} for n in (4, 7)]
        believed += exchange(*sides, mean, seed=i, resamples=499)["mean"] <= 0.1
    assert 4 <= believed < 38


def test_each_method_is_dealt_as_many_as_it_had() -> None:
    # One cluster that stands out among four: a quarter of the deals give it to the first alone.
    alone = {"value": np.array([10.0]), "one": np.ones(1)}
    others = {"value": np.zeros(3), "one": np.ones(3)}
    p = exchange(alone, others, mean, seed=0, resamples=4000)["mean"]
    assert p == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 4000))


def test_exchange_leaves_out_what_does_not_exist_and_finds_what_is_plain() -> None:
    def rate(sums: Sums) -> Sums:
        return {"rate": sums["tp"] / sums["picks"], "mean": sums["tp"] / sums["one"]}

    none = {"tp": np.zeros(8), "picks": np.zeros(8), "one": np.ones(8)}
    many = {"tp": np.full(8, 9.0), "picks": np.full(8, 10.0), "one": np.ones(8)}
    found = exchange(many, none, rate, seed=0, resamples=999)
    assert set(found) == {"mean"}
    assert found["mean"] < 0.01
    assert exchange(many, many, rate, seed=0, resamples=99) == {"rate": 1.0, "mean": 1.0}


@given(
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.floats(0.01, 3),
    st.floats(0.01, 3),
    st.floats(0, 3),
    st.floats(0, 3),
)
def test_intervals_add_in_squares(
    a: float, b: float, up: float, up_b: float, down: float, down_b: float
) -> None:
    low, high = difference_interval(a, (a - down, a + up), b, (b - down_b, b + up_b))
    assert low == pytest.approx(a - b - np.hypot(down, up_b), abs=1e-9)
    assert high == pytest.approx(a - b + np.hypot(up, down_b), abs=1e-9)
    other = difference_interval(b, (b - down_b, b + up_b), a, (a - down, a + up))
    assert other == pytest.approx((-high, -low), abs=1e-9)


def test_symmetric_intervals_give_the_textbooks() -> None:
    # Two means with standard errors 3 and 4: that of their difference is 5.
    low, high = difference_interval(10, (10 - 3 * 1.96, 10 + 3 * 1.96), 2, (2 - 4 * 1.96, 2 + 4 * 1.96))
    assert (low, high) == pytest.approx((8 - 5 * 1.96, 8 + 5 * 1.96))
