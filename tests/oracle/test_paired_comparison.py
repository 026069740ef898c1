"""Two pickers on the same micrographs, against SciPy, enumeration by hand and repeated experiments.

Statistical tests have fixed seeds; each states how often it would fail if the code were right.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simkit.judging.comparison import METRICS, Tally, compare
from simkit.statistics.bootstrap import interval
from simkit.statistics.paired import holm, mcnemar, sign_flip


def rates(sums):
    tp, picks, truths = sums["tp"], sums["picks"], sums["truths"]
    return {"f1": 2 * tp / (picks + truths), "recall": tp / truths, "precision": tp / picks}


def picker(rng, truths, found, *, hardness):
    """Draw what a picker finds on micrographs of unequal hardness, and its false picks."""
    tp = rng.binomial(truths, np.clip(found - hardness, 0, 1))
    return {"tp": tp, "picks": tp + rng.poisson(0.2 * truths), "truths": truths}


def two_pickers(seed, *, clusters, found=(0.8, 0.8)):
    rng = np.random.default_rng(seed)
    truths, hardness = rng.poisson(20, clusters) + 1, rng.uniform(-0.2, 0.2, clusters)
    return [picker(rng, truths, share, hardness=hardness) for share in found]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_few_clusters_are_enumerated_as_scipy_does(seed, metric):
    a, b = two_pickers(seed, clusters=9, found=(0.8, 0.7))
    rows = {name: np.concatenate([a[name], b[name]]).astype(float) for name in a}

    def difference(of_a, of_b, axis=-1):
        pooled = [
            rates({name: values[index.astype(int)].sum(axis) for name, values in rows.items()})[metric]
            for index in (of_a, of_b)
        ]
        return pooled[0] - pooled[1]

    # What SciPy exchanges are row numbers, so that F1 is pooled from what belongs to them. All 2⁹ flips.
    expected = stats.permutation_test(
        (np.arange(9), np.arange(9, 18)),
        lambda x, y, axis: np.abs(difference(x, y, axis)),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flip(a, b, rates, seed=0)[metric] == pytest.approx(expected.pvalue, abs=1e-12)


def test_clusters_that_agree_change_nothing():
    a, b = two_pickers(4, clusters=10, found=(0.8, 0.6))
    alike = two_pickers(5, clusters=30)[0]
    longer = [{name: np.append(side[name], 0 * alike[name]) for name in side} for side in (a, b)]
    assert sign_flip(*longer, rates, seed=0) == sign_flip(a, b, rates, seed=0)
    assert sign_flip(alike, alike, rates, seed=0) == dict.fromkeys(METRICS, 1.0)


def test_drawn_flips_approach_the_enumerated(monkeypatch):
    a, b = two_pickers(6, clusters=12, found=(0.8, 0.75))
    exact = sign_flip(a, b, rates, seed=0)
    monkeypatch.setattr("simkit.statistics.paired.MOST_ENUMERATED", 5)
    drawn = sign_flip(a, b, rates, seed=0)
    for name, p in exact.items():
        # A share of 9999 draws; 4.5 standard deviations are exceeded in 7e-6 of seeds.
        assert drawn[name] == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / 9999) + 1e-4)
        assert drawn[name] != p


def test_no_drawn_p_is_zero():
    ones = np.ones(60)
    a, b = ({"tp": tp * ones, "picks": 9 * ones, "truths": 9 * ones} for tp in (9, 1))
    assert sign_flip(a, b, rates, seed=0, resamples=99)["recall"] == 1 / 100


def test_a_flip_of_everything_ties_however_it_rounds():
    """Only the flips of none and of all 7 differ as much as a and b do: p = 2 / 2⁷."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        truths = rng.uniform(5, 9, 7)
        a, b = ({"tp": share * truths, "picks": truths, "truths": truths} for share in (0.9, 0.3))
        assert sign_flip(a, b, rates, seed=0) == dict.fromkeys(METRICS, 2 / 128)


def test_flips_that_leave_no_value_count_against_a_difference():
    """All picks of both lie in one cluster each: flipping one of the two leaves a picker without any."""
    a = {"tp": np.array([3.0, 0]), "picks": np.array([3.0, 0]), "truths": np.array([5.0, 5])}
    b = {"tp": np.array([0.0, 1]), "picks": np.array([0.0, 3]), "truths": np.array([5.0, 5])}
    # None, both: |3/3 − 1/3|. First or second alone: one side has no picks.
    assert sign_flip(a, b, rates, seed=0)["precision"] == 1.0
    nothing = {name: 0 * values for name, values in a.items()} | {"truths": a["truths"]}
    assert sign_flip(a, nothing, rates, seed=0).keys() == {"f1", "recall"}


@pytest.mark.parametrize("clusters", [9, 16])
def test_p_is_uniform_where_pickers_are_alike(clusters):
    """Micrographs differ in hardness, which the pairing takes out. Fails with chance 1e-4 per metric."""
    rng = np.random.default_rng(3)

    def weighed(shares):
        """Draw sums that are no counts: where differences tie, p is larger than uniform."""
        tp = truths * np.clip(shares + rng.normal(0, 0.1, clusters), 0, 1)
        return {"tp": tp, "picks": tp + rng.gamma(2, 2, clusters), "truths": truths}

    found = []
    for seed in range(400):
        truths, shares = rng.gamma(4, 5, clusters), rng.uniform(0.3, 0.7, clusters)
        found.append(sign_flip(weighed(shares), weighed(shares), rates, seed=seed, resamples=499))
    for name in METRICS:
        p = np.array([each[name] for each in found])
        # p is a multiple of 1/256 or 1/500, far finer than the 0.1 that 400 of them can tell.
        assert stats.kstest(p, "uniform").pvalue > 1e-4


def test_p_of_counts_that_tie_is_never_too_small():
    """P(p ≤ α) ≤ α where pickers are alike; fails with chance 1e-4 at equality, for each of 9."""
    found = [sign_flip(*two_pickers(seed, clusters=10), rates, seed=0) for seed in range(400)]
    for name, alpha in itertools.product(METRICS, (0.01, 0.05, 0.2)):
        below = sum(each[name] <= alpha for each in found)
        assert below <= stats.binom.isf(1e-4, len(found), alpha)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(only_a, only_b):
    if only_a + only_b == 0:
        assert mcnemar(0, 0) is None
        return
    expected = stats.binomtest(only_a, only_a + only_b).pvalue
    # SciPy sums the tails term by term.
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a)


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04, times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04, and none below the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.03]), [0.04, np.nan, 0.04])
    assert holm([]).shape == (0,)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_holm_rejects_what_stepping_down_rejects(p, alpha):
    """Holm's own words: compare the smallest with α/n, the next with α/(n − 1), until one fails."""
    rejected = np.zeros(len(p), bool)
    for i, row in enumerate(np.argsort(p, kind="stable")):
        if p[row] * (len(p) - i) > alpha:
            break
        rejected[row] = True
    assert (holm(p) <= alpha).tolist() == rejected.tolist()


def tally(name, counts, seed=0, share=0.5):
    hits = np.random.default_rng(seed).random(200) < share
    return Tally(name, *(np.asarray(counts[key]) for key in ("tp", "picks", "truths")), hits)


def three_tallies(clusters=12):
    first, second = two_pickers(7, clusters=clusters, found=(0.85, 0.7))
    third = two_pickers(8, clusters=clusters)[1] | {"truths": first["truths"]}
    third["tp"] = np.minimum(third["tp"], first["truths"])
    third["picks"] = np.maximum(third["picks"], third["tp"])
    return [tally(n, c, seed=i) for i, (n, c) in enumerate(zip("abc", (first, second, third), strict=True))]


def test_every_two_pickers_are_compared_once_by_every_metric():
    tallies = three_tallies()
    found = compare(tallies, basis="own thresholds", seed=1)
    assert [(c.metric, c.a, c.b) for c in found] == [
        (metric, *pair) for metric in METRICS for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    assert {(c.basis, c.clusters) for c in found} == {("own thresholds", 12)}
    for c in found:
        a, b = (tallies["abc".index(name)] for name in (c.a, c.b))
        pooled = [rates({k: v.sum() for k, v in t.sums.items()})[c.metric] for t in (a, b)]
        assert (c.value_a, c.value_b) == pytest.approx(pooled)
        assert c.difference == pytest.approx(pooled[0] - pooled[1], abs=1e-15)
        assert c.interval[0] <= c.difference <= c.interval[1]
        assert c.p == sign_flip(a.sums, b.sums, rates, seed=1)[c.metric]
        assert c.only_a == sum(x and not y for x, y in zip(a.hits, b.hits, strict=True))
        assert c.only_b == sum(y and not x for x, y in zip(a.hits, b.hits, strict=True))
        assert c.p_mcnemar == pytest.approx(stats.binomtest(c.only_a, c.only_a + c.only_b).pvalue)
    for metric in METRICS:
        of_metric = [c for c in found if c.metric == metric]
        assert [c.p_holm for c in of_metric] == pytest.approx(holm([c.p for c in of_metric]))


def test_pickers_that_were_asked_for_different_particles_are_not_compared():
    """One that is not asked for bars misses none of them: all that the other finds would count against it."""
    tallies = three_tallies()
    asked = np.ones(len(tallies[0].hits), bool)
    asked[::2] = False
    a, b, c = (replace(t, judged=j) for t, j in zip(tallies, (asked, None, asked), strict=True))
    found = compare([a, b, c], basis="own thresholds", seed=1)
    assert [(k.metric, k.a, k.b) for k in found] == [(metric, "a", "c") for metric in METRICS]
    assert [k.p_holm for k in found] == [k.p for k in found]  # what is not made is not corrected for
    assert compare([a, b], basis="own thresholds", seed=1) == ()
    assert len(compare(tallies[:2], basis="own thresholds", seed=1)) == len(METRICS)


def test_clusters_that_hold_no_hit_are_resampled_too():
    a, b = three_tallies()[:2]
    nothing = [replace(t, tp=np.append(t.tp, 0.0), picks=np.append(t.picks, 1.0)) for t in (a, b)]
    nothing = [replace(t, truths=np.append(t.truths, 2.0)) for t in nothing]
    assert {c.clusters for c in compare(nothing, basis="own thresholds", seed=1)} == {len(a.tp) + 1}


def test_both_pickers_are_resampled_on_the_same_clusters():
    """Where micrographs differ and pickers do not, the difference is known far better than either value."""
    rng = np.random.default_rng(9)
    truths = np.full(40, 50)
    hits = rng.integers(0, 50, 40)
    a, b = (
        tally(name, {"tp": np.clip(hits + extra, 0, 50), "picks": truths, "truths": truths})
        for name, extra in (("a", rng.integers(0, 2, 40)), ("b", 0))
    )
    paired = next(c for c in compare([a, b], basis="own thresholds", seed=1) if c.metric == "recall")
    alone = interval(a.sums, rates, seed=1)["recall"]
    # Each: uniform on 0..50, 0.29 wide a micrograph. The difference: 0 or 1 of 50, 0.01 a micrograph.
    assert np.ptp(paired.interval) < 0.1 * np.ptp(alone)
    # Closed form of the mean of 40 differences, Student's; 10 % for the skewness of what is drawn.
    expected = stats.ttest_rel(a.tp / truths, b.tp / truths).confidence_interval()
    np.testing.assert_allclose(paired.interval, expected, atol=0.1 * np.ptp(expected))


def test_the_interval_of_a_difference_holds_zero_where_pickers_are_alike():
    """Coverage of at least 0.92 is assumed; fails with chance 1e-4 at that, less above."""
    repeats, inside = 300, dict.fromkeys(METRICS, 0)
    for seed in range(repeats):
        a, b = (tally(n, c) for n, c in zip("ab", two_pickers(seed, clusters=16), strict=True))
        for c in compare([a, b], basis="own thresholds", seed=seed, resamples=600):
            inside[c.metric] += c.interval[0] <= 0 <= c.interval[1]
    assert min(inside.values()) >= stats.binom.ppf(1e-4, repeats, 0.92)


def test_order_of_clusters_and_of_pickers():
    tallies = three_tallies(clusters=15)
    order = np.random.default_rng(1).permutation(15)
    shuffled = [Tally(t.name, t.tp[order], t.picks[order], t.truths[order], t.hits) for t in tallies]
    assert compare(shuffled, basis="own thresholds", seed=1) == compare(
        tallies, basis="own thresholds", seed=1
    )
    for c in compare(tallies[::-1], basis="own thresholds", seed=1):
        other = next(
            o
            for o in compare(tallies, basis="own thresholds", seed=1)
            if (o.a, o.b, o.metric) == (c.b, c.a, c.metric)
        )
        assert (c.difference, c.only_a, c.p_mcnemar) == (-other.difference, other.only_b, other.p_mcnemar)


def test_what_does_not_exist_is_none():
    zeros, some = np.zeros(10, int), np.arange(10)
    silent = tally("silent", {"tp": zeros, "picks": zeros, "truths": some}, share=0)
    eager = tally("eager", {"tp": some // 2, "picks": some, "truths": some})
    by_metric = {c.metric: c for c in compare([silent, eager], basis="own thresholds", seed=1)}
    precision = by_metric["precision"]
    assert (precision.value_a, precision.value_b) == (None, pytest.approx(20 / 45))
    assert (precision.difference, precision.interval, precision.p, precision.p_holm) == (None,) * 4
    assert by_metric["recall"].difference == pytest.approx(-20 / 45)
    # A picker against itself: no difference anywhere, and no claim that there cannot be one.
    (same, *_) = compare([eager, eager], basis="own thresholds", seed=1)
    assert (same.difference, same.interval, same.p, same.p_mcnemar) == (0.0, None, 1.0, None)
    assert compare([eager], basis="own thresholds", seed=1) == ()
