"""The hexagonal net: the densest."""

from __future__ import annotations

from typing import Literal

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.lattice._net import Net, basis_vectors


class Hexagonal(Net):
    """A net of two equal lattice vectors 120° apart."""

    kind: Literal["hexagonal"] = "hexagonal"

    a: PositiveLength
    """Length of both lattice vectors, the distance of neighbours."""

    @property
    def basis(self) -> FloatArray:
        """See `Net.basis`."""
        return basis_vectors(a=self.a, b=self.a, gamma=120.0, rotation=self.rotation)
