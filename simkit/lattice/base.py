"""The contract of a lattice: the deltas that a unit cell is convolved with."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import ClassVar

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.net import reduced
from simkit.core.spec import Spec
from simkit.core.tables import Placements


class Lattice(Spec):
    """Where copies go. Positions are real numbers in Å, never rounded to pixels."""

    dimensions: ClassVar[frozenset[int]] = frozenset({2})
    """Numbers of dimensions in which the kind exists."""

    @abstractmethod
    def placements(
        self, *, grid: Grid, margin: float, periodic: bool, rng: np.random.Generator, occupied: Placements
    ) -> Placements:
        """Return where copies go.

        Parameters
        ----------
        grid : Grid
            The image; its origin is the centre of pixel (0, 0).
        margin : float
            Å around the image within which a copy still reaches into it; 0 in a periodic image.
        periodic : bool
            Whether the image wraps around: distances are then taken across its borders.
        rng : numpy.random.Generator
            The species' own stream.
        occupied : Placements
            Copies of the species placed so far.

        Raises
        ------
        ScenarioError
            If the copies cannot be placed; its path is relative to the lattice.
        """

    @property
    def basis(self) -> FloatArray | None:
        """Lattice vectors in Å, one a row, components (y, x) or (x,); None where there is no net."""
        return None

    @property
    def shortest_spacing(self) -> float | None:
        """Shortest distance in Å between two points of the net; None where there is no net."""
        if self.basis is None:
            return None
        steps = np.array([s for s in itertools.product((-1, 0, 1), repeat=len(self.basis)) if any(s)])
        return float(np.linalg.norm(steps @ reduced(self.basis), axis=1).min())
