"""What templates drawn from a density share: the optics they are seen through, or their contrast."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.quantity import Length, PositiveLength
from simkit.template._views import middle, refuse_larger
from simkit.template.base import Contrast, Optics, Surroundings, Template

SOFT_EDGE = 3
"""Pixels beyond the support in which the soft edge of a drawing still shows."""

BLUR = 0.75
"""Reach of a low-pass relative to its resolution: four standard deviations of the Gaussian."""


def imaged_views(
    spectra: Callable[[Grid], Iterable[ComplexArray]],
    *,
    support: float,
    image: Grid,
    optics: Optics | None,
) -> FloatArray:
    """Image a density at each angle: its spectrum times the transfer function.

    Parameters
    ----------
    spectra : callable
        ``spectra(grid)`` → for every angle, the spectrum of the density centred on index 0.
    support : float
        Radius in Å of the density.
    image : Grid
        The image to search; a view is not larger.
    optics : Optics or None
        None leaves the density as it is.

    Returns
    -------
    array, shape (n, odd, odd) or (n, odd)
        Support, soft edge and the fringes of the optics; cut to the image where fringes exceed it.

    Raises
    ------
    ScenarioError
        If the density itself is larger than the image.
    """
    refuse_larger([2 * support] * image.ndim, image)
    reach = support + SOFT_EDGE * image.pixel_size + (optics.support if optics else 0.0)
    wanted = image.box(reach).shape
    shape = [min(side, n - 1 + n % 2) for side, n in zip(wanted, image.shape, strict=True)]
    # The grid holds all of the fringes, so none wrap into the view even where that is cut to the image.
    grid = Grid(tuple(fourier.fast_length(side) for side in wanted), image.pixel_size)
    transfer = optics.transfer(grid) if optics else 1.0
    return np.array([middle(spectrum * transfer, grid, shape) for spectrum in spectra(grid)])


def blurred(optics: Optics | None, resolution: float) -> Optics:
    """Return optics followed by a Gaussian filter that leaves half of the amplitude at a resolution in Å."""

    def transfer(grid: Grid) -> FloatArray | ComplexArray:
        filtered = 0.5 ** (grid.frequency_radius() * resolution) ** 2
        return filtered * optics.transfer(grid) if optics else filtered

    return Optics(transfer, BLUR * resolution + (optics.support if optics else 0.0))


class Drawn(Template):
    """A template drawn from a density, as the particle is or wrong in a stated way."""

    optics: Literal["scenario", "none"]
    """scenario: seen through the scenario's own psf; none: the density itself, in the stated contrast."""

    contrast: Contrast | None = None
    """bright: density is bright in the micrographs; dark: density is dark. Only with `optics: none`."""

    scale: Annotated[float, Strict(), Field(gt=0)] = 1.0
    """How many times as large the particle is drawn as it is declared."""

    lowpass: PositiveLength | None = None
    """Resolution at which a Gaussian filter leaves half of the amplitude; no filter by default."""

    defocus_error: Length = 0.0
    """How much further under focus the template is imaged than the micrographs are."""

    @model_validator(mode="after")
    def _contrast_is_known_once(self) -> Self:
        if self.optics == "none" and self.contrast is None:
            raise PydanticCustomError(
                "contrast", "without optics, say what the particle looks like: `contrast: bright` or `dark`"
            )
        if self.optics == "scenario" and self.contrast is not None:
            raise PydanticCustomError(
                "contrast",
                "the scenario's optics give the contrast; leave `contrast:` out, or write `optics: none`",
            )
        if self.optics == "none" and self.defocus_error:
            raise PydanticCustomError(
                "defocus_error", "without optics there is no focus; write `optics: scenario`, or leave it out"
            )
        return self

    def drawn_views(
        self,
        spectra: Callable[[Grid], Iterable[ComplexArray]],
        support: float,
        around: Surroundings,
    ) -> tuple[FloatArray, float]:
        """Return the views of a density, imaged as the template asks, and its radius in Å, scaled.

        Raises
        ------
        ScenarioError
            If it is larger than the image, or there is no focus to be wrong about.
        """

        def scaled(grid: Grid) -> Iterable[ComplexArray]:
            # The transform at k of what is s times as large is, but for its height, that at s k.
            return spectra(Grid(grid.shape, grid.pixel_size / self.scale))

        support = self.scale * support
        views = imaged_views(scaled, support=support, image=around.grid, optics=self._seen_through(around))
        return (-views if self.contrast == "dark" else views), support

    def _seen_through(self, around: Surroundings) -> Optics | None:
        optics = around.optics if self.optics == "scenario" else None
        if self.defocus_error:
            if optics is None or optics.defocused is None:
                raise ScenarioError("the scenario's optics have no focus; leave it out", ("defocus_error",))
            optics = optics.defocused(self.defocus_error)
        return optics if self.lowpass is None else blurred(optics, self.lowpass)
