"""A globular protein of a given mass, as a solid ball."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import ComplexArray, Grid
from simkit.core.orientation import FLAT, View
from simkit.core.quantity import Mass, Number, Potential
from simkit.shape.shell import Shell
from simkit.unit_cell.base import UnitCell
from simkit.unit_cell.shapes import shapes_spectrum

VOLUME_PER_MASS = 1210.0
"""Å³ per kDa of protein: a partial specific volume of 0.73 cm³/g, 1.21 Å³/Da."""


def globular_radius(mass: float) -> float:
    """Return the radius in Å of a ball of protein.

    Parameters
    ----------
    mass : float
        kDa.

    References
    ----------
    .. [1] Erickson, Biol. Proced. Online 11 (2009) 32: V = 1.21 Å³/Da · M, R = 0.66 Å · (M/Da)^⅓.
    """
    return float(np.cbrt(3 * VOLUME_PER_MASS * mass / (4 * np.pi)))


class Globular(UnitCell):
    """A ball of protein of a given mass, seen in projection."""

    kind: Literal["globular"] = "globular"

    mass: Mass
    """Molecular mass."""

    potential: Potential | None = None
    """Potential above the solvent's; needed by the phase model."""

    weight: Number = 1.0
    """Density in the middle under the intensity model; a factor on the phase under the phase model."""

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
        ball = Shell(outer_radius=self.support, inner_radius=0.0, weight=self.weight)
        return shapes_spectrum([ball], grid, potential=self.potential, interaction=interaction)

    @property
    def support(self) -> float:
        """The radius of the ball."""
        return globular_radius(self.mass)

    @property
    def needs_potential(self) -> bool:
        """See `UnitCell.needs_potential`."""
        return self.potential is None
