"""A template drawn from shapes."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.shape import AnyShape
from simkit.shape.base import draw
from simkit.template._drawn import Drawn
from simkit.template.base import Surroundings


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

    def views(self, angles: FloatArray, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.views`."""
        support = max(math.hypot(s.centre.y, s.centre.x) + s.support for s in self.shapes)
        return self.drawn_views(self._spectrum, support, angles, around), support

    def _spectrum(self, grid: Grid, angle: float) -> ComplexArray:
        return draw(self.shapes, grid, angle=angle)
