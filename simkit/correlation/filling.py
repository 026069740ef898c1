"""What stands where an image has no value: the level of its surroundings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simkit.core.grid import FloatArray

BLOCK = 32
"""Pixels along a block's edge, whose mean is the level there: more than most particles, less than slopes."""

WIDTH = 1.0
"""Standard deviation, in blocks, of the Gaussian that weighs the blocks around."""

EVERYWHERE = 1e-12
"""Weight of the image's mean, which stands where no block nearby has a value."""


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
        The same. A slope goes on across a gap, so that none of its borders looks like the edge of a thing;
        into what is cut off at the image's border the level goes on as it is.

    Notes
    -----
    The mean over blocks, weighted by their known pixels and a Gaussian, is interpolated between their centres
    [1]_: cheap in an image of any size, since only the gaps need a value on every pixel.

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
    total, number = EVERYWHERE * sums.sum(), EVERYWHERE * counts.sum()
    sums, counts = (ndimage.gaussian_filter(part, WIDTH, mode="constant") for part in (sums, counts))
    levels = (sums + total) / (counts + number)
    places = [
        np.interp(gap, (edge[:-1] + edge[1:] - 1) / 2, np.arange(len(edge) - 1))
        for gap, edge in zip(gaps, edges, strict=True)
    ]
    values[gaps] = ndimage.map_coordinates(levels, places, order=1, mode="nearest")
    return values
