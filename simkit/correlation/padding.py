"""The frame of a search: the image set into a larger periodic array, so that nothing wraps around."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.dead import dead_pixels
from simkit.correlation.filling import filled

UNIT = 24
"""Padded lengths are multiples of this: the frame can be sampled 24/m times coarser for any whole m."""

MARGIN = 16
"""Pixels around the image, besides half a template, into which a search looks to tell peaks from slopes."""


@dataclass(frozen=True)
class Frame:
    """The image inside a padded periodic array of fast length.

    Attributes
    ----------
    image : Grid
        The image.
    before : int
        Padding pixels before the image on every axis.
    shape : tuple of int
        Of the padded array.
    """

    image: Grid
    before: int
    shape: tuple[int, ...]

    @classmethod
    def around(cls, image: Grid, box: int) -> Frame:
        """Return the frame in which templates of up to `box` pixels reach every place unwrapped."""
        before = box // 2 + MARGIN
        units = [math.ceil((n + 2 * before) / UNIT) for n in image.shape]
        return cls(image, before, tuple(UNIT * fourier.fast_length(n) for n in units))

    @property
    def grid(self) -> Grid:
        """The padded grid, its origin so that positions are those of the image."""
        return self.image.padded(self.before, self.shape)

    def pad(self, pixels: FloatArray) -> FloatArray:
        """Set pixels of mean zero into the frame: what lies outside counts as the mean."""
        padded = np.zeros(self.shape, pixels.dtype)
        padded[tuple(slice(self.before, self.before + n) for n in pixels.shape)] = pixels
        return padded

    def cut(self, padded: FloatArray) -> FloatArray:
        """Return the part of a padded array that is the image."""
        return padded[tuple(slice(self.before, self.before + n) for n in self.image.shape)]


def window(values: FloatArray, origin: Sequence[int], size: Sequence[int]) -> FloatArray:
    """Return the part of a periodic array that begins at `origin`; a view where it does not wrap."""
    if all(o >= 0 and o + s <= n for o, s, n in zip(origin, size, values.shape, strict=True)):
        return values[tuple(slice(o, o + s) for o, s in zip(origin, size, strict=True))]
    axes = [np.arange(o, o + s) % n for o, s, n in zip(origin, size, values.shape, strict=True)]
    return values[np.ix_(*axes)]


def boxes_around(
    values: FloatArray, places: Sequence[Sequence[int]], box: Sequence[int], radius: int = 1
) -> FloatArray:
    """Return what a box covers whose centre n // 2 is on places and on the pixels around them.

    Parameters
    ----------
    values : array
        Periodic.
    places : sequence of n sequences of int
        Pixels.
    box : sequence of int
        Shape of the box.
    radius : int
        Pixels around; side = 2 radius + 1.

    Returns
    -------
    array, shape (n, side, …, side, *box)
    """
    corners = np.array(places) - np.array(box) // 2 - radius
    reach = [n + 2 * radius for n in box]
    patches = np.stack([window(values, corner, reach) for corner in corners])
    return np.lib.stride_tricks.sliding_window_view(patches, box, axis=tuple(range(1, patches.ndim)))


def clean(pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Make an image zero-mean, with the local mean in place of NaN, infinities and dead pixels.

    Returns
    -------
    values : array, float32 if the image is, else float64
        Pixels whose mean, where they have a value, is zero. It goes first and in double precision, so that a
        large one costs no precision later.
    usable : array of bool
        Where the image has a value that is not `dead`.
    """
    usable = np.isfinite(pixels)
    usable &= ~dead_pixels(pixels, usable)
    count = int(np.count_nonzero(usable))
    # A mask that hides nothing doubles the cost of what it is given to.
    where = True if count == usable.size else usable
    values = np.zeros(pixels.shape, np.float32 if pixels.dtype == np.float32 else np.float64)
    np.copyto(values, pixels, where=where)
    # A second pass takes away what rounding left of a mean much larger than the contrast.
    for _ in range(2):
        mean = values.sum(dtype=np.float64) / max(count, 1)
        np.subtract(values, mean, out=values, where=where, dtype=np.float64, casting="same_kind")
    return values if where is True else filled(values, usable), usable
