"""The square net."""

from __future__ import annotations

from typing import Literal

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.lattice._net import Net, basis_vectors


class Square(Net):
    """A net of two equal, perpendicular lattice vectors."""

    kind: Literal["square"] = "square"

    a: PositiveLength
    """Length of both lattice vectors."""

    @property
    def basis(self) -> FloatArray:
        """See `Net.basis`."""
        return basis_vectors(a=self.a, b=self.a, gamma=90.0, rotation=self.rotation)
