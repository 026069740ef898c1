"""A Gaussian blob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.shape.base import Shape


def gaussian_transform(frequencies: Sequence[FloatArray], *, sigma: float) -> FloatArray:
    """Fourier transform of e^(−r²/2σ²): (2πσ²)^(ndim/2) e^(−2π²σ²k²), a Gaussian again.

    Parameters
    ----------
    frequencies : sequence of arrays
        (ky, kx) or (kx,) in 1/Å; they broadcast.
    sigma : float
        σ in Å.

    Returns
    -------
    array, in Å^ndim
    """
    squared = sum(k * k for k in frequencies)
    return (2 * np.pi * sigma**2) ** (len(frequencies) / 2) * np.exp(-2 * np.pi**2 * sigma**2 * squared)


class Gaussian(Shape):
    """A Gaussian blob; `weight` is its peak."""

    dimensions = frozenset({1, 2})

    kind: Literal["gaussian"] = "gaussian"

    sigma: PositiveLength
    """Standard deviation."""

    def transform(self, frequencies: Sequence[FloatArray]) -> FloatArray:
        """See `Shape.transform`."""
        return gaussian_transform(frequencies, sigma=self.sigma)

    @property
    def support(self) -> float:
        """Four standard deviations, where 3e-4 of the peak is left."""
        return 4 * self.sigma

    @property
    def softness(self) -> float:
        """The standard deviation: a blob wider than a pixel needs no edge."""
        return self.sigma
