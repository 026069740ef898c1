"""A plane: ice that thickens, or light that brightens, evenly across the image."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.background.base import Background
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import Angle, Number


def plane(*, grid: Grid, image: Grid, amplitude: float, angle: float = 0.0) -> FloatArray:
    """Return a density that increases evenly in one direction.

    Parameters
    ----------
    grid : Grid
        Where to draw it.
    image : Grid
        Over which it has zero mean and spans `amplitude`; beyond, it goes on.
    amplitude : float
        Largest less smallest value over the image.
    angle : float
        Direction of increase in degrees, from +x towards +y.

    Returns
    -------
    array of the shape of `grid`
    """
    direction = (np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle)))[-grid.ndim :]
    over_image = _along(direction, image)
    span = np.ptp(over_image)
    slope = amplitude / span if span > 0 else 0.0
    return slope * (_along(direction, grid) - over_image.mean())


def _along(direction: tuple[float, ...], grid: Grid) -> FloatArray:
    terms = [d * x for d, x in zip(direction, grid.positions(), strict=True)]
    return np.broadcast_to(sum(terms[1:], terms[0]), grid.shape)


class Gradient(Background):
    """A plane of zero mean over the image."""

    kind: Literal["gradient"] = "gradient"

    amplitude: Number
    """Difference between the densities of opposite corners of the image (of its ends in 1-D)."""

    angle: Angle = 0.0
    """Direction of increase, from +x towards +y; 1-D images have none."""

    def density(self, *, grid: Grid, image: Grid, periodic: bool, rng: np.random.Generator) -> FloatArray:
        """See `Background.density`."""
        if periodic:
            raise ScenarioError("a gradient does not wrap around; it needs `image.boundary: open`", ("kind",))
        if image.ndim == 1 and self.angle != 0:
            raise ScenarioError("there is no angle in 1-D; turn the sign of `amplitude` instead", ("angle",))
        return plane(grid=grid, image=image, amplitude=self.amplitude, angle=self.angle)
