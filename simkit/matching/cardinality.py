"""How many pairs a one-to-one matching can have, whatever their distances."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from simkit.matching.pairs import Pairs


def most_pairs(pairs: Pairs) -> int:
    """Return the largest number of pairs of which no two share a point: what the optimal rule makes.

    It is the largest flow from a source through every truth, one pair and one pick to a sink, each of
    which lets one unit through [1]_. Where the distances do not matter this costs far less than to
    choose the pairs.

    References
    ----------
    .. [1] Even & Tarjan, SIAM J. Comput. 4 (1975) 507.
    """
    truths, i = np.unique(pairs.truth, return_inverse=True)
    picks, j = np.unique(pairs.pick, return_inverse=True)
    n, m = len(truths), len(picks)
    source, sink = n + m, n + m + 1
    start = np.concatenate([np.full(n, source), i, n + np.arange(m)])
    end = np.concatenate([np.arange(n), n + j, np.full(m, sink)])
    graph = csr_array((np.ones(len(start), np.int32), (start, end)), shape=(sink + 1, sink + 1))
    return int(maximum_flow(graph, source, sink).flow_value)
