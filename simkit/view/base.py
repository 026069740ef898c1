"""The contract of views: from where the copies of a solid are seen."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import numpy as np

from simkit.core.family import Family
from simkit.core.grid import FloatArray
from simkit.core.orientation import View
from simkit.core.random import stream
from simkit.core.spec import Spec

TYPICAL = 16
"""Views that stand for all of a distribution where one number is wanted, as for an `snr`."""


class Views(Spec):
    """The directions that the copies of a solid are seen from; the in-plane angle is the lattice's."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw the view of each of n copies.

        Returns
        -------
        rot, tilt : arrays, shape (n,)
            Degrees, in RELION's convention (`simkit.core.orientation`).
        """

    @property
    def only(self) -> View | None:
        """The one view that all copies have; None where they differ."""
        return None

    @property
    def typical(self) -> tuple[View, ...]:
        """The one view, or `TYPICAL` views of the distribution, always the same ones."""
        if self.only is not None:
            return (self.only,)
        rot, tilt = self.draw(TYPICAL, stream(0, "typical views"))
        return tuple(View(float(r), float(t)) for r, t in zip(rot, tilt, strict=True))


class OneView(Views):
    """Views that are all the same."""

    @property
    @abstractmethod
    def only(self) -> View:
        """The view."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """See `Views.draw`."""
        return np.full(n, self.only.rot), np.full(n, self.only.tilt)


AnyOneView = Annotated[OneView, Family("view", OneView)]
"""A view of a kind that all copies share."""
