"""Scores at every threshold: precision against recall, and recall against false picks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.judging.chance import chance_matches
from simkit.matching.cardinality import most_pairs
from simkit.matching.pairs import ROUNDING, near
from simkit.matching.rules import match
from simkit.matching.score_greedy import truths_taken


@dataclass(frozen=True)
class Curve:
    """Counts at every threshold at which they change, the highest first.

    Attributes
    ----------
    threshold : array, shape (n,)
        Scores of picks, falling and distinct: picks of equal score pass together.
    tp, fp : array, shape (n,)
        Matched and unmatched picks of at least that score. Where the truth is not complete, `fp` counts
        picks that are unlabelled.
    truths : int
        Particles that could be found.
    images : int
        Micrographs that were searched.
    area : float or None
        Searched area of all micrographs together in µm² (µm in one dimension); None if unknown.
    """

    threshold: FloatArray
    tp: FloatArray
    fp: FloatArray
    truths: int
    images: int
    area: float | None = None

    @property
    def recall(self) -> FloatArray:
        """Share of the particles found, shape (n,); NaN without particles."""
        return self.tp / self.truths if self.truths else np.full(len(self.tp), np.nan)

    @property
    def precision(self) -> FloatArray:
        """Share of the picks that are particles, shape (n,)."""
        return self.tp / (self.tp + self.fp)

    @property
    def f1(self) -> FloatArray:
        """Harmonic mean of the two, shape (n,)."""
        return 2 * self.tp / (self.tp + self.fp + self.truths)

    @property
    def false_per_image(self) -> FloatArray:
        """False picks in a micrograph, shape (n,)."""
        return self.fp / self.images

    @property
    def false_per_area(self) -> FloatArray | None:
        """False picks per µm² (per µm in one dimension), shape (n,); None if the area is unknown."""
        return self.fp / self.area if self.area else None


def detection_curve(
    truth: Truth,
    candidates: Picks,
    *,
    radius: float,
    images: int,
    area: float | None = None,
    ndim: int = 2,
) -> Curve | None:
    """Count hits and false picks at every threshold.

    Parameters
    ----------
    truth, candidates : Truth, Picks
        Of any number of micrographs, blind to class; the candidates far below any threshold in use.
    radius : float
        Å, inclusive.
    images, area : int, float or None
        See `Curve`.
    ndim : int
        1 or 2.

    Returns
    -------
    Curve or None
        None where a candidate has no score.

    Notes
    -----
    One pass of the score-greedy rule, whatever rule is declared: what comes later changes nothing of what
    came before, so the counts at a threshold are those of the candidates above it alone, and both only
    ever grow as the threshold falls. An optimal matching, made anew at each threshold, need not let the
    false picks grow.
    """
    if np.isnan(candidates["score"]).any():
        return None
    hit = truths_taken(truth, candidates, radius=radius, ndim=ndim) >= 0
    return curve_of_hits(candidates["score"], hit, truths=len(truth), images=images, area=area)


def curve_of_hits(
    score: FloatArray, hit: npt.NDArray[np.bool_], *, truths: int, images: int, area: float | None = None
) -> Curve:
    """Count at every threshold candidates of which it is known whether they hit; see `detection_curve`.

    Parameters
    ----------
    score : array, shape (n,)
        Of each candidate.
    hit : array of bool, shape (n,)
        Whether it takes a particle by the score-greedy rule.
    truths, images, area : int, int, float or None
        See `Curve`.
    """
    order = np.argsort(-score)
    falling = score[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)[: len(falling)])
    tp = np.cumsum(hit[order])[last].astype(float)
    return Curve(falling[last], tp, last + 1 - tp, truths, images, area)


def average_precision(curve: Curve) -> float | None:
    """Return the area under the raw steps of precision over recall.

    Σ (Rᵢ − Rᵢ₋₁) Pᵢ over the thresholds: the mean over all particles of the precision at the score that
    finds each, 0 for one that is never found [1]_. Nothing is interpolated, so it is never more than
    what PASCAL VOC or COCO, which replace Pᵢ by the best precision at that recall or more, would give.

    Returns
    -------
    float or None
        None without particles; 0 with particles and no candidates.

    References
    ----------
    .. [1] Manning, Raghavan & Schütze, Introduction to Information Retrieval (2008), § 8.4.
    """
    if curve.truths == 0:
        return None
    return float((np.diff(curve.tp, prepend=0.0) * curve.precision).sum() / curve.truths)


def recall_at(curve: Curve, false_per_image: float) -> float | None:
    """Return the recall where false picks are at most so many in a micrograph on average.

    None without particles. Where the candidates end before there are so many false ones, it is what
    all of them find.
    """
    if curve.truths == 0:
        return None
    cut = _cut(curve, false_per_image)
    return float(curve.recall[cut]) if cut >= 0 else 0.0


def threshold_at(curve: Curve, false_per_image: float) -> float | None:
    """Return the lowest score above which false picks are at most so many in a micrograph on average.

    None where already the best score brings more.
    """
    cut = _cut(curve, false_per_image)
    return float(curve.threshold[cut]) if cut >= 0 else None


def _cut(curve: Curve, false_per_image: float) -> int:
    """Return the last threshold with at most so many false picks, −1 if there is none."""
    return int(np.searchsorted(curve.fp, false_per_image * curve.images, side="right")) - 1


def best_f1(curve: Curve) -> tuple[float, float] | None:
    """Return the highest F1 and the highest threshold that reaches it: a cut tuned on the truth.

    None without particles or without candidates.
    """
    if curve.truths == 0 or len(curve.threshold) == 0:
        return None
    best = int(np.argmax(curve.f1))
    return float(curve.f1[best]), float(curve.threshold[best])


@dataclass(frozen=True)
class RadiusCurve:
    """Scores against the matching radius, at the picker's own threshold.

    Attributes
    ----------
    radius : array, shape (n,)
        Å.
    recall, precision, f1 : array, shape (n,)
        NaN where a value does not exist.
    chance : array, shape (n,)
        Share of randomly placed picks that would lie within that radius of a particle; NaN if unknown.
    """

    radius: FloatArray
    recall: FloatArray
    precision: FloatArray
    f1: FloatArray
    chance: FloatArray


RADII = np.append(np.geomspace(0.1, 1.0, 16), np.geomspace(1.0, 3.0, 9)[1:])
"""Where a radius curve is worked out, relative to the declared radius, which is one of them."""


def radius_curve(
    truth: Truth,
    picks: Picks,
    *,
    radius: float,
    area: float | None = None,
    ndim: int = 2,
    rule: str = "optimal",
) -> RadiusCurve:
    """Score the same picks at radii from a tenth of the declared one to three times as much.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of any number of micrographs, blind to class.
    radius : float
        The declared radius, Å.
    area : float or None
        Of all micrographs together, µm² (µm in one dimension).
    ndim : int
        1 or 2.
    rule : str
        A name in `simkit.matching.rules`.

    Notes
    -----
    By the optimal rule there are as many pairs as there can be, so no score falls as the radius grows.
    """
    radii = radius * RADII
    if rule == "optimal":
        pairs = near(truth, picks, radius=float(radii[-1]), ndim=ndim)
        counts = [most_pairs(pairs.take(pairs.distance <= r * (1 + ROUNDING))) for r in radii]
    else:
        counts = [len(match(truth, picks, radius=r, rule=rule, ndim=ndim).truth) for r in radii]
    tp = np.array(counts, float)
    n, m = float(len(truth)), float(len(picks))
    chance = [chance_matches(truths=len(truth), area=area, radius=r, ndim=ndim) for r in radii]
    return RadiusCurve(
        radius=radii,
        recall=tp / (n or np.nan),
        precision=tp / (m or np.nan),
        f1=2 * tp / (n + m or np.nan),
        chance=np.array([np.nan if share is None else share for share in chance]),
    )
