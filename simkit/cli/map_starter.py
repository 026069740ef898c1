"""A scenario for anybody's own particle, fitted to its density map."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from string import Template

from simkit.core.errors import ScenarioError
from simkit.core.quantity import DOSE, LENGTH, shortest
from simkit.core.symmetry import spread_views
from simkit.view.map_file import MapFile

COPIES = 20
"""On one micrograph."""

FILLED = 0.3
"""Share of the micrograph that circles around the particles cover."""

ACROSS = 48
"""Pixels across a particle where the map's own voxels are finer: enough to find it, and quick."""

FEWEST_ACROSS, MOST_ACROSS = 8, 2048
"""Pixels across a particle, below which nothing could be told apart, above which no micrograph has room."""

MOST_VIEWS = 50
STEPS = (15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0)
"""The directions of the templates: the smallest of these steps that needs no more than so many."""


@dataclass(frozen=True)
class Microscopy:
    """How the particle is to be seen: pixel size (None: to be chosen) and defocus in Å, dose in e/Å²."""

    dose: float
    defocus: float
    pixel_size: float | None = None
    symmetry: str = "C1"


def map_scenario(template: str, *, target: Path, density: MapFile, seen: Microscopy) -> str:
    """Fill a starter in for a map.

    Parameters
    ----------
    template : str
        Text with `$`-placeholders.
    target : Path
        Where the scenario will be: the map's path is written relative to it.
    density : MapFile
        The map.
    seen : Microscopy
        What the user asked for.

    Raises
    ------
    ScenarioError
        If the map cannot be used.
    """
    solid = density.map
    diameter = 2 * solid.support
    pixel_size, reason = _pixel_size(diameter, max(solid.voxel_size), seen.pixel_size)
    distance = 1.1 * diameter
    side = math.sqrt(COPIES * math.pi / 4 * distance**2 / FILLED) / pixel_size
    step = next((s for s in STEPS if len(spread_views(s, seen.symmetry)) <= MOST_VIEWS), STEPS[-1])
    return Template(template).substitute(
        name=target.name,
        title=json.dumps(f"{Path(density.file).stem} in ice", ensure_ascii=False),
        side=16 * math.ceil(side / 16),
        pixel_size=LENGTH.write(pixel_size),
        pixel_reason=reason,
        map=json.dumps(_relative(density.file, target.parent), ensure_ascii=False),
        map_fields=_fields(density),
        diameter=LENGTH.write(round(diameter)),
        count=COPIES,
        distance=LENGTH.write(math.ceil(distance)),
        symmetry=seen.symmetry,
        defocus=f"{shortest(float(f'{seen.defocus / 1e4:.6g}'))} µm",
        dose=DOSE.write(seen.dose),
        views=len(spread_views(step, seen.symmetry)),
        step=f"{shortest(step)}°",
        radius=LENGTH.write(max(1, round(diameter / 6))),
    )


def _pixel_size(diameter: float, voxel: float, wanted: float | None) -> tuple[float, str]:
    """Return the pixel size in Å and why it is that.

    Raises
    ------
    ScenarioError
        If the one asked for makes nonsense of the particle.
    """
    if wanted is not None:
        if not FEWEST_ACROSS <= diameter / wanted <= MOST_ACROSS:
            raise ScenarioError(
                f"--pixel-size {wanted:g} Å: the particle, {diameter:.4g} Å across, would have "
                f"{diameter / wanted:.3g} pixels; {FEWEST_ACROSS} to {MOST_ACROSS} make sense, which is "
                f"{diameter / MOST_ACROSS:.2g} Å to {diameter / FEWEST_ACROSS:.3g} Å"
            )
        return wanted, f"as asked for; the map's voxels are {voxel:.4g} Å"
    if voxel >= diameter / ACROSS:
        return float(f"{voxel:.6g}"), "the map's own; finer pixels would show nothing more"
    return float(
        f"{diameter / ACROSS:.2g}"
    ), f"{ACROSS} across the particle; the map's voxels are {voxel:.4g} Å"


def _relative(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive
        return file


def _fields(density: MapFile) -> str:
    fields = density.model_dump(mode="json", exclude={"file"}, exclude_none=True)
    return "".join(f"      {name}: {value}\n" for name, value in fields.items())
