"""Areas that boxes or disks cover together, on a raster."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from simkit.matching.published.base import Scene

CELLS = 32
"""Cells of the raster a box is wide: what a corner is rounded by is at most 1/64 of a box."""

BAND = 1 << 24
"""Cells that are painted at a time, so that small boxes in a large micrograph do not cost memory."""

Mask = npt.NDArray[np.bool_]


def shared_areas(scene: Scene, stamp: Mask) -> Iterator[tuple[int, int, int]]:
    """Yield, for every image with truths and picks, the cells covered by both, by truths and by picks.

    Parameters
    ----------
    scene : Scene
        In two dimensions.
    stamp : array of bool, shape (h, h)
        What every point covers, around it, in cells of `scene.box` / `CELLS`.
    """
    corners = [
        np.rint((points - scene.box / 2) * (CELLS / scene.box)).astype(np.int64)
        for points in (scene.truth_points, scene.pick_points)
    ]
    in_both = np.intersect1d(scene.truth_image, scene.pick_image)
    groups = [
        np.split(corner[order], np.cumsum(scene.per_image(image))[:-1])
        for corner, image in zip(corners, (scene.truth_image, scene.pick_image), strict=True)
        for order in [np.argsort(image, kind="stable")]
    ]
    for image in in_both.tolist():
        truth, picks = (group[image] for group in groups)
        places, shape = _closed_up(np.concatenate([truth, picks]), len(stamp))
        counts = np.zeros(3, np.int64)
        height = max(BAND // shape[1], len(stamp))
        for top in range(0, shape[0], height):
            band = range(top, min(top + height, shape[0]))
            of_truth, of_picks = (_painted(p, band, shape[1], stamp) for p in np.split(places, [len(truth)]))
            counts += [np.count_nonzero(m) for m in (of_truth & of_picks, of_truth, of_picks)]
        yield int(counts[0]), int(counts[1]), int(counts[2])


def _closed_up(corners: npt.NDArray[np.int64], width: int) -> tuple[npt.NDArray[np.int64], tuple[int, ...]]:
    """Leave out rows and columns that nothing covers, so that a stray point does not cost memory."""
    used = [np.unique(np.unique(axis)[:, None] + np.arange(width)) for axis in corners.T]
    places = [np.searchsorted(rows, axis) for rows, axis in zip(used, corners.T, strict=True)]
    return np.stack(places, axis=1), tuple(len(rows) for rows in used)


def _painted(places: npt.NDArray[np.int64], band: range, columns: int, stamp: Mask) -> Mask:
    """Paint the rows of a band, with room for stamps that reach into it or out of it."""
    h, w = stamp.shape
    mask = np.zeros((len(band) + 2 * h, columns), bool)
    inside = (places[:, 0] > band.start - h) & (places[:, 0] < band.stop)
    for y, x in (places[inside] - [band.start - h, 0]).tolist():
        mask[y : y + h, x : x + w] |= stamp
    return mask[h : h + len(band)]
