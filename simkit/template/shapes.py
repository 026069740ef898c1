"""A template drawn from shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.shape import AnyShape
from simkit.shape.base import draw
from simkit.template._drawn import Drawn
from simkit.template.base import Surroundings, Views


class ShapesTemplate(Drawn):
    """A declared particle: shapes, which add where they overlap.

    Only their proportions matter, so a solid needs no potential here.
    """

    kind: Literal["shapes"] = "shapes"

    shapes: tuple[AnyShape, ...] = Field(min_length=1)
    """What to draw."""

    optics: Literal["scenario", "none"] = "none"
    """scenario: seen through the scenario's own psf; none: the density itself, in the stated contrast."""

    def dimension_error(self, ndim: int) -> str | None:
        """See `Template.dimension_error`: the template exists where all its shapes do."""
        for i, shape in enumerate(self.shapes):
            if error := shape.dimension_error(ndim):
                return f"shape {i + 1}: {error}"
        return super().dimension_error(ndim)

    def images(self, angles: FloatArray, views: Views, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.images`."""
        support = max(math.hypot(s.centre.y, s.centre.x) + s.support for s in self.shapes)

        def spectra(grid: Grid) -> Iterator[ComplexArray]:
            return (draw(self.shapes, grid, angle=angle) for angle in angles)

        return self.drawn_views(spectra, support, around)
