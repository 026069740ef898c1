"""Matching against worked cases, a second implementation, and the defects of other scorers."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from simkit.core.tables import Picks, Truth
from simkit.matching import assignment
from simkit.matching.optimal import match, match_optimal
from simkit.matching.pairs import near_points


def line(*x):
    return np.array(x, float)[:, None]


def pairs_of(found):
    return list(zip(found.truth.tolist(), found.pick.tolist(), strict=True))


def test_one_pick_between_two_truths_is_one_pair():
    assert pairs_of(match_optimal(line(0, 10), line(4), 8)) == [(0, 0)]


def test_two_picks_on_one_truth_are_one_pair():
    assert pairs_of(match_optimal(line(0), line(3, 2), 8)) == [(0, 1)]


def test_an_exact_hit_is_a_pair_at_distance_zero():
    found = match_optimal(line(5, 50), line(50, 5), 1)
    assert pairs_of(found) == [(0, 1), (1, 0)]
    assert found.distance.tolist() == [0, 0]


def test_two_good_pairs_beat_one_perfect_pair():
    # Truth 1 and pick 0 coincide, but pairing them leaves the other two alone.
    assert pairs_of(match_optimal(line(0, 8), line(8, 16), 8)) == [(0, 0), (1, 1)]


def test_equally_many_pairs_are_chosen_by_squared_distance():
    # Nested: 5² + 0² = 25; crossed: 3² + 2² = 13; the sums of plain distances, 5 and 5, would tie.
    assert pairs_of(match_optimal(line(0, 3), line(3, 5), 6)) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(("a", "b", "radius"), [(0.7, 0.8, 0.1), (0.0, 80.0, 80.0), (200.7, 280.7, 80.0)])
def test_the_radius_belongs_to_the_gate_even_after_rounding(a, b, radius):
    # 0.8 - 0.7 is more than 0.1 in binary.
    assert len(match_optimal(line(a), line(b), radius).truth) == 1
    assert len(match_optimal(line(a), line(b), radius * (1 - 1e-6)).truth) == 0


@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 0), (0, 3)])
def test_nothing_matches_nothing(n, m):
    assert len(match_optimal(np.zeros((n, 2)), np.zeros((m, 2)), 5).truth) == 0
    assert len(match(Truth(x=np.zeros(n), y=0.0), Picks(x=np.zeros(m), y=0.0), radius=5).truth) == 0


def test_tables_are_matched_within_a_micrograph_and_by_their_own_rows():
    truth = Truth(micrograph=["b", "a", "b"], y=[0, 0, 30], x=[0, 0, 0])
    picks = Picks(micrograph=["c", "b", "b", "a"], y=[0, 31, 2, 40], x=[0, 0, 0, 0])
    found = match(truth, picks, radius=5)
    assert pairs_of(found) == [(0, 2), (2, 1)]
    assert found.distance.tolist() == [2, 1]


def test_in_one_dimension_only_x_counts():
    truth, picks = Truth(micrograph=["m"], x=[1.0], y=[0.0]), Picks(micrograph=["m"], x=[2.0], y=[99.0])
    assert len(match(truth, picks, radius=5, ndim=1).truth) == 1
    assert len(match(truth, picks, radius=5, ndim=2).truth) == 0


def crowd(n, side, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, side, (n, 2)), rng.uniform(0, side, (n, 2))


def largest_matching(truths, picks, radius):
    near = near_points(truths, picks, radius)
    graph = csr_array((np.ones(len(near.truth)), (near.truth, near.pick)), shape=(len(truths), len(picks)))
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())


@pytest.mark.parametrize("side", [40, 120, 400])
def test_there_are_as_many_pairs_as_a_maximum_matching_has(side):
    truths, picks = crowd(300, side, seed=side)
    assert len(match_optimal(truths, picks, 10).truth) == largest_matching(truths, picks, 10)


@pytest.mark.parametrize("side", [40, 120, 400])
def test_large_and_small_clusters_are_solved_alike(side, monkeypatch):
    truths, picks = crowd(300, side, seed=side)
    dense = match_optimal(truths, picks, 10)
    monkeypatch.setattr(assignment, "FEW", 0)
    monkeypatch.setattr(assignment, "DENSE_LIMIT", 0)
    sparse = match_optimal(truths, picks, 10)
    assert len(sparse.truth) == len(dense.truth)
    # Same cardinality and same cost; with random positions the optimum is unique.
    np.testing.assert_array_equal(sparse.pick, dense.pick)


def test_a_radius_that_links_a_whole_crystal_needs_no_dense_matrix():
    # One cluster of 4900 × 4900: written out it would take 190 MB, and more for larger crystals.
    sites = np.stack(np.meshgrid(*[10.0 * np.arange(70)] * 2), axis=-1).reshape(-1, 2)
    found = match_optimal(sites, sites + np.array([3.0, 2.0]), 12)
    np.testing.assert_array_equal(found.pick, np.arange(len(sites)))
