"""Shot noise of counted electrons."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import Dose
from simkit.noise.base import Noise

MOST_COUNTS = 1e15
"""Expected electrons in a pixel beyond which doubles no longer hold every count."""


def count_electrons(expected: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw independent Poisson counts.

    Parameters
    ----------
    expected : array
        Expected electrons in every pixel, ≥ 0.
    rng : numpy.random.Generator
        Stream to draw from.

    Returns
    -------
    array of float64 whole numbers; mean and variance are `expected`
    """
    return rng.poisson(expected).astype(float)


class Poisson(Noise):
    """Electron counting: expected counts are I · dose · pixel area.

    A pixel is a square of edge `pixel_size` in one dimension, too: there the image is one row of a detector.
    """

    kind: Literal["poisson"] = "poisson"

    counts: ClassVar[bool] = True

    dose: Dose
    """Electrons per area where the intensity is 1."""

    def apply(self, image: FloatArray, grid: Grid, rng: np.random.Generator) -> FloatArray:
        """See `Noise.apply`: electrons per pixel."""
        lowest = float(image.min())
        if lowest < 0:
            raise ScenarioError(
                f"the intensity falls to {lowest:.4g} and electrons cannot be counted below 0; scale the "
                f"weights by at most level / (level + {-lowest:.4g}), or raise the level by {-lowest:.4g}"
            )
        expected = image * self.gain(grid)
        if expected.max() > MOST_COUNTS:
            raise ScenarioError(
                f"{expected.max():.3g} electrons are expected in one pixel and {MOST_COUNTS:g} can be "
                "counted; lower the dose",
                ("dose",),
            )
        return count_electrons(expected, rng)

    def spectrum(self, grid: Grid, mean: float) -> FloatArray:
        """See `Noise.spectrum`: white, the expected electrons per pixel."""
        return np.full(grid.frequency_radius().shape, mean * self.gain(grid))

    def gain(self, grid: Grid) -> float:
        """See `Noise.gain`: dose · pixel area."""
        return self.dose * grid.pixel_size**2
