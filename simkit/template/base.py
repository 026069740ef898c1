"""The contract of a template: what a picker slides over the image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.orientation import View
from simkit.core.quantity import ANGLE, Quantity, Symmetry, fold
from simkit.core.spec import Spec
from simkit.core.symmetry import in_plane_order, is_cyclic
from simkit.correlation.bank import TemplateBank, standardised

FLAT = 1e-9
"""Span of a view, relative to its largest value, below which it is constant but for rounding."""


Contrast = Literal["bright", "dark"]
"""Whether a particle is brighter or darker than what is around it."""


Views = Sequence[View | None]
"""Directions that a solid is seen from; None, one after the other, for a flat particle."""


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
    spectra : callable
        ``spectra(grid, angles, views)`` → for every in-plane angle and view, the spectrum of the density
        of one copy centred on index 0; views are None for a flat species.
    support : float
        Radius in Å of the density.
    symmetry : str
        Point group; Cn for a flat species.
    solid : bool
        Whether copies are seen from different directions.
    view : View or None
        The only direction that copies of a solid are seen from, where there is one.
    """

    spectra: Callable[[Grid, FloatArray, Views], Iterator[ComplexArray]]
    support: float
    symmetry: str
    solid: bool = False
    view: View | None = None


@dataclass(frozen=True)
class Optics:
    """How a density becomes contrast in the image.

    Attributes
    ----------
    transfer : callable
        ``transfer(grid)`` → transfer function in real-FFT layout, contrast sign and gain included.
    support : float
        Radius in Å of the point spread function.
    defocused : callable or None
        ``defocused(error)`` → the same optics, so many Å further under focus; None where nothing has a focus.
    """

    transfer: Callable[[Grid], FloatArray | ComplexArray]
    support: float
    defocused: Callable[[float], Optics] | None = None


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
    """Cyclic symmetry: angles beyond 360°/n are not tried again. C1 by default. Of a solid, its point
    group: directions and angles that it makes equal are not tried again."""

    def dimension_error(self, ndim: int) -> str | None:
        """Say why the template cannot be drawn in so many dimensions; None if it can."""
        if ndim not in self.dimensions:
            return f"there is no such template in {ndim}-D"
        if ndim == 1 and self.rotations is not None:
            return "there are no rotations in 1-D; leave `rotations:` out"
        return None

    @abstractmethod
    def images(self, angles: FloatArray, views: Views, around: Surroundings) -> tuple[FloatArray, float]:
        """Draw the template at each angle, from each view.

        Parameters
        ----------
        angles : array, shape (n,)
            Degrees, +x turned towards +y.
        views : sequence of View or None, of length n
            The direction of each, from among `directions`; a flat template does not look at them.
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

    def found_class(self, name: str) -> str:
        """Return the class of a match."""
        return self.finds or self.default_finds(name)

    def effective_symmetry(self, around: Surroundings) -> str:
        """Return the symmetry that directions and angles are divided by."""
        return self.symmetry or "C1"

    def directions(self, around: Surroundings) -> tuple[View | None, ...]:
        """Return the directions that the template is seen from; None alone for a flat one."""
        return (None,)

    def banks(self, name: str, around: Surroundings) -> tuple[TemplateBank, ...]:
        """Return a bank for every direction that the template is seen from: one, for a flat template.

        Raises
        ------
        ScenarioError
            If the template cannot be drawn, or is constant, so that nothing could be found with it.
        """
        if error := self.dimension_error(around.grid.ndim):
            raise ScenarioError(error)
        views = self.directions(around)
        symmetries = [self._in_plane_symmetry(around, view) for view in views]
        angles = [self.rotations.angles(s) if self.rotations else np.zeros(1) for s in symmetries]
        # All are drawn at once: of a map, that is many times quicker than one view after the other.
        each = [view for view, of_view in zip(views, angles, strict=True) for _ in of_view]
        images, support = self.images(np.concatenate(angles), each, around)
        if any(np.ptp(image) <= FLAT * np.abs(image).max() for image in images):
            raise ScenarioError("the template is constant, so it is like every place; give it some contrast")
        ends = np.cumsum([len(of_view) for of_view in angles])
        return tuple(
            TemplateBank(
                name=name,
                finds=self.found_class(name),
                images=standardised(drawn),
                angles=of_view,
                pixel_size=around.grid.pixel_size,
                support=support,
                symmetry=symmetry,
                view=view,
            )
            for drawn, of_view, symmetry, view in zip(
                np.split(images, ends[:-1]), angles, symmetries, views, strict=True
            )
        )

    def bank(self, name: str, around: Surroundings) -> TemplateBank:
        """Return the bank of the first direction, which is the only one of a flat template."""
        return self.banks(name, around)[0]

    def _in_plane_symmetry(self, around: Surroundings, view: View | None) -> str:
        symmetry = self.effective_symmetry(around)
        if view is not None:
            return f"C{in_plane_order(symmetry, view)}"
        if not is_cyclic(symmetry):
            raise ScenarioError(
                f"{symmetry} is the symmetry of a solid; a flat template has C1, C2 …", ("symmetry",)
            )
        return symmetry
