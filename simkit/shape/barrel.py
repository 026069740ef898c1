"""The projection of an open, hollow cylinder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.shape.base import Shape
from simkit.shape.ring import annulus_transform


def barrel_transform(
    frequencies: Sequence[FloatArray],
    *,
    radius: float,
    inner_radius: float,
    height: float,
    view: Literal["top", "side"],
) -> FloatArray:
    """Fourier transform of a hollow cylinder's projection.

    The three-dimensional transform is the annulus's, times height · sinc(height · k_axis); a
    projection shows its slice through the origin across the beam (central slice theorem).

    Parameters
    ----------
    frequencies : sequence of arrays
        (ky, kx) in 1/Å; they broadcast.
    radius, inner_radius, height : float
        Å.
    view : str
        "top": the beam runs along the axis; "side": the axis lies along y.

    Returns
    -------
    array, in Å³; the volume of the wall at k = 0
    """
    ky, kx = frequencies
    across, along = (np.hypot(ky, kx), 0.0) if view == "top" else (np.abs(kx), ky)
    return annulus_transform(across, outer=radius, inner=inner_radius) * height * np.sinc(height * along)


class Barrel(Shape):
    """A hollow cylinder open at both ends, seen along its axis or across it."""

    kind: Literal["barrel"] = "barrel"

    radius: PositiveLength
    """Outer radius."""

    height: PositiveLength
    """Length of the axis."""

    wall: PositiveLength
    """Thickness of the wall; a wall of one radius fills the cylinder."""

    view: Literal["top", "side"]
    """top: along the axis, a ring; side: the axis lies along y at angle 0."""

    @field_validator("wall")
    @classmethod
    def _fits(cls, wall: float, info: ValidationInfo) -> float:
        radius = info.data.get("radius", np.inf)
        if wall > radius:
            raise PydanticCustomError("barrel", "must be at most the radius, {radius} Å", {"radius": radius})
        return wall

    def transform(self, frequencies: Sequence[FloatArray]) -> FloatArray:
        """See `Shape.transform`."""
        body = barrel_transform(
            frequencies,
            radius=self.radius,
            inner_radius=self._inner_radius,
            height=self.height,
            view=self.view,
        )
        return body / self.thickness

    @property
    def support(self) -> float:
        """The outer radius from the top, half the diagonal from the side."""
        return self.radius if self.view == "top" else math.hypot(self.radius, self.height / 2)

    @property
    def thickness(self) -> float:
        """The height from the top; from the side the longest chord through the wall, grazing the cavity."""
        return self.height if self.view == "top" else 2 * math.sqrt(self.radius**2 - self._inner_radius**2)

    @property
    def _inner_radius(self) -> float:
        return self.radius - self.wall
