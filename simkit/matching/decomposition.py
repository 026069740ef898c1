"""What may be left out of an assignment problem before it is solved, and the pieces it falls into."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, maximum_flow

Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def cluster_of(i: Indices, j: Indices) -> Indices:
    """Give every connected cluster of a bipartite graph a number.

    Parameters
    ----------
    i, j : array of int, shape (n,)
        The two ends of every edge, numbered separately.

    Returns
    -------
    array of int, shape (n,)
        The cluster of every edge, from 0 with no number left out.
    """
    if len(i) == 0:
        return np.empty(0, np.intp)
    n = int(i.max()) + 1
    graph = _directed(i, n + j, n + int(j.max()) + 1)
    label = connected_components(graph, directed=False)[1][i]
    # Rows that stand in no pair are components too; numbers without a cluster are closed up.
    return (np.cumsum(np.bincount(label) > 0) - 1)[label]


def in_some_maximum(i: Indices, j: Indices) -> Mask:
    """Tell which edges of a bipartite graph stand in at least one matching of most edges.

    Parameters
    ----------
    i, j : array of int, shape (n,)
        The two ends of every edge, numbered separately; no edge twice.

    Returns
    -------
    array of bool, shape (n,)

    Notes
    -----
    The decomposition of Dulmage and Mendelsohn [1]_ [2]_. With one largest matching at hand, a vertex may
    go without a partner if an alternating path leads to it from one that does. On the side of such
    vertices every edge to their neighbours is possible. Among all other vertices an edge is possible if
    it closes an alternating cycle, so if both its ends are in one strongly connected component.

    References
    ----------
    .. [1] Dulmage, Mendelsohn, Canad. J. Math. 10 (1958) 517.
    .. [2] Pothen, Fan, ACM Trans. Math. Softw. 16 (1990) 303.
    """
    if len(i) == 0:
        return np.empty(0, bool)
    n, m = int(i.max()) + 1, int(j.max()) + 1
    matched = largest(i, j)
    # Alternating paths leave the vertices of one side by any edge and come back by matched ones.
    single_i = np.setdiff1d(i, i[matched])
    single_j = np.setdiff1d(j, j[matched])
    any_edge, matched_edge = np.stack([i, n + j]), np.stack([i, n + j])[:, matched]
    spare_i = _reached(np.hstack([any_edge, matched_edge[::-1]]), single_i, n + m)
    spare_j = _reached(np.hstack([any_edge[::-1], matched_edge]), n + single_j, n + m)
    possible = (spare_i[i] & spare_i[n + j]) | (spare_j[i] & spare_j[n + j])
    rest = ~(spare_i[i] | spare_i[n + j] | spare_j[i] | spare_j[n + j])
    owner = np.full(m, -1)
    owner[j[matched]] = i[matched]
    cycles = _directed(i[rest], owner[j[rest]], n)
    label = connected_components(cycles, directed=True, connection="strong")[1]
    possible[rest] = label[i[rest]] == label[owner[j[rest]]]
    return possible


def largest(i: Indices, j: Indices) -> Mask:
    """Tell which edges are in one largest matching; parameters as for `in_some_maximum`.

    It is found as a flow [1]_: `maximum_bipartite_matching` needs seconds where many particles are missed
    in a crystal and the radius reaches their neighbours, this milliseconds.

    References
    ----------
    .. [1] Dinic, Soviet Math. Doklady 11 (1970) 1277.
    """
    if len(i) == 0:
        return np.empty(0, bool)
    n, m = int(i.max()) + 1, int(j.max()) + 1
    source, sink = n + m, n + m + 1
    left, right = np.unique(i), n + np.unique(j)
    start = np.concatenate([np.full(len(left), source), i, right])
    end = np.concatenate([left, n + j, np.full(len(right), sink)])
    graph = csr_array((np.ones(len(start), np.int32), (start, end)), shape=(sink + 1, sink + 1))
    flow = maximum_flow(graph, source, sink).flow.tocoo()
    used = (flow.data > 0) & (flow.row < n) & (flow.col >= n) & (flow.col < source)
    partner = np.full(n, -1)
    partner[flow.row[used]] = flow.col[used] - n
    return partner[i] == j


def _directed(start: Indices, end: Indices, size: int) -> csr_array:
    return csr_array((np.ones(len(start), np.int8), (start, end)), shape=(size, size))


def _reached(edges: Indices, sources: Indices, size: int) -> Mask:
    """Tell which vertices directed edges, shape (2, n), lead to from any of the sources, these included."""
    # One more vertex leads to all sources, so that one search starts from all of them.
    start = np.append(edges[0], np.full(len(sources), size))
    graph = _directed(start, np.append(edges[1], sources), size + 1)
    found = np.zeros(size + 1, bool)
    found[breadth_first_order(graph, size, return_predecessors=False)] = True
    return found[:-1]
