"""A flat disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import j1

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.shape.base import Shape


def disk_transform(frequency: FloatArray, *, radius: float) -> FloatArray:
    """Fourier transform of a disk of unit height: R J₁(2πRk) / k, the Airy pattern.

    Parameters
    ----------
    frequency : array
        |k| in 1/Å.
    radius : float
        R in Å.

    Returns
    -------
    array, in Å²; πR² at k = 0
    """
    z = 2 * np.pi * radius * np.abs(frequency)
    safe = np.where(z == 0, 1.0, z)
    return np.pi * radius**2 * np.where(z == 0, 1.0, 2 * j1(safe) / safe)


class Disk(Shape):
    """A flat disk of constant density."""

    kind: Literal["disk"] = "disk"

    radius: PositiveLength
    """Radius."""

    def transform(self, frequencies: Sequence[FloatArray]) -> FloatArray:
        """See `Shape.transform`."""
        return disk_transform(np.hypot(*frequencies), radius=self.radius)

    @property
    def support(self) -> float:
        """The radius."""
        return self.radius
