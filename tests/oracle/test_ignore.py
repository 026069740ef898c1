"""What is left out: neither hit nor missed nor false, and nothing that is counted twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core.tables import Picks, Truth
from simkit.judging.ignore import border_distance, ignored_picks, ignored_truth, in_mask
from simkit.matching.base import Match
from simkit.matching.optimal import match
from simkit.metric.base import Comparison
from simkit.metric.detection import Detection

LAWS = settings(max_examples=80, deadline=None)
RADIUS = 3.0


def points(kind, places, micrographs=None, **columns):
    y, x = np.array(places, float).reshape(-1, 2).T
    return kind(micrograph=micrographs or ["m"] * len(y), y=y, x=x, **columns)


def judged(truth, picks, *, declared, untargeted=None, region=None, radius=RADIUS):
    """Match what counts, leave out what does not; return the score and both masks."""
    left_out = declared if untargeted is None else declared | untargeted
    rows = np.flatnonzero(~left_out)
    pairs = match(truth.take(rows), picks, radius=radius)
    found = Match(rows[pairs.truth], pairs.pick, pairs.distance)
    ignored = ignored_picks(
        truth,
        picks,
        match=found,
        forgiven=declared,
        region=np.zeros(len(picks), bool) if region is None else region,
        radius=radius,
    )
    kept = np.cumsum(~ignored) - 1
    comparison = Comparison(
        truth.take(rows),
        picks.take(~ignored),
        Match(pairs.truth, kept[pairs.pick], pairs.distance),
        radius,
        {},
        ignored_truths=int(left_out.sum()),
        ignored_picks=int(ignored.sum()),
    )
    return Detection().score(comparison), ignored


@pytest.fixture
def difficult():
    return Truth(
        micrograph=["m"] * 5,
        **{"class": ["a", "a", "b", "a", "a"]},
        border=[9.0, 10.0, 50.0, np.nan, -1.0],
        edge=[True, False, False, False, False],
        overlap=[0.0, 0.5, 0.2, np.nan, 0.51],
    )


@pytest.mark.parametrize(
    ("declared", "ignored"),
    [
        ({}, []),
        ({"border": 10.0}, [0, 4]),
        ({"edge": True}, [0]),
        ({"overlap": 0.5}, [4]),
        ({"overlap": 0.0}, [1, 2, 4]),
        ({"classes": ("b", "c")}, [2]),
        ({"outside": np.array([False, False, False, True, False])}, [3]),
        ({"border": 10.0, "classes": ["b"], "overlap": 0.4}, [0, 1, 2, 4]),
    ],
)
def test_each_declaration_ignores_its_own(difficult, declared, ignored):
    np.testing.assert_array_equal(np.flatnonzero(ignored_truth(difficult, **declared)), ignored)


def test_a_pick_on_a_forgiven_particle_counts_nowhere_but_one_on_an_untargeted_particle_is_false():
    truth = points(Truth, [(0, 0), (0, 50), (0, 100)])
    picks = points(Picks, [(0, 0), (0, 51), (0, 102), (0, 200)])
    second = np.array([False, True, False])
    forgiven, ignored = judged(truth, picks, declared=second)
    assert (forgiven["tp"], forgiven["fp"], forgiven["fn"]) == (2, 1, 0)
    np.testing.assert_array_equal(np.flatnonzero(ignored), [1])
    blamed, ignored = judged(truth, picks, declared=np.zeros(3, bool), untargeted=second)
    assert (blamed["tp"], blamed["fp"], blamed["fn"]) == (2, 2, 0)
    assert not ignored.any()


def test_what_counts_is_matched_first():
    # The pick is nearer to the particle that is ignored, and yet a hit on the one that counts.
    truth, picks = points(Truth, [(0, 0), (0, 4)]), points(Picks, [(0, 3)])
    found, ignored = judged(truth, picks, declared=np.array([False, True]))
    assert (found["tp"], found["fn"], found["ignored_picks"]) == (1, 0, 0)
    assert not ignored.any()


def test_a_hit_from_a_masked_region_is_a_hit_and_any_other_pick_there_is_ignored():
    truth, picks = points(Truth, [(0, 0)]), points(Picks, [(0, 1), (0, 30), (0, 60)])
    found, ignored = judged(truth, picks, declared=np.zeros(1, bool), region=np.array([True, True, False]))
    assert (found["tp"], found["fp"]) == (1, 1)
    np.testing.assert_array_equal(ignored, [False, True, False])


def test_forgiveness_is_inclusive_and_stays_in_its_micrograph():
    truth = points(Truth, [(0, 0)])
    picks = points(Picks, [(0, 3), (0, 3.01), (0, 0)], ["m", "m", "n"])
    _, ignored = judged(truth, picks, declared=np.ones(1, bool))
    np.testing.assert_array_equal(ignored, [True, False, False])


def test_in_one_dimension_y_is_not_looked_at():
    truth = Truth(micrograph=["m"], y=[np.nan], x=[5.0])
    picks = Picks(micrograph=["m"] * 2, y=[np.nan] * 2, x=[6.0, 9.0])
    none = Match(*np.zeros((2, 0), np.intp), np.zeros(0))
    ignored = ignored_picks(
        truth, picks, match=none, forgiven=np.ones(1, bool), region=np.zeros(2, bool), radius=2.0, ndim=1
    )
    np.testing.assert_array_equal(ignored, [True, False])


def test_the_border_is_the_edge_of_the_outermost_pixels():
    # 4 × 6 pixels of 2 Å: y from −1 to 7 Å, x from −1 to 11 Å.
    y = [0, -1, 7, 3, 3, 3, -3]
    x = [5, 5, 5, 5, -1, 10.5, 5]
    expected = [1, 0, 0, 4, 0, 0.5, -2]
    np.testing.assert_allclose(border_distance(y, x, shape=(4, 6), pixel_size=2.0), expected, atol=1e-12)
    np.testing.assert_allclose(
        border_distance(np.full(3, np.nan), [0, 5, 12], shape=(6,), pixel_size=2.0), [1, 6, -1], atol=1e-12
    )


def test_a_mask_is_read_at_the_pixel_that_a_point_lies_on():
    mask = np.array([[0, 1, 7], [1, 1, 0]])
    y = [0.0, 0.99, 0.99, 1.0, 2.9, 2.9, 3.0, np.nan]
    x = [0.0, 0.99, 1.0, 0.0, 4.0, 2.9, 2.9, 0.0]  # pixels of 2 Å: pixel 1 begins at 1 Å and ends at 3 Å
    expected = [False, False, True, True, False, True, False, False]
    np.testing.assert_array_equal(in_mask(y, x, mask, 2.0), expected)
    np.testing.assert_array_equal(in_mask([np.nan] * 2, [0.0, 4.0], mask[1], 2.0), [True, False])


place = st.tuples(st.integers(0, 12), st.integers(0, 12))
places = st.lists(place, max_size=20)
sets = st.integers(0, 2**20 - 1).map(lambda bits: np.array([bits >> i & 1 for i in range(20)], bool))


@LAWS
@given(places, places, sets, sets, sets)
def test_everything_is_counted_once(truths, picks, declared, untargeted, region):
    truth, found = points(Truth, truths), points(Picks, picks)
    n, m = len(truth), len(found)
    values, _ = judged(truth, found, declared=declared[:n], untargeted=untargeted[:n], region=region[:m])
    assert values["tp"] + values["fn"] + values["ignored_truths"] == n
    assert values["tp"] + values["fp"] + values["ignored_picks"] == m


@LAWS
@given(places, places, sets, sets)
def test_ignoring_never_adds_to_what_was_missed(truths, picks, declared, region):
    truth, found = points(Truth, truths), points(Picks, picks)
    n, m = len(truth), len(found)
    before, _ = judged(truth, found, declared=np.zeros(n, bool))
    after, _ = judged(truth, found, declared=declared[:n], region=region[:m])
    assert after["fn"] <= before["fn"]


@LAWS
@given(places, places, sets, sets)
def test_ignoring_never_adds_false_picks_where_particles_keep_apart(truths, picks, declared, region):
    # 7 Å apart, the radius 3: no pick reaches two of them.
    truth, found = (
        points(Truth, 7 * np.unique(np.array(truths).reshape(-1, 2), axis=0)),
        points(Picks, 3 * np.array(picks).reshape(-1, 2)),
    )
    n, m = len(truth), len(found)
    before, _ = judged(truth, found, declared=np.zeros(n, bool))
    after, _ = judged(truth, found, declared=declared[:n], region=region[:m])
    assert after["fp"] <= before["fp"]


def test_of_two_picks_on_one_particle_one_may_be_false_only_once_the_neighbour_is_ignored():
    # The far pick was a hit because the near one could be charged to the neighbour; it reaches only one.
    truth, picks = points(Truth, [(0, 0), (0, 4)]), points(Picks, [(0, 2.5), (0, 6.5)])
    before, _ = judged(truth, picks, declared=np.zeros(2, bool))
    after, _ = judged(truth, picks, declared=np.array([True, False]))
    assert (before["fp"], after["fp"]) == (0, 1)


@LAWS
@given(places, places)
def test_ignoring_everything_leaves_nothing_to_say(truths, picks):
    truth, found = points(Truth, truths), points(Picks, picks)
    values, ignored = judged(
        truth, found, declared=np.ones(len(truth), bool), region=np.ones(len(found), bool)
    )
    assert ignored.all()
    assert [values[name] for name in ("tp", "fp", "fn")] == [0, 0, 0]
    assert all(values[name] is None for name in ("precision", "recall", "f1", "f_beta", "jaccard", "fdr"))
