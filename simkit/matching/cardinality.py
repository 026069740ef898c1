"""How many pairs a one-to-one matching can have, whatever their distances."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from simkit.matching.pairs import Pairs


def most_pairs(pairs: Pairs) -> int:
    """Return the largest number of pairs of which no two share a point.

    The optimal rule makes as many. Where the distances do not matter, this is what it costs to know
    the number only [1]_.

    References
    ----------
    .. [1] Hopcroft & Karp, SIAM J. Comput. 2 (1973) 225.
    """
    if len(pairs.truth) == 0:
        return 0
    truths, i = np.unique(pairs.truth, return_inverse=True)
    picks, j = np.unique(pairs.pick, return_inverse=True)
    graph = csr_array((np.ones(len(i), np.int8), (i, j)), shape=(len(truths), len(picks)))
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())
