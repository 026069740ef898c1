"""A unit cell from anybody's own picture."""

from __future__ import annotations

import functools
import os
from typing import Literal

import numpy as np

from simkit.core import fourier
from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.orientation import FLAT, View
from simkit.core.paths import DataFile
from simkit.core.quantity import Number, PositiveLength
from simkit.io.images import LoadedImage, read_image
from simkit.shape.base import turn_frequencies
from simkit.unit_cell.base import UnitCell

FAINTEST = 0.01
"""Share of the picture's span below which a pixel does not count as part of the motif."""


def picture_density(pixels: FloatArray, *, dark: bool = False) -> FloatArray:
    """Scale a picture to span 1 and stand on 0 at its border.

    Parameters
    ----------
    pixels : array
        Grey values.
    dark : bool
        The motif is darker than its surroundings: turn its sign.

    Returns
    -------
    array of the same shape: (pixels − median of the border) / (largest − smallest)

    Raises
    ------
    ValueError
        If all pixels are equal.
    """
    span = np.ptp(pixels)
    if span == 0:
        raise ValueError("all pixels are equal; there is nothing to see in it")
    inner = np.zeros(pixels.shape, bool)
    inner[(slice(1, -1),) * pixels.ndim] = True
    density = (pixels - np.median(pixels[~inner])) / span
    return -density if dark else density


def picture_spectrum(
    density: FloatArray, pixel_size: float, grid: Grid, *, angle: float = 0.0, mirror: bool = False
) -> ComplexArray:
    """Resample a picture onto a grid in Fourier space, turned by R(angle)·M.

    Parameters
    ----------
    density : array
        Values; the centre is the central pixel n // 2.
    pixel_size : float
        Of the picture, in Å.
    grid : Grid
        The periodic grid to draw on.
    angle, mirror : float (degrees), bool
        Mirrored x → −x first, then +x turned towards +y.

    Returns
    -------
    array in real-FFT layout, centred on index 0

    Notes
    -----
    The picture's own transform is evaluated at the turned frequencies of the grid, so what both
    can hold is kept exactly; nothing is interpolated between pixels.
    """
    turned = turn_frequencies(grid.frequencies(), angle=angle, mirror=mirror)
    samples = fourier.spectrum_at(density, pixel_size, turned)
    return fourier.zero_nyquist(samples * (pixel_size / grid.pixel_size) ** grid.ndim, grid.shape)


def picture_radius(density: FloatArray, pixel_size: float) -> float:
    """Return the distance in Å from the central pixel to the farthest one that is not background."""
    radius = np.sqrt(sum(x * x for x in Grid(density.shape, pixel_size).offsets()))
    return float(radius[np.abs(density) > FAINTEST].max()) + pixel_size


class Image(UnitCell):
    """A picture: its border is nothing, and the span of its grey values is `weight`."""

    dimensions = frozenset({1, 2})

    kind: Literal["image"] = "image"

    file: DataFile
    """MRC, TIFF, PNG, JPEG, HDF5 or NPY (one-dimensional NPY for a 1-D image)."""

    pixel_size: PositiveLength | None = None
    """Edge of the picture's own pixel; from the file's header by default."""

    weight: Number = 1.0
    """Density between the picture's darkest and brightest pixel."""

    dark: bool = False
    """Whether the motif is darker than its surroundings; it is then made bright."""

    def dimension_error(self, ndim: int) -> str | None:
        """See `UnitCell.dimension_error`: the picture says how many dimensions it has."""
        picture = self._picture.pixels.ndim
        return None if picture == ndim else f"the picture is {picture}-D and the image {ndim}-D"

    def spectrum(
        self,
        grid: Grid,
        *,
        angle: float = 0.0,
        mirror: bool = False,
        view: View = FLAT,
        interaction: float | None = None,
    ) -> ComplexArray:
        """See `UnitCell.spectrum`; under the phase model the picture is in radians."""
        if message := self.dimension_error(grid.ndim):
            raise ScenarioError(message, ("file",))
        drawn = picture_spectrum(self._density, self._pixel_size, grid, angle=angle, mirror=mirror)
        return self.weight * drawn

    @property
    def support(self) -> float:
        """Reach of the motif, up to where 1 % of the span is left."""
        return picture_radius(self._density, self._pixel_size)

    @property
    def _picture(self) -> LoadedImage:
        written = os.stat(self.file).st_mtime_ns if os.path.exists(self.file) else 0
        return _read(self.file, written)

    @property
    def _pixel_size(self) -> float:
        size = self.pixel_size or self._picture.pixel_size
        if size is None:
            raise ScenarioError(
                f"{self.file} does not say how large its pixels are; write for example `pixel_size: 4.4 Å`",
                ("pixel_size",),
            )
        return size

    @property
    def _density(self) -> FloatArray:
        try:
            return picture_density(self._picture.pixels, dark=self.dark)
        except ValueError as error:
            raise DataError(str(error), self.file) from error


@functools.lru_cache(maxsize=16)
def _read(file: str, written: int) -> LoadedImage:
    """Read a picture once for as long as the file stays the same."""
    return read_image(file)
