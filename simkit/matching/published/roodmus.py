"""The two precisions and recalls of Roodmus (plot_picking)."""

from __future__ import annotations

import numpy as np

from simkit.core.grid import FloatArray
from simkit.matching.published.base import Indices, PublishedScore, Scene, mean

EXACT = float(np.finfo(float).eps)
"""Distance below which `_match_particles` takes a pair for none."""


def roodmus(scene: Scene) -> PublishedScore:
    """Count picks nearer (<) than the radius to any truth, and truths further (>) from all picks.

    Notes
    -----
    A row for every micrograph that has picks and truths, drawn as a box plot; here the counts are
    summed and the rates are means of the rows. The program stops with an error on a micrograph all of whose
    picks lie exactly at the radius; here that row is left out.
    """
    pairs = scene.pairs
    hit = np.unique(pairs.pick[pairs.distance < scene.radius])
    tp = scene.per_image(scene.pick_image[hit])
    fp = scene.per_image(np.delete(scene.pick_image, pairs.pick))
    fn = scene.per_image(np.delete(scene.truth_image, pairs.truth))
    seen = _visited(scene)
    tp, fp, fn = tp[seen], fp[seen], fn[seen]
    precision, recall, f1 = _rates(tp, tp + fp, tp + fn)
    return PublishedScore(
        name="roodmus",
        title="Roodmus, compute_precision (mean over micrographs)",
        tp=int(tp.sum()),
        fp=int(fp.sum()),
        fn=int(fn.sum()),
        precision=precision,
        recall=recall,
        f1=f1,
        defect="Duplicates count as particles found, a pick exactly at the radius is neither true nor "
        "false, and a micrograph without picks costs nothing.",
    )


def roodmus_1to1(scene: Scene) -> PublishedScore:
    """Give every pick the nearest truth within the radius (≤), not counting those it coincides with.

    Notes
    -----
    The option is called 1 to 1, but any number of picks may share a truth. Recall is picks with a truth per
    truth. The list of missed truths is taken from as many rows as there are picks, and the
    program does not use its length; so there is no fn here.
    """
    apart = scene.pairs.distance >= EXACT
    hit = np.unique(scene.pairs.pick[apart])
    tp = scene.per_image(scene.pick_image[hit])
    picks, truths = scene.per_image(scene.pick_image), scene.per_image(scene.truth_image)
    seen = _visited(scene) & (tp > 0)
    precision, recall, f1 = _rates(tp[seen], picks[seen], truths[seen])
    return PublishedScore(
        name="roodmus_1to1",
        title="Roodmus, _match_particles and compute_1to1_match_precision (mean over micrographs)",
        tp=int(tp[seen].sum()),
        fp=int((picks - tp)[seen].sum()),
        fn=None,
        precision=precision,
        recall=recall,
        f1=f1,
        defect="An exact hit is no match, duplicates are, so that recall exceeds 1, and a micrograph "
        "without any match costs nothing.",
    )


def _visited(scene: Scene) -> FloatArray:
    """Tell which images have both picks and truths."""
    return (scene.per_image(scene.pick_image) > 0) & (scene.per_image(scene.truth_image) > 0)


def _rates(tp: Indices, picks: Indices, truths: Indices) -> tuple[float | None, float | None, float | None]:
    """Return the means of precision, recall and F1 over micrographs."""
    with np.errstate(invalid="ignore"):
        precision, recall = tp / picks, tp / truths
        f1 = 2 * precision * recall / (precision + recall)
    return mean(precision), mean(recall), mean(f1)
