"""A perfect lens in incoherent light."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength, PositiveNumber
from simkit.psf.base import Psf

REACH = 5.0
"""Radius in λ/NA beyond which the rings are below 1e-4 of the peak; 2 % of the light lies there."""


def airy_transfer(frequency: FloatArray, *, wavelength: float, numerical_aperture: float) -> FloatArray:
    """Optical transfer function of a circular, aberration-free pupil in incoherent light.

    2/π (arccos ν − ν √(1 − ν²)) with ν = k λ / (2 NA), zero from the cut-off ν = 1 on: the
    overlap of two pupils moved apart by k.

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    wavelength : float
        λ in Å, in vacuum.
    numerical_aperture : float
        NA, refractive index included.

    Returns
    -------
    array, dimensionless; 1 at k = 0

    References
    ----------
    .. [1] Goodman, Introduction to Fourier Optics, 3rd ed. (2005), eq. 6-31.
    """
    nu = np.minimum(np.abs(frequency) * wavelength / (2 * numerical_aperture), 1.0)
    return 2 / np.pi * (np.arccos(nu) - nu * np.sqrt(1 - nu**2))


class Airy(Psf):
    """A perfect lens in incoherent light: the PSF is the Airy pattern and conserves intensity."""

    kind: Literal["airy"] = "airy"

    wavelength: PositiveLength
    """Wavelength of the light in vacuum."""

    numerical_aperture: PositiveNumber
    """Numerical aperture of the lens, refractive index included."""

    def transfer(self, grid: Grid) -> FloatArray:
        """See `Psf.transfer`."""
        return airy_transfer(
            grid.frequency_radius(),
            wavelength=self.wavelength,
            numerical_aperture=self.numerical_aperture,
        )

    def support(self, grid: Grid) -> float:
        """Five λ/NA; the rings beyond are each below 1e-4 of the peak."""
        return REACH * self.wavelength / self.numerical_aperture
