"""A template cut from a micrograph: one example of what to find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.paths import DataFile
from simkit.core.quantity import Index, PositiveLength
from simkit.core.vector import Vector
from simkit.template._picture import picture_views, read_picture
from simkit.template._views import odd_within, refuse_larger
from simkit.template.base import Surroundings, Template, Views

ON_A_PIXEL = 1e-6
"""Distance in pixels within which a position is that of a pixel, and no shift is needed."""


def cut_out(
    pixels: FloatArray, pixel_size: float, *, centre: Sequence[float], size: Sequence[float]
) -> FloatArray:
    """Cut a piece out of an image, around any position.

    Parameters
    ----------
    pixels : array, shape (ny, nx) or (nx,)
        The image.
    pixel_size : float
        Å.
    centre : sequence of float
        Position in Å that becomes the piece's central pixel; between pixels the image is shifted in
        Fourier space.
    size : sequence of float
        Å along every axis; the piece is the largest odd number of pixels within it.

    Raises
    ------
    ScenarioError
        If the piece does not lie within the image.
    """
    grid = Grid(pixels.shape, pixel_size)
    refuse_larger(size, grid)
    index = np.array([float(i) for i in grid.indices(*centre)])
    nearest = np.round(index).astype(int)
    half = np.array([odd_within(length, pixel_size) // 2 for length in size])
    for axis, n, i, h in zip(grid.axes, grid.shape, nearest, half, strict=True):
        if i - h < 0 or i + h >= n:
            low, high, end = ((i - h) * pixel_size, (i + h) * pixel_size, (n - 1) * pixel_size)
            raise ScenarioError(
                f"the crop would reach from {low:.6g} Å to {high:.6g} Å along {axis}; "
                f"the micrograph reaches from 0 Å to {end:.6g} Å",
                ("centre",),
            )
    if np.abs(index - nearest).max() > ON_A_PIXEL:
        pixels = fourier.shift(pixels, list(nearest - index))
    return pixels[tuple(slice(i - h, i + h + 1) for i, h in zip(nearest, half, strict=True))]


class CropTemplate(Template):
    """One example of the particle, cut from one of the scenario's own micrographs or from a file."""

    kind: Literal["crop"] = "crop"

    micrograph: Index | None = None
    """Number of the scenario's own micrograph to cut from; the first, 0, by default."""

    file: DataFile | None = None
    """Micrograph to cut from instead: MRC, TIFF, PNG, JPEG, HDF5 or NPY."""

    pixel_size: PositiveLength | None = None
    """Edge of the file's pixels; from its header by default."""

    centre: Vector
    """Where the particle is, from the centre of the micrograph's first pixel."""

    size: Vector | None = None
    """Height and width of the crop; or give its radius."""

    radius: PositiveLength | None = None
    """Radius of the particle; half the shorter side by default. Turned views keep nothing beyond it."""

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> Self:
        if self.size is None and self.radius is None:
            raise PydanticCustomError(
                "crop", "how much to cut is missing; give `size: [height, width]` or `radius`"
            )
        if self.file is not None and self.micrograph is not None:
            raise PydanticCustomError("crop", "give one of `micrograph` and `file`, not both")
        if self.file is None and self.pixel_size is not None:
            raise PydanticCustomError(
                "crop", "the pixel size of the scenario's own micrographs is known; leave it out"
            )
        return self

    def images(self, angles: FloatArray, views: Views, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.images`."""
        pixels, pixel_size = self._source(around)
        size = self._size(pixels.ndim)
        radius = self.radius or min(size) / 2
        piece = cut_out(pixels, pixel_size, centre=self.centre.components(pixels.ndim), size=size)
        drawn = picture_views(
            piece, pixel_size, angles=angles, image=around.grid, radius=radius if self.rotations else None
        )
        return drawn, radius

    def _source(self, around: Surroundings) -> tuple[FloatArray, float]:
        if self.file is None:
            return around.micrograph(self.micrograph or 0).astype(float), around.grid.pixel_size
        return read_picture(self.file, self.pixel_size)

    def _size(self, ndim: int) -> tuple[float, ...]:
        if self.size is None:
            return (2 * (self.radius or 0.0),) * ndim
        size = self.size.components(ndim)
        if min(size) <= 0:
            raise ScenarioError("must be more than `0 Å` along every axis", ("size",))
        if self.radius is not None and 2 * self.radius > min(size):
            raise ScenarioError(f"reaches beyond the crop; at most {min(size) / 2:.4g} Å", ("radius",))
        return size
