"""Who was found: counts, precision, recall and F1."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.matching.pairs import near
from simkit.metric.base import Comparison, Metric

BOUNDED_BELOW = frozenset({"precision", "f1"})
"""Scores that are lower bounds where particles may be missing from the truth."""

MEANINGLESS = {True: "unlabelled", False: "fp"}
"""Whether the truth is complete → the count that then has nothing to say."""


def detection_scores(
    *, true_positives: int, truths: int, picks: int, complete: bool = True
) -> dict[str, float | int | None]:
    """Return the counts and rates that follow from a one-to-one matching.

    Parameters
    ----------
    true_positives : int
        Pairs.
    truths, picks : int
        How many there are of each.
    complete : bool
        Whether the truth is known to hold every particle.

    Returns
    -------
    dict
        tp; fp = picks − tp; fn = truths − tp; precision = tp / picks; recall = tp / truths;
        f1 = 2 tp / (picks + truths), the harmonic mean of the two; unlabelled = 0.

        Where the truth is not complete, a pick without a particle may well be right: it counts in
        `unlabelled`, fp does not exist, and precision and f1 are lower bounds.

    Notes
    -----
    A value does not exist (None) exactly where its denominator is 0:

    =======  ======  =========  ======  ====
    truths   picks   precision  recall  f1
    =======  ======  =========  ======  ====
    some     some    a number   number  number
    some     none    None       0       0
    none     some    0          None    0
    none     none    None       None    None
    =======  ======  =========  ======  ====
    """

    def ratio(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return {
        "tp": true_positives,
        "fp": picks - true_positives if complete else None,
        "unlabelled": 0 if complete else picks - true_positives,
        "fn": truths - true_positives,
        "precision": ratio(true_positives, picks),
        "recall": ratio(true_positives, truths),
        "f1": ratio(2 * true_positives, truths + picks),
    }


def count_duplicates(*, truth: Truth, picks: Picks, match: Match, radius: float, ndim: int = 2) -> int:
    """Count the unmatched picks within `radius` Å of a truth that another pick has taken.

    They are false positives like any other; the count tells a picker that sees double from one
    that sees ghosts.
    """
    pairs = near(truth, picks, radius=radius, ndim=ndim)
    spare = np.isin(pairs.truth, match.truth) & ~np.isin(pairs.pick, match.pick)
    return len(np.unique(pairs.pick[spare]))


def count_wrong_class(*, truth: Truth, picks: Picks, match: Match) -> int:
    """Count the pairs whose truth and pick are of different classes."""
    return int((truth["class"][match.truth] != picks["class"][match.pick]).sum())


class Detection(Metric):
    """Counts and rates of what was found.

    `all` is blind to class: a pick on a particle of another class is a true positive there, and
    counted in `wrong_class`; under its own class it is a false positive.
    """

    kind: Literal["detection"] = "detection"

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            ("tp", "fp", "unlabelled", "fn", "duplicates", "wrong_class", "precision", "recall", "f1"), ""
        )
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`; what does not exist is listed under `detection_scores`."""
        c = comparison
        scores = detection_scores(
            true_positives=len(c.match.truth), truths=len(c.truth), picks=len(c.picks), complete=c.complete
        )
        return scores | {
            "duplicates": count_duplicates(
                truth=c.truth, picks=c.picks, match=c.match, radius=c.radius, ndim=c.ndim
            ),
            "wrong_class": count_wrong_class(truth=c.truth, picks=c.picks, match=c.match),
        }
