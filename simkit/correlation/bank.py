"""Template banks: one view of a template at all its angles, ready to be slid over an image."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.orientation import View
from simkit.core.quantity import fold


@dataclass(frozen=True)
class TemplateBank:
    """One view of a template at all its angles.

    Attributes
    ----------
    name : str
        The template's name in the scenario.
    finds : str
        The species that a match means.
    images : array, shape (n_angles, ny, nx) or (n_angles, nx)
        Every view has zero mean and unit energy Σt² = 1; its centre is the central pixel n // 2.
    angles : array, shape (n_angles,)
        ψ in degrees, +x turned towards +y.
    pixel_size : float
        Å.
    support : float
        Radius in Å of the particle itself, without the fringes of the optics; its double is the
        template's diameter.
    symmetry : str
        Cn; ψ is known modulo 360/n.
    view : View or None
        The direction a solid is seen from; None for a flat template.
    """

    name: str
    finds: str
    images: FloatArray
    angles: FloatArray
    pixel_size: float
    support: float
    symmetry: str
    view: View | None = None

    @property
    def grid(self) -> Grid:
        """The grid of one view."""
        return Grid(self.images.shape[1:], self.pixel_size)

    @property
    def diameter(self) -> float:
        """Diameter in Å of the particle."""
        return 2 * self.support

    @property
    def period(self) -> float:
        """Degrees after which the particle looks the same, 360/n."""
        return 360.0 / fold(self.symmetry)

    @functools.cached_property
    def step(self) -> float | None:
        """Degrees between neighbouring views where they divide the period evenly; None where they do not."""
        step = self.period / len(self.angles)
        even = self.angles[0] + step * np.arange(len(self.angles))
        return step if len(self.angles) > 1 and np.allclose(self.angles, even) else None


def standardised(images: FloatArray) -> FloatArray:
    """Make every view zero-mean and unit-energy: its grey scale then never matters."""
    axes = tuple(range(1, images.ndim))
    centred = images - images.mean(axis=axes, keepdims=True)
    energy = np.sqrt((centred**2).sum(axis=axes, keepdims=True))
    return centred / np.where(energy > 0, energy, 1.0)
