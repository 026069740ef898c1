"""The optimal rule: one-to-one, gated, most pairs first, then the least sum of squared distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_matrix, eye, hstack
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.matching.pairs import Pairs, near, near_points

DENSE_LIMIT = 250_000
"""Largest cost matrix (truths × picks of one cluster) that is written out in full."""

Indices = npt.NDArray[np.intp]


def match(truth: Truth, picks: Picks, *, radius: float, ndim: int = 2) -> Match:
    """Match picks with truths, blind to class and never across micrographs.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of any number of micrographs.
    radius : float
        Å; a pair exactly this far apart may be matched.
    ndim : int
        1 or 2; in one dimension y is not looked at.

    Returns
    -------
    Match
        Row numbers into the two tables as given. To match within a class, pass only its rows.
    """
    return best_of(near(truth, picks, radius=radius, ndim=ndim), radius)


def match_optimal(truth_points: FloatArray, pick_points: FloatArray, radius: float) -> Match:
    """Match two sets of points of one image.

    Parameters
    ----------
    truth_points, pick_points : array, shape (n, d) and (m, d)
        Å.
    radius : float
        Å, more than 0; inclusive.

    Returns
    -------
    Match
        No point stands in two pairs; there are as many pairs as there can be, and among all such
        choices Σ distance² is least.
    """
    return best_of(near_points(truth_points, pick_points, radius), radius)


def best_of(pairs: Pairs, radius: float) -> Match:
    """Choose the optimal one-to-one subset of the pairs that are near enough.

    Notes
    -----
    Pairs that share no point, not even through others, do not compete: each cluster of competing
    pairs is an assignment problem [1]_ of its own. Where the radius is below half the spacing of
    particles nearly every cluster is one pair, and the work is that of finding neighbours.

    References
    ----------
    .. [1] Crouse, IEEE Trans. Aerosp. Electron. Syst. 52 (2016) 1679.
    """
    cost = (pairs.distance / radius) ** 2
    chosen = np.concatenate(
        [np.empty(0, np.intp), *(_assign(rows, pairs, cost) for rows in _clusters(pairs))]
    )
    chosen = chosen[np.argsort(pairs.truth[chosen])]
    return Match(pairs.truth[chosen], pairs.pick[chosen], pairs.distance[chosen])


def _clusters(pairs: Pairs) -> list[Indices]:
    """Return the row numbers of pairs, grouped by the cluster they are in."""
    if len(pairs.truth) == 0:
        return []
    n, m = pairs.truth.max() + 1, pairs.pick.max() + 1
    edges = coo_array((np.ones(len(pairs.truth)), (pairs.truth, n + pairs.pick)), shape=(n + m, n + m))
    label = connected_components(edges, directed=False)[1][pairs.truth]
    order = np.argsort(label, kind="stable")
    alone = np.bincount(label)[label[order]] == 1
    shared = order[~alone]
    return [order[alone], *np.split(shared, np.flatnonzero(np.diff(label[shared])) + 1)]


def _assign(rows: Indices, pairs: Pairs, cost: FloatArray) -> Indices:
    """Return the optimal one-to-one subset of the pairs in `rows`."""
    truths, i = np.unique(pairs.truth[rows], return_inverse=True)
    picks, j = np.unique(pairs.pick[rows], return_inverse=True)
    if len(rows) == len(truths) == len(picks):
        return rows
    # Costs are (d/r)², at most 1 a pair, so no set of pairs costs as much as `forbidden`: leaving out
    # one pair that could be made is dearer than any choice of distances. Most pairs therefore win
    # first, and Σd² decides among them.
    forbidden = 2.0 + min(len(truths), len(picks))
    shape = (len(truths), len(picks))
    solve = _solve_dense if np.prod(shape) <= DENSE_LIMIT else _solve_sparse
    return rows[solve(i, j, cost[rows], shape, forbidden)]


def _solve_dense(
    i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int], forbidden: float
) -> Indices:
    matrix = np.full(shape, forbidden)
    matrix[i, j] = cost
    row_of = np.full(shape, -1)
    row_of[i, j] = np.arange(len(i))
    chosen = row_of[linear_sum_assignment(matrix)]
    return chosen[chosen >= 0]


def _solve_sparse(
    i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int], forbidden: float
) -> Indices:
    # Every truth has a stand-in pick of its own, at the forbidden cost, so a full matching exists;
    # all costs are raised by 1 because a sparse 0 would mean "no pair".
    real = csr_matrix((1 + cost, (i, j)), shape=shape)
    assigned = min_weight_full_bipartite_matching(
        hstack([real, (1 + forbidden) * eye(shape[0])], format="csr")
    )[1]
    return np.flatnonzero(assigned[i] == j)
