"""A density map as a scenario names it: the file, and how it is read and doubted."""

from __future__ import annotations

import functools
import os

from simkit.core.errors import DataError, ScenarioError
from simkit.core.paths import DataFile
from simkit.core.quantity import Number, PositiveLength
from simkit.core.spec import Spec
from simkit.io.volumes import read_volume
from simkit.view.solid import Solid, solvent_at_zero, without_margin

ALIKE = 0.95
"""Correlation of a map with itself, turned, above which it has the symmetry."""

MOST_VOXELS = 512**3
"""Voxels of the largest map; the transform of one with more needs over 8 GiB."""


class MapFile(Spec):
    """A density map from a file, as unit cells and templates declare it."""

    file: DataFile
    """MRC or another map; its central voxel n // 2 is the particle's centre."""

    voxel_size: PositiveLength | None = None
    """Edge of a voxel along every axis; from the file's header by default, where axes may differ."""

    contour: Number | None = None
    """Density, in the map's own units, below which there is only solvent; that is made 0."""

    lowpass: PositiveLength | None = None
    """Resolution at which a Gaussian filter leaves half of the amplitude; no filter by default."""

    @property
    def map(self) -> Solid:
        """The map, read and made ready.

        Raises
        ------
        ScenarioError
            If the file holds no usable map; the path is relative to this spec.
        """
        written = os.stat(self.file).st_mtime_ns if os.path.exists(self.file) else 0
        return _solid(self.file, written, self.voxel_size, self.contour)

    def map_doubt(self, pixel_size: float) -> str | None:
        """Say what is probably not meant about the map, seen with these pixels."""
        solid = self.map
        if solid.off_centre > 0.1 * solid.support:
            return (
                f"the centre of mass is {solid.off_centre:.3g} Å from the map's central voxel, which counts "
                "as the particle's centre; shift the map"
            )
        half = [n // 2 * v for n, v in zip(solid.density.shape, solid.voxel_size, strict=True)]
        if solid.support > 1.2 * min(half) and self.contour is None:
            return (
                "there is density up to the corners of the map: noise in the solvent? "
                "cut it off with `contour:`, the level at which the map is displayed"
            )
        if solid.resolution > 2 * pixel_size * 1.01:
            return (
                f"the map ends at {solid.resolution:.3g} Å (two voxels) and the image at "
                f"{2 * pixel_size:.3g} Å (two pixels); the particles are smoother than the image could show"
            )
        return None

    def symmetry_doubt(self, name: str) -> str | None:
        """Say that the map does not have a point group's symmetry, about the axes it should have."""
        likeness = self.map.likeness(name)
        if likeness >= ALIKE:
            return None
        return (
            f"the map is not {name} about the axes that {name} has in RELION (the main axis along z): turned "
            f"by the group it is like itself to {likeness:.2f} only; align the map (relion_align_symmetry "
            "does), or write the symmetry that it has"
        )


@functools.lru_cache(maxsize=4)
def _solid(file: str, written: int, voxel_size: float | None, contour: float | None) -> Solid:
    """Read a map once for as long as the file stays the same."""
    try:
        loaded = read_volume(file, voxel_size=voxel_size)
    except DataError as error:
        raise ScenarioError(str(error), ("file",)) from error
    if loaded.values.size > MOST_VOXELS:
        raise ScenarioError(
            f"the map has {' × '.join(map(str, loaded.values.shape))} voxels, more than 512³; crop it, or "
            "resample it to larger voxels: the image cannot show more than two of its own pixels",
            ("file",),
        )
    return Solid(without_margin(solvent_at_zero(loaded.values, contour)), loaded.voxel_size)
