"""The averaged cell: the Fourier series of the crystal's reflections, and its columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray
from simkit.core.net import reciprocal
from simkit.correlation.subpixel import quadratic_peak
from simkit.indexing.spectrum import hann

FINEST = 0.5
"""Pixels between the samples of the averaged cell."""

MOST_SAMPLES = 512
"""Samples along one vector of the averaged cell, at most."""

PROMINENT = 0.25
"""Share of the strongest column's height above which another maximum is a column too."""

DARKER = 1.25
"""Columns are dark where the cell's minimum is this much farther from its median than its maximum."""

BATCH = 2**21
"""Complex terms of the series that are summed at once."""


@dataclass(frozen=True)
class Motif:
    """The averaged cell as a Fourier series about the image's central pixel n // 2.

    Attributes
    ----------
    frequencies : array, shape (n, 2)
        Of the reflections (y, x), cycles per pixel; one of each Friedel pair.
    amplitudes : complex array, shape (n,)
        Their amplitudes; the mean is left out.
    polarity : int
        +1 where columns are bright, −1 where they are dark.
    column : array, shape (2,)
        Place (y, x) of the strongest column of the central cell, pixels from the central pixel.
    spacing : float
        Pixels from the strongest column to the next column of any kind.
    """

    frequencies: FloatArray
    amplitudes: ComplexArray
    polarity: int
    column: FloatArray
    spacing: float

    def at(self, offsets: FloatArray) -> FloatArray:
        """Return the averaged cell at any places (n, 2), in pixels from the central pixel."""
        return _series(self.frequencies, self.amplitudes, offsets)


def _series(frequencies: FloatArray, amplitudes: ComplexArray, offsets: FloatArray) -> FloatArray:
    values = np.zeros(len(offsets))
    rows = max(1, BATCH // max(len(offsets), 1))
    for i in range(0, len(frequencies), rows):
        turns = offsets @ frequencies[i : i + rows].T
        values += 2 * (np.exp(2j * np.pi * turns) @ amplitudes[i : i + rows]).real
    return values


def reflections(star: FloatArray, reach: float) -> FloatArray:
    """List the indices (h, k) of all reflections within `reach` cycles per pixel, one of each pair.

    Parameters
    ----------
    star : array, shape (2, 2)
        a*, b* in cycles per pixel.
    reach : float
        Those beyond half a cycle per pixel on an axis are left out as well.
    """
    basis = reciprocal(star)
    most = np.ceil(reach * np.linalg.norm(basis, axis=1)).astype(int)
    h, k = (np.arange(-m, m + 1) for m in most)
    indices = np.stack(np.meshgrid(h, k, indexing="ij"), axis=-1).reshape(-1, 2)
    indices = indices[(indices[:, 0] > 0) | ((indices[:, 0] == 0) & (indices[:, 1] > 0))]
    places = indices @ star
    return indices[(np.linalg.norm(places, axis=1) <= reach) & (np.abs(places) < 0.5).all(axis=1)]


def averaged_cell(image: FloatArray, star: FloatArray, reach: float) -> Motif:
    """Average all cells of an image.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Pixels.
    star : array, shape (2, 2)
        a*, b* in cycles per pixel, one a row.
    reach : float
        Highest frequency that holds signal, cycles per pixel.

    Notes
    -----
    F(hk) = Σ f w e^(−2πi g·x) / Σ w with g = h a* + k b* and a Hann window w, which keeps
    reflections from leaking into one another where the image holds no whole number of cells.
    """
    window = hann(image.shape)
    mean = (image * window).sum() / window.sum()
    frequencies = reflections(star, reach) @ star
    spectrum = fourier.spectrum_at((image - mean) * window, 1.0, tuple(frequencies.T))
    amplitudes = spectrum / window.sum()
    basis = reciprocal(star)
    counts = np.clip(np.ceil(np.linalg.norm(basis, axis=1) / FINEST), 8, MOST_SAMPLES).astype(int)
    parts = [np.arange(n) / n for n in counts]
    fractions = np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1).reshape(-1, 2)
    cell = _series(frequencies, amplitudes, fractions @ basis).reshape(counts)
    middle = np.median(cell)
    polarity = -1 if middle - cell.min() > DARKER * (cell.max() - middle) else 1
    column, spacing = _columns(polarity * (cell - middle), basis)
    top = _top(Motif(frequencies, amplitudes, polarity, column, spacing))
    return Motif(frequencies, amplitudes, polarity, top, spacing)


def _top(motif: Motif) -> FloatArray:
    """Return the exact place of the extremum next to a motif's column."""
    place = motif.column
    for step in (FINEST, FINEST / 4, FINEST / 4):
        steps = step * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1)
        around = motif.polarity * motif.at(place + steps.reshape(-1, 2)).reshape(1, 3, 3)
        place = place + step * quadratic_peak(around)[0][0]
    return place


def _columns(cell: FloatArray, basis: FloatArray) -> tuple[FloatArray, float]:
    """Return the strongest column nearest to the centre, and the distance to the next column."""
    tops = (cell == ndimage.maximum_filter(cell, 3, mode="wrap")) & (cell > PROMINENT * cell.max())
    fractions = np.argwhere(tops) / cell.shape
    strongest = np.array(np.unravel_index(cell.argmax(), cell.shape)) / cell.shape
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 2)
    others = ((fractions - strongest)[:, None] + steps).reshape(-1, 2) @ basis
    distance = np.linalg.norm(others, axis=1)
    # Two samples of one flat top are not two columns.
    spacing = float(distance[distance > 0.2 * np.linalg.norm(basis, axis=1).min()].min())
    column = (strongest + steps) @ basis
    return column[np.linalg.norm(column, axis=1).argmin()], spacing
