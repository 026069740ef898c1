"""What the five nets share: a basis, and every point of it that reaches into the image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.net import net_points
from simkit.core.quantity import Angle, PositiveLength
from simkit.core.spec import Spec
from simkit.core.tables import Placements
from simkit.core.vector import Vector
from simkit.lattice.base import Lattice

Occupancy = Annotated[float, Strict(), Field(gt=0, le=1)]

MOST_COPIES = 2_000_000
"""More copies than this in one image are taken for a slip of the unit."""

ROUNDING = 1e-6
"""Pixels (and, for an outline, Å) by which rounding may move a point across a border."""


def basis_vectors(*, a: float, b: float, gamma: float, rotation: float = 0.0) -> FloatArray:
    """Return the lattice vectors of a net.

    Parameters
    ----------
    a, b : float
        Lengths in Å.
    gamma : float
        Angle from a to b in degrees, +x towards +y.
    rotation : float
        Angle from +x to a in degrees, +x towards +y.

    Returns
    -------
    array, shape (2, 2)
        Rows a and b, columns y and x, in Å.
    """
    turns = np.deg2rad([rotation, rotation + gamma])
    return np.array([[a], [b]]) * np.stack([np.sin(turns), np.cos(turns)], axis=1)


def points_in_image(
    basis: FloatArray, *, origin: Sequence[float], grid: Grid, margin: float
) -> tuple[FloatArray, FloatArray]:
    """List the points of a net on the image or within `margin` Å of it; returns as `net_points`.

    The image is half-open, so a net that fits a periodic image has no point twice: points on the
    seam, whichever side rounding has put them, count as the first pixel's edge.

    Raises
    ------
    ScenarioError
        If there are more than `MOST_COPIES`.
    """
    edge = grid.pixel_size / 2
    first = np.array(grid.origin) - edge - margin
    last = first + grid.extent + 2 * margin
    cell = abs(float(np.linalg.det(basis)))
    if float(np.prod(last - first)) > MOST_COPIES * cell:
        raise ScenarioError(
            f"the net is too fine: more than {MOST_COPIES} copies would stand in the image; "
            "check the units of its cell"
        )
    slack = ROUNDING * grid.pixel_size
    positions, indices = net_points(basis, origin=origin, lower=first - slack, upper=last - slack)
    return np.maximum(positions, first), indices


class Outline(Spec):
    """The edge of a crystal: exactly one of a circle, a rectangle and a polygon.

    It stays where it is when the net is turned; a point on the edge belongs to the crystal.
    """

    centre: Vector | None = None
    """Centre of the outline; the centre of the image by default."""

    radius: PositiveLength | None = None
    """Radius of a circle."""

    size: Vector | None = None
    """Full [height, width] of a rectangle."""

    corners: tuple[Vector, ...] | None = Field(default=None, min_length=3)
    """Corners of a polygon, relative to its centre."""

    @model_validator(mode="after")
    def _is_one(self) -> Outline:
        given = [name for name in ("radius", "size", "corners") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "outline",
                "an outline is exactly one of `radius:`, `size:` and `corners:`; this has {given}",
                {"given": " and ".join(given) or "none"},
            )
        if self.size is not None and min(self.size.y, self.size.x) <= 0:
            raise PydanticCustomError(
                "outline", "the size of an outline is `[height, width]`, both more than 0 Å"
            )
        return self

    def contains(self, positions: FloatArray, grid: Grid) -> npt.NDArray[np.bool_]:
        """Tell which positions, shape (n, 2), in Å, lie within the outline."""
        centre = grid.centre if self.centre is None else self.centre.components(2)
        offset = positions - centre
        if self.radius is not None:
            return np.hypot(*offset.T) <= self.radius + ROUNDING
        if self.size is not None:
            return np.all(np.abs(offset) <= np.array(self.size.components(2)) / 2 + ROUNDING, axis=1)
        return inside_polygon(offset, np.array([corner.components(2) for corner in self.corners or ()]))


def inside_polygon(points: FloatArray, corners: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which points lie within a polygon or on its edge.

    Parameters
    ----------
    points : array, shape (n, 2)
    corners : array, shape (m, 2)
        In order, either way round; the last joins the first. Where the polygon crosses itself,
        a point is inside when a ray from it meets an odd number of edges.

    Returns
    -------
    array of bool, shape (n,)
    """
    inside = np.zeros(len(points), bool)
    on_edge = np.zeros(len(points), bool)
    y, x = points.T
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge = end - start
        if edge[0] != 0:
            crossing = start[1] + (y - start[0]) / edge[0] * edge[1]
            inside ^= ((start[0] > y) != (end[0] > y)) & (x < crossing)
        along = np.clip((points - start) @ edge / max(float(edge @ edge), np.finfo(float).tiny), 0, 1)
        on_edge |= np.linalg.norm(points - start - along[:, None] * edge, axis=1) <= ROUNDING
    return inside | on_edge


class Net(Lattice):
    """A two-dimensional crystal: every point h·a + k·b that reaches into the image."""

    rotation: Angle = 0.0
    """Angle from +x to the lattice vector a, +x towards +y. It turns the net, not the motif."""

    origin: Vector | None = None
    """Position of the point (0, 0); the centre of the image by default."""

    angle: Angle = 0.0
    """In-plane angle ψ of every copy, whatever the net's rotation."""

    outline: Outline | None = None
    """Edge of the crystal; it covers the whole image by default."""

    occupancy: Occupancy = 1.0
    """Share of the sites that have a copy: each has one with this probability, the others are vacancies."""

    @property
    @abstractmethod
    def basis(self) -> FloatArray:
        """Lattice vectors a and b in Å: one a row, components (y, x)."""

    def placements(
        self, *, grid: Grid, margin: float, periodic: bool, rng: np.random.Generator, occupied: Placements
    ) -> Placements:
        """See `Lattice.placements`.

        In a periodic image only a net that fits it closes across the borders.
        """
        origin = grid.centre if self.origin is None else self.origin.components(2)
        positions, indices = points_in_image(
            self.basis, origin=origin, grid=grid, margin=0.0 if periodic else margin
        )
        if self.outline is not None:
            kept = self.outline.contains(positions, grid)
            positions, indices = positions[kept], indices[kept]
        if self.occupancy < 1:
            there = rng.random(len(positions)) < self.occupancy
            positions, indices = positions[there], indices[there]
        (y, x), (h, k) = positions.T, indices.T
        return Placements.at(y, x, psi=self.angle, h=h, k=k)
