"""The evaluation of DeepFinder (utils/eval.py, Evaluator)."""

from __future__ import annotations

import numpy as np

from simkit.matching.published.base import PublishedScore, Scene, ratio


def deepfinder(scene: Scene) -> PublishedScore:
    """Count truths with exactly one pick within the distance (≤) as found.

    Notes
    -----
    Counts are pooled over tomograms. A pick is true if it is the only one of any truth. Rates are those of
    pycm's confusion matrix, which gives none where there is nothing to divide by. The program stops with an
    error on a tomogram without a truth, or if the first one has no picks; here their rows count.
    """
    pairs = scene.pairs
    picks_of = np.bincount(pairs.truth, minlength=len(scene.truth))
    only = picks_of[pairs.truth] == 1
    tp = int(only.sum())
    fp, fn = len(scene.picks) - len(np.unique(pairs.pick[only])), len(scene.truth) - tp
    return PublishedScore(
        name="deepfinder",
        title="DeepFinder, Evaluator.get_confusion_matrix",
        tp=tp,
        fp=fp,
        fn=fn,
        precision=ratio(tp, tp + fp),
        recall=ratio(tp, tp + fn),
        f1=ratio(2 * tp, 2 * tp + fp + fn),
        defect="A particle with two or more picks within the distance counts as missed, and all of them "
        "as false; one pick may find several particles.",
    )
