"""Perfect optics."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.psf.base import Psf


class Identity(Psf):
    """Optics that change nothing: the PSF is a delta."""

    kind: Literal["identity"] = "identity"

    dimensions: ClassVar[frozenset[int]] = frozenset({1, 2})

    def transfer(self, grid: Grid) -> FloatArray:
        """See `Psf.transfer`: 1 everywhere."""
        return np.ones(grid.frequency_radius().shape)

    def support(self, grid: Grid) -> float:
        """Zero: a point stays a point."""
        return 0.0
