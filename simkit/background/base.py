"""The contract of a background: density in the ice besides the particles, added before the optics."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.spec import Spec


class Background(Spec):
    """What else is in the ice."""

    dimensions: ClassVar[frozenset[int]] = frozenset({1, 2})
    """Numbers of dimensions in which the kind exists."""

    @abstractmethod
    def density(self, *, grid: Grid, image: Grid, periodic: bool, rng: np.random.Generator) -> FloatArray:
        """Return the density to add, in the units of the image model's densities.

        Parameters
        ----------
        grid : Grid
            The grid simulated on; in an open image it is larger than the image.
        image : Grid
            The image itself.
        periodic : bool
            Whether the image wraps around.
        rng : numpy.random.Generator
            The background's own stream.

        Raises
        ------
        ScenarioError
            If the background cannot exist on such an image; its path is relative to the background.
        """
