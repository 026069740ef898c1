"""The cheapest assignment of a large sparse cluster in which nobody of the smaller side stays alone.

Where particles are missed and ghosts picked in a crystal, and the radius reaches past the next site, all
are linked and nearly everybody has one partner to spare: one by one, as SciPy does it [1]_, each of thousands
of pairs is found by a search through the whole crystal. Here one search serves all that are still alone.

References
----------
.. [1] Jonker, Volgenant, Computing 38 (1987) 325: `scipy.sparse.csgraph.min_weight_full_bipartite_matching`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from simkit.core.grid import FloatArray
from simkit.matching.decomposition import largest

Indices = npt.NDArray[np.intp]


def cheapest_full(i: Indices, j: Indices, cost: FloatArray, shape: tuple[int, int]) -> Indices:
    """Choose the pairs of least total cost that leave nobody of the smaller side alone.

    Parameters
    ----------
    i, j : array of int, shape (n,)
        The two sides of each pair, numbered separately; no pair twice.
    cost : array, shape (n,)
        Of each pair, from 0 to 1.
    shape : tuple of int
        How many there are on each side; the first is not the larger.

    Returns
    -------
    array of int
        Which pairs are chosen.

    Raises
    ------
    ValueError
        If there is no such choice.

    Notes
    -----
    Unequal sides are made equal by a mirror image of the whole, sides exchanged: whoever of the larger side
    stays alone is paired with the own image, for nothing. The pairs of the original cost half of the whole.
    """
    fewer, more = shape
    if fewer == more:
        return _perfect(i, j, cost, fewer)
    left = np.concatenate([i, fewer + j, fewer + np.arange(more)])
    right = np.concatenate([j, more + i, np.arange(more)])
    chosen = _perfect(left, right, np.concatenate([cost, cost, np.zeros(more)]), fewer + more)
    return chosen[chosen < len(i)]


def _perfect(i: Indices, j: Indices, cost: FloatArray, n: int) -> Indices:
    """Pair all of two sides of n for the least total cost.

    Notes
    -----
    The Hungarian method [1]_ in phases. Everybody has a potential, no pair costs less than the difference of
    its two, and where only pairs are made that cost no more, the whole costs least. As many of these as can
    be are paired; then one search from all that are alone finds how far off everybody is, and raising the
    potentials by that makes one more pair possible at least, in practice hundreds. Costs are rounded to
    multiples of 4 n / 2⁵¹ or less, 2 · 10⁻¹¹ for 10,000 points, so that sums of 2 n of them are exact.

    References
    ----------
    .. [1] Kuhn, Naval Res. Logist. Q. 2 (1955) 83; with potentials: Edmonds, Karp, J. ACM 19 (1972) 248.
    """
    whole = np.round(cost * 2.0 ** (51 - (2 * n).bit_length()))
    potential = np.zeros(2 * n)
    paired = -1
    while True:
        slack = whole + potential[i] - potential[n + j]
        free_of_cost = np.flatnonzero(slack == 0)
        chosen = free_of_cost[largest(i[free_of_cost], j[free_of_cost])]
        if len(chosen) == n:
            return chosen
        if len(chosen) <= paired:
            raise ValueError("somebody stays alone in every choice of pairs")
        paired = len(chosen)
        alone = np.setdiff1d(np.arange(n), i[chosen])
        # Alternating paths go by any pair and come back by a chosen one.
        there, back = (i, n + j), (n + j[chosen], i[chosen])
        ends = tuple(np.concatenate(side) for side in zip(there, back, strict=True))
        graph = csr_array((np.append(slack, np.zeros(paired)), ends), shape=(2 * n, 2 * n))
        distance = dijkstra(graph, indices=alone, min_only=True)
        potential += np.minimum(distance, distance[np.isfinite(distance)].max())
