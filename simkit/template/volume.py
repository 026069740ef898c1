"""A template from a density map, seen from a set of directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.orientation import View, orientation
from simkit.template._drawn import Drawn
from simkit.template._solids import Directions, refuse_too_many
from simkit.template.base import Surroundings, Views
from simkit.view.map_file import MapFile
from simkit.view.named import NAMED


class VolumeTemplate(MapFile, Drawn):
    """Projections of a density map; its grey scale never matters, so it needs no potential here."""

    dimensions = frozenset({2})

    kind: Literal["volume"] = "volume"

    views: Directions
    """Directions to look from."""

    optics: Literal["scenario", "none"] = "none"
    """scenario: seen through the scenario's own psf; none: the projection itself, in the stated contrast."""

    def directions(self, around: Surroundings) -> tuple[View | None, ...]:
        """See `Template.directions`."""
        views = self.views.views(self.effective_symmetry(around))
        support = self.scale * self.map.support
        refuse_too_many(len(views), self.rotations, support=support, image=around.grid)
        return views

    def images(self, angles: FloatArray, views: Views, around: Surroundings) -> tuple[FloatArray, float]:
        """See `Template.images`."""
        solid = self.map
        rot, tilt = np.array([view or NAMED["top"] for view in views]).T

        def spectra(grid: Grid) -> Iterator[ComplexArray]:
            return solid.projections(grid, orientation(rot, tilt, angles))

        return self.drawn_views(spectra, solid.support, around)
