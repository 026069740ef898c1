"""The contract of a unit cell: the density that a lattice repeats."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.spec import Spec


class UnitCell(Spec):
    """What repeats: a band-limited density that can be drawn at any angle on any grid."""

    dimensions: ClassVar[frozenset[int]] = frozenset({2})
    """Numbers of dimensions in which the kind exists."""

    def dimension_error(self, ndim: int) -> str | None:
        """Say why the cell cannot be drawn in so many dimensions; None if it can."""
        if ndim in self.dimensions:
            return None
        existing = " and ".join(f"{n}-D" for n in sorted(self.dimensions))
        return f"exists only in {existing}; this image is {ndim}-D"

    @abstractmethod
    def spectrum(
        self, grid: Grid, *, angle: float = 0.0, mirror: bool = False, interaction: float | None = None
    ) -> ComplexArray:
        """Return the spectrum of one copy centred on index 0 of a periodic grid.

        Parameters
        ----------
        grid : Grid
            The grid to draw on; it must hold the support.
        angle, mirror : float (degrees), bool
            The copy is turned by R(angle)·M: mirrored x → −x first, then +x turned towards +y.
        interaction : float, optional
            Interaction constant σ in rad/(V·Å) under the phase image model: densities are then
            phases in radians. None under the intensity model: densities are intensities.

        Returns
        -------
        array in real-FFT layout
        """

    @property
    @abstractmethod
    def support(self) -> float:
        """Radius in Å around the cell's centre beyond which the density is (practically) zero."""

    @property
    def needs_potential(self) -> bool:
        """Whether the phase image model cannot draw this cell for want of its `potential`."""
        return False

    def density(
        self, grid: Grid, *, angle: float = 0.0, mirror: bool = False, interaction: float | None = None
    ) -> FloatArray:
        """Draw one copy centred on the grid's central pixel n // 2; parameters as for `spectrum`."""
        spectrum = self.spectrum(grid, angle=angle, mirror=mirror, interaction=interaction)
        return fourier.corner_to_centre(fourier.inverse(spectrum, grid.shape))
