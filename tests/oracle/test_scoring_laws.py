"""Laws that any honest scorer obeys, on random sets of points full of ties and exact distances."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.matching.optimal import match, match_optimal
from simkit.metric.base import Comparison
from simkit.metric.detection import Detection

LAWS = settings(max_examples=60, deadline=None)

# A coarse net of coordinates makes coincidences, ties and distances of exactly the radius common.
coordinate = st.integers(0, 12).map(float)
point = st.tuples(coordinate, coordinate)
few = st.lists(point, max_size=6).map(lambda p: np.array(p, float).reshape(-1, 2))
many = st.lists(point, max_size=30).map(lambda p: np.array(p, float).reshape(-1, 2))
radius = st.sampled_from([1.0, 2.0, 3.0, 5.0, 20.0])
seed = st.integers(0, 2**32 - 1)


def brute_force(truths, picks, radius):
    """Enumerate every one-to-one assignment; return the best (pairs, −Σd²)."""
    d = np.linalg.norm(truths[:, None] - picks[None], axis=-1)
    if len(truths) > len(picks):
        d = d.T
    best = (0, 0.0)
    for columns in itertools.permutations(range(d.shape[1]), d.shape[0]):
        # Dropping a pair within the radius never helps, so each assignment is scored whole.
        chosen = d[range(d.shape[0]), columns]
        chosen = chosen[chosen <= radius]
        best = max(best, (len(chosen), -float((chosen**2).sum())))
    return best


RATES = ("precision", "recall", "f1", "f_beta", "jaccard", "fdr")


def compared(truths, picks, radius, **told):
    """Compare points of one micrograph."""
    truth = Truth(micrograph=["m"] * len(truths), y=truths[:, 0], x=truths[:, 1])
    found = Picks(micrograph=["m"] * len(picks), y=picks[:, 0], x=picks[:, 1])
    pairs = match(truth, found, radius=radius)
    return Comparison(truth, found, pairs, radius, {}, **told)


def score(truths, picks, radius, **told):
    """Score points of one micrograph with the detection metric."""
    return Detection().score(compared(truths, picks, radius, **told))


@LAWS
@given(few, few, radius)
def test_matching_is_optimal(truths, picks, radius):
    found = match_optimal(truths, picks, radius)
    pairs, cost = brute_force(truths, picks, radius)
    assert len(found.truth) == pairs
    # Squared distances of integer points are integers; only the square root rounds.
    assert np.isclose(-(found.distance**2).sum(), cost, atol=1e-9)


@LAWS
@given(many, many, radius)
def test_matching_is_one_to_one_and_gated(truths, picks, radius):
    found = match_optimal(truths, picks, radius)
    assert len(set(found.truth)) == len(found.truth)
    assert len(set(found.pick)) == len(found.pick)
    distance = np.linalg.norm(truths[found.truth] - picks[found.pick], axis=1)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12)
    assert (distance <= radius).all()


@LAWS
@given(many, many, radius, seed)
def test_order_does_not_matter(truths, picks, radius, seed):
    rng = np.random.default_rng(seed)
    assert (
        score(truths, picks, radius)["tp"]
        == score(rng.permutation(truths), rng.permutation(picks), radius)["tp"]
    )


@LAWS
@given(many, radius)
def test_truth_against_itself_is_perfect(points, radius):
    found = score(points, points, radius)
    perfect = 1.0 if len(points) else None
    assert [found[name] for name in ("precision", "recall", "f1")] == [perfect] * 3
    assert found["fp"] == found["fn"] == found["duplicates"] == 0


@LAWS
@given(many, many, radius)
def test_counts_add_up_and_rates_are_shares(truths, picks, radius):
    found = score(truths, picks, radius)
    assert found["tp"] + found["fn"] == len(truths)
    assert found["tp"] + found["fp"] == len(picks)
    assert min(found[name] for name in ("tp", "fp", "fn", "duplicates", "split", "merged")) >= 0
    assert found["duplicates"] <= found["fp"]
    assert (found["split"] > 0) == (found["duplicates"] > 0)
    assert max(found["split"], found["merged"]) <= found["tp"]
    assert all(found[name] is None or 0 <= found[name] <= 1 for name in RATES)


@LAWS
@given(many, many, radius)
def test_a_far_false_pick_never_raises_precision(truths, picks, radius):
    before = score(truths, picks, radius)
    after = score(truths, np.vstack([picks, [1e4, 1e4]]), radius)
    assert after["tp"] == before["tp"]
    assert after["recall"] == before["recall"]
    assert after["precision"] <= (1.0 if before["precision"] is None else before["precision"])


@LAWS
@given(many, many, seed)
def test_duplicates_never_raise_recall(truths, picks, seed):
    # Every truth is one cluster here, so a second pick on a truth can find nothing new.
    apart = 100 * np.unique(truths, axis=0).reshape(-1, 2)
    hits = apart[np.random.default_rng(seed).random(len(apart)) < 0.5]
    once, twice = score(apart, hits, 5.0), score(apart, np.vstack([hits, hits + 1]), 5.0)
    assert twice["recall"] == once["recall"]
    assert twice["duplicates"] == len(hits)


@LAWS
@given(many, many)
def test_hits_grow_with_the_radius(truths, picks):
    hits = [score(truths, picks, r)["tp"] for r in (1.0, 2.0, 3.0, 5.0, 20.0)]
    assert hits == sorted(hits)


@LAWS
@given(many, many, radius)
def test_swapping_truth_and_picks_swaps_precision_and_recall(truths, picks, radius):
    one, other = score(truths, picks, radius), score(picks, truths, radius)
    assert (one["precision"], one["recall"], one["f1"]) == (other["recall"], other["precision"], other["f1"])


@LAWS
@given(many, many, radius)
def test_swapping_truth_and_picks_swaps_split_and_merged(truths, picks, radius):
    c = compared(truths, picks, radius)
    names = ("micrograph", "y", "x")
    # The same pairs the other way round: among equally good matchings another might be found.
    swapped = Comparison(
        Truth(**{name: c.picks[name] for name in names}),
        Picks(**{name: c.truth[name] for name in names}),
        Match(c.match.pick, c.match.truth, c.match.distance),
        radius,
        {},
    )
    one, other = Detection().score(c), Detection().score(swapped)
    assert (one["split"], one["merged"]) == (other["merged"], other["split"])


EXISTS = {  # (truths, picks) → the values that do not exist, as the docstring of detection_scores says
    (True, True): set(),
    (True, False): {"precision", "fdr"},
    (False, True): {"recall"},
    (False, False): {"precision", "recall", "f1", "f_beta", "jaccard", "fdr"},
}


@LAWS
@given(few, few, radius, st.booleans(), st.sampled_from([None, 1e-4]))
def test_the_table_of_what_does_not_exist_holds(truths, picks, radius, complete, area):
    found = score(truths, picks, radius, complete=complete, area=area)
    missing = set(EXISTS[len(truths) > 0, len(picks) > 0])
    missing |= set() if complete else {"fp", "fdr"}
    missing |= {"chance_matches"} if area is None else set()
    assert {name for name, value in found.items() if value is None} == missing


@LAWS
@given(many, many, radius)
def test_rates_agree_with_one_another(truths, picks, radius):
    found = score(truths, picks, radius)
    if found["fdr"] is not None:
        assert np.isclose(found["fdr"], 1 - found["precision"], rtol=1e-12)
    if found["f1"] is not None:
        # Both count the same three numbers; Jaccard is F1 on another scale.
        assert np.isclose(found["jaccard"], found["f1"] / (2 - found["f1"]), rtol=1e-12)
