"""Which picks lie within reach of which truths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth

ROUNDING = 1e-9
"""Share of the radius by which a pair may exceed it: a distance declared equal to the radius must
not be lost to the last bit of a subtraction."""


@dataclass(frozen=True)
class Pairs:
    """Every truth and pick that are near enough to be matched, in no particular order.

    Attributes
    ----------
    truth, pick : array of int, shape (n,)
        Row numbers.
    distance : array, shape (n,)
        Å.
    """

    truth: npt.NDArray[np.intp]
    pick: npt.NDArray[np.intp]
    distance: FloatArray


def near_points(truth_points: FloatArray, pick_points: FloatArray, radius: float) -> Pairs:
    """Return every pair at most `radius` apart, those at distance 0 and exactly `radius` included.

    Parameters
    ----------
    truth_points, pick_points : array, shape (n, d) and (m, d)
        Å.
    radius : float
        Å, more than 0.
    """
    found = cKDTree(truth_points).sparse_distance_matrix(
        cKDTree(pick_points), radius * (1 + ROUNDING), output_type="ndarray"
    )
    return Pairs(found["i"].astype(np.intp), found["j"].astype(np.intp), found["v"].astype(float))


def near(truth: Truth, picks: Picks, *, radius: float, ndim: int = 2) -> Pairs:
    """Return every truth and pick of the same micrograph at most `radius` Å apart, whatever their class."""
    names = np.concatenate([truth["micrograph"], picks["micrograph"]])
    # Micrographs are stacked like sheets, further apart than the radius: one search does them all.
    sheet = 2 * radius * np.unique(names, return_inverse=True)[1]
    axes = ("y", "x")[-ndim:]
    truth_points, pick_points = (
        np.stack([*(table[axis] for axis in axes), height], axis=1)
        for table, height in ((truth, sheet[: len(truth)]), (picks, sheet[len(truth) :]))
    )
    return near_points(truth_points, pick_points, radius)
