"""Sparse assignment: one-to-one pairs of least total cost, cluster by cluster.

Pairs that share no point, not even through others, do not compete: each cluster of competing pairs is
an assignment problem [1]_ of its own. Small clusters of the same shape are solved together, by trying
all there is to try; larger ones one by one.

References
----------
.. [1] Crouse, IEEE Trans. Aerosp. Electron. Syst. 52 (2016) 1679.
"""

from __future__ import annotations

from itertools import permutations
from math import perm

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from simkit.core.grid import FloatArray
from simkit.matching.decomposition import cluster_of, in_some_maximum
from simkit.matching.full_assignment import cheapest_full

FEW = 60
"""Assignments of a cluster that are all tried: as many as there are for 3 × 5, 4 × 4 or 2 × 8."""

DENSE_LIMIT = 250_000
"""Largest cost matrix of one cluster that is written out in full."""

Indices = npt.NDArray[np.intp]


def least_cost(i: Indices, j: Indices, cost: FloatArray, *, price: float | None = None) -> Indices:
    """Choose the one-to-one subset of pairs that costs least.

    Parameters
    ----------
    i, j : array of int, shape (n,)
        The two sides of each pair, numbered separately; no pair twice.
    cost : array, shape (n,)
        Of each pair, from 0 to 1.
    price : float, optional
        Of every pair fewer than there could be if all were allowed. Without one it is higher than any
        choice of costs: as many pairs as possible are made, and costs decide among such choices.

    Returns
    -------
    array of int
        Which pairs are chosen.
    """
    if len(i) == 0:
        return np.empty(0, np.intp)
    label = cluster_of(i, j)
    (i, count), (j, other) = _within(i, label), _within(j, label)
    i, j = np.where((count > other)[label], (j, i), (i, j))
    shapes, shape = np.unique(np.sort([count, other], axis=0), axis=1, return_inverse=True)
    chosen = []
    for number, (fewer, more) in enumerate(shapes.T.tolist()):
        rows = np.flatnonzero((shape == number)[label])
        dear = 2.0 + fewer if price is None else price
        if perm(more, fewer) <= FEW:
            chosen.append(rows[_solve_alike(label[rows], i[rows], j[rows], cost[rows], (fewer, more), dear)])
            continue
        rows = rows[np.argsort(label[rows], kind="stable")]
        for cluster in np.split(rows, np.flatnonzero(np.diff(label[rows])) + 1):
            pairs = i[cluster], j[cluster], cost[cluster], (fewer, more)
            if fewer * more <= DENSE_LIMIT:
                found = _solve_dense(*pairs, dear)
            elif price is None:
                found = _solve_most(*pairs)
            else:
                found = _solve_sparse(*pairs, price)
            chosen.append(cluster[found])
    return np.concatenate(chosen)


def _within(side: Indices, label: Indices) -> tuple[Indices, Indices]:
    """Count off the members of every cluster from 0: return each pair's member, and members a cluster."""
    members, member = np.unique(side, return_inverse=True)
    cluster = np.empty(len(members), np.intp)
    cluster[member] = label
    count = np.bincount(cluster)
    order = np.argsort(cluster, kind="stable")
    number = np.empty(len(members), np.intp)
    number[order] = np.arange(len(members)) - (np.cumsum(count) - count)[cluster[order]]
    return number[member], count


def _solve_alike(
    label: Indices, i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int], price: float
) -> Indices:
    """Try all assignments of many clusters of one small shape."""
    fewer, more = shape
    cluster = np.unique(label, return_inverse=True)[1]
    size = int(cluster.max()) + 1
    matrix, row_of = np.full((size, *shape), price), np.full((size, *shape), -1)
    matrix[cluster, i, j], row_of[cluster, i, j] = cost, np.arange(len(cost))
    choices = np.array(list(permutations(range(more), fewer)))
    total = sum(matrix[:, k, choices[:, k]] for k in range(fewer))
    best = choices[np.argmin(total, axis=1)]
    found = row_of[np.arange(size)[:, None], np.arange(fewer), best].ravel()
    return found[found >= 0]


def _solve_dense(i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int], price: float) -> Indices:
    from scipy.optimize import linear_sum_assignment  # takes a tenth of a second to load

    matrix = np.full(shape, price)
    matrix[i, j] = cost
    row_of = np.full(shape, -1)
    row_of[i, j] = np.arange(len(i))
    chosen = row_of[linear_sum_assignment(matrix)]
    return chosen[chosen >= 0]


def _solve_most(i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int]) -> Indices:
    """Make as many pairs as possible, in a large cluster."""
    rows = np.flatnonzero(in_some_maximum(i, j))
    if cluster_of(i[rows], j[rows]).any():
        return rows[least_cost(i[rows], j[rows], cost[rows])]
    # One cluster whose smaller side finds partners for all; the larger one may have shrunk below it.
    (fewer, i), (more, j) = sorted(
        (np.unique(side[rows], return_inverse=True) for side in (i, j)), key=lambda side: len(side[0])
    )
    return rows[cheapest_full(i, j, cost[rows], (len(fewer), len(more)))]


def _solve_sparse(i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int], price: float) -> Indices:
    # All costs are raised by 1 because a sparse 0 would mean "no pair".
    graph = csr_array((1 + cost, (i, j)), shape=shape)
    # Each has a stand-in of its own, for the price of being left alone.
    graph = hstack([graph, (1 + price) * eye_array(shape[0])], format="csr")
    assigned = min_weight_full_bipartite_matching(graph)[1]
    return np.flatnonzero(assigned[i] == j)
