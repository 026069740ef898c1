"""A density map as a solid that is looked at; what unit cells and templates made from one share.

Not a kind of view: it is what views are of.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.paths import DataFile
from simkit.core.quantity import Number, PositiveLength
from simkit.core.spec import Spec
from simkit.core.symmetry import point_group
from simkit.io.volumes import read_volume

FAINTEST = 0.01
"""Share of the peak density below which a voxel does not count as part of the particle."""

DETAIL = 8
"""Periods across the particle of the finest waves that tell whether a map has a symmetry."""

SAMPLE = 2000
"""Waves that are compared for that."""

ALIKE = 0.95
"""Correlation of a map with itself, turned, above which it has the symmetry."""

POINTS_AT_ONCE = 2_000_000
"""Frequencies evaluated in one transform of the map: it is then paid for once by hundreds of copies."""

MOST_VOXELS = 512**3
"""Voxels of the largest map; the transform of one with more needs over 8 GiB."""


@dataclass(frozen=True)
class Solid:
    """A density in three dimensions, 0 in the solvent.

    Attributes
    ----------
    density : array, shape (nz, ny, nx)
        In the map's own units; the particle's centre is the central voxel n // 2.
    voxel_size : tuple of float
        Å along (z, y, x).
    """

    density: FloatArray
    voxel_size: tuple[float, float, float]

    @functools.cached_property
    def level(self) -> float:
        """The density-weighted mean density Σρ²/Σρ over ρ > 0: that of a uniform solid is its own."""
        inside = np.maximum(self.density, 0.0)
        return float((inside**2).sum() / inside.sum())

    @functools.cached_property
    def thickest(self) -> float:
        """The largest integral of the density along z, in map units × Å."""
        return float(self.density.sum(axis=0).max() * self.voxel_size[0])

    @functools.cached_property
    def support(self) -> float:
        """Distance in Å from the centre to the farthest voxel that still has 1 % of the peak density."""
        radius = np.sqrt(sum(x * x for x in self._offsets()))
        counted = np.abs(self.density) > FAINTEST * np.abs(self.density).max()
        return float(radius[counted].max()) + max(self.voxel_size)

    @functools.cached_property
    def off_centre(self) -> float:
        """Distance in Å of the centre of mass from the central voxel."""
        inside = np.maximum(self.density, 0.0)
        mass = inside.sum()
        return float(np.sqrt(sum(((inside * x).sum() / mass) ** 2 for x in self._offsets())))

    def likeness(self, name: str) -> float:
        """Return how like itself the map is after the turns of a point group, 1 if it has that symmetry.

        The correlation of the map with itself after the least fitting turn, over frequencies that
        are `DETAIL` times finer than the particle is large; computed in Fourier space.
        """
        finest = min(DETAIL / (2 * self.support), 1 / (2 * self.resolution))
        points = np.random.default_rng(0).normal(size=(SAMPLE, 3))
        radius = finest * np.cbrt((np.arange(SAMPLE) + 0.5) / SAMPLE)
        points *= (radius / np.linalg.norm(points, axis=1))[:, None]
        turned = np.einsum("gij,nj->gni", point_group(name), points)
        values = fourier.volume_spectrum_at(
            self.density, self.voxel_size, list(np.moveaxis(turned, 2, 0)[::-1])
        )
        products = (values * values[0].conj()).real.sum(axis=1)
        return float((products / fourier.power(values[0]).sum()).min())

    @property
    def resolution(self) -> float:
        """Finest spacing in Å that the map can hold on its coarsest axis: two voxels."""
        return 2 * max(self.voxel_size)

    def _offsets(self) -> tuple[FloatArray, ...]:
        axes = [(np.arange(n) - n // 2) * v for n, v in zip(self.density.shape, self.voxel_size, strict=True)]
        return tuple(np.meshgrid(*axes, indexing="ij", sparse=True))

    def projections(
        self, grid: Grid, orientations: FloatArray, lowpass: float | None = None
    ) -> Iterator[ComplexArray]:
        """Yield the spectrum of the projection at each orientation.

        Parameters
        ----------
        grid : Grid
            The periodic grid to draw on.
        orientations : array, shape (n, 3, 3)
            Matrices O of `simkit.core.orientation.orientation`: r₀ in the map is seen at O r₀.
        lowpass : float, optional
            Resolution d in Å at which a Gaussian filter leaves half of the amplitude.

        Yields
        ------
        array in real-FFT layout, centred on index 0
            Of ∫ρ dz in map units × Å; zero beyond the map's own Nyquist frequency.

        Notes
        -----
        The central slice theorem: the transform of the projection at (kx, ky) is that of the map at
        Oᵀ(kx, ky, 0). The map's own transform is evaluated there, nothing is interpolated.
        """
        ky, kx = np.broadcast_arrays(*grid.frequencies())
        scale = np.prod(self.voxel_size) / grid.pixel_size**2
        kept = scale if lowpass is None else scale * 0.5 ** ((ky**2 + kx**2) * lowpass**2)
        at_once = max(1, POINTS_AT_ONCE // ky.size)
        for start in range(0, len(orientations), at_once):
            # Rows of O: the directions in the map that x and y of the screen show.
            across, down = np.moveaxis(orientations[start : start + at_once, :2, :, None, None], 1, 0)
            slices = [across[:, axis] * kx + down[:, axis] * ky for axis in (2, 1, 0)]
            for samples in fourier.volume_spectrum_at(self.density, self.voxel_size, slices):
                yield fourier.zero_nyquist(samples * kept, grid.shape)


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


def solvent_at_zero(values: FloatArray, contour: float | None = None) -> FloatArray:
    """Return a density that is 0 in the solvent.

    Parameters
    ----------
    values : array, shape (nz, ny, nx)
        A map in any units, the particle denser than the solvent.
    contour : float, optional
        Level in those units: what is below becomes 0.

    Returns
    -------
    array, float64
        Values minus the median of the faces of the box, which are taken for solvent.

    Raises
    ------
    ScenarioError
        If nothing is left that is denser than the solvent.
    """
    inner = np.zeros(values.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    solvent = float(np.median(values[~inner]))
    density = values.astype(np.float64) - solvent
    # Ripples around a particle may be negative, but its own density is what is far from the solvent's.
    if not (density**3).sum() > 0:
        raise ScenarioError(
            "nothing in the map is denser than the faces of its box; "
            "the particle must be denser than the solvent and the box larger than the particle",
            ("file",),
        )
    if contour is None:
        return density
    if not solvent < contour < values.max():
        raise ScenarioError(
            f"must be between the solvent's {solvent:.4g} and the map's largest density {values.max():.4g}",
            ("contour",),
        )
    density[values < contour] = 0.0
    return density


def without_margin(density: FloatArray) -> FloatArray:
    """Cut off what is exactly 0 around a particle; the central voxel n // 2 stays the central one.

    The transform is that of the whole map, and quicker by the share that is cut off.
    """
    window = []
    for axis, n in enumerate(density.shape):
        others = tuple(a for a in range(density.ndim) if a != axis)
        half = int(np.abs(np.flatnonzero(density.any(axis=others)) - n // 2).max())
        whole = 2 * half + 1 >= n
        window.append(slice(None) if whole else slice(n // 2 - half, n // 2 + half + 1))
    return np.ascontiguousarray(density[tuple(window)])
