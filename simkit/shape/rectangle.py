"""A flat rectangle; in one dimension a box."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import field_validator
from pydantic_core import PydanticCustomError

from simkit.core.grid import FloatArray
from simkit.core.quantity import Angle
from simkit.core.vector import Vector
from simkit.shape.base import Shape, turn_frequencies


def rectangle_transform(frequencies: Sequence[FloatArray], *, size: Sequence[float]) -> FloatArray:
    """Fourier transform of a box of unit height: Π L sin(πLk) / (πLk) over the axes.

    Parameters
    ----------
    frequencies : sequence of arrays
        (ky, kx) or (kx,) in 1/Å; they broadcast.
    size : sequence of float
        Full lengths L in Å, one an axis.

    Returns
    -------
    array, in Å^ndim
    """
    factors = [length * np.sinc(length * k) for k, length in zip(frequencies, size, strict=True)]
    return functools.reduce(np.multiply, factors)


class Rectangle(Shape):
    """A flat rectangle of constant density."""

    dimensions = frozenset({1, 2})

    kind: Literal["rectangle"] = "rectangle"

    size: Vector
    """Full size [height, width]; [width] in one dimension."""

    angle: Angle = 0.0
    """Turns the rectangle about its own centre, +x towards +y."""

    @field_validator("size")
    @classmethod
    def _is_positive(cls, size: Vector) -> Vector:
        if size.x <= 0 or size.y < 0:
            raise PydanticCustomError("rectangle", "height and width must be more than 0 Å")
        return size

    def dimension_error(self, ndim: int) -> str | None:
        """See `Shape.dimension_error`: the plane needs a height, the line knows no angle."""
        if ndim == 2 and self.size.y == 0:
            return "the size of a rectangle is `[height, width]`, both more than 0 Å"
        if ndim == 1 and self.angle != 0:
            return "there is no angle in 1-D"
        return super().dimension_error(ndim)

    def transform(self, frequencies: Sequence[FloatArray]) -> FloatArray:
        """See `Shape.transform`."""
        turned = turn_frequencies(frequencies, angle=self.angle, mirror=False)
        return rectangle_transform(turned, size=self.size.components(len(frequencies)))

    @property
    def support(self) -> float:
        """Half the diagonal."""
        return math.hypot(self.size.y, self.size.x) / 2
