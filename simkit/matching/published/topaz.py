"""The precision and recall of Topaz (precision_recall_curve), at its lowest threshold."""

from __future__ import annotations

from simkit.matching.assignment import least_cost
from simkit.matching.published.base import PublishedScore, Scene, harmonic, ratio


def topaz(scene: Scene) -> PublishedScore:
    """Match one to one so that Σ (distance² − radius²) is least; a pair at the radius is worth nothing.

    Notes
    -----
    The last row of the table: all picks of micrographs that have a truth (``--images target``, the default),
    against all truths. The program stops with an error where there are no picks. Leaving a pair out costs
    as much as the radius: in units of radius² the price of `least_cost` is 1.
    """
    pairs = scene.pairs.take(scene.pairs.distance**2 - scene.radius**2 < 0)
    tp = len(least_cost(pairs.truth, pairs.pick, (pairs.distance / scene.radius) ** 2, price=1.0))
    judged = scene.picks_beside_truth
    precision = ratio(tp, judged)
    recall = None if precision is None else ratio(tp, len(scene.truth))
    return PublishedScore(
        name="topaz",
        title="Topaz, match_coordinates and precision_recall_curve",
        tp=tp,
        fp=judged - tp,
        fn=len(scene.truth) - tp,
        precision=precision,
        recall=recall,
        f1=harmonic(precision, recall),
        defect="One exact pair is preferred to two good ones; picks in micrographs without a truth cost "
        "nothing; one matching, of all picks, serves every threshold.",
    )
