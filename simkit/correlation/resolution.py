"""Image and templates without their finest detail, on pixels no finer than what is left.

Every axis is low-passed by the sinc of the larger pixels, so that what was white noise is white again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.correlation.bank import TemplateBank, standardised


def coarser_grid(grid: Grid, resolution: float) -> Grid:
    """Return pixels of half a resolution, the first where it was, all of them on those of a finer grid.

    Parameters
    ----------
    grid : Grid
        Its pixels are no larger than half the resolution.
    resolution : float
        Å.
    """
    pixel = resolution / 2
    return Grid(tuple(int((length - grid.pixel_size / 2) / pixel + 0.5) for length in grid.extent), pixel)


def up_to_resolution(values: FloatArray, grid: Grid, coarser: Grid) -> FloatArray:
    """Leave out of an image what is finer than a coarser grid can hold.

    Parameters
    ----------
    values : array, shape of the grid
        Zero-mean image; beyond its border it counts as zero.
    grid, coarser : Grid
        Where the image is sampled, and where it is to be.

    Returns
    -------
    array, shape of the coarser grid, float64
    """
    ratio = coarser.pixel_size / grid.pixel_size
    for axis, n in enumerate(coarser.shape):
        values = _sampled(values, axis, ratio * np.arange(n), ratio)
    return values


def at_nearest(flags: FloatArray, grid: Grid, coarser: Grid) -> FloatArray:
    """Return for every coarser pixel the flag of the nearest one of a grid."""
    ratio = coarser.pixel_size / grid.pixel_size
    nearest = [
        np.rint(ratio * np.arange(n)).astype(int).clip(max=last - 1)
        for n, last in zip(coarser.shape, grid.shape, strict=True)
    ]
    return flags[np.ix_(*nearest)]


def bank_up_to_resolution(bank: TemplateBank, resolution: float) -> TemplateBank:
    """Leave out of templates what is finer than a resolution in Å, as `up_to_resolution` does of an image.

    What stands at the border of the box is taken for what would stand beyond it.
    """
    ratio = resolution / 2 / bank.pixel_size
    views = bank.images - _ground(bank.images)
    for axis, n in enumerate(bank.grid.shape, start=1):
        half = int((n // 2) / ratio)
        views = _sampled(views, axis, n // 2 + ratio * np.arange(-half, half + 1), ratio)
    return replace(bank, images=standardised(views), pixel_size=resolution / 2)


def _ground(views: FloatArray) -> FloatArray:
    border = np.ones(views.shape[1:], bool)
    border[(slice(1, -1),) * border.ndim] = False
    return views[:, border].mean(axis=1).reshape(-1, *[1] * border.ndim)


def _sampled(values: FloatArray, axis: int, at: FloatArray, ratio: float) -> FloatArray:
    """Return an axis at some indices, low-passed by the sinc of pixels `ratio` times larger."""
    weights = np.sinc((at[:, None] - np.arange(values.shape[axis])) / ratio) / ratio
    return np.moveaxis(np.tensordot(weights, values, (1, axis)), 0, axis)
