"""A detector without noise."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.noise.base import Noise


class Silent(Noise):
    """A detector that adds nothing."""

    kind: Literal["silent"] = "silent"

    def apply(self, image: FloatArray, grid: Grid, rng: np.random.Generator) -> FloatArray:
        """See `Noise.apply`: a copy of the image."""
        return image.copy()

    def spectrum(self, grid: Grid, mean: float) -> FloatArray:
        """See `Noise.spectrum`: 0 everywhere."""
        return np.zeros(grid.frequency_radius().shape)
