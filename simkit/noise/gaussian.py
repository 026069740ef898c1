"""White Gaussian noise."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.noise._strength import GaussianStrength


class GaussianNoise(GaussianStrength):
    """White Gaussian noise of equal strength in every pixel."""

    kind: Literal["gaussian"] = "gaussian"

    def apply(self, image: FloatArray, grid: Grid, rng: np.random.Generator) -> FloatArray:
        """See `Noise.apply`."""
        return image + np.sqrt(self.variance) * rng.standard_normal(grid.shape)

    def spectrum(self, grid: Grid, mean: float) -> FloatArray:
        """See `Noise.spectrum`: sd² everywhere."""
        return np.full(grid.frequency_radius().shape, self.variance)
