"""The projection of a hollow ball."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from scipy.special import spherical_jn

from simkit.core.grid import FloatArray
from simkit.core.quantity import NonNegativeLength, PositiveLength
from simkit.shape.base import Shape


def ball_transform(frequency: FloatArray, *, radius: float) -> FloatArray:
    """Fourier transform of a solid ball: V · 3 (sin q − q cos q) / q³ with q = 2πR|k|.

    By the central slice theorem it is, on the plane k_z = 0, that of the ball's projection.

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    radius : float
        R in Å.

    Returns
    -------
    array, in Å³; the volume V at k = 0
    """
    q = 2 * np.pi * radius * np.abs(frequency)
    safe = np.where(q == 0, 1.0, q)
    # As a Bessel function: near q = 0 the difference sin q − q cos q has no digits left.
    falloff = np.where(q == 0, 1.0, 3 * spherical_jn(1, safe) / safe)
    return 4 / 3 * np.pi * radius**3 * falloff


class Shell(Shape):
    """A hollow ball seen in projection: the classic view of apoferritin or of a virus."""

    kind: Literal["shell"] = "shell"

    outer_radius: PositiveLength
    """Radius of the outer surface."""

    inner_radius: NonNegativeLength
    """Radius of the cavity; 0 for a full ball."""

    @field_validator("inner_radius")
    @classmethod
    def _has_wall(cls, inner: float, info: ValidationInfo) -> float:
        outer = info.data.get("outer_radius", np.inf)
        if inner >= outer:
            raise PydanticCustomError(
                "shell", "must be less than the outer radius, {outer} Å", {"outer": outer}
            )
        return inner

    def transform(self, frequencies: Sequence[FloatArray]) -> FloatArray:
        """See `Shape.transform`."""
        k = np.hypot(*frequencies)
        body = ball_transform(k, radius=self.outer_radius) - ball_transform(k, radius=self.inner_radius)
        return body / self.thickness

    @property
    def support(self) -> float:
        """The outer radius."""
        return self.outer_radius

    @property
    def thickness(self) -> float:
        """The longest chord through the wall: the one that grazes the cavity."""
        return 2 * math.sqrt(self.outer_radius**2 - self.inner_radius**2)
