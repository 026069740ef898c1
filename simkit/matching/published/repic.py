"""The scores of REPIC (score_detections.py): areas of boxes."""

from __future__ import annotations

import numpy as np

from simkit.matching.published._areas import CELLS, shared_areas
from simkit.matching.published.base import PublishedScore, Scene, mean


def repic(scene: Scene) -> PublishedScore:
    """Compare the area covered by boxes around truths with that covered by boxes around picks.

    Notes
    -----
    A row for every micrograph that has a file of truths and one of picks; here their means. Pixels are
    those of a raster `CELLS` cells a box wide, since tables do not say how large a pixel is; corners
    are rounded half to even as there. A box that begins left of or above the first pixel vanishes there, as
    a slice with a negative start does; here it does not.
    """
    rows = list(shared_areas(scene, np.ones((CELLS, CELLS), bool))) if scene.ndim == 2 else []
    both, truth, picks = np.array(rows, float).reshape(-1, 3).T
    precision, recall = both / picks, both / truth
    with np.errstate(invalid="ignore"):
        f1 = np.where(both > 0, 2 * precision * recall / (precision + recall), 0.0)
    return PublishedScore(
        name="repic",
        title="REPIC, get_segmentation_scores (mean over micrographs)",
        tp=None,
        fp=None,
        fn=None,
        precision=mean(precision),
        recall=mean(recall),
        f1=mean(f1),
        defect="Areas of overlapping boxes are counted once, which hides duplicates and misses; a box "
        "half beside its particle is half right; a micrograph without picks is left out.",
    )
