"""The rectangular net."""

from __future__ import annotations

from typing import Literal

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.lattice._net import Net, basis_vectors


class Rectangular(Net):
    """A net of two perpendicular lattice vectors."""

    kind: Literal["rectangular"] = "rectangular"

    a: PositiveLength
    """Length of the first lattice vector."""

    b: PositiveLength
    """Length of the second lattice vector, a quarter turn from the first, +x towards +y."""

    @property
    def basis(self) -> FloatArray:
        """See `Net.basis`."""
        return basis_vectors(a=self.a, b=self.b, gamma=90.0, rotation=self.rotation)
