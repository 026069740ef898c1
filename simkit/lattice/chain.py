"""The one-dimensional lattice."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import Count, PositiveLength
from simkit.core.tables import Placements
from simkit.core.vector import Vector
from simkit.lattice._net import points_in_image
from simkit.lattice.base import Lattice


class Chain(Lattice):
    """Copies at equal distances along a line."""

    dimensions = frozenset({1})

    kind: Literal["chain"] = "chain"

    spacing: PositiveLength
    """Distance of neighbours."""

    origin: Vector | None = None
    """Position [x] of copy h = 0; the centre of the image by default."""

    count: Count | None = None
    """Length of a finite chain, h = −(n // 2) and up; it goes through the whole image by default."""

    @property
    def basis(self) -> FloatArray:
        """See `Lattice.basis`: the step along x."""
        return np.array([[self.spacing]])

    def placements(
        self, *, grid: Grid, margin: float, periodic: bool, rng: np.random.Generator, occupied: Placements
    ) -> Placements:
        """See `Lattice.placements`."""
        origin = grid.centre if self.origin is None else self.origin.components(1)
        positions, indices = points_in_image(
            self.basis, origin=origin, grid=grid, margin=0.0 if periodic else margin
        )
        x, h = positions[:, 0], indices[:, 0]
        if self.count is not None:
            first = -(self.count // 2)
            kept = (h >= first) & (h < first + self.count)
            x, h = x[kept], h[kept]
        return Placements.at(np.zeros_like(x), x, h=h)
