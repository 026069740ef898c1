"""The scores of CryoSegNet (utils/precision_recall.py): areas of disks, the best micrograph."""

from __future__ import annotations

import numpy as np

from simkit.matching.published._areas import CELLS, shared_areas
from simkit.matching.published.base import PublishedScore, Scene, harmonic

SMOOTH = 0.001
"""Pixels that are added to every count."""


def cryosegnet(scene: Scene) -> PublishedScore:
    """Compare masks of disks pixel by pixel, and print the largest precision and the largest recall.

    Notes
    -----
    Precision and recall are (TP + 0.001) / (TP + FP + 0.001) and (TP + 0.001) / (TP + FN + 0.001) in
    pixels; F1 is that of the two maxima; all are rounded to three decimals. Disks have `box` as diameter,
    on a raster of `CELLS` cells a box. A micrograph without a mask of picks repeats the values of the one
    before (`except: pass`), which no maximum notices.
    """
    axis = np.arange(CELLS + 1) - CELLS // 2
    disk = axis[:, None] ** 2 + axis[None, :] ** 2 <= (CELLS // 2) ** 2
    rows = list(shared_areas(scene, disk)) if scene.ndim == 2 else []
    both, truth, picks = np.array(rows, float).reshape(-1, 3).T + SMOOTH
    precision, recall = (
        round(float((both / whole).max()), 3) if len(rows) else None for whole in (picks, truth)
    )
    f1 = harmonic(precision, recall)
    return PublishedScore(
        name="cryosegnet",
        title="CryoSegNet, utils/precision_recall.py (maximum over micrographs)",
        tp=None,
        fp=None,
        fn=None,
        precision=precision,
        recall=recall,
        f1=None if f1 is None else round(f1, 3),
        defect="Precision and recall are those of the best micrograph, each of its own one; areas "
        "hide duplicates.",
    )
