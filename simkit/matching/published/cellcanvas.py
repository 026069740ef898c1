"""The comparison of picks of cellcanvas (album catalog, compare-picks)."""

from __future__ import annotations

import numpy as np

from simkit.matching.published.base import PublishedScore, Scene, harmonic, ratio


def cellcanvas(scene: Scene) -> PublishedScore:
    """Count picks that have a truth within the radius (≤) as found; truths beyond their number are missed.

    Notes
    -----
    Counts are summed over runs; rates are 0 where there is nothing to divide by. β is an option, here 1.
    Version 0.0.25 and before counted the distinct nearest truths for recall; this is what came after.
    """
    tp = len(np.unique(scene.pairs.pick))
    precision, recall = ratio(tp, len(scene.picks)) or 0.0, ratio(tp, len(scene.truth)) or 0.0
    return PublishedScore(
        name="cellcanvas",
        title="cellcanvas (album catalog), copick/compare-picks, compute_metrics",
        tp=tp,
        fp=len(scene.picks) - tp,
        fn=len(scene.truth) - tp,
        precision=precision,
        recall=recall,
        f1=harmonic(precision, recall),
        defect="Every further pick on a particle counts as one more particle found, so that recall "
        "exceeds 1 and missed particles turn negative.",
    )
