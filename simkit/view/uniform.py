"""Every view is as likely."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.view.base import Views


def uniform_views(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw n directions uniform over the sphere.

    Returns
    -------
    rot, tilt : arrays, shape (n,)
        Degrees; rot and cos tilt are uniform (Archimedes).
    """
    rot = rng.uniform(0.0, 360.0, n)
    return rot, np.rad2deg(np.arccos(rng.uniform(-1.0, 1.0, n)))


class Uniform(Views):
    """Every direction is as likely; with the lattice's `rotation: uniform`, so is every orientation."""

    kind: Literal["uniform"] = "uniform"

    def draw(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """See `Views.draw`."""
        return uniform_views(n, rng)
