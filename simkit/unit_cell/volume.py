"""A unit cell from a density map, seen from any direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.orientation import FLAT, View, orientation
from simkit.core.quantity import Number, Potential
from simkit.core.tables import Placements
from simkit.unit_cell.base import UnitCell
from simkit.view import AnyViews
from simkit.view.map_file import MapFile


class Volume(MapFile, UnitCell):
    """A density map; every copy is its projection along a direction of its own.

    The map's grey scale never matters: under the phase model the density-weighted mean density,
    Σρ²/Σρ, is set to `potential`; under the intensity model the densest point of the projection
    along the map's z has density `weight`.
    """

    solid = True

    kind: Literal["volume"] = "volume"

    views: AnyViews
    """From where the copies are seen."""

    potential: Potential | None = None
    """Mean potential of the particle above the solvent's; needed by the phase model."""

    weight: Number = 1.0
    """Density of the top view's densest point under the intensity model; a factor on the phase
    under the phase model."""

    def spectrum(
        self,
        grid: Grid,
        *,
        angle: float = 0.0,
        mirror: bool = False,
        view: View = FLAT,
        interaction: float | None = None,
    ) -> ComplexArray:
        """See `UnitCell.spectrum`; without a view, the first typical one."""
        rot, tilt = self.typical_views[0] if np.isnan(view.tilt) else view
        copy = Placements.at([0.0], [0.0], psi=angle, mirror=mirror, rot=rot, tilt=tilt)
        return next(self.spectra(grid, copy, interaction=interaction))

    def spectra(
        self, grid: Grid, copies: Placements, *, interaction: float | None = None
    ) -> Iterator[ComplexArray]:
        """See `UnitCell.spectra`: many copies cost little more than one."""
        if message := self.dimension_error(grid.ndim):
            raise ScenarioError(message)
        scale = self._scale(interaction)
        turned = orientation(copies.rot, copies.tilt, copies.psi, copies.mirror)
        for projection in self.map.projections(grid, turned, self.lowpass):
            yield scale * projection

    def _scale(self, interaction: float | None) -> float:
        """Return density per unit of the map's own density × Å."""
        if interaction is None:
            return self.weight / self.map.thickest
        if self.potential is None:
            raise ScenarioError(
                "the phase model needs the potential of the particle above the solvent; "
                "protein in ice has `2.5 V`",
                ("potential",),
            )
        return self.weight * interaction * self.potential / self.map.level

    def draw_views(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """See `UnitCell.draw_views`."""
        return self.views.draw(n, rng)

    @property
    def typical_views(self) -> tuple[View, ...]:
        """See `UnitCell.typical_views`."""
        return self.views.typical

    @property
    def support(self) -> float:
        """Reach of the map, up to where 1 % of its peak density is left: the same from everywhere."""
        return self.map.support

    @property
    def needs_potential(self) -> bool:
        """See `UnitCell.needs_potential`."""
        return self.potential is None
