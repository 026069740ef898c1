"""A unit cell drawn from shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, Grid
from simkit.core.orientation import FLAT, View
from simkit.core.quantity import Potential
from simkit.shape import AnyShape
from simkit.shape.base import Shape, draw
from simkit.unit_cell.base import UnitCell


def shapes_spectrum(
    shapes: Sequence[Shape],
    grid: Grid,
    *,
    potential: float | None = None,
    interaction: float | None = None,
    angle: float = 0.0,
    mirror: bool = False,
) -> ComplexArray:
    """Draw shapes as intensities, or as phases.

    Parameters
    ----------
    shapes : sequence of Shape
        What to draw; overlapping shapes add.
    grid : Grid
        The periodic grid to draw on.
    potential : float, optional
        Mean inner potential of the solids above the solvent's, in V.
    interaction : float, optional
        Interaction constant in rad/(V·Å): a solid then turns the phase by
        interaction · potential · thickness · weight, a flat shape by `weight` radians.
    angle, mirror : float (degrees), bool
        Mirrored x → −x first, then +x turned towards +y.

    Returns
    -------
    array in real-FFT layout, centred on index 0

    Raises
    ------
    ScenarioError
        If the phase of a solid is asked for without its potential.
    """
    scale = [_density_of_one(shape, potential, interaction) for shape in shapes]
    return draw(shapes, grid, angle=angle, mirror=mirror, scale=scale)


def _density_of_one(shape: Shape, potential: float | None, interaction: float | None) -> float:
    if interaction is None or shape.thickness is None:
        return 1.0
    if potential is None:
        raise ScenarioError(
            "the phase model needs the potential of a solid above the solvent; protein in ice has `2.5 V`",
            ("potential",),
        )
    return interaction * potential * shape.thickness


class Shapes(UnitCell):
    """A motif drawn from shapes; where they overlap they add."""

    dimensions = frozenset({1, 2})

    kind: Literal["shapes"] = "shapes"

    shapes: tuple[AnyShape, ...] = Field(min_length=1)
    """What to draw."""

    potential: Potential | None = None
    """Potential of the solids above the solvent's; needed by the phase model."""

    def dimension_error(self, ndim: int) -> str | None:
        """See `UnitCell.dimension_error`: the cell exists where all its shapes do."""
        for i, shape in enumerate(self.shapes):
            if error := shape.dimension_error(ndim):
                return f"shape {i + 1}: {error}"
        return None

    def spectrum(
        self,
        grid: Grid,
        *,
        angle: float = 0.0,
        mirror: bool = False,
        view: View = FLAT,
        interaction: float | None = None,
    ) -> ComplexArray:
        """See `UnitCell.spectrum`."""
        return shapes_spectrum(
            self.shapes, grid, potential=self.potential, interaction=interaction, angle=angle, mirror=mirror
        )

    @property
    def support(self) -> float:
        """Reach of the farthest shape."""
        return max(math.hypot(s.centre.y, s.centre.x) + s.support for s in self.shapes)

    @property
    def needs_potential(self) -> bool:
        """See `UnitCell.needs_potential`."""
        return self.potential is None and any(s.thickness is not None for s in self.shapes)
