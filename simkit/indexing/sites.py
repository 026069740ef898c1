"""Every site of a crystal: where it should be, where it is, and how much of it is there."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from simkit.core.grid import FloatArray
from simkit.core.net import net_points
from simkit.core.tables import Column, Table
from simkit.indexing.cell import Cell
from simkit.indexing.field import SiteGrid, smoothed
from simkit.indexing.tracking import Correlation, climb

FALSE_VACANCIES = 1e-4
"""Expected number of vacancies that noise alone makes in one image."""

VACANT = 0.5
"""Share of its neighbours' height below which a site can be vacant."""

NEIGHBOURHOOD = 5
"""Cells, a side, whose mean height tells whether the crystal reaches there."""

SURROUNDED = 0.5
"""Share of a site and its eight neighbours that must be there for an empty site to be a vacancy; with
fewer it is a notch in the crystal's edge."""

GUIDE = 1.5
"""Cells over which displacements are averaged to guide the second search."""

SMOOTH = 1.5
"""Cells over which the distortion map averages."""

EXPECTED = 3.0
"""Cells over which the height that a site should have is averaged."""


class Sites(Table):
    """The lattice points within the image, by h and then k."""

    columns = MappingProxyType(
        {
            "h": Column(int, "", "lattice index along a"),
            "k": Column(int, "", "lattice index along b"),
            "y": Column(float, "px", "centre of the column, down from the centre of pixel (0, 0)"),
            "x": Column(float, "px", "centre of the column, right from the centre of pixel (0, 0)"),
            "dy": Column(float, "px", "displacement from the lattice, down; NaN where none was measured"),
            "dx": Column(float, "px", "displacement from the lattice, right"),
            "smooth_dy": Column(float, "px", "displacement averaged over the neighbours, down"),
            "smooth_dx": Column(float, "px", "displacement averaged over the neighbours, right"),
            "exx": Column(float, "", "strain along x of the averaged displacement"),
            "eyy": Column(float, "", "strain along y of the averaged displacement"),
            "exy": Column(float, "", "shear strain of the averaged displacement"),
            "turn": Column(float, "°", "rotation of the averaged displacement, +x towards +y"),
            "height": Column(float, "", "how much of the column is there, the mean being 1; NaN at the edge"),
            "vacant": Column(bool, "", "significantly less there than half of what its neighbours have"),
            "outside": Column(bool, "", "beyond the crystal: its surroundings are as empty"),
            "edge": Column(bool, "", "the border of the image cuts the column: not measured"),
        }
    )


@dataclass(frozen=True)
class Survey:
    """One search for all sites of a net.

    Attributes
    ----------
    indices : array, shape (n, 2)
        (h, k) of every lattice point within the image.
    ideal, positions : arrays, shape (n, 2)
        Where they should be and where they are, (y, x) in pixels.
    heights : array, shape (n,)
        1 is the mean; NaN at the edge.
    found : array of bool, shape (n,)
        Whether there is a peak near the place.
    edge, outside, vacant : arrays of bool, shape (n,)
        See `Sites`.
    resolved : bool
        Whether a vacancy would stand out from the scatter of the heights.
    """

    indices: FloatArray
    ideal: FloatArray
    positions: FloatArray
    heights: FloatArray
    found: npt.NDArray[np.bool_]
    edge: npt.NDArray[np.bool_]
    outside: npt.NDArray[np.bool_]
    vacant: npt.NDArray[np.bool_]
    resolved: bool

    @property
    def expected(self) -> npt.NDArray[np.bool_]:
        """Where a whole column of the crystal should be."""
        return ~(self.edge | self.outside | self.vacant)

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """Where a column was expected and found."""
        return self.expected & self.found


def survey(
    correlation: Correlation, basis: FloatArray, origin: FloatArray, guide: Survey | None = None
) -> Survey:
    """Look for every site of a net.

    Parameters
    ----------
    correlation : Correlation
        Of the image with its averaged column.
    basis, origin : array
        The net in pixels.
    guide : Survey, optional
        An earlier one; sites are then looked for where their neighbours' displacements put them.
    """
    shape = np.array(correlation.values.shape)
    ideal, indices = net_points(basis, origin=origin.tolist(), lower=np.full(2, -0.5), upper=shape - 0.5)
    order = np.lexsort(indices.T[::-1])
    ideal, indices = ideal[order], indices[order]
    margin = np.minimum(ideal, shape - 1 - ideal).min(axis=1)
    edge = margin < correlation.radius
    places = ideal if guide is None else ideal + _guided(guide, indices, ideal)
    places = np.clip(places, 0, shape - 1)
    positions, heights, found = climb(correlation, places)
    heights = np.where(edge, np.nan, heights)
    # What is not this crystal has peaks too, but anywhere: at the sites themselves it averages to 0.
    steady = np.where(edge, 0.0, correlation.at(places))
    found &= ~edge
    if not found.any():
        nothing = np.zeros(len(edge), bool)
        return Survey(indices, ideal, positions, heights, found, edge, ~edge, nothing, False)
    return _judged(indices, ideal, positions, heights, steady, found, edge)


def _guided(guide: Survey, indices: FloatArray, ideal: FloatArray) -> FloatArray:
    """Return what to add to each place for it to be moved as its neighbours were."""
    known = guide.measured
    away = guide.positions[known] - guide.ideal[known]
    moved = [smoothed(guide.indices[known], d, sigma=GUIDE, targets=indices) for d in away.T]
    drift = np.linalg.lstsq(_design(guide.indices), guide.ideal)[0]
    return _design(indices) @ drift + np.nan_to_num(np.stack(moved, axis=1)) - ideal


def _design(indices: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(indices)), indices])


def _judged(
    indices: FloatArray,
    ideal: FloatArray,
    positions: FloatArray,
    heights: FloatArray,
    steady: FloatArray,
    found: npt.NDArray[np.bool_],
    edge: npt.NDArray[np.bool_],
) -> Survey:
    """Tell vacancies and the surroundings of the crystal from its columns, by height."""
    whole = ~edge
    high = np.quantile(heights[whole], 0.95)
    standard = np.median(heights[whole][heights[whole] > VACANT * high])
    heights = heights / standard
    grid = SiteGrid.of(indices)
    around = grid.box_mean(steady / standard, whole, NEIGHBOURHOOD)
    outside = whole & (around < VACANT)
    inside = whole & ~outside
    vacant = np.zeros(len(indices), bool)
    full = inside & (heights > VACANT)
    if full.sum() < 4:
        return Survey(indices, ideal, positions, heights, found, edge, outside, vacant, False)
    expected = smoothed(indices[full], heights[full], sigma=EXPECTED, targets=indices)
    expected = np.where(np.isfinite(expected), expected, 1.0)
    share = heights / expected
    scatter = 1.4826 * np.median(np.abs(share[full] - np.median(share[full])))
    level = 1.0 + ndtri(FALSE_VACANCIES / inside.sum()) * scatter
    low = inside & (share < min(level, VACANT))
    amid = grid.box_mean((inside & ~low).astype(float), whole, 3) > SURROUNDED
    outside |= low & ~amid
    vacant = low & amid
    return Survey(indices, ideal, positions, heights, found, edge, outside, vacant, bool(level > 0))


def tabulate(seen: Survey, cell: Cell) -> Sites:
    """Make the table of all sites, with displacements from the fitted cell, and their smooth part."""
    lattice = cell.origin + seen.indices @ cell.basis
    known = seen.measured
    away = np.where(known[:, None], seen.positions - lattice, np.nan)
    crystal = ~seen.outside
    averaged = np.full(away.shape, np.nan)
    for axis in range(2):
        averaged[crystal, axis] = smoothed(
            seen.indices[known], away[known, axis], sigma=SMOOTH, targets=seen.indices[crystal]
        )
    smooth_known = crystal & np.isfinite(averaged).all(axis=1)
    grid = SiteGrid.of(seen.indices)
    slopes = np.stack([grid.slopes(averaged[:, axis], smooth_known) for axis in range(2)], axis=1)
    # From changes per cell to changes per pixel: ∂u/∂r = (∂u/∂(h,k)) · ∂(h,k)/∂r.
    (yy, yx), (xy, xx) = np.moveaxis(slopes @ np.linalg.inv(cell.basis).T, 0, -1)
    position = np.where(known[:, None], seen.positions, lattice)
    return Sites(
        h=seen.indices[:, 0],
        k=seen.indices[:, 1],
        y=position[:, 0],
        x=position[:, 1],
        dy=away[:, 0],
        dx=away[:, 1],
        smooth_dy=averaged[:, 0],
        smooth_dx=averaged[:, 1],
        exx=xx,
        eyy=yy,
        exy=(xy + yx) / 2,
        turn=np.degrees((yx - xy) / 2),
        height=seen.heights,
        vacant=seen.vacant,
        outside=seen.outside,
        edge=seen.edge,
    )
