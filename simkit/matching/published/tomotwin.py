"""The evaluation of TomoTwin (locate_positions_stats)."""

from __future__ import annotations

import numpy as np

from simkit.matching.pairs import near
from simkit.matching.published.base import PublishedScore, Scene, harmonic, ratio

OVERLAP = 0.6
"""Intersection over union of two boxes above which a pick is on a truth."""


def tomotwin(scene: Scene) -> PublishedScore:
    """Count truths whose box overlaps that of any pick; a pick that is no truth's best is false.

    Notes
    -----
    Boxes of side `box` are on one another where intersection / union > 0.6: along an axis, closer than a
    quarter of a side. The radius is not looked at. The program judges one tomogram; here counts are summed
    over micrographs. Of picks that overlap equally the first row is the best one.
    """
    # 0.6 of the union is 3/4 of a box: no further apart than 1/4 of a side along each axis.
    pairs = near(scene.truth, scene.picks, radius=0.36 * scene.box, ndim=scene.ndim)
    apart = np.abs(scene.truth_points[pairs.truth] - scene.pick_points[pairs.pick])
    shared = np.prod(np.maximum(1 - apart / scene.box, 0.0), axis=1)
    overlap = shared / (2 - shared)
    on = overlap > OVERLAP
    truth, pick, overlap = pairs.truth[on], pairs.pick[on], overlap[on]
    order = np.lexsort((pick, -overlap, truth))
    first = np.flatnonzero(np.diff(truth[order], prepend=-1))
    tp, fn = len(first), len(scene.truth) - len(first)
    fp = len(scene.picks) - len(np.unique(pick[order][first]))
    precision, recall = ratio(tp, tp + fp), ratio(tp, len(scene.truth))
    return PublishedScore(
        name="tomotwin",
        title="TomoTwin, locate_positions_stats",
        tp=tp,
        fp=fp,
        fn=fn,
        precision=precision,
        recall=recall,
        f1=harmonic(precision or 0.0, recall),
        defect="One pick may find several truths; with --optim thresholds are tuned on the truth.",
    )
