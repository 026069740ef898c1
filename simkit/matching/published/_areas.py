"""Areas that boxes or disks cover together, on a raster."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.matching.published.base import Scene

CELLS = 32
"""Cells of the raster a box is wide: what a corner is rounded by is at most 1/64 of a box."""

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
        covered = [_painted(p, shape, stamp) for p in np.split(places, [len(truth)])]
        yield (
            int(np.count_nonzero(covered[0] & covered[1])),
            int(np.count_nonzero(covered[0])),
            int(np.count_nonzero(covered[1])),
        )


def _closed_up(corners: npt.NDArray[np.int64], width: int) -> tuple[FloatArray, tuple[int, ...]]:
    """Leave out rows and columns that nothing covers, so that a stray point does not cost memory."""
    used = [np.unique(np.unique(axis)[:, None] + np.arange(width)) for axis in corners.T]
    places = [np.searchsorted(rows, axis) for rows, axis in zip(used, corners.T, strict=True)]
    return np.stack(places, axis=1), tuple(len(rows) for rows in used)


def _painted(places: npt.NDArray[np.int64], shape: tuple[int, ...], stamp: Mask) -> Mask:
    mask = np.zeros(shape, bool)
    h, w = stamp.shape
    for y, x in places.tolist():
        mask[y : y + h, x : x + w] |= stamp
    return mask
