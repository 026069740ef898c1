"""Who was found: counts, precision, recall and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveNumber
from simkit.core.tables import Picks, Truth
from simkit.judging.chance import chance_matches
from simkit.matching.base import Match
from simkit.matching.pairs import Pairs
from simkit.metric._errors import of_one_class
from simkit.metric.base import Comparison, Indices, Metric

Mask = npt.NDArray[np.bool_]

BOUNDED_BELOW = frozenset(
    {"precision", "f1", "f_beta", "jaccard", "average_precision", "recall_at_equal_false", "oracle_f1"}
)
"""Scores that are lower bounds where particles may be missing from the truth, as long as those missing
are found no less often than those known: all grow with precision at a given recall."""

MEANINGLESS = {True: "unlabelled", False: "fp"}
"""Whether the truth is complete → the count that then has nothing to say."""


def rates(
    *, tp: npt.ArrayLike, truths: npt.ArrayLike, picks: npt.ArrayLike, beta: float = 2.0
) -> dict[str, FloatArray]:
    """Return the rates that follow from counts; NaN where a denominator is 0.

    Parameters
    ----------
    tp, truths, picks : array_like, of one shape
        Pairs, particles and picks.
    beta : float
        How many times more recall weighs than precision in f_beta.

    Returns
    -------
    dict
        precision = tp / picks; recall = tp / truths; f1 = 2 tp / (truths + picks), the harmonic mean of
        the two; f_beta = (1 + β²) tp / (β² truths + picks) [1]_; jaccard = tp / (tp + fp + fn).

    References
    ----------
    .. [1] van Rijsbergen, Information Retrieval (1979), ch. 7.
    """
    hits, particles, found = (np.asarray(n, float) for n in (tp, truths, picks))

    def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
        return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)

    return {
        "precision": ratio(hits, found),
        "recall": ratio(hits, particles),
        "f1": ratio(2 * hits, particles + found),
        "f_beta": ratio((1 + beta**2) * hits, beta**2 * particles + found),
        "jaccard": ratio(hits, particles + found - hits),
    }


def detection_scores(
    *, true_positives: int, truths: int, picks: int, complete: bool = True, beta: float = 2.0
) -> dict[str, float | int | None]:
    """Return the counts and rates that follow from a one-to-one matching.

    Parameters
    ----------
    true_positives : int
        Pairs.
    truths, picks : int
        How many there are of each, those that are ignored left out.
    complete : bool
        Whether the truth is known to hold every particle.
    beta : float
        See `rates`.

    Returns
    -------
    dict
        tp; fp = picks − tp; fn = truths − tp; unlabelled = 0; fdr = fp / picks; and `rates`.

        Where the truth is not complete, a pick without a particle may well be right: it counts in
        `unlabelled`, fp and fdr do not exist, and the scores in `BOUNDED_BELOW` are lower bounds.

    Notes
    -----
    A value does not exist (None) exactly where its denominator is 0. Of everything that the detection
    metric gives:

    =======  ======  =========  ======  ====================  ======
    truths   picks   precision  recall  f1, f_beta, jaccard   fdr
    =======  ======  =========  ======  ====================  ======
    some     some    a number   number  number                number
    some     none    None       0       0                     None
    none     some    0          None    0                     1
    none     none    None       None    None                  None
    =======  ======  =========  ======  ====================  ======

    Counts (tp, fp, unlabelled, fn, duplicates, split, merged, wrong_class, ignored_truths and
    ignored_picks) always exist, but for fp where the truth is not complete; what is ignored is neither
    among the truths nor among the picks above. chance_matches exists where the searched area is known.
    """
    shares = rates(tp=true_positives, truths=truths, picks=picks, beta=beta)
    false = picks - true_positives
    return {
        "tp": true_positives,
        "fp": false if complete else None,
        "unlabelled": 0 if complete else false,
        "fn": truths - true_positives,
        **{name: None if np.isnan(share) else float(share) for name, share in shares.items()},
        "fdr": false / picks if complete and picks else None,
    }


def crowding(pairs: Pairs, *, found: Mask, hits: Mask) -> dict[str, int]:
    """Count where one particle was seen as several, and several as one.

    Parameters
    ----------
    pairs : Pairs
        Every truth and pick within the radius of each other.
    found, hits : array of bool, shape (truths,) and (picks,)
        Particles and picks that were matched.

    Returns
    -------
    dict
        duplicates: unmatched picks within the radius of a particle that another pick has taken; they are
        false like any other, but tell a picker that sees double from one that sees ghosts. split:
        particles taken near which such a pick lies. merged: matched picks near which a missed particle
        lies. Exchanging truth and picks exchanges split and merged.
    """
    taken, matched = found[pairs.truth], hits[pairs.pick]
    return {
        "duplicates": len(np.unique(pairs.pick[taken & ~matched])),
        "split": len(np.unique(pairs.truth[taken & ~matched])),
        "merged": len(np.unique(pairs.pick[matched & ~taken])),
    }


def count_wrong_class(*, truth: Truth, picks: Picks, match: Match) -> int:
    """Count the pairs whose truth and pick are of different classes."""
    return int((~of_one_class(truth, match.truth, picks, match.pick)).sum())


class Detection(Metric):
    """Counts and rates of what was found.

    `all` is blind to class: a pick on a particle of another class is a true positive there, and
    counted in `wrong_class`; under its own class it is a false positive. `chance_matches` is the share
    of picks that would match a particle if they were strewn at random.
    """

    kind: Literal["detection"] = "detection"

    beta: PositiveNumber = 2.0
    """How many times more recall weighs than precision in `f_beta`."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            (
                *("tp", "fp", "unlabelled", "fn", "ignored_truths", "ignored_picks"),
                *("duplicates", "split", "merged", "wrong_class"),
                *("precision", "recall", "f1", "f_beta", "jaccard", "fdr", "chance_matches"),
            ),
            "",
        )
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`; what does not exist is listed under `detection_scores`."""
        c = comparison
        truths, picks = len(c.truth), len(c.picks)
        return {
            **detection_scores(
                true_positives=len(c.match.truth),
                truths=truths,
                picks=picks,
                complete=c.complete,
                beta=self.beta,
            ),
            **crowding(c.pairs, found=_among(c.match.truth, truths), hits=_among(c.match.pick, picks)),
            "wrong_class": count_wrong_class(truth=c.truth, picks=c.picks, match=c.match),
            "ignored_truths": c.ignored_truths,
            "ignored_picks": c.ignored_picks,
            "chance_matches": chance_matches(truths=truths, area=c.area, radius=c.radius, ndim=c.ndim),
        }

    def sums(self, comparison: Comparison) -> dict[str, FloatArray]:
        """See `Metric.sums`; a pair counts where its particle is, so no cluster has more pairs than picks."""
        c = comparison
        every, spare = np.arange(len(c.truth)), np.flatnonzero(~_among(c.match.pick, len(c.picks)))
        tp = c.over_truth(np.ones(len(c.match.truth)), c.match.truth)
        unmatched = c.over_picks(np.ones(len(spare)), spare)
        return {
            "tp": tp,
            "truths": c.over_truth(np.ones(len(every)), every),
            "picks": tp + unmatched,
            "fp": unmatched if c.complete else np.full(c.clusters, np.nan),
        }

    def from_sums(self, sums: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """See `Metric.from_sums`."""
        counts = {name: np.asarray(sums[name], float) for name in ("tp", "truths", "picks")}
        no_picks = np.where(counts["picks"] > 0, counts["picks"], np.nan)
        return {**rates(**counts, beta=self.beta), "fdr": np.asarray(sums["fp"], float) / no_picks}


def _among(rows: Indices, n: int) -> Mask:
    """Tell which of n rows are among some."""
    among = np.zeros(n, bool)
    among[rows] = True
    return among
