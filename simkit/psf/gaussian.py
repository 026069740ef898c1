"""A Gaussian blur."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength
from simkit.psf.base import Psf

REACH = 5.0
"""Radius in σ beyond which the blur is below 4e-6 of its peak."""


def gaussian_transfer(frequency: FloatArray, *, sigma: float) -> FloatArray:
    """Fourier transform of a Gaussian of unit integral: e^(−2π²σ²k²).

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    sigma : float
        Standard deviation in Å.

    Returns
    -------
    array, dimensionless; 1 at k = 0
    """
    return np.exp(-2 * (np.pi * sigma * frequency) ** 2)


class GaussianPsf(Psf):
    """A Gaussian blur that conserves intensity."""

    kind: Literal["gaussian"] = "gaussian"

    dimensions: ClassVar[frozenset[int]] = frozenset({1, 2})

    sigma: PositiveLength
    """Standard deviation of the blur."""

    def transfer(self, grid: Grid) -> FloatArray:
        """See `Psf.transfer`."""
        return gaussian_transfer(grid.frequency_radius(), sigma=self.sigma)

    def support(self, grid: Grid) -> float:
        """Five standard deviations."""
        return REACH * self.sigma
