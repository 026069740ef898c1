"""The contract of a template: what a picker slides over the image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.quantity import ANGLE, Quantity, Symmetry, fold
from simkit.core.spec import Spec
from simkit.correlation.bank import TemplateBank, standardised

FLAT = 1e-9
"""Span of a view, relative to its largest value, below which it is constant but for rounding."""


Contrast = Literal["bright", "dark"]
"""Whether a particle is brighter or darker than what is around it."""


class Rotations(Spec):
    """The in-plane angles to try."""

    step: Annotated[float, Quantity(ANGLE, ge=0.1)]
    """Largest step between neighbouring angles, at least 0.1°; ψ is refined below it."""

    def angles(self, symmetry: str) -> FloatArray:
        """Return the angles in degrees that cover one turn of a particle of this symmetry."""
        turn = 360.0 / fold(symmetry)
        return np.arange(n := max(1, round(np.ceil(turn / self.step - 1e-9)))) * (turn / n)


@dataclass(frozen=True)
class Subject:
    """A species as a template sees it.

    Attributes
    ----------
    spectrum : callable
        ``spectrum(grid, angle)`` → spectrum of the density of one copy centred on index 0.
    support : float
        Radius in Å of the density.
    symmetry : str
        Cn.
    """

    spectrum: Callable[[Grid, float], ComplexArray]
    support: float
    symmetry: str


@dataclass(frozen=True)
class Optics:
    """How a density becomes contrast in the image.

    Attributes
    ----------
    transfer : callable
        ``transfer(grid)`` → transfer function in real-FFT layout, contrast sign and gain included.
    support : float
        Radius in Å of the point spread function.
    """

    transfer: Callable[[Grid], FloatArray | ComplexArray]
    support: float


@dataclass(frozen=True)
class Surroundings:
    """What the engine lets a template see.

    Attributes
    ----------
    grid : Grid
        The image to search.
    species : mapping
        Species name → `Subject`; empty for real micrographs.
    optics : Optics or None
        The scenario's own; None without a psf.
    micrograph : callable
        ``micrograph(i)`` → pixels of the scenario's own micrograph i (shape of `grid`).
    """

    grid: Grid
    species: Mapping[str, Subject]
    optics: Optics | None
    micrograph: Callable[[int], FloatArray]


class Template(Spec):
    """What to look for."""

    dimensions: ClassVar[frozenset[int]] = frozenset({1, 2})
    """Numbers of dimensions in which the kind exists."""

    finds: str | None = None
    """The species that a match means; the template's own name by default."""

    rotations: Rotations | None = None
    """In-plane angles to try; only the drawn one by default."""

    symmetry: Symmetry | None = None
    """Cyclic symmetry: angles beyond 360°/n are not tried again. C1 by default."""

    def dimension_error(self, ndim: int) -> str | None:
        """Say why the template cannot be drawn in so many dimensions; None if it can."""
        if ndim not in self.dimensions:
            return f"there is no such template in {ndim}-D"
        if ndim == 1 and self.rotations is not None:
            return "there are no rotations in 1-D; leave `rotations:` out"
        return None

    @abstractmethod
    def views(self, angles: FloatArray, around: Surroundings) -> tuple[FloatArray, float]:
        """Draw the template at each angle.

        Parameters
        ----------
        angles : array, shape (n,)
            Degrees, +x turned towards +y.
        around : Surroundings
            What the template may look at.

        Returns
        -------
        images : array, shape (n, ny, nx) or (n, nx)
            Centre at the central pixel n // 2; any mean and scale.
        support : float
            Radius in Å of the particle itself.

        Raises
        ------
        ScenarioError
            If the template cannot be drawn; its path is relative to the template.
        """

    def default_finds(self, name: str) -> str:
        """Return the class of a match when `finds` is not written: the template's own name."""
        return name

    def effective_symmetry(self, around: Surroundings) -> str:
        """Return the symmetry that the angles are divided by."""
        return self.symmetry or "C1"

    def banks(self, name: str, around: Surroundings) -> tuple[TemplateBank, ...]:
        """Return a bank for every direction that the template is seen from: one, for a flat template.

        Raises
        ------
        ScenarioError
            If the template cannot be drawn.
        """
        return (self.bank(name, around),)

    def bank(self, name: str, around: Surroundings) -> TemplateBank:
        """Return every view of the template, each with zero mean and unit energy.

        Raises
        ------
        ScenarioError
            If a view is constant, so that nothing could be found with it.
        """
        if error := self.dimension_error(around.grid.ndim):
            raise ScenarioError(error)
        symmetry = self.effective_symmetry(around)
        angles = self.rotations.angles(symmetry) if self.rotations else np.zeros(1)
        images, support = self.views(angles, around)
        if any(np.ptp(view) <= FLAT * np.abs(view).max() for view in images):
            raise ScenarioError("the template is constant, so it is like every place; give it some contrast")
        return TemplateBank(
            name=name,
            finds=self.finds or self.default_finds(name),
            images=standardised(images),
            angles=angles,
            pixel_size=around.grid.pixel_size,
            support=support,
            symmetry=symmetry,
        )
