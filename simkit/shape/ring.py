"""A flat ring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.shape.base import Shape
from simkit.shape.disk import disk_transform


def annulus_transform(frequency: FloatArray, *, outer: float, inner: float) -> FloatArray:
    """Fourier transform of a flat ring of unit height: a disk less a smaller disk.

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    outer, inner : float
        Radii of the edges in Å.

    Returns
    -------
    array, in Å²; π(outer² − inner²) at k = 0
    """
    return disk_transform(frequency, radius=outer) - disk_transform(frequency, radius=inner)


class Ring(Shape):
    """A flat ring of constant density."""

    kind: Literal["ring"] = "ring"

    radius: PositiveLength
    """Mean radius, from the centre to the middle of the band."""

    width: PositiveLength
    """Full width of the band; at most twice the radius."""

    @field_validator("width")
    @classmethod
    def _has_inner_edge(cls, width: float, info: ValidationInfo) -> float:
        widest = 2 * info.data.get("radius", np.inf)
        if width > widest:
            raise PydanticCustomError(
                "ring", "must be at most twice the radius, {widest} Å", {"widest": widest}
            )
        return width

    def transform(self, frequencies: Sequence[FloatArray]) -> FloatArray:
        """See `Shape.transform`."""
        outer, inner = self.radius + self.width / 2, self.radius - self.width / 2
        return annulus_transform(np.hypot(*frequencies), outer=outer, inner=inner)

    @property
    def support(self) -> float:
        """The outer edge."""
        return self.radius + self.width / 2
