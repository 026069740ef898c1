"""How sure a number is: intervals and tests against SciPy, closed forms and repeated experiments.

Statistical tests have fixed seeds; each states how often it would fail if the code were right.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simkit.core.tables import Picks, Truth
from simkit.judging.clusters import clusters_of
from simkit.statistics.bootstrap import fewest_clusters, interval
from simkit.statistics.counts import poisson_quantile
from simkit.statistics.proportion import wilson


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (999, 1000), (50_000, 99_999)])
def test_wilson_is_that_of_scipy(k, n, level):
    expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    # Both are the same closed form; rounding is all that differs.
    np.testing.assert_allclose(wilson(k, n, level), expected, rtol=1e-12, atol=1e-15)


def test_wilson_of_arrays_and_of_nothing():
    low, high = wilson(np.array([0, 3, 0]), np.array([7, 7, 0]))
    assert (low[0], high[0]) == wilson(0, 7)
    assert (low[1], high[1]) == wilson(3, 7)
    assert np.isnan([low[2], high[2]]).all()
    assert wilson(0, 0) is None
    assert wilson(0, 7)[0] == 0
    assert wilson(7, 7)[1] == 1


def test_poisson_quantiles_are_those_of_scipy():
    """The same numbers, none of them near: also where P(N ≤ n) is the share itself, and of a mean of 0."""
    means = np.array([0.0, 1e-9, 0.01, 0.5, 2.0, 30.0, 1e4])[:, None]
    shares = np.array([1e-12, 1e-4, 0.025, 0.5, 0.975, 0.9999, 1 - 1e-12])
    np.testing.assert_array_equal(poisson_quantile(shares, means), stats.poisson.ppf(shares, means))
    met = stats.poisson.cdf(np.arange(60), 30.0)
    np.testing.assert_array_equal(poisson_quantile(met[met < 1], 30.0), np.arange(60)[met < 1])


def scores(sums):
    """Return pooled recall, precision and F1."""
    tp, truths, picks = sums["tp"], sums["truths"], sums["picks"]
    return {"recall": tp / truths, "precision": tp / picks, "f1": 2 * tp / (truths + picks)}


def experiment(rng, clusters, *, found=0.8, correlation=0.03):
    """Draw micrographs that differ: beta-binomial hits, and negative binomial false picks."""
    truths = rng.poisson(40 * rng.gamma(4, 1 / 4, clusters)) + 1
    spread = 1 / correlation - 1
    tp = rng.binomial(truths, rng.beta(found * spread, (1 - found) * spread, clusters))
    false = rng.poisson(truths * (1 - found) * rng.gamma(3, 1 / 3, clusters))
    return {"tp": tp, "truths": truths, "picks": tp + false}


# Counts of particles and of false picks are drawn apart from the shares, so that E(tp) / E(truths) is 0.8,
# and as many picks as particles are expected.
TRUE = {"recall": 0.8, "precision": 0.8, "f1": 0.8}


@pytest.mark.parametrize(
    ("clusters", "level", "least"),
    [
        (4, 0.8, 0.74),  # in long runs 0.755 to 0.80; percentiles that are not expanded hold 0.62 to 0.66
        (8, 0.95, 0.91),  # 0.92 to 0.94
        (40, 0.95, 0.93),  # 0.94 to 0.95
    ],
)
def test_intervals_hold_the_true_value_as_often_as_they_say(clusters, level, least):
    """A count falls below its bound with chance 1e-4 if the coverage is `least`, with less if it is more."""
    rng = np.random.default_rng(5)
    repeats = 1000
    held = dict.fromkeys(TRUE, 0)
    for seed in range(repeats):
        bounds = interval(experiment(rng, clusters), scores, seed=seed, resamples=600, level=level)
        for name, (low, high) in bounds.items():
            held[name] += low <= TRUE[name] <= high
    assert min(held.values()) >= stats.binom.ppf(1e-4, repeats, least)
    # Nor may they hold it by being wide: 1e-4 again, for a coverage of at most 2 % above the level.
    assert max(held.values()) <= stats.binom.isf(1e-4, repeats, level + 0.02)


def test_few_clusters_widen_an_interval_as_student_does():
    """Of a mean of normal clusters: t s / √n of n − 1 degrees of freedom."""
    rng = np.random.default_rng(6)
    ratios = []
    for seed in range(100):
        values = rng.normal(100, 10, 8)
        low, high = interval({"x": values, "n": np.ones(8)}, mean, seed=seed)["mean"]
        ratios.append((high - low) / np.ptp(stats.ttest_1samp(values, 0).confidence_interval()))
    # The mean of 8 draws has shorter tails than a normal, where the bootstrap looks: 3 % of the width.
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def mean(sums):
    return {"mean": sums["x"] / sums["n"]}


def test_many_clusters_give_the_percentile_interval_of_scipy():
    rng = np.random.default_rng(7)
    sums = experiment(rng, 300)
    low, high = interval(sums, scores, seed=1, resamples=9999)["f1"]
    expected = stats.bootstrap(
        tuple(sums.values()),
        lambda tp, truths, picks, axis: 2 * tp.sum(axis) / (truths.sum(axis) + picks.sum(axis)),
        paired=True,
        vectorized=True,
        n_resamples=9999,
        method="percentile",
        rng=np.random.default_rng(8),
    )
    # An estimated 2.5 % quantile of a normal varies by √(0.025 · 0.975 / 9999) / 0.0584 = 0.027 sd, two of
    # them by 0.038; expansion at n = 300 adds 0.4 % of 1.96. 0.18 sd are 4.5 times their spread.
    error = expected.standard_error
    np.testing.assert_allclose((low, high), expected.confidence_interval, rtol=0, atol=0.18 * error)


counts = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=6, max_size=12
).map(lambda rows: np.array(rows, float).T)


@settings(max_examples=40, deadline=None)
@given(counts, st.randoms(use_true_random=False))
def test_an_interval_belongs_to_the_clusters_and_not_to_their_order(rows, random):
    order = list(range(rows.shape[1]))
    random.shuffle(order)
    names = ("tp", "truths", "picks")
    first = interval(dict(zip(names, rows, strict=True)), scores, seed=3, resamples=200)
    again = interval(dict(zip(names, rows[:, order], strict=True)), scores, seed=3, resamples=200)
    assert first == again


def test_what_cannot_be_known_has_no_interval():
    ones = np.ones(12)
    few = {"tp": np.arange(5.0), "truths": np.full(5, 9.0), "picks": np.full(5, 9.0)}
    assert interval(few, scores, seed=1) == {}  # the range of 5 clusters holds a middle in 94 % at best
    assert interval(few, scores, seed=1, level=0.9).keys() == scores(few).keys()
    padded = {name: np.concatenate([values, np.zeros(30)]) for name, values in few.items()}
    assert interval(padded, scores, seed=1) == {}  # clusters that hold nothing add nothing
    # Nor do they hold a sum that does not exist, as that of false picks where the truth is not complete.
    assert interval(padded | {"fp": np.full(35, np.nan)}, scores, seed=1) == {}
    # All alike; never there; there in 3 clusters of 12, and so missing from (3/4)¹² = 3 % of resamples.
    assert interval({"tp": ones, "truths": ones, "picks": 0 * ones}, scores, seed=1) == {}
    rare = {"tp": 0 * ones, "truths": np.arange(12.0), "picks": np.where(np.arange(12) < 3, ones, 0)}
    assert interval(rare | {"tp": np.eye(12)[0]}, scores, seed=1).keys() == {"recall", "f1"}


@pytest.mark.parametrize("level", [0.5, 0.8, 0.875, 0.9, 0.95, 0.99])
def test_the_fewest_clusters_are_those_whose_range_holds_the_middle(level):
    n = fewest_clusters(level)
    assert 1 - 2.0 ** (1 - n) >= level > 1 - 2.0 ** (2 - n)


def test_resampling_in_parts_is_resampling(monkeypatch):
    """More clusters than a part holds: one resample at a time draws what all at once draw."""
    sums = experiment(np.random.default_rng(9), 20)
    whole = interval(sums, scores, seed=1, resamples=100)
    monkeypatch.setattr("simkit.statistics.bootstrap.CHUNK", 60)
    assert interval(sums, scores, seed=1, resamples=100) == whole


def points(rows, kind=Picks):
    """Return a table of rows (micrograph, y, x)."""
    names, y, x = zip(*rows, strict=True) if rows else ((), (), ())
    return kind(micrograph=np.array(names, str), y=np.array(y, float), x=np.array(x, float))


def test_many_micrographs_are_the_clusters():
    names = [f"m{i}" for i in range(8)]
    truth, picks = points([("m7", 0, 0), ("m2", 5, 5)], Truth), points([])
    clusters, (of_truth, of_picks) = clusters_of(names, None, [truth, picks])
    assert (clusters.count, clusters.text) == (8, "8 micrographs")
    assert of_truth.tolist() == [7, 2]
    assert of_picks.tolist() == []


@pytest.mark.parametrize(
    ("micrographs", "ndim", "count", "text"),
    [
        (1, 2, 16, "16 tiles of 1 micrograph"),
        (2, 2, 18, "18 tiles of 2 micrographs"),
        (4, 2, 16, "16 tiles of 4 micrographs"),
        (7, 2, 28, "28 tiles of 7 micrographs"),
        (1, 1, 16, "16 tiles of 1 micrograph"),
        (3, 1, 18, "18 tiles of 3 micrographs"),
    ],
)
def test_few_micrographs_are_cut_into_equal_tiles(micrographs, ndim, count, text):
    names = [f"m{i}" for i in range(micrographs)]
    across = round((count / micrographs) ** (1 / ndim))
    extent = (300.0, 500.0)[-ndim:]
    middle = (np.arange(across) + 0.5) / across
    rows = [
        (name, 300 * v, 500 * u)
        for name, v, u in itertools.product(names, middle if ndim == 2 else [0.9], middle)
    ]
    clusters, (of_rows,) = clusters_of(names, dict.fromkeys(names, extent), [points(rows)], ndim=ndim)
    assert (clusters.count, clusters.text) == (count, text)
    # One point in the middle of each tile, in reading order: every cluster once.
    assert of_rows.tolist() == list(range(count))


def test_tiles_without_an_extent_cut_what_all_points_span():
    corner = points([("a", -10, 20), ("b", 7, 7)], Truth)
    others = points([("a", 90, 420), ("a", 89, 21), ("a", 14, 121)])
    clusters, (of_corner, of_others) = clusters_of(["a", "b", "c"], None, [corner, others])
    assert clusters.count == 27
    # b has one point, c none: neither has a span to be cut.
    assert of_corner.tolist() == [0, 9]
    assert of_others.tolist() == [8, 6, 0]


def test_points_beyond_the_border_are_in_the_outermost_tiles():
    _, (of_rows,) = clusters_of(
        ["a"], {"a": (100.0, 100.0)}, [points([("a", -1, -1), ("a", 100, 101), ("a", -3, 200)])]
    )
    assert of_rows.tolist() == [0, 15, 3]
    with pytest.raises(KeyError):
        clusters_of(["a"], None, [points([("b", 0, 0)])])
