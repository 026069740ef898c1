"""Curves over thresholds and radii against matching anew at every one of them, and worked examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core.tables import Picks, Truth
from simkit.judging.chance import chance_matches
from simkit.judging.curve import (
    RADII,
    Curve,
    average_precision,
    best_f1,
    detection_curve,
    radius_curve,
    recall_at,
    threshold_at,
)
from simkit.matching.cardinality import most_pairs
from simkit.matching.optimal import match
from simkit.matching.pairs import Pairs
from simkit.matching.rules import RULES
from simkit.matching.rules import match as match_by
from simkit.matching.score_greedy import truths_taken
from simkit.metric.base import Comparison
from simkit.metric.curve import TUNED_ON_TRUTH
from simkit.metric.curve import Curve as CurveMetric

LAWS = settings(max_examples=60, deadline=None)


def scene(truths, picks, scores):
    truths, picks = (np.array(p, float).reshape(-1, 2) for p in (truths, picks))
    truth = Truth(micrograph=["m"] * len(truths), y=truths[:, 0], x=truths[:, 1])
    found = Picks(micrograph=["m"] * len(picks), y=picks[:, 0], x=picks[:, 1], score=np.array(scores, float))
    return truth, found


def curve_of(truths, picks, scores, radius=5.0, images=1, area=None):
    return detection_curve(*scene(truths, picks, scores), radius=radius, images=images, area=area)


# Three particles; the second-best pick is false, the third is a second pick of the first particle.
WORKED = curve_of(
    [(0, 0), (0, 100), (0, 200)],
    [(0, 1), (0, 50), (0, 0), (0, 101), (0, 300)],
    [9, 8, 7, 6, 5],
    images=2,
    area=0.5,
)


def test_a_worked_example():
    np.testing.assert_array_equal(WORKED.threshold, [9, 8, 7, 6, 5])
    np.testing.assert_array_equal(WORKED.tp, [1, 1, 1, 2, 2])
    np.testing.assert_array_equal(WORKED.fp, [0, 1, 2, 2, 3])
    np.testing.assert_allclose(WORKED.recall, np.array([1, 1, 1, 2, 2]) / 3, rtol=1e-15)
    np.testing.assert_allclose(WORKED.precision, [1, 1 / 2, 1 / 3, 1 / 2, 2 / 5], rtol=1e-15)
    np.testing.assert_allclose(WORKED.f1, [2 / 4, 2 / 5, 2 / 6, 4 / 7, 4 / 8], rtol=1e-15)
    np.testing.assert_array_equal(WORKED.false_per_image, [0, 0.5, 1, 1, 1.5])
    np.testing.assert_array_equal(WORKED.false_per_area, [0, 2, 4, 4, 6])


def test_what_is_read_off_the_worked_example():
    assert average_precision(WORKED) == pytest.approx((1 + 1 / 2) / 3, rel=1e-15)
    assert best_f1(WORKED) == (4 / 7, 6.0)
    assert [recall_at(WORKED, x) for x in (0.4, 0.5, 1.0, 99.0)] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    )
    assert [threshold_at(WORKED, x) for x in (0.4, 0.5, 1.0, 99.0)] == [9, 8, 6, 5]


def test_picks_of_equal_score_pass_together():
    found = curve_of([(0, 0), (0, 100)], [(0, 0), (0, 50), (0, 100), (0, 150)], [2, 2, 1, 1])
    np.testing.assert_array_equal(found.threshold, [2, 1])
    np.testing.assert_array_equal(found.tp, [1, 2])
    np.testing.assert_array_equal(found.fp, [1, 2])


def test_the_best_pick_takes_the_nearest_free_particle():
    # The best takes the particle on its right, 1 Å away; the second then takes the one further off.
    truth, picks = scene([(0, 0), (0, 4)], [(0, 3), (0, 4)], [2, 1])
    np.testing.assert_array_equal(truths_taken(truth, picks, radius=5.0), [1, 0])
    np.testing.assert_array_equal(truths_taken(truth, picks, radius=3.9), [1, -1])


@pytest.mark.parametrize("rows", [[0, 1], [1, 0]])
def test_of_two_particles_as_near_the_one_further_left_is_taken(rows):
    truth, picks = scene([(0, 0), (0, 4)], [(0, 2), (0, 5)], [2, 1])
    assert detection_curve(truth.take(rows), picks, radius=2.0, images=1).tp[-1] == 2


def test_where_the_best_score_is_false_a_cut_without_false_picks_finds_nothing():
    found = curve_of([(0, 0)], [(0, 50), (0, 0)], [2, 1])
    assert recall_at(found, 0.5) == 0.0
    assert threshold_at(found, 0.5) is None
    assert (recall_at(found, 1.0), threshold_at(found, 1.0)) == (1.0, 1.0)


def test_what_does_not_exist():
    without_truth = curve_of([], [(0, 0)], [1])
    assert [f(without_truth) for f in (average_precision, best_f1)] == [None, None]
    assert recall_at(without_truth, 1.0) is None
    assert np.isnan(without_truth.recall).all()
    without_picks = curve_of([(0, 0)], [], [])
    assert (average_precision(without_picks), best_f1(without_picks)) == (0.0, None)
    assert (recall_at(without_picks, 1.0), threshold_at(without_picks, 1.0)) == (0.0, None)
    assert curve_of([(0, 0)], [(0, 0), (0, 9)], [1, np.nan]) is None
    assert WORKED.false_per_area is not None
    assert curve_of([(0, 0)], [(0, 0)], [1]).false_per_area is None


def test_a_perfect_ranking_has_an_average_precision_of_1():
    truths = [(0, 100 * i) for i in range(20)]
    false = [(50, 100 * i) for i in range(30)]
    found = curve_of(truths, truths + false, np.arange(50, 0, -1))
    assert average_precision(found) == 1.0
    assert best_f1(found) == (1.0, 31.0)


def test_a_random_ranking_has_an_average_precision_of_its_share_of_hits():
    rng = np.random.default_rng(4)
    n, m = 200, 600
    truths = [(0, 100 * i) for i in range(n)]
    false = [(50, 100 * i) for i in range(m)]
    values = [average_precision(curve_of(truths, truths + false, rng.permutation(n + m))) for _ in range(60)]
    # In a random order of N = n + m the i-th is a hit with probability n/N = p, and then has a precision of
    # p + (1 − p)/i on average: AP = p + (1 − p) H_N / N, H_N the harmonic number. 5 standard errors.
    p, total = n / (n + m), n + m
    expected = p + (1 - p) * (1 / np.arange(1, total + 1)).sum() / total
    assert np.mean(values) == pytest.approx(expected, abs=5 * np.std(values) / np.sqrt(60))


coordinate = st.integers(0, 12).map(float)
places = st.lists(st.tuples(coordinate, coordinate), max_size=14)
scored = st.lists(st.tuples(coordinate, coordinate, st.integers(0, 5)), max_size=20)


def greedy_count(truth, picks, radius):
    """Count pairs by the rule's words: best score first, each takes the nearest that is free."""
    free = [(y, x) for y, x in zip(truth["y"], truth["x"], strict=True)]
    pairs = 0
    for row in sorted(picks.rows(), key=lambda r: (-r["score"], r["y"], r["x"])):
        reach = [(np.hypot(y - row["y"], x - row["x"]), y, x) for y, x in free]
        reach = [r for r in reach if r[0] <= radius]
        if reach:
            free.remove(min(reach)[1:])
            pairs += 1
    return pairs


@LAWS
@given(places, scored, st.sampled_from([1.0, 2.0, 5.0]))
def test_at_every_threshold_it_is_the_matching_made_anew(truths, picks, radius):
    truth, found = scene(truths, [p[:2] for p in picks], [p[2] for p in picks])
    curve = detection_curve(truth, found, radius=radius, images=1)
    np.testing.assert_array_equal(curve.threshold, np.unique(found["score"])[::-1])
    for level, tp, fp in zip(curve.threshold, curve.tp, curve.fp, strict=True):
        above = found.take(found["score"] >= level)
        assert tp == greedy_count(truth, above, radius)
        assert tp + fp == len(above)


@LAWS
@given(places, scored, st.integers(0, 2**32 - 1))
def test_order_of_rows_does_not_matter(truths, picks, seed):
    truth, found = scene(truths, [p[:2] for p in picks], [p[2] for p in picks])
    rng = np.random.default_rng(seed)
    shuffled = truth.take(rng.permutation(len(truth))), found.take(rng.permutation(len(found)))
    one, other = (detection_curve(*tables, radius=3.0, images=1) for tables in ((truth, found), shuffled))
    np.testing.assert_array_equal(one.tp, other.tp)
    np.testing.assert_array_equal(one.fp, other.fp)


@LAWS
@given(places, scored)
def test_average_precision_is_the_mean_over_particles_of_the_precision_that_finds_each(truths, picks):
    truth, found = scene(truths, [p[:2] for p in picks], [p[2] for p in picks])
    curve = detection_curve(truth, found, radius=3.0, images=1)
    taken = truths_taken(truth, found, radius=3.0)
    levels = found["score"][taken >= 0]
    at = [curve.precision[curve.threshold == level][0] for level in levels]
    expected = sum(at) / len(truth) if len(truth) else None
    assert average_precision(curve) == (None if expected is None else pytest.approx(expected, rel=1e-12))


def test_micrographs_are_kept_apart_and_one_dimension_has_no_y():
    truth = Truth(micrograph=["a", "b"], y=[0.0, 0.0], x=[0.0, 90.0])
    picks = Picks(micrograph=["b", "a"], y=[0.0, 0.0], x=[0.0, 0.0], score=[2.0, 1.0])
    np.testing.assert_array_equal(truths_taken(truth, picks, radius=5.0), [-1, 0])
    flat = truth.replace(y=np.nan), picks.replace(y=np.nan)
    np.testing.assert_array_equal(truths_taken(*flat, radius=5.0, ndim=1), [-1, 0])


def test_the_metric_reads_the_curve_of_its_candidates():
    truth, candidates = scene([(0, 0), (0, 100)], [(0, 0), (0, 50), (0, 100)], [3, 2, 1])
    picks = candidates.take([0])
    comparison = Comparison(
        truth, picks, match(truth, picks, radius=5.0), 5.0, {}, candidates=candidates, images=4
    )
    assert CurveMetric(false_per_image=0.2).score(comparison) == {
        "average_precision": pytest.approx((1 + 2 / 3) / 2),
        "recall_at_equal_false": 0.5,
        "oracle_f1": 4 / 5,
        "oracle_threshold": 1.0,
    }
    assert CurveMetric(false_per_image=0.25).score(comparison)["recall_at_equal_false"] == 1.0
    assert set(CurveMetric.units) > TUNED_ON_TRUTH


@LAWS
@given(places, places, st.sampled_from([1.0, 2.0, 5.0]))
def test_the_radius_curve_is_the_optimal_matching_at_every_radius(truths, picks, radius):
    truth, found = scene(truths, picks, [0.0] * len(picks))
    curve = radius_curve(truth, found, radius=radius, area=1e-5)
    n, m = len(truth), len(found)
    assert radius in curve.radius
    for r, recall, precision, f1, chance in zip(
        curve.radius, curve.recall, curve.precision, curve.f1, curve.chance, strict=True
    ):
        tp = len(match(truth, found, radius=r).truth)
        expected = [tp / n if n else np.nan, tp / m if m else np.nan, 2 * tp / (n + m) if n + m else np.nan]
        np.testing.assert_allclose([recall, precision, f1], expected, rtol=1e-15)
        assert chance == chance_matches(truths=n, area=1e-5, radius=r)


@LAWS
@given(places, scored, st.sampled_from(sorted(RULES)))
def test_at_the_declared_radius_it_is_what_the_declared_rule_says(truths, picks, rule):
    truth, found = scene(truths, [p[:2] for p in picks], [p[2] for p in picks])
    curve = radius_curve(truth, found, radius=3.0, rule=rule)
    tp = len(match_by(truth, found, radius=3.0, rule=rule).truth)
    expected = tp / len(truth) if len(truth) else np.nan
    np.testing.assert_allclose(curve.recall[curve.radius == 3.0], expected, rtol=1e-15)


@LAWS
@given(places, places)
def test_no_score_falls_as_the_radius_grows(truths, picks):
    curve = radius_curve(*scene(truths, picks, [0.0] * len(picks)), radius=3.0)
    for values in (curve.recall, curve.precision, curve.f1):
        assert (np.diff(values) >= 0).all() or np.isnan(values).all()
    assert np.isnan(curve.chance).all()


def test_radii_run_from_a_tenth_to_three_times_the_declared_one():
    assert len(RADII) == 24
    assert (RADII[0], RADII[-1]) == pytest.approx((0.1, 3.0))
    assert 1.0 in RADII
    assert (np.diff(RADII) > 0).all()


def test_a_path_of_pairs_has_as_many_as_can_be_told_apart():
    # t0–p0–t1–p1–t2: two pairs; one more pick at the end makes three.
    pairs = Pairs(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), np.zeros(4))
    assert most_pairs(pairs) == 2
    assert most_pairs(Pairs(np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 9]), np.zeros(5))) == 3
    assert most_pairs(Pairs(*np.zeros((2, 0), np.intp), np.zeros(0))) == 0


def test_a_curve_by_hand_needs_no_area():
    assert Curve(np.ones(1), np.ones(1), np.zeros(1), 1, 1).false_per_area is None
