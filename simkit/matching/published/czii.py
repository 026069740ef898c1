"""The metric of the CZII cryo-ET object identification challenge (Kaggle, 2024)."""

from __future__ import annotations

import numpy as np

from simkit.matching.published.base import PublishedScore, Scene, harmonic, ratio


def czii(scene: Scene) -> PublishedScore:
    """Count truths that have a pick within the radius (≤) as found; whatever else was picked is false.

    Notes
    -----
    Counts are summed over experiments that have a truth; picks elsewhere are dropped. The metric
    takes β as an option, 4 in the challenge; here it is 1. Precision and recall are 0 where a denominator is
    not positive. Its gate is half the particle's radius.
    """
    tp = len(np.unique(scene.pairs.truth))
    fp, fn = scene.picks_beside_truth - tp, len(scene.truth) - tp
    recall = ratio(tp, len(scene.truth))
    precision = None if recall is None else tp / (tp + fp) if tp + fp > 0 else 0.0
    return PublishedScore(
        name="czii",
        title="CZII challenge metric, compute_metrics and score",
        tp=tp,
        fp=fp,
        fn=fn,
        precision=precision,
        recall=recall,
        f1=harmonic(precision, recall),
        defect="One pick between two truths finds both, so that false picks turn negative and precision "
        "exceeds 1; picks in micrographs without a truth cost nothing.",
    )
