"""The micrographs of the kit: one particle that has no symmetry, dark, made by simkit's forward model.

Whoever sets up a picker for the kit needs to know: pixels of 4 Å, images of 256 × 288 pixels, particles dark
on bright, about 80 Å (20 pixels) across and 100 Å from tip to tip, electrons counted.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.random import stream
from simkit.core.tables import Array, Truth
from simkit.correlation.bank import TemplateBank
from simkit.engine.picking import draw_banks
from simkit.engine.simulation import simulate_one
from simkit.scenario.spec import Scenario

PIXEL_SIZE = 4.0
"""Å."""

SHAPE = (256, 288)
"""Rows and columns: no square, so that rows and columns exchanged are noticed."""

DIAMETER = 100.0
"""Of the circle around a particle, Å."""

ACROSS = 80.0
"""Of a disk of about the particle's area, Å: what pickers without templates are told."""

STEP = 10.0
"""Degrees between the angles of the templates."""

DOSE = 8.0
"""e/Å² of a clear micrograph: the ideal observer sees a particle at d′ 22."""

RADIUS = DIAMETER / 4
"""Å within which a pick is of a particle."""

SEED = 7

WEIGHT = -0.12

PARTICLE, RING, DECOY = "particle", "ring", "decoy"

ALONE, BOTH = (PARTICLE,), (PARTICLE, RING)
"""Templates that a picker is given."""

MARGIN = 20.0
"""Å by which a particle may be off the middle of its site."""


def disk(radius: float, y: float = 0.0, x: float = 0.0, weight: float = WEIGHT) -> dict[str, Any]:
    """Return a disk of a unit cell; Å."""
    return {"kind": "disk", "radius": radius, "centre": [y, x], "weight": weight}


BODIES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    # Its centre of mass is within 1 Å of its centre, for pickers of blobs.
    PARTICLE: [disk(30.0, -6.0, -8.0), disk(14.0, -14.0, 34.0), disk(16.0, 30.0, 6.0)],
    RING: [{"kind": "ring", "radius": 36.0, "width": 16.0, "weight": WEIGHT}],
}
"""What particles are made of."""

Poses = FloatArray
"""Shape (n, 3): y and x in Å, ψ in degrees."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """A micrograph and what is known of it.

    Attributes
    ----------
    name : str
        No two of different content have one; it becomes a file name.
    pixels : array, float32
        Electrons per pixel, where nothing has been done to them.
    pixel_size : float
        Å.
    truth : Truth
        The particles.
    lures : Truth
        What is no particle and might be taken for one.
    templates : tuple of str
        What a picker is to look for in it.
    """

    name: str
    pixels: Array
    pixel_size: float
    truth: Truth
    lures: Truth
    templates: tuple[str, ...] = ALONE

    @property
    def grid(self) -> Grid:
        """Shape and pixel size."""
        return Grid(self.pixels.shape, self.pixel_size)

    def altered(self, name: str, pixels: Array, **changed: Any) -> Exposure:
        """Return another micrograph made of this one."""
        return replace(self, name=f"{self.name}-{name}", pixels=np.asarray(pixels, np.float32), **changed)


def scenario(
    bodies: Mapping[str, Poses],
    *,
    dose: float = DOSE,
    seed: int = SEED,
    shape: tuple[int, int] = SHAPE,
    decoy: Sequence[Mapping[str, Any]] = (),
    background: Mapping[str, Mapping[str, Any]] | None = None,
    templates: tuple[str, ...] = ALONE,
) -> Scenario:
    """Return the scenario of a micrograph.

    Parameters
    ----------
    bodies : mapping
        Species → where its copies stand; one without any is left out.
    dose : float
        e/Å².
    seed : int
        Of the noise.
    shape : tuple of int
        Pixels.
    decoy : sequence of mapping
        The shapes of the species `decoy`.
    background : mapping, optional
        As in a scenario file.
    templates : tuple of str
        Species with a template.
    """
    made = {**BODIES, DECOY: decoy}
    return Scenario.model_validate(
        {
            "schema_version": 1,
            "seed": seed,
            "image": {"shape": list(shape), "pixel_size": PIXEL_SIZE, "level": 1.0},
            "specimen": {
                name: {
                    "unit_cell": {"kind": "shapes", "shapes": [dict(part) for part in made[name]]},
                    "lattice": {"kind": "positions", "at": [_point(pose) for pose in poses]},
                }
                for name, poses in bodies.items()
                if len(poses)
            },
            "background": {name: dict(spec) for name, spec in (background or {}).items()},
            "noise": {"counting": {"kind": "poisson", "dose": dose}},
            "templates": {
                name: {"kind": "specimen", "of": name, "rotations": {"step": STEP}}
                for name in templates
                if len(bodies.get(name, ()))
            },
        }
    )


def _point(pose: FloatArray) -> dict[str, float]:
    y, x, psi = pose.tolist()
    return {"y": y, "x": x, "angle": psi}


def expose(name: str, made: Scenario, *, templates: tuple[str, ...] = ALONE) -> Exposure:
    """Simulate a micrograph."""
    simulated = simulate_one(made)
    truth = simulated.truth.replace(micrograph=[name] * len(simulated.truth))
    lure = truth["class"] == DECOY
    pixels = np.asarray(simulated.micrograph)
    return Exposure(name, pixels, PIXEL_SIZE, truth.take(~lure), truth.take(lure), templates)


@functools.cache
def banks(templates: tuple[str, ...]) -> tuple[TemplateBank, ...]:
    """Return the templates as a picker is given them."""
    one = np.array([[512.0, 576.0, 0.0]])
    made = scenario(dict.fromkeys(templates, one), templates=templates)
    drawn = draw_banks(made, made.image.grid, _no_micrograph)
    return tuple(bank for name in templates for bank in drawn[name])


def _no_micrograph(_: int) -> FloatArray:
    raise RuntimeError("templates of the kit are drawn, not cropped")


def sites(rows: int, columns: int, *name: str | int, shape: tuple[int, int] = SHAPE) -> Poses:
    """Return a place and an angle at random in every cell of a grid over the image.

    Parameters
    ----------
    rows, columns : int
        Cells; the particles in them are whole and apart up to 5 × 5 in the usual image.
    *name : str or int
        Of the random stream.
    shape : tuple of int
        Pixels of the image.
    """
    rng = stream(SEED, "conformance", *name)
    y, x = np.meshgrid(
        *((np.arange(n) + 0.5) * m * PIXEL_SIZE / n for n, m in zip((rows, columns), shape, strict=True)),
        indexing="ij",
    )
    off = rng.uniform(-MARGIN, MARGIN, (2, rows * columns))
    return np.stack([y.ravel() + off[0], x.ravel() + off[1], rng.uniform(0, 360, rows * columns)], axis=1)


@functools.cache
def field(number: int = 0, dose: float = DOSE) -> Exposure:
    """Return a micrograph of 25 whole particles that stand apart, each turned by an angle of its own.

    A number is used with one dose alone.
    """
    poses = sites(5, 5, "field", number)
    made = scenario({PARTICLE: poses}, dose=dose, seed=SEED + number)
    return expose(f"field{number}", made)


@functools.cache
def empty(number: int) -> Exposure:
    """Return a micrograph of electrons alone."""
    return expose(f"empty{number}", scenario({}, seed=SEED + 100 + number))


@contextmanager
def holes_are_meant() -> Iterator[None]:
    """Keep mrcfile from warning of pixels that are not numbers while micrographs are written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Data array contains NaN")
        yield
