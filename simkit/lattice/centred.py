"""The centred rectangular net."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.lattice._net import Net, basis_vectors


class Centred(Net):
    """A rectangular net with another point in the middle of every cell.

    The indices h, k count the primitive vectors (a + b) / 2 and (b − a) / 2.
    """

    kind: Literal["centred"] = "centred"

    a: PositiveLength
    """First edge of the conventional cell, which holds two points."""

    b: PositiveLength
    """Second edge, a quarter turn from the first, +x towards +y."""

    @property
    def basis(self) -> FloatArray:
        """See `Net.basis`: the primitive vectors (a + b) / 2 and (b − a) / 2."""
        conventional = basis_vectors(a=self.a, b=self.b, gamma=90.0, rotation=self.rotation)
        return np.array([[0.5, 0.5], [-0.5, 0.5]]) @ conventional
