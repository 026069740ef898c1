"""The contract of a point spread function: one more factor in Fourier space."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.spec import Spec


class Psf(Spec):
    """How the optics smear the object: image = object ⊗ PSF."""

    dimensions: ClassVar[frozenset[int]] = frozenset({2})
    """Numbers of dimensions in which the kind exists."""

    @abstractmethod
    def transfer(self, grid: Grid) -> FloatArray | ComplexArray:
        """Return the transfer function, the Fourier transform of the PSF.

        Parameters
        ----------
        grid : Grid
            Where to sample it.

        Returns
        -------
        array in real-FFT layout, dimensionless; 1 at k = 0 for a PSF that conserves intensity
        """

    @abstractmethod
    def support(self, grid: Grid) -> float:
        """Return the radius in Å beyond which the PSF is negligible on this grid."""

    def defocused(self, error: float) -> Self | None:
        """Return the same, so many Å further under focus; None of what has no focus."""
        return None

    @property
    def electron_voltage(self) -> float | None:
        """Accelerating voltage in kV of an electron lens; None for anything else."""
        return None
