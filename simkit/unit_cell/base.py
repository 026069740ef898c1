"""The contract of a unit cell: the density that a lattice repeats."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.orientation import FLAT, View
from simkit.core.spec import Spec
from simkit.core.tables import Placements


class UnitCell(Spec):
    """What repeats: a band-limited density that can be drawn at any angle on any grid."""

    dimensions: ClassVar[frozenset[int]] = frozenset({2})
    """Numbers of dimensions in which the kind exists."""

    solid: ClassVar[bool] = False
    """Whether copies are seen from different directions, and the symmetry is a point group."""

    def dimension_error(self, ndim: int) -> str | None:
        """Say why the cell cannot be drawn in so many dimensions; None if it can."""
        if ndim in self.dimensions:
            return None
        existing = " and ".join(f"{n}-D" for n in sorted(self.dimensions))
        return f"exists only in {existing}; this image is {ndim}-D"

    @abstractmethod
    def spectrum(
        self,
        grid: Grid,
        *,
        angle: float = 0.0,
        mirror: bool = False,
        view: View = FLAT,
        interaction: float | None = None,
    ) -> ComplexArray:
        """Return the spectrum of one copy centred on index 0 of a periodic grid.

        Parameters
        ----------
        grid : Grid
            The grid to draw on; it must hold the support.
        angle, mirror : float (degrees), bool
            The copy is turned by R(angle)·M: mirrored x → −x first, then +x turned towards +y.
        view : View
            The direction a solid is seen from, before all that; a flat cell has none.
        interaction : float, optional
            Interaction constant σ in rad/(V·Å) under the phase image model: densities are then
            phases in radians. None under the intensity model: densities are intensities.

        Returns
        -------
        array in real-FFT layout
        """

    def spectra(
        self, grid: Grid, copies: Placements, *, interaction: float | None = None
    ) -> Iterator[ComplexArray]:
        """Yield `spectrum` of every copy, at its angles and from its view, wherever it stands."""
        for psi, mirror, rot, tilt in zip(copies.psi, copies.mirror, copies.rot, copies.tilt, strict=True):
            view = View(float(rot), float(tilt))
            yield self.spectrum(
                grid, angle=float(psi), mirror=bool(mirror), view=view, interaction=interaction
            )

    def draw_views(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw (rot, tilt) in degrees of each of n copies; NaN for a flat cell."""
        return np.full(n, FLAT.rot), np.full(n, FLAT.tilt)

    @property
    def typical_views(self) -> tuple[View, ...]:
        """Views whose average stands for all copies, as for an `snr`; one, `FLAT`, of a flat cell."""
        return (FLAT,)

    @property
    @abstractmethod
    def support(self) -> float:
        """Radius in Å around the cell's centre beyond which the density is (practically) zero."""

    @property
    def needs_potential(self) -> bool:
        """Whether the phase image model cannot draw this cell for want of its `potential`."""
        return False

    def density(
        self,
        grid: Grid,
        *,
        angle: float = 0.0,
        mirror: bool = False,
        view: View = FLAT,
        interaction: float | None = None,
    ) -> FloatArray:
        """Draw one copy centred on the grid's central pixel n // 2; parameters as for `spectrum`."""
        spectrum = self.spectrum(grid, angle=angle, mirror=mirror, view=view, interaction=interaction)
        return fourier.corner_to_centre(fourier.inverse(spectrum, grid.shape))
