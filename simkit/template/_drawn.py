"""What templates drawn from a density share: the optics they are seen through, or their contrast."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Self

import numpy as np
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.template._views import middle, refuse_larger
from simkit.template.base import Contrast, Optics, Surroundings, Template

SOFT_EDGE = 3
"""Pixels beyond the support in which the soft edge of a drawing still shows."""


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


class Drawn(Template):
    """A template drawn from a density."""

    optics: Literal["scenario", "none"]
    """scenario: seen through the scenario's own psf; none: the density itself, in the stated contrast."""

    contrast: Contrast | None = None
    """bright: density is bright in the micrographs; dark: density is dark. Only with `optics: none`."""

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
        return self

    def drawn_views(
        self,
        spectra: Callable[[Grid], Iterable[ComplexArray]],
        support: float,
        around: Surroundings,
    ) -> FloatArray:
        """Return the views of a density, imaged as the template asks."""
        optics = around.optics if self.optics == "scenario" else None
        views = imaged_views(spectra, support=support, image=around.grid, optics=optics)
        return -views if self.contrast == "dark" else views
