"""A density in three dimensions and its projections.

Not a kind of view: it is what views are of.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.symmetry import point_group

FAINTEST = 0.01
"""Share of the peak density below which a voxel does not count as part of the particle."""

DETAIL = 8
"""Periods across the particle of the finest waves that tell whether a map has a symmetry."""

SAMPLE = 2000
"""Waves that are compared for that."""

POINTS_AT_ONCE = 2_000_000
"""Frequencies evaluated in one transform of the map: it is then paid for once by hundreds of copies."""


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

        The correlation of the map with itself after the least fitting turn, over waves of up to
        `DETAIL` periods across the particle.
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
