"""The contract of a published rule: positions in, the numbers out that its program would have printed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.matching.pairs import Pairs, near, numbered, positions

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class PublishedScore:
    """What a published rule says.

    Attributes
    ----------
    name : str
        The preset's name: "czii".
    title : str
        Program and function, for a reader.
    tp, fp, fn : float or None
        As that program counts them, which may be negative; None where it does not count.
    precision, recall, f1 : float or None
        As that program computes them, which may exceed 1; None where it gives none.
    defect : str
        What is wrong with the rule, in a sentence; "" where nothing is.
    """

    name: str
    title: str
    tp: float | None
    fp: float | None
    fn: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    defect: str


@dataclass(frozen=True)
class Scene:
    """Truths and picks as published rules see them: points in numbered images, blind to class.

    Attributes
    ----------
    truth, picks : Truth, Picks
        As given.
    truth_points, pick_points : array, shape (n, ndim) and (m, ndim)
        Å.
    truth_image, pick_image : array of int, shape (n,) and (m,)
        The micrograph of every row, from 0.
    images : int
        How many micrographs have a truth or a pick.
    pairs : Pairs
        Every truth and pick of one image at most `radius` apart.
    radius : float
        Å.
    box : float
        Side of a box, diameter of a disk, in Å.
    ndim : int
        1 or 2.
    """

    truth: Truth
    picks: Picks
    truth_points: FloatArray
    pick_points: FloatArray
    truth_image: Indices
    pick_image: Indices
    images: int
    pairs: Pairs
    radius: float
    box: float
    ndim: int

    @classmethod
    def of(cls, truth: Truth, picks: Picks, *, radius: float, box: float, ndim: int) -> Scene:
        """Take two tables apart."""
        truth_image, pick_image = numbered(truth["micrograph"], picks["micrograph"])
        images = int(max((i.max() + 1 for i in (truth_image, pick_image) if len(i)), default=0))
        pairs = near(truth, picks, radius=radius, ndim=ndim)
        # Programs compare with the radius as it is, without the allowance for rounding that `near` makes.
        pairs = pairs.take(pairs.distance <= radius)
        points = positions(truth, ndim), positions(picks, ndim)
        return cls(truth, picks, *points, truth_image, pick_image, images, pairs, radius, box, ndim)

    @property
    def picks_beside_truth(self) -> int:
        """How many picks lie in images that have a truth."""
        return int(np.isin(self.pick_image, self.truth_image).sum())

    def per_image(self, image: Indices) -> Indices:
        """Count rows by image."""
        return np.bincount(image, minlength=self.images)


def ratio(part: float, whole: float) -> float | None:
    """Divide, where that is possible."""
    return float(part / whole) if whole else None


def harmonic(precision: float | None, recall: float | None) -> float | None:
    """Return 2PR / (P + R), 0 where both are 0, None where one does not exist."""
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mean(values: FloatArray) -> float | None:
    """Return the mean of what is a number, None of nothing."""
    numbers = values[np.isfinite(values)]
    return float(numbers.mean()) if len(numbers) else None
