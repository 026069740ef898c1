"""Copies at given positions."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.paths import DataFile
from simkit.core.quantity import Angle
from simkit.core.tables import Placements
from simkit.core.vector import Vector
from simkit.io.coordinates import read_coordinates
from simkit.io.names import micrograph_of
from simkit.lattice.base import Lattice


class Point(Vector):
    """One copy: `[y, x]` (`[x]` in one dimension), or `{y: …, x: …, angle: …}` and so on."""

    angle: Angle = 0.0
    """In-plane angle ψ, +x towards +y."""

    mirror: Annotated[bool, Strict()] = False
    """Mirrored x → −x before turning."""

    h: Annotated[int, Strict()] | None = None
    """Lattice index along a, if there is a lattice."""

    k: Annotated[int, Strict()] | None = None
    """Lattice index along b, if there is a lattice."""


class Positions(Lattice):
    """Copies at positions from a list or a file.

    Rows of a file count with their angles where there are any, the view of a solid included; pixels in it
    are the image's.
    """

    dimensions = frozenset({1, 2})

    kind: Literal["positions"] = "positions"

    at: tuple[Point, ...] | None = Field(default=None, min_length=1)
    """The list."""

    file: DataFile | None = None
    """A file of coordinates in any format of `simkit list coordinates`."""

    micrograph: str | None = None
    """Take the rows of this micrograph alone; needed where the file is about several."""

    @model_validator(mode="after")
    def _is_one(self) -> Positions:
        if (self.at is None) == (self.file is None):
            raise PydanticCustomError("positions", "positions come from exactly one of `at:` and `file:`")
        if self.micrograph is not None and self.file is None:
            raise PydanticCustomError("positions", "only a `file:` names micrographs; leave it out")
        return self

    def placements(
        self, *, grid: Grid, margin: float, periodic: bool, rng: np.random.Generator, occupied: Placements
    ) -> Placements:
        """See `Lattice.placements`."""
        copies = (
            _listed(self.at, grid.ndim)
            if self.at is not None
            else _read(str(self.file), grid, self.micrograph)
        )
        self._refuse_far(copies, grid, 0.0 if periodic else margin)
        return copies

    def _refuse_far(self, copies: Placements, grid: Grid, margin: float) -> None:
        reach = margin / grid.pixel_size + 0.5
        axes = zip(grid.indices(*copies.positions(grid.ndim)), grid.shape, strict=True)
        far = np.logical_or.reduce([(i < -reach) | (i >= n - 1 + reach) for i, n in axes])
        if not far.any():
            return
        row = int(np.argmax(far))
        where = ", ".join(
            f"{axis} {p[row]:.6g} Å" for axis, p in zip(grid.axes, copies.positions(grid.ndim), strict=True)
        )
        size = " × ".join(f"{length:.6g}" for length in grid.extent)
        what = (
            "outside the image"
            if margin == 0
            else f"so far outside the image that nothing of it is seen (more than {margin:.4g} Å)"
        )
        raise ScenarioError(
            f"copy {row + 1} at {where} is {what}; the image measures {size} Å",
            ("file",) if self.at is None else ("at", row),
        )


def _listed(points: tuple[Point, ...], ndim: int) -> Placements:
    for row, point in enumerate(points):
        if ndim == 1 and (point.y, point.angle) != (0.0, 0.0):
            raise ScenarioError("in 1-D there is no y and no angle, only `[x]`", ("at", row))

    def column(name: str) -> list[float]:
        return [np.nan if (value := getattr(p, name)) is None else value for p in points]

    return Placements.at(
        column("y"),
        column("x"),
        psi=column("angle"),
        mirror=column("mirror"),
        h=column("h"),
        k=column("k"),
    )


def _read(file: str, grid: Grid, micrograph: str | None) -> Placements:
    picks = read_coordinates(file, pixel_size=grid.pixel_size)
    names = picks["micrograph"].tolist()
    there = sorted(set(names))
    if micrograph is None and len(there) > 1:
        raise ScenarioError(
            f"the file is about {len(there)} micrographs; write which, for example `micrograph: {there[0]}`",
            ("file",),
        )
    if micrograph is not None:
        meant = {name for name in there if micrograph_of(name, [micrograph])}
        picks = picks.take([name in meant for name in names])
        if len(picks) == 0:
            raise ScenarioError(
                f"the file has no rows of {micrograph!r}; there are {', '.join(there[:5])}", ("micrograph",)
            )
    y = np.zeros(len(picks)) if grid.ndim == 1 else picks["y"]
    angles = {"psi": np.nan_to_num(picks["psi"]), "rot": picks["rot"], "tilt": picks["tilt"]}
    return Placements.at(y, picks["x"], **angles)
