"""The oblique net: the general one."""

from __future__ import annotations

from typing import Annotated, Literal

from simkit.core.grid import FloatArray
from simkit.core.quantity import ANGLE, PositiveLength, Quantity
from simkit.lattice._net import Net, basis_vectors


class Oblique(Net):
    """A net of any two lattice vectors."""

    kind: Literal["oblique"] = "oblique"

    a: PositiveLength
    """Length of the first lattice vector."""

    b: PositiveLength
    """Length of the second lattice vector."""

    gamma: Annotated[float, Quantity(ANGLE, ge=1.0, le=179.0)]
    """Angle from a to b, +x towards +y; flatter than 1° a cell is no cell."""

    @property
    def basis(self) -> FloatArray:
        """See `Net.basis`."""
        return basis_vectors(a=self.a, b=self.b, gamma=self.gamma, rotation=self.rotation)
