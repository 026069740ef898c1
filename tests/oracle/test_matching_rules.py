"""The named one-to-one rules against loops written down from their definitions, and against theorems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from simkit.core.tables import Picks, Truth
from simkit.matching import _mutual, assignment, closest_greedy, optimal, stable
from simkit.matching.assignment import least_cost
from simkit.matching.decomposition import cluster_of, in_some_maximum
from simkit.matching.pairs import near, near_points, numbered
from simkit.matching.rules import RULES, match
from simkit.matching.score_greedy import truths_taken

LAWS = settings(max_examples=60, deadline=None)

# A coarse net of coordinates makes coincidences, ties and distances of exactly the radius common.
point = st.tuples(*[st.integers(0, 9).map(float)] * 2)
distinct = st.lists(point, max_size=25, unique=True).map(lambda p: np.array(p, float).reshape(-1, 2))
radius = st.sampled_from([1.0, 2.0, 3.0, 5.0])
seed = st.integers(0, 2**32 - 1)
rule = st.sampled_from(sorted(RULES))


def tables(truths, picks, score=np.nan, sheets=1):
    """Put points (n, 2) into tables; row k lies on micrograph k mod `sheets`."""
    names = [[f"m{k % sheets}" for k in range(len(points))] for points in (truths, picks)]
    return (
        Truth(micrograph=names[0], y=truths[:, 0], x=truths[:, 1]),
        Picks(micrograph=names[1], y=picks[:, 0], x=picks[:, 1], score=np.broadcast_to(score, len(picks))),
    )


def row(*x):
    return np.stack([np.zeros(len(x)), np.array(x, float)], axis=1)


def pairs_of(found):
    return list(zip(found.truth.tolist(), found.pick.tolist(), strict=True))


def places(truth, picks, found):
    """Return the pairs as sets of positions, which do not know rows."""
    return {
        (truth["y"][t], truth["x"][t], picks["y"][p], picks["x"][p])
        for t, p in zip(found.truth, found.pick, strict=True)
    }


def distances(truths, picks):
    return np.linalg.norm(truths[:, None] - picks[None], axis=-1)


def closest_first(truths, picks, radius):
    """Take the closest pair, strike out its row and column, and again."""
    found, key = {}, {}
    for t, truth in enumerate(truths.tolist()):
        for p, pick in enumerate(picks.tolist()):
            key[t, p] = (distances(truths, picks)[t, p], truth, pick)
    while key:
        t, p = min(key, key=key.__getitem__)
        if key[t, p][0] <= radius * (1 + 1e-9):
            found[t] = p
        key = {(a, b): k for (a, b), k in key.items() if a != t and b != p}
    return found


def deferred_acceptance(truths, picks, radius):
    """Let truths propose and picks keep whom they like best, as Gale and Shapley have it."""
    d = distances(truths, picks)
    choices = [
        sorted(np.flatnonzero(d[t] <= radius * (1 + 1e-9)), key=lambda p, t=t: (d[t, p], *picks[p]))
        for t in range(len(truths))
    ]
    holds, free = {}, list(range(len(truths)))
    while free:
        t = free.pop()
        if not choices[t]:
            continue
        p = choices[t].pop(0)
        rival = holds.get(p)
        if rival is None or (d[t, p], *truths[t]) < (d[rival, p], *truths[rival]):
            holds[p] = t
            t = rival
        if t is not None:
            free.append(t)
    return {t: p for p, t in holds.items()}


def best_first(truths, picks, score, radius):
    """Go through picks in falling score; each takes the nearest free truth."""
    found = {}
    for p in sorted(range(len(picks)), key=lambda p: (-score[p], *picks[p])):
        free = [t for t in range(len(truths)) if t not in found]
        reach = [(np.linalg.norm(truths[t] - picks[p]), *truths[t], t) for t in free]
        if reach and min(reach)[0] <= radius * (1 + 1e-9):
            found[min(reach)[-1]] = p
    return found


def test_the_rules_differ_where_they_should():
    # Truths at 0 and 10, picks at 4 (score 1) and at 7, −9 (scores 3 and 2): in reach of 10 is everything but
    # (10, −9). Closest first: 7→10 (3), then 4→0 (4). By score: 7→10, then −9→0, and 4 goes without.
    truth, picks = tables(row(0, 10), row(4, 7, -9), score=[1, 3, 2])
    assert pairs_of(match(truth, picks, radius=10, rule="closest_greedy")) == [(0, 0), (1, 1)]
    assert pairs_of(match(truth, picks, radius=10, rule="score_greedy")) == [(0, 2), (1, 1)]
    # Truths at 0 and 8, picks at 8 and 16: only the optimal rule finds both.
    truth, picks = tables(row(0, 8), row(8, 16), score=[2, 1])
    made = {name: len(match(truth, picks, radius=8, rule=name).truth) for name in RULES}
    assert made == {"optimal": 2, "score_greedy": 1, "closest_greedy": 1, "stable": 1}


def test_stable_is_closest_greedy_under_another_name():
    assert stable.match is closest_greedy.match


def test_an_unknown_rule_names_those_there_are():
    with pytest.raises(
        ValueError, match=r"'nearest'; there are optimal, score_greedy, closest_greedy, stable"
    ):
        match(*tables(row(0), row(0)), radius=1, rule="nearest")


@pytest.mark.parametrize("rounds", [0, 1, 12])
@LAWS
@given(distinct, distinct, radius)
def test_closest_greedy_is_its_definition_and_a_stable_matching(rounds, truths, picks, radius):
    truth, found_picks = tables(truths, picks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_mutual, "ROUNDS", rounds)  # with none, proposals do it all
        found = match(truth, found_picks, radius=radius, rule="stable")
    assert dict(pairs_of(found)) == closest_first(truths, picks, radius)
    assert dict(pairs_of(found)) == deferred_acceptance(truths, picks, radius)


@pytest.mark.parametrize("rounds", [0, 1, 12])
@LAWS
@given(distinct, distinct, radius, seed)
def test_score_greedy_is_its_definition(rounds, truths, picks, radius, seed):
    score = np.random.default_rng(seed).integers(0, 4, len(picks)).astype(float)
    truth, found_picks = tables(truths, picks, score)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_mutual, "ROUNDS", rounds)
        found = match(truth, found_picks, radius=radius, rule="score_greedy")
        taken = truths_taken(truth, found_picks, radius=radius)
    assert dict(pairs_of(found)) == best_first(truths, picks, score, radius)
    assert {t: p for p, t in enumerate(taken.tolist()) if t >= 0} == dict(pairs_of(found))


@LAWS
@given(distinct, distinct, radius, seed)
def test_a_cut_by_score_keeps_its_matches(truths, picks, radius, seed):
    score = np.random.default_rng(seed).permutation(len(picks)).astype(float)
    truth, found = tables(truths, picks, score)
    whole = truths_taken(truth, found, radius=radius)
    kept = score >= len(picks) // 2
    np.testing.assert_array_equal(truths_taken(truth, found.take(kept), radius=radius), whole[kept])


def test_picks_without_a_score_choose_last_and_from_the_top():
    truth, picks = tables(row(0), row(2, 1, 3), score=[np.nan, np.nan, -5.0])
    assert truths_taken(truth, picks, radius=5).tolist() == [-1, -1, 0]
    assert truths_taken(truth, picks.take([0, 1]), radius=5).tolist() == [-1, 0]


@LAWS
@given(distinct, distinct, radius, rule, seed, st.integers(1, 3))
def test_every_rule_is_one_to_one_gated_and_leaves_nobody_in_reach(truths, picks, radius, rule, seed, sheets):
    score = np.random.default_rng(seed).integers(0, 4, len(picks)).astype(float)
    truth, found_picks = tables(truths, picks, score, sheets)
    found = match(truth, found_picks, radius=radius, rule=rule)
    assert len(set(found.truth)) == len(set(found.pick)) == len(found.truth)
    assert (truth["micrograph"][found.truth] == found_picks["micrograph"][found.pick]).all()
    d = np.linalg.norm(truths[found.truth] - picks[found.pick], axis=1)
    np.testing.assert_allclose(found.distance, d, rtol=1e-12)
    assert (d <= radius).all()
    everything = near(truth, found_picks, radius=radius)
    assert (np.isin(everything.truth, found.truth) | np.isin(everything.pick, found.pick)).all()
    most = len(optimal.match(truth, found_picks, radius=radius).truth)
    assert most <= 2 * len(found.truth)
    assert len(found.truth) <= most


@LAWS
@given(distinct, distinct, radius, rule, seed)
def test_the_order_of_rows_has_no_say(truths, picks, radius, rule, seed):
    rng = np.random.default_rng(seed)
    truth, found_picks = tables(truths, picks, rng.integers(0, 3, len(picks)).astype(float))
    other = truth.take(rng.permutation(len(truth))), found_picks.take(rng.permutation(len(found_picks)))
    one = match(truth, found_picks, radius=radius, rule=rule)
    two = match(*other, radius=radius, rule=rule)
    if rule == "optimal":  # several choices may be optimal; how good they are is one number
        assert len(one.truth) == len(two.truth)
        assert np.isclose((one.distance**2).sum(), (two.distance**2).sum(), atol=1e-9)
    else:
        assert places(truth, found_picks, one) == places(*other, two)


@pytest.mark.parametrize("name", sorted(RULES))
def test_in_one_dimension_only_x_counts(name):
    truth = Truth(micrograph=["m"], x=[1.0], y=[0.0])
    picks = Picks(micrograph=["m"], x=[2.0], y=[99.0], score=[1.0])
    assert len(match(truth, picks, radius=5, rule=name, ndim=1).truth) == 1
    assert len(match(truth, picks, radius=5, rule=name).truth) == 0


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 0), (0, 3)])
def test_nothing_matches_nothing(name, n, m):
    assert len(match(*tables(np.zeros((n, 2)), np.zeros((m, 2))), radius=5, rule=name).truth) == 0


def test_pairs_are_found_block_by_block_as_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    truth, picks = tables(rng.uniform(0, 50, (300, 2)), rng.uniform(0, 50, (200, 2)), sheets=7)
    shuffled = picks.take(rng.permutation(len(picks)))
    at_once = near(truth, shuffled, radius=6)
    monkeypatch.setattr("simkit.matching.pairs.BLOCK", 40)
    by_block = near(truth, shuffled, radius=6)
    # Every pair by its definition: one name, one distance.
    same = truth["micrograph"][:, None] == shuffled["micrograph"][None]
    points = [np.stack([t["y"], t["x"]], 1) for t in (truth, shuffled)]
    expected = set(zip(*map(np.ndarray.tolist, np.nonzero(same & (distances(*points) <= 6))), strict=True))
    for found in (at_once, by_block):
        assert len(found) == len(expected)
        assert set(zip(found.truth.tolist(), found.pick.tolist(), strict=True)) == expected


def test_names_are_numbered_alike_whatever_their_order():
    one, two = numbered(np.array(["b", "b", "a", "b"]), np.array(["a", "cc", "b", ""]))
    assert one.tolist() == [0, 0, 1, 0]
    assert two.tolist() == [1, 2, 0, 3]
    assert [len(n) for n in numbered(np.array([], str), np.array([], str))] == [0, 0]


graph = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=18).map(
    lambda edges: tuple(np.array(sorted(edges)).T)
)


def largest(i, j):
    graph = csr_array((np.ones(len(i), np.int8), (i, j)), shape=(6, 6))
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())


@settings(max_examples=200, deadline=None)
@given(graph)
def test_possible_edges_are_those_that_cost_nothing_to_insist_on(edges):
    i, j = edges
    # Insist on an edge by taking away all others of its ends: the largest matching must stay as large.
    insist = [
        largest(i[keep], j[keep]) == largest(i, j)
        for k in range(len(i))
        for keep in [((i != i[k]) & (j != j[k])) | (np.arange(len(i)) == k)]
    ]
    assert in_some_maximum(i, j).tolist() == insist


def test_clusters_are_numbered_without_gaps():
    assert cluster_of(np.array([4, 4, 9, 2]), np.array([0, 7, 3, 3])).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])


@pytest.mark.parametrize("limits", [(60, 250_000), (0, 250_000), (0, 0)])
@pytest.mark.parametrize("price", [None, 1.0])
def test_every_way_to_solve_a_cluster_costs_what_a_full_matrix_says(limits, price, monkeypatch):
    monkeypatch.setattr(assignment, "FEW", limits[0])
    monkeypatch.setattr(assignment, "DENSE_LIMIT", limits[1])
    rng = np.random.default_rng(3)
    for side in (12, 25, 60):
        truths, picks = rng.uniform(0, side, (60, 2)), rng.uniform(0, side, (50, 2))
        pairs = near_points(truths, picks, 6.0)
        cost = (pairs.distance / 6) ** 2
        chosen = least_cost(pairs.truth, pairs.pick, cost, price=price)
        # One price for all, above all costs together where most pairs come first.
        dear = 100.0 if price is None else price
        matrix = np.full((60, 50), dear)
        matrix[pairs.truth, pairs.pick] = cost
        least = matrix[linear_sum_assignment(matrix)].sum()
        assert len(set(pairs.truth[chosen])) == len(set(pairs.pick[chosen])) == len(chosen)
        # Sums of at most 50 costs and prices: rounding is some 1e-13.
        assert np.isclose(cost[chosen].sum() + dear * (50 - len(chosen)), least, rtol=0, atol=1e-9)


def test_a_crystal_with_gaps_and_a_radius_beyond_its_spacing_is_matched_soon():
    # Every pick reaches several sites, all are one cluster, and most pairs need long chains of shifts. A
    # search for the largest matching that looks at one chain after the other does not end here.
    rng = np.random.default_rng(0)
    sites = 10.0 * np.stack(np.meshgrid(np.arange(40), np.arange(40)), axis=-1).reshape(-1, 2)
    stray = rng.random(len(sites)) < 0.15
    picks = np.where(stray[:, None], rng.uniform(0, 400, sites.shape), sites + rng.normal(0, 1, sites.shape))
    pairs = near_points(sites, picks, 11)
    matrix = np.full((len(sites),) * 2, 2.0 + len(sites))
    matrix[pairs.truth, pairs.pick] = (pairs.distance / 11) ** 2
    i, j = linear_sum_assignment(matrix)
    made = matrix[i, j] < 2
    found = optimal.match_optimal(sites, picks, 11)
    assert len(found.truth) == made.sum()
    assert np.isclose((found.distance**2).sum(), 121 * matrix[i, j][made].sum(), rtol=1e-9)
