"""Empty ice."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.background.base import Background
from simkit.core.grid import FloatArray, Grid


class NoBackground(Background):
    """Nothing but the particles."""

    kind: Literal["none"] = "none"

    def density(self, *, grid: Grid, image: Grid, periodic: bool, rng: np.random.Generator) -> FloatArray:
        """See `Background.density`."""
        return np.zeros(grid.shape)
