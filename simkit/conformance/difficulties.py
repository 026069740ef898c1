"""The micrographs of the tasks: each has one difficulty, and is the same every time."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from simkit.conformance.scene import (
    BOTH,
    DIAMETER,
    PARTICLE,
    PIXEL_SIZE,
    RING,
    SEED,
    SHAPE,
    Exposure,
    Poses,
    expose,
    field,
    scenario,
    sites,
)
from simkit.core.random import stream

CUT = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Distances from the border, in radii of the particle."""


@functools.cache
def one_particle(number: int) -> Exposure:
    """Return a lone particle, away from the middle."""
    made = scenario({PARTICLE: sites(1, 1, "one", number)}, seed=SEED + 200 + number)
    return expose(f"one{number}", made)


@functools.cache
def every_angle() -> Exposure:
    """Return particles at 25 angles, evenly around the circle."""
    poses = sites(5, 5, "angles")
    poses[:, 2] = 2.5 + 360 / len(poses) * np.arange(len(poses))
    return expose("angles", scenario({PARTICLE: poses}, seed=SEED + 300))


@functools.cache
def inverted() -> Exposure:
    """Return the clear micrograph with its contrast inverted: all that was a particle is a lure."""
    pixels = 2 * field().pixels.mean() - field().pixels
    return field().altered("inverted", pixels, truth=field().truth.take([]), lures=field().truth)


@functools.cache
def bordered() -> Exposure:
    """Return particles that the border cuts, all around, and four whole ones in the middle."""
    height, width = (n * PIXEL_SIZE for n in SHAPE)
    along = (np.arange(len(CUT)) + 0.5) / len(CUT)
    depth = np.array(CUT) * DIAMETER / 2
    rng = stream(SEED, "conformance", "border")
    at = [
        *zip(depth, along * width, strict=True),
        *zip(height - PIXEL_SIZE - depth, along[::-1] * width, strict=True),
        *zip((0.2 + 0.6 * along) * height, depth, strict=True),
        *zip((0.2 + 0.6 * along[::-1]) * height, width - PIXEL_SIZE - depth, strict=True),
        *((y * height, x * width) for y in (0.35, 0.65) for x in (0.35, 0.65)),
    ]
    poses = np.column_stack([np.array(at), rng.uniform(0, 360, len(at))])
    return expose("border", scenario({PARTICLE: poses}, seed=SEED + 400))


@functools.cache
def pairs(separation: float) -> Exposure:
    """Return nine pairs of particles, so many diameters apart."""
    middle = sites(3, 3, "pairs", str(separation))
    rng = stream(SEED, "conformance", "partners", str(separation))
    way = rng.uniform(0, 2 * np.pi, len(middle))
    half = separation * DIAMETER / 2 * np.stack([np.sin(way), np.cos(way)], axis=1)
    both = np.concatenate([middle[:, :2] - half, middle[:, :2] + half])
    poses = np.column_stack([both, rng.uniform(0, 360, len(both))])
    made = scenario({PARTICLE: poses}, seed=SEED + 500 + round(100 * separation))
    return expose(f"pairs{round(100 * separation)}", made)


def _with_decoys(name: str, shapes: Sequence[dict[str, object]], number: int) -> Exposure:
    poses = sites(5, 5, "decoys", name)
    odd = np.arange(len(poses)) % 2 == 1
    made = scenario({PARTICLE: poses[~odd], "decoy": poses[odd]}, decoy=shapes, seed=SEED + 600 + number)
    return expose(name, made)


@functools.cache
def bright_blobs() -> Exposure:
    """Return particles among bright disks of their size."""
    return _with_decoys("bright", [{"kind": "disk", "radius": 40.0, "weight": 0.12}], 0)


@functools.cache
def rods() -> Exposure:
    """Return particles among rods of their contrast."""
    return _with_decoys("rods", [{"kind": "rectangle", "size": [24.0, 150.0], "weight": -0.12}], 1)


@functools.cache
def carbon_edge() -> Exposure:
    """Return particles above the edge of a carbon film as dark as they are."""
    poses = sites(5, 5, "decoys", "edge")
    carbon = [{"kind": "rectangle", "size": [400.0, 2400.0], "weight": -0.12}]
    # Its border crosses the image at y = 780 Å, 20 Å up and down: the particles beside it stay clear of it.
    sheet = np.array([[980.0, 576.0, 2.0]])
    made = scenario({PARTICLE: poses[:15], "decoy": sheet}, decoy=carbon, seed=SEED + 602)
    return expose("edge", made)


@functools.cache
def slope() -> Exposure:
    """Return particles in ice that thickens by five times their contrast."""
    ice = {"ice": {"kind": "gradient", "amplitude": 0.6, "angle": 60.0}}
    return expose("slope", scenario({PARTICLE: sites(5, 5, "slope")}, background=ice, seed=SEED + 603))


def _holes(value: float, name: str) -> Exposure:
    pixels = np.array(field().pixels)
    bad = np.zeros(pixels.shape, bool)
    bad[:, 140:143] = True
    bad[108:148, 40:90] = True
    pixels[bad] = value
    reach = DIAMETER / 2 / PIXEL_SIZE
    y, x = (field().truth[axis] / PIXEL_SIZE for axis in ("y", "x"))
    rows, columns = np.nonzero(bad)
    near = np.hypot(rows[:, None] - y, columns[:, None] - x).min(axis=0) <= reach
    return field().altered(name, pixels, truth=field().truth.take(~near), lures=field().truth.take(near))


@functools.cache
def missing_pixels() -> Exposure:
    """Return the clear micrograph with pixels that are not numbers."""
    return _holes(np.nan, "missing")


@functools.cache
def dead_pixels() -> Exposure:
    """Return the clear micrograph with the same pixels dead, all zero."""
    return _holes(0.0, "dead")


@functools.cache
def two_species() -> Exposure:
    """Return particles and rings, every other one."""
    poses = sites(5, 5, "species")
    odd = np.arange(len(poses)) % 2 == 1
    made = scenario({PARTICLE: poses[~odd], RING: poses[odd]}, seed=SEED + 700)
    return expose("species", made, templates=BOTH)


def _net(a: float, b: float, angle: float, turn: float) -> Poses:
    first, second = np.deg2rad(turn), np.deg2rad(turn + angle)
    basis = np.array([[a * np.sin(first), a * np.cos(first)], [b * np.sin(second), b * np.cos(second)]])
    h, k = np.meshgrid(np.arange(-12, 13), np.arange(-12, 13), indexing="ij")
    extent = np.array(SHAPE) * PIXEL_SIZE
    at = extent / 2 + h.ravel()[:, None] * basis[0] + k.ravel()[:, None] * basis[1]
    inside = ((at > 0.6 * DIAMETER) & (at < extent - 0.6 * DIAMETER)).all(axis=1)
    return np.column_stack([at[inside], np.full(inside.sum(), 40.0)])


@functools.cache
def crystal() -> Exposure:
    """Return particles all turned alike, on an oblique net."""
    return expose("crystal", scenario({PARTICLE: _net(115.0, 128.0, 97.0, 12.0)}, seed=SEED + 800))
