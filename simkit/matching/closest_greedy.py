"""The closest-greedy rule: one-to-one, gated, the closest pair of all first."""

from __future__ import annotations

import numpy as np

from simkit.core.tables import Picks, Truth
from simkit.matching._mutual import ranks, settled
from simkit.matching.base import Match
from simkit.matching.pairs import near


def match(truth: Truth, picks: Picks, *, radius: float, ndim: int = 2) -> Match:
    """Take the closest truth and pick, then the closest of those that are left, and so on.

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
    Of equally close pairs the one whose truth lies further up comes first, then further left, then the
    one whose pick does. So the order of rows has no say, but where rows are at one place.

    This is the stable matching by distance of Gale and Shapley (ThunderSTORM's rule, `stable` here), and
    what taking mutual nearest neighbours again and again ends in: the closest pair that is left
    is the first choice of both its sides, hence in every stable matching; it is taken, and the
    same holds for what remains. DECODE calls the rule "GreedyHungarian".
    """
    pairs = near(truth, picks, radius=radius, ndim=ndim)
    axes = ("x", "y")[:ndim]
    place = [ranks(*(table[axis] for axis in axes)) for table in (truth, picks)]
    order = np.lexsort((place[1][pairs.pick], place[0][pairs.truth], pairs.distance))
    return Match.of(pairs.take(settled(pairs, order, order)))
