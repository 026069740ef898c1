"""The score-greedy rule: one-to-one, gated, the pick with the highest score chooses first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simkit.core.tables import Picks, Truth
from simkit.matching._mutual import ranks, settled, sorted_by
from simkit.matching.base import Match
from simkit.matching.pairs import Pairs, near


def match(truth: Truth, picks: Picks, *, radius: float, ndim: int = 2) -> Match:
    """Let picks, in falling score, each take the nearest truth that is still free.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of any number of micrographs; a pair is never across two of them, and classes are not looked at.
    radius : float
        Å; a pair exactly this far apart may be matched.
    ndim : int
        1 or 2; in one dimension y is not looked at.

    Returns
    -------
    Match
        Row numbers into the two tables as given.

    Notes
    -----
    Of equal scores the pick further up chooses first, then the one further left; picks without a score
    (NaN) come last, in the same order; and a truth further up is preferred to another equally far. So the
    order of rows has no say, but where rows are at one place.

    What a pick takes depends on picks of higher scores alone. Cut at any threshold, the list keeps
    its matches: one matching serves the whole precision–recall curve, as in COCO [1]_.

    References
    ----------
    .. [1] Lin et al., Microsoft COCO, ECCV 2014; pycocotools, `COCOeval.evaluateImg`.
    """
    return Match.of(_chosen(truth, picks, near(truth, picks, radius=radius, ndim=ndim), ndim))


def truths_taken(
    truth: Truth, picks: Picks, *, radius: float, ndim: int = 2, pairs: Pairs | None = None
) -> npt.NDArray[np.intp]:
    """Return for every pick the row of the truth it takes, −1 where it takes none; as in `match`.

    `pairs` is what `near` returns, for whom has it already.
    """
    if pairs is None:
        pairs = near(truth, picks, radius=radius, ndim=ndim)
    chosen = _chosen(truth, picks, pairs, ndim)
    taken = np.full(len(picks), -1)
    taken[chosen.pick] = chosen.truth
    return taken


def _chosen(truth: Truth, picks: Picks, pairs: Pairs, ndim: int) -> Pairs:
    axes = ("x", "y")[:ndim]
    choice = ranks(*(picks[axis] for axis in axes), -picks["score"])
    by_pick = sorted_by(pairs.truth, *(truth[axis][pairs.truth] for axis in axes), pairs.distance)
    by_truth = np.argsort(choice[pairs.pick])
    return pairs.take(settled(pairs, by_truth, by_pick))
