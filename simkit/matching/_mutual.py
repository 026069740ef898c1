"""Pairs in which each side prefers the other to all that is still free: the kernel of every greedy rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.matching.pairs import Pairs

ROUNDS = 12
"""After so many rounds what is left are chains in which one pair waits for the other."""

Indices = npt.NDArray[np.intp]


def settled(pairs: Pairs, by_truth: Indices, by_pick: Indices) -> Indices:
    """Marry truths and picks so that no two would rather have each other.

    Parameters
    ----------
    pairs : Pairs
        Who may be paired.
    by_truth, by_pick : array of int, shape (n,)
        The pairs in an order that agrees with what every truth, and every pick, likes best first.

    Returns
    -------
    array of int
        Which pairs are chosen.

    Notes
    -----
    A pair that is first for both its sides is in every stable matching [1]_. Where one side's likings come
    from one order of all (scores), or both sides' from one order of all pairs (distances), such a
    pair exists as long as any is left, so that taking all of them, round after round, ends in the only
    stable matching.

    References
    ----------
    .. [1] Gale, Shapley, Am. Math. Mon. 69 (1962) 9.
    """
    if len(pairs) == 0:
        return np.empty(0, np.intp)
    taken = np.zeros(pairs.truth.max() + 1, bool), np.zeros(pairs.pick.max() + 1, bool)
    chosen = []
    for _ in range(ROUNDS):
        first = _first(pairs.pick, by_pick)
        first = first[first >= 0]
        mutual = first[first == _first(pairs.truth, by_truth)[pairs.truth[first]]]
        chosen.append(mutual)
        taken[0][pairs.truth[mutual]] = taken[1][pairs.pick[mutual]] = True
        by_truth, by_pick = (
            order[~(taken[0][pairs.truth[order]] | taken[1][pairs.pick[order]])]
            for order in (by_truth, by_pick)
        )
        if len(by_pick) == 0:
            return np.concatenate(chosen)
    return np.concatenate([*chosen, _proposed(pairs, by_truth, by_pick)])


def ranks(*keys: npt.NDArray[Any]) -> Indices:
    """Return every row's place when rows are sorted by the keys, the last one first, NaN at the end.

    It is the order of `numpy.lexsort`, which sorts by every key in full, in a fraction of its time: a key
    is looked at only where those before it leave rows alike, and none needs a stable sort.
    """
    n = len(keys[0])
    place = _levels(keys[-1])
    for key in (*keys[-2::-1], np.arange(n)):
        if n == 0 or place.max() == n - 1:
            break
        place = _levels(n * place + _levels(key))
    return place


def sorted_by(*keys: npt.NDArray[Any]) -> Indices:
    """Return the rows in the order of `ranks`."""
    order = np.empty(len(keys[0]), np.intp)
    order[ranks(*keys)] = np.arange(len(order))
    return order


def _levels(values: npt.NDArray[Any]) -> Indices:
    """Give every row the number of its value, from 0, equal values alike; NaN is one value, the last."""
    order = np.argsort(values)
    rising = values[order]
    alike = (rising[1:] == rising[:-1]) | np.isnan(rising[:-1])
    level = np.empty(len(values), np.intp)
    level[order] = np.cumsum(np.append(False, ~alike)[: len(values)])
    return level


def _first(owner: Indices, order: Indices) -> Indices:
    """Return for every owner which of its pairs comes first, −1 where it has none."""
    first = np.full(owner.max() + 1, -1)
    first[owner[order[::-1]]] = order[::-1]  # the last one written stays
    return first


def _proposed(pairs: Pairs, by_truth: Indices, by_pick: Indices) -> Indices:
    """Finish one by one: picks propose in their order, truths keep the best that came (Gale and Shapley)."""
    order = by_pick[np.argsort(pairs.pick[by_pick], kind="stable")]
    place = np.empty(len(pairs), np.intp)
    place[by_truth] = np.arange(len(by_truth))
    truth, rank = pairs.truth[order].tolist(), place[order].tolist()
    begins = np.flatnonzero(np.diff(pairs.pick[order], prepend=-1))
    turn, end = begins.tolist(), [*begins[1:].tolist(), len(order)]
    engaged: dict[int, tuple[int, int]] = {}
    for suitor in range(len(turn)):
        pick = suitor
        while turn[pick] < end[pick]:
            offer = turn[pick]
            turn[pick] += 1
            rival, held = engaged.get(truth[offer], (-1, -1))
            if rival < 0 or rank[offer] < rank[held]:
                engaged[truth[offer]] = pick, offer
                if rival < 0:
                    break
                pick = rival
    return order[np.array([offer for _, offer in engaged.values()], np.intp)]
