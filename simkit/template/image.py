"""A template from a picture file: a class average, a projection of a map, anybody's drawing."""

from __future__ import annotations

from typing import Literal

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.paths import DataFile
from simkit.core.quantity import PositiveLength
from simkit.template._picture import picture_views, read_picture
from simkit.template.base import Contrast, Surroundings, Template, Views


class ImageTemplate(Template):
    """A picture of the particle, its centre at the central pixel n // 2."""

    kind: Literal["image"] = "image"

    file: DataFile
    """MRC, TIFF, PNG, JPEG, HDF5 or NPY (one-dimensional NPY for a 1-D image)."""

    contrast: Contrast
    """What the particle looks like in the micrographs."""

    dark: bool = False
    """Whether the particle is darker than its surroundings in the picture."""

    pixel_size: PositiveLength | None = None
    """Edge of the picture's own pixel; from the file's header by default."""

    radius: PositiveLength | None = None
    """Radius of the particle; half the picture by default. Turned views keep nothing beyond it."""

    def images(self, angles: FloatArray, views: Views, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.images`."""
        pixels, pixel_size = read_picture(self.file, self.pixel_size)
        half = min(pixels.shape) * pixel_size / 2
        if self.radius is not None and self.radius > half:
            raise ScenarioError(
                f"reaches beyond the picture, which is {2 * half:.4g} Å across; at most {half:.4g} Å",
                ("radius",),
            )
        radius = self.radius or half
        drawn = picture_views(
            pixels,
            pixel_size,
            angles=angles,
            image=around.grid,
            radius=radius if self.rotations else None,
        )
        return (drawn if self.dark == (self.contrast == "dark") else -drawn), radius
