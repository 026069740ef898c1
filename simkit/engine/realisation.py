"""Scenario → concrete values for one micrograph: where every copy stands, how strong the noise is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.spatial import cKDTree

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.random import stream
from simkit.core.tables import Placements, Truth
from simkit.engine import imaging
from simkit.noise.base import Noise
from simkit.psf.ctf import Ctf
from simkit.scenario.spec import Scenario


@dataclass(frozen=True)
class Realisation:
    """One micrograph before a pixel is drawn.

    Attributes
    ----------
    name : str
        "0000", "0001", …: the replicate's number.
    replicate : int
        Counted from 0.
    image, grid : Grid
        The micrograph, and the grid it is simulated on (larger when the boundary is open).
    placements : mapping
        Species → copies, those beyond the border of an open image included.
    noise : mapping
        Name → noise with every `snr` resolved to a standard deviation.
    """

    name: str
    replicate: int
    image: Grid
    grid: Grid
    placements: Mapping[str, Placements]
    noise: Mapping[str, Noise]


def realise(scenario: Scenario, replicate: int) -> Realisation:
    """Draw the concrete values of one micrograph; of noise alone no copy is placed.

    Raises
    ------
    ScenarioError
        If copies cannot be placed or an `snr` has nothing to refer to.
    """
    image = scenario.image.grid
    return Realisation(
        name=f"{replicate:04d}",
        replicate=replicate,
        image=image,
        grid=simulation_grid(scenario),
        placements=_nowhere(scenario) if scenario.null == "noise_only" else _place(scenario, replicate),
        noise=resolved_noise(scenario),
    )


def simulation_grid(scenario: Scenario) -> Grid:
    """Return the grid that the density is drawn on.

    A periodic image is its own grid. An open one gets a margin of support plus PSF on every side,
    so that whatever wraps around there stays out of the image.
    """
    image = scenario.image.grid
    if scenario.image.boundary == "periodic":
        return image
    pad = math.ceil(_margin(scenario) / image.pixel_size)
    return image.padded(pad, tuple(fourier.fast_length(n + 2 * pad) for n in image.shape))


def resolved_noise(scenario: Scenario) -> dict[str, Noise]:
    """Return the noise members with every `snr` turned into a standard deviation.

    A standard deviation is a property of the declared scenario, so a variant without particles
    keeps its noise.
    """
    resolved = {}
    for name, member in scenario.noise.items():
        try:
            resolved[name] = member.resolved(lambda: imaging.mean_copy_variance(scenario))
        except ScenarioError as error:
            raise error.under("noise", name) from None
    return resolved


def _margin(scenario: Scenario) -> float:
    cells = [species.unit_cell.support for species in scenario.specimen.values()]
    return max(cells, default=0.0) + imaging.psf_support(scenario, scenario.image.grid)


def _nowhere(scenario: Scenario) -> dict[str, Placements]:
    return dict.fromkeys(scenario.specimen, Placements.at([], []))


def _place(scenario: Scenario, replicate: int) -> dict[str, Placements]:
    periodic = scenario.image.boundary == "periodic"
    placed: dict[str, Placements] = {}
    for name, species in scenario.specimen.items():
        try:
            copies = species.lattice.placements(
                grid=scenario.image.grid,
                margin=0.0 if periodic else _margin(scenario),
                periodic=periodic,
                rng=stream(scenario.seed, "specimen", name, replicate),
                occupied=_joined(list(placed.values())),
            )
        except ScenarioError as error:
            raise error.under("specimen", name, "lattice") from None
        # A stream of its own: other views leave every copy where it is.
        rot, tilt = species.unit_cell.draw_views(len(copies), stream(scenario.seed, "view", name, replicate))
        if species.unit_cell.solid and (known := np.isfinite(copies.rot) & np.isfinite(copies.tilt)).any():
            rot, tilt = np.where(known, copies.rot, rot), np.where(known, copies.tilt, tilt)
        placed[name] = _unmirrored(replace(copies, rot=rot, tilt=tilt))
    return placed


def _unmirrored(copies: Placements) -> Placements:
    """Say of mirrored projections of a solid that it is seen from behind, as every other program would."""
    behind = copies.mirror & np.isfinite(copies.tilt)
    return replace(
        copies,
        mirror=copies.mirror & ~behind,
        rot=np.where(behind, (copies.rot + 180.0) % 360.0, copies.rot),
        tilt=np.where(behind, 180.0 - copies.tilt, copies.tilt),
        psi=np.where(behind, copies.psi + 180.0, copies.psi),
    )


def _joined(groups: list[Placements]) -> Placements:
    if not groups:
        return Placements.at([], [])
    return Placements(
        *(np.concatenate([getattr(g, field.name) for g in groups]) for field in fields(Placements))
    )


def truth_of(scenario: Scenario, realisation: Realisation) -> Truth:
    """List the copies whose centres are within the image, with what makes each one hard.

    Columns that need the image's pixels are left to `difficulty.with_difficulty`.
    """
    image = realisation.image
    overlaps = _overlaps(scenario, realisation)
    defocus = _defocus(scenario)
    tables = []
    for name, copies in realisation.placements.items():
        inside = image.contains(*copies.positions(image.ndim))
        kept = copies.take(inside)
        tables.append(
            Truth(
                **{
                    "micrograph": np.full(len(kept), realisation.name),
                    "class": np.full(len(kept), name),
                    "y": kept.y if image.ndim == 2 else np.full(len(kept), np.nan),
                    "x": kept.x,
                    "psi": kept.psi % 360.0 if image.ndim == 2 else np.full(len(kept), np.nan),
                    "rot": kept.rot,
                    "tilt": kept.tilt,
                    "mirror": kept.mirror,
                    "h": kept.h,
                    "k": kept.k,
                    "edge": _cut_by_border(scenario, kept, scenario.specimen[name].unit_cell.support),
                    "overlap": overlaps[name][inside],
                    "border": _to_border(image, kept),
                    "defocus": np.full(len(kept), defocus),
                }
            )
        )
    return Truth.concat(tables)


def _cut_by_border(scenario: Scenario, copies: Placements, support: float) -> FloatArray:
    image = scenario.image.grid
    if scenario.image.boundary == "periodic":
        return np.zeros(len(copies), bool)
    half = support / image.pixel_size
    near = [
        (index - half < -0.5) | (index + half > n - 0.5)
        for index, n in zip(image.indices(*copies.positions(image.ndim)), image.shape, strict=True)
    ]
    return np.logical_or.reduce(near)


def _to_border(image: Grid, copies: Placements) -> FloatArray:
    """Return the distance in Å to the nearest outer edge of the image's pixels."""
    ways = [
        np.minimum(index + 0.5, n - 0.5 - index)
        for index, n in zip(image.indices(*copies.positions(image.ndim)), image.shape, strict=True)
    ]
    return np.minimum.reduce(ways) * image.pixel_size


def _defocus(scenario: Scenario) -> float:
    """Return the mean defocus of the electron lens in Å, of which there is at most one; NaN without it."""
    return next((lens.defocus for lens in scenario.psf.values() if isinstance(lens, Ctf)), math.nan)


def _overlaps(scenario: Scenario, realisation: Realisation) -> dict[str, FloatArray]:
    """Return, for every copy, the largest share of its support that one neighbour covers."""
    ndim = realisation.image.ndim
    names = list(realisation.placements)
    points = [np.stack(realisation.placements[n].positions(ndim), axis=1) for n in names]
    if not any(len(p) for p in points):
        return {n: np.zeros(0) for n in names}
    supports = [scenario.specimen[n].unit_cell.support for n in names]
    radii = np.repeat(supports, [len(p) for p in points])
    everything = np.concatenate(points)
    box = None
    if scenario.image.boundary == "periodic":
        box = np.array(realisation.image.extent)
        everything = everything % box
    pairs = cKDTree(everything, boxsize=box).query_pairs(2 * radii.max(), output_type="ndarray")
    step = everything[pairs[:, 0]] - everything[pairs[:, 1]]
    if box is not None:
        step -= box * np.round(step / box)
    distance = np.linalg.norm(step, axis=1)
    worst = np.zeros(len(radii))
    for one, other in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        np.maximum.at(worst, one, covered_share(distance, radii[one], radii[other], ndim=ndim))
    ends = np.cumsum([len(p) for p in points])
    return dict(zip(names, np.split(worst, ends[:-1]), strict=True))


def covered_share(distance: FloatArray, radius: FloatArray, other: FloatArray, *, ndim: int) -> FloatArray:
    """Return the share of a disk (interval in one dimension) that another one covers.

    Parameters
    ----------
    distance : array
        Between the centres, Å.
    radius, other : array
        Radius of the disk and of the one that covers it, Å.
    ndim : int
        1 or 2.

    Returns
    -------
    array, 0 to 1; in two dimensions the area of the lens over πr²
    """
    if ndim == 1:
        common = np.minimum(radius, distance + other) - np.maximum(-radius, distance - other)
        return np.clip(common, 0, None) / (2 * radius)
    d = np.maximum(distance, 1e-300)
    near = np.clip((d**2 + radius**2 - other**2) / (2 * d * radius), -1, 1)
    far = np.clip((d**2 + other**2 - radius**2) / (2 * d * other), -1, 1)
    kite = (-d + radius + other) * (d + radius - other) * (d - radius + other) * (d + radius + other)
    lens = radius**2 * np.arccos(near) + other**2 * np.arccos(far) - 0.5 * np.sqrt(np.clip(kite, 0, None))
    return lens / (np.pi * radius**2)
