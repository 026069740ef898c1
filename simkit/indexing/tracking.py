"""Where each site really is: the peak of the correlation with the averaged column next to its place.

A crystal is one motif on a net; correlating the image with the averaged surroundings of its
strongest column therefore peaks at every site, and how high tells how much of a column is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.correlation.subpixel import quadratic_peak
from simkit.indexing.motif import Motif

WINDOW = 0.6
"""Radius of the compared surroundings, in distances to the next column; it fades out towards its edge."""

SMALLEST = 2.5
"""Least radius in pixels."""

SEARCH = 0.5
"""How far from its place a site is looked for, in distances to the next column."""

FINE = 0.25
"""Pixels between the samples through which the last quadratic goes."""

ORDER = 5
"""Of the splines that interpolate the correlation."""


@dataclass(frozen=True)
class Correlation:
    """The correlation of an image with the averaged column.

    Attributes
    ----------
    values : array, shape (ny, nx)
        1 where the column is as strong as in the averaged cell, 0 where nothing of it is there.
    coefficients : array, shape (ny, nx)
        Spline coefficients of the values.
    radius : float
        Pixels from a site that are compared.
    search : float
        Pixels from its place within which a site is looked for.
    """

    values: FloatArray
    coefficients: FloatArray
    radius: float
    search: float

    def at(self, places: FloatArray) -> FloatArray:
        """Return the correlation at places (…, 2) in pixels."""
        return ndimage.map_coordinates(
            self.coefficients, np.moveaxis(places, -1, 0), order=ORDER, mode="nearest", prefilter=False
        )


def correlate_column(image: FloatArray, motif: Motif) -> Correlation:
    """Correlate an image with the surroundings of the averaged cell's strongest column."""
    radius = max(WINDOW * motif.spacing, SMALLEST)
    reach = min(int(np.ceil(radius)), (min(image.shape) - 1) // 2)
    step = np.arange(-reach, reach + 1)
    offsets = np.stack(np.meshgrid(step, step, indexing="ij"), axis=-1)
    distance = np.linalg.norm(offsets, axis=-1)
    window = np.where(distance < radius, np.cos(np.pi / 2 * distance / radius) ** 2, 0.0)
    column = motif.at(offsets.reshape(-1, 2) + motif.column).reshape(distance.shape)
    column = column - (window * column).sum() / window.sum()
    probe = np.zeros(image.shape)
    corner = [n // 2 - reach for n in image.shape]
    probe[corner[0] : corner[0] + len(step), corner[1] : corner[1] + len(step)] = window * column
    values = fourier.correlate(image - image.mean(), probe) / (window * column**2).sum()
    coefficients = ndimage.spline_filter(values, ORDER)
    return Correlation(values, coefficients, radius, max(SEARCH * motif.spacing, 1.0))


def climb(
    correlation: Correlation, places: FloatArray
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Go from each place to the correlation's nearest peak.

    Parameters
    ----------
    correlation : Correlation
        What to climb.
    places : array, shape (n, 2)
        Pixels, within the image.

    Returns
    -------
    peaks : array, shape (n, 2)
        Where the peaks are; the place itself where none is near.
    heights : array, shape (n,)
        The correlation there.
    found : array of bool, shape (n,)
        Whether there is a peak within the search radius.
    """
    values = correlation.values
    last = np.array(values.shape) - 2
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1)
    pixel = np.clip(np.round(places).astype(int), 1, last)
    for _ in range(int(np.ceil(correlation.search)) + 1):
        around = values[tuple(np.moveaxis(pixel[:, None, None] + steps, -1, 0))].reshape(len(pixel), 9)
        # A plateau's first pixel keeps the climb from walking to and fro.
        move = steps.reshape(9, 2)[np.where(around.max(axis=1) > around[:, 4], around.argmax(axis=1), 4)]
        pixel = np.clip(pixel + move, 1, last)
    peaks = pixel.astype(float)
    for spacing in (1.0, FINE, FINE):
        samples = correlation.at(peaks[:, None, None] + spacing * steps)
        offset, _ = quadratic_peak(samples)
        peaks = np.clip(peaks + spacing * offset, 1, last)
    around = values[tuple(np.moveaxis(pixel[:, None, None] + steps, -1, 0))].reshape(len(pixel), 9)
    found = (around[:, 4] >= around.max(axis=1)) & (
        np.linalg.norm(peaks - places, axis=1) <= correlation.search
    )
    peaks = np.where(found[:, None], peaks, places)
    return peaks, correlation.at(peaks), found
