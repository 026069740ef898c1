"""Published rules that are one to one, as simkit's own are: COCO, DECODE, Spotiflow."""

from __future__ import annotations

import numpy as np

from simkit.matching import closest_greedy, score_greedy
from simkit.matching.optimal import best_of
from simkit.matching.published.base import PublishedScore, Scene, ratio

EPSILON = 1e-8
"""True positives that Spotiflow adds, so that nothing found in an empty image is perfect."""


def coco(scene: Scene) -> PublishedScore:
    """Let picks choose in falling score, as COCO does with boxes, at one distance for overlap.

    Notes
    -----
    Counts are pooled over images. COCO averages precision over recall and overlap and prints no F1; here the
    end of its curve is given, without its limit of 100 detections an image.
    """
    taken = score_greedy.truths_taken(scene.truth, scene.picks, radius=scene.radius, ndim=scene.ndim)
    tp = int((taken >= 0).sum())
    return PublishedScore(
        name="coco",
        title="COCO (pycocotools), COCOeval.evaluateImg",
        tp=tp,
        fp=len(scene.picks) - tp,
        fn=len(scene.truth) - tp,
        precision=ratio(tp, len(scene.picks)),
        recall=ratio(tp, len(scene.truth)),
        f1=None,
        defect="",
    )


def decode(scene: Scene) -> PublishedScore:
    """Take the closest pair first (≤), pooled over frames; NaN, here None, where a rate does not exist."""
    found = closest_greedy.match(scene.truth, scene.picks, radius=scene.radius, ndim=scene.ndim)
    tp = len(found.truth)
    return PublishedScore(
        name="decode",
        title="DECODE, GreedyHungarianMatching",
        tp=tp,
        fp=len(scene.picks) - tp,
        fn=len(scene.truth) - tp,
        precision=ratio(tp, len(scene.picks)),
        recall=ratio(tp, len(scene.truth)),
        f1=ratio(2 * tp, len(scene.truth) + len(scene.picks)),
        defect="",
    )


def spotiflow(scene: Scene) -> PublishedScore:
    """Match optimally (≤), image by image, and average what comes out over images.

    Notes
    -----
    The default of `points_matching_dataset`, ``by_image=True``: counts are averaged too. Images are those
    with a truth or a pick. Pairs out of reach cost 1e10 there, so that most pairs come first, as here.
    """
    if scene.images == 0:
        tp, fp, fn = (np.empty(0) for _ in range(3))
    else:
        found = best_of(scene.pairs, scene.radius)
        tp = scene.per_image(scene.truth_image[found.truth]).astype(float)
        fp = scene.per_image(scene.pick_image) - tp
        fn = scene.per_image(scene.truth_image) - tp
    more = tp + EPSILON
    means = (v.mean() if len(v) else None for v in (tp, fp, fn, more / (more + fp), more / (more + fn)))
    tp_mean, fp_mean, fn_mean, precision, recall = (None if v is None else float(v) for v in means)
    f1 = 2 * more / (2 * more + fp + fn)
    return PublishedScore(
        name="spotiflow",
        title="Spotiflow, points_matching_dataset (mean over images)",
        tp=tp_mean,
        fp=fp_mean,
        fn=fn_mean,
        precision=precision,
        recall=recall,
        f1=float(f1.mean()) if len(f1) else None,
        defect="An image with one particle weighs as much as one with a hundred, and where nothing is picked "
        "precision is 1.",
    )
