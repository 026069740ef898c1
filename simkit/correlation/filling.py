"""What stands where an image has no value: the level of its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simkit.core.grid import FloatArray

BLOCK = 32
"""Pixels along a block's edge, whose mean is the level there: more than most particles, less than slopes."""

WIDTH = 1.0
"""Standard deviation, in blocks, of the Gaussian that weighs the blocks around."""

LITTLE = 1e-9
"""Pixels known around a block that count as none: the plane alone stands there."""


def filled(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Fill in the local mean where values are not known.

    Parameters
    ----------
    values : array
        Finite; changed in place.
    known : array of bool
        Where they count.

    Returns
    -------
    array
        The same. A slope goes on across gaps, and into those that the image ends in, so that none of their
        borders looks like the edge of a thing.

    Notes
    -----
    Of the means over blocks the plane that fits them best is taken away. What is left, weighted by known
    pixels and a Gaussian [1]_, is interpolated between the blocks' centres, and the plane added: cheap in an
    image of any size, since only the gaps need a value on every pixel.

    References
    ----------
    .. [1] Knutsson & Westin, CVPR (1993) 515: normalised convolution.
    """
    gaps = np.nonzero(~known)
    if not len(gaps[0]) or len(gaps[0]) == known.size:
        return values
    edges = [np.round(np.linspace(0, n, max(round(n / BLOCK), 1) + 1)).astype(np.intp) for n in values.shape]
    sums, counts = np.where(known, values, 0), known
    for axis, edge in enumerate(edges):
        sums, counts = (
            np.add.reduceat(part, edge[:-1], axis=axis, dtype=np.float64) for part in (sums, counts)
        )
    centres = [(edge[:-1] + edge[1:] - 1) / 2 for edge in edges]
    plane = _plane(sums, counts, centres)
    sums = sums - counts * plane(np.meshgrid(*centres, indexing="ij"))
    sums, counts = (ndimage.gaussian_filter(part, WIDTH, mode="constant") for part in (sums, counts))
    places = [np.interp(gap, at, np.arange(len(at))) for gap, at in zip(gaps, centres, strict=True)]
    left = ndimage.map_coordinates(sums / (counts + LITTLE), places, order=1, mode="nearest")
    values[gaps] = left + plane(gaps)
    return values


def _plane(
    sums: FloatArray, counts: FloatArray, centres: Sequence[FloatArray]
) -> Callable[[Sequence[FloatArray]], FloatArray]:
    """Return the plane closest to the means of blocks, a function of places; level across blocks in line."""
    places = np.stack([axis.ravel() for axis in np.meshgrid(*centres, indexing="ij")])
    weight = counts.ravel() / counts.sum()
    middle, level = places @ weight, sums.sum() / counts.sum()
    off = (sums / np.maximum(counts, 1)).ravel() - level
    slopes, *_ = np.linalg.lstsq((places.T - middle) * np.sqrt(weight)[:, None], off * np.sqrt(weight))
    return lambda at: level + sum(a * (x - x0) for a, x, x0 in zip(slopes, at, middle, strict=True))
