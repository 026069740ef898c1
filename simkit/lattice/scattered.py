"""Copies scattered at random, none too close to another."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.spatial import cKDTree

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import Index, NonNegativeLength
from simkit.core.tables import Placements
from simkit.lattice._net import MOST_COPIES
from simkit.lattice.base import Lattice

DARTS = 4096
"""Darts thrown at once; the accepted ones do not depend on it."""

TRIES_PER_COPY = 1000
FEWEST_TRIES = 50_000
"""Darts thrown before giving up: this many a copy, and never fewer than that."""

COMFORTABLE = {1: 0.6, 2: 0.45}
"""Share of the image that copies of diameter `min_distance` fill in good time; thrown one after the
other they jam at 0.748 on a line [1] and near 0.547 in the plane [2].

.. [1] Rényi, Publ. Math. Inst. Hung. Acad. Sci. 3 (1958) 109.
.. [2] Feder, J. Theor. Biol. 87 (1980) 237.
"""


def most_that_fit(grid: Grid, min_distance: float, *, periodic: bool) -> float:
    """Return a bound that no set of points this far apart can exceed.

    Parameters
    ----------
    grid : Grid
        The image.
    min_distance : float
        d in Å, > 0.
    periodic : bool
        Whether distances are taken across the borders.

    Notes
    -----
    On a line L/d, plus 1 if it has ends. In the plane the hexagonal net is the densest, 2/√3 ·
    area/d²; within borders perimeter/(2d) + 1 more [1]_.

    References
    ----------
    .. [1] Oler, Acta Math. 105 (1961) 19.
    """
    lengths = [n / min_distance for n in grid.extent]
    if grid.ndim == 1:
        return lengths[0] + (0 if periodic else 1)
    dense = 2 / math.sqrt(3) * math.prod(lengths)
    return dense if periodic else dense + sum(lengths) + 1


def scatter(
    *,
    grid: Grid,
    count: int,
    min_distance: float,
    periodic: bool,
    rng: np.random.Generator,
    obstacles: FloatArray,
) -> FloatArray:
    """Throw darts at the image, keeping each that is far enough from all before it.

    Parameters
    ----------
    grid : Grid
        The image.
    count : int
        How many to keep at most.
    min_distance : float
        Å, between any two and from every obstacle.
    periodic : bool
        Whether distances are taken across the borders.
    rng : numpy.random.Generator
        The stream.
    obstacles : array, shape (m, ndim)
        Positions in Å.

    Returns
    -------
    array, shape (n, ndim)
        Positions in Å; n < `count` if too many darts missed.
    """
    corner = np.array(grid.origin) - grid.pixel_size / 2
    box = np.array(grid.extent)
    taken = obstacles - corner
    if periodic:
        taken = taken % box
        taken[taken >= box] = 0.0
    kept = np.zeros((0, grid.ndim))
    boxsize = box if periodic else None
    for _ in range(math.ceil(max(TRIES_PER_COPY * count, FEWEST_TRIES) / DARTS)):
        if len(kept) == count:
            break
        darts = rng.random((DARTS, grid.ndim)) * box
        tree = cKDTree(np.concatenate([taken, kept]), boxsize=boxsize)
        far = tree.query(darts, distance_upper_bound=min_distance)[0] >= min_distance
        chosen = _first_come(darts[far], count - len(kept), min_distance, boxsize)
        kept = np.concatenate([kept, chosen])
    return kept + corner


def _first_come(darts: FloatArray, count: int, min_distance: float, boxsize: FloatArray | None) -> FloatArray:
    """Keep the first darts, up to `count`, that are far from every one kept before them."""
    tree = cKDTree(darts, boxsize=boxsize)
    free = np.ones(len(darts), bool)
    kept: list[int] = []
    for i, dart in enumerate(darts):
        if len(kept) == count:
            break
        if free[i]:
            kept.append(i)
            free[tree.query_ball_point(dart, min_distance)] = False
    return darts[kept]


class Scattered(Lattice):
    """A given number of copies, independent but for a least distance."""

    dimensions = frozenset({1, 2})

    kind: Literal["scattered"] = "scattered"

    count: Annotated[Index, Field(le=MOST_COPIES)]
    """How many copies have their centres within the image."""

    min_distance: NonNegativeLength
    """Least distance between two centres, and to the centres of the species written before."""

    rotation: Literal["none", "uniform"] = "none"
    """none: every copy upright; uniform: every in-plane angle is as likely."""

    def placements(
        self, *, grid: Grid, margin: float, periodic: bool, rng: np.random.Generator, occupied: Placements
    ) -> Placements:
        """See `Lattice.placements`."""
        if grid.ndim == 1 and self.rotation != "none":
            raise ScenarioError("there is no rotation in 1-D", ("rotation",))
        if self.min_distance > 0:
            most = most_that_fit(grid, self.min_distance, periodic=periodic)
            if self.count > max(most, 1):
                raise self._too_many(grid, f"at most {math.floor(most)} can stand")
        positions = scatter(
            grid=grid,
            count=self.count,
            min_distance=self.min_distance,
            periodic=periodic,
            rng=rng,
            obstacles=np.stack(occupied.positions(grid.ndim), axis=1),
        )
        if len(positions) < self.count:
            raise self._too_many(grid, f"only {len(positions)} found room")
        psi = rng.uniform(0.0, 360.0, self.count) if self.rotation == "uniform" else 0.0
        y = positions[:, 0] if grid.ndim == 2 else np.zeros(self.count)
        return Placements.at(y, positions[:, -1], psi=psi)

    def _too_many(self, grid: Grid, fitted: str) -> ScenarioError:
        room = COMFORTABLE[grid.ndim] * grid.area
        ball = 1.0 if grid.ndim == 1 else math.pi / 4
        number = int(room / (ball * self.min_distance**grid.ndim))
        distance = (room / (ball * self.count)) ** (1 / grid.ndim)
        return ScenarioError(
            f"{self.count} copies do not fit {self.min_distance:g} Å apart: {fitted}; in an image this "
            f"size, if empty, {number} would, or a min_distance of {distance:.3g} Å",
            ("count",),
        )
