"""A net fitted to points that may be false, missing or off it: its sites, and how well they are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull, KDTree
from scipy.special import bdtrc

from simkit.core.grid import FloatArray
from simkit.core.net import net_points, reciprocal, reduced
from simkit.indexing.cell import OUTLIER, Cell, conventional, fit_cell
from simkit.indexing.field import SiteGrid
from simkit.indexing.spectrum import find_spots
from simkit.indexing.spots import index_spots

SMALLEST_IMAGE = 64
"""Steps a side of the spectrum of points at least."""

FEWEST_POINTS = 8
"""Points on a net below which it is not believed."""

SHARE = 0.6
"""Of the points that must stand on one net: two grains of equal size have half of them each."""

CHANCE = 1e-3
"""Probability with which points strewn at random may seem to make a net."""

NEAR = 0.2
"""Lengths of the shortest vector within which a point may belong to a site while the net is being fitted."""

PASSES = 4
"""Fits, each to the points that are near the sites of the one before."""

COMPANION = 0.3
"""Share of the commonest site's points from which another place in the cell is a site too."""

HULL_ROUNDING = 1e-9
"""Of the extent of all sites by which one may lie beyond the hull of others: less than the next one does."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class NetSites:
    """Sites of a net.

    Attributes
    ----------
    positions : array, shape (n, 2)
        (y, x).
    indices : array, shape (n, 2)
        (h, k).
    which : array of int, shape (n,)
        Which of the sites of its cell it is.
    """

    positions: FloatArray
    indices: FloatArray
    which: Indices

    def __len__(self) -> int:
        return len(self.which)

    def take(self, rows: npt.NDArray[np.bool_]) -> NetSites:
        """Return some of them."""
        return NetSites(self.positions[rows], self.indices[rows], self.which[rows])

    def share_around(self, occupied: npt.NDArray[np.bool_], side: int) -> FloatArray:
        """Return which share of `side` × `side` cells around each has a site like it, here and occupied."""
        share = np.zeros(len(self))
        for site in np.unique(self.which):
            rows = self.which == site
            grid = SiteGrid.of(self.indices[rows])
            there = grid.spread(occupied[rows].astype(float), empty=0.0)
            share[rows] = grid.gather(ndimage.uniform_filter(there, side, mode="constant"))
        return share

    def between(self, occupied: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Tell which sites are within the convex hull of the occupied ones, which must not be on one line."""
        planes = ConvexHull(self.positions[occupied]).equations
        rounding = HULL_ROUNDING * float(np.ptp(self.positions))
        return np.asarray((self.positions @ planes[:, :2].T + planes[:, 2] <= rounding).all(axis=1))


@dataclass(frozen=True)
class FittedNet:
    """A net with one or several sites in its cell, fitted to points.

    Attributes
    ----------
    cell : Cell
        Vectors and origin, which is a site, in the unit of the points, with errors.
    offsets : array, shape (m, 2)
        Place of every site of the cell relative to the origin; that of the first is 0.
    centre : array, shape (2,)
        Mean (h, k) of the points on the net.
    """

    cell: Cell
    offsets: FloatArray
    centre: FloatArray

    def within(self, lower: FloatArray, upper: FloatArray) -> NetSites:
        """List the sites with lower ≤ position < upper, by h, then k."""
        origins = self.cell.origin + self.offsets
        parts = [net_points(self.cell.basis, origin=o.tolist(), lower=lower, upper=upper) for o in origins]
        positions, indices = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        which = np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts])
        order = np.lexsort((which, indices[:, 1], indices[:, 0]))
        return NetSites(positions[order], indices[order], which[order])

    def nearest(self, points: FloatArray) -> NetSites:
        """Return the site nearest to each point, exact within 0.43 of the shortest vector."""
        return _nearest(points, self.cell.basis, self.cell.origin + self.offsets)

    def counted_from(self, point: FloatArray) -> FittedNet:
        """Return the same net with the site nearest to a point, of the first of its cell's, called (0, 0)."""
        steps = _nearest(point[None], self.cell.basis, self.cell.origin[None]).indices[0]
        cell = replace(self.cell, origin=self.cell.origin + steps @ self.cell.basis)
        return replace(self, cell=cell, centre=self.centre - steps)

    def errors(self, indices: FloatArray) -> FloatArray:
        """Return the standard error of the place of sites (h, k), per component.

        At the mean of the fitted points it is that of a mean of independent displacements, and does not
        depend on the errors of the vectors, which add to it away from there.
        """
        steps = indices - self.centre
        vectors = self.cell.covariance.reshape(2, 2, 2, 2)
        tilted = np.einsum("ni,icjc,nj->n", steps, vectors, steps) / 2
        return np.sqrt(self.cell.scatter**2 / 2 / max(self.cell.independent, 1.0) + tilted)

    def spacing(self) -> float:
        """Return the shortest distance of two sites."""
        basis = reduced(self.cell.basis)
        cells = _around(basis)
        apart = (self.offsets[:, None] - self.offsets).reshape(-1, 2)
        apart = apart - np.round(apart @ np.linalg.inv(basis)) @ basis
        distances = np.linalg.norm(apart[:, None] + cells, axis=-1)
        return float(distances[distances > 1e-9 * np.linalg.norm(basis)].min())


def vectors_of(
    points: FloatArray, weights: FloatArray, *, lower: FloatArray, upper: FloatArray, step: float
) -> FloatArray | None:
    """Return the vectors of the net on which many of some points stand, by the spots of their spectrum.

    Parameters
    ----------
    points : array, shape (n, 2)
        (y, x), lower ≤ point < upper.
    weights : array, shape (n,)
        What each counts for.
    lower, upper : array, shape (2,)
        Corners of the box in which points were looked for.
    step : float
        Pixel of the picture that is made of them, a sixth of the shortest spacing for example.

    Returns
    -------
    array, shape (2, 2), or None
        The shortest basis, one vector a row, good enough to fold the points; None where there is no net.

    Notes
    -----
    Points anywhere have a white spectrum, so that its spots are told from chance as in `find_spots`.
    """
    extent = upper - lower
    shape = np.maximum(np.ceil(extent / step), SMALLEST_IMAGE).astype(int)
    cells = np.clip(((points - lower) / extent * shape).astype(int), 0, shape - 1)
    picture = np.zeros(shape)
    np.add.at(picture, tuple(cells.T), weights)
    if not picture.std() > 0:
        return None
    star = index_spots(find_spots(picture))
    return None if star is None else reduced(reciprocal(star.basis / extent))


def net_through(points: FloatArray, basis: FloatArray, *, area: float) -> FittedNet | None:
    """Fit a net to points, given its vectors roughly.

    Parameters
    ----------
    points : array, shape (n, 2)
        (y, x), in any order.
    basis : array, shape (2, 2)
        Vectors good enough to fold all points into one cell, one a row.
    area : float
        Within which the points were found.

    Returns
    -------
    FittedNet or None
        None where fewer than `FEWEST_POINTS` or `SHARE` of the points stand on one net, or as many would by
        chance.

    Notes
    -----
    Least squares without outliers, see `fit_cell`; the vectors are brought into their conventional form. The
    chance is the tail of a binomial law for one net times the number of nets that can be told apart:
    three points make a net, each known to within the area that a site takes.
    """
    # In an order of their own, so that the order they came in changes nothing, not even the rounding.
    points = points[np.lexsort(points.T)]
    basis = reduced(basis)
    near = NEAR * float(np.linalg.norm(basis, axis=1).min())
    folded = _folded(points, basis, near)
    if folded is None:
        return None
    net: FittedNet | None = None
    origin, offsets = folded[0], folded - folded[0]
    for _ in range(PASSES):
        sites = _nearest(points, basis, origin + offsets)
        on_net = _distances(points, sites) <= near
        net = _fitted(points[on_net], sites.take(on_net), offsets)
        if net is None:
            return None
        basis, origin, offsets = net.cell.basis, net.cell.origin, net.offsets
    return net if net is not None and _believed(net, points, near, area) else None


def _around(basis: FloatArray) -> FloatArray:
    """Return the vectors to a cell and its eight neighbours."""
    return np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 2) @ basis


def _folded(points: FloatArray, basis: FloatArray, near: float) -> FloatArray | None:
    """Return the places in the cell where points pile up, the commonest first; None without any."""
    left = points - np.floor(points @ np.linalg.inv(basis)) @ basis
    sites: list[FloatArray] = []
    most = float(FEWEST_POINTS)
    while len(left):
        images = (left + _around(basis)[:, None]).reshape(-1, 2)
        tree = KDTree(images)
        counts = tree.query_ball_point(left, near, return_length=True)
        if counts.max() < most:
            break
        middle = left[int(counts.argmax())]
        for _ in range(PASSES):
            middle = images[tree.query_ball_point(middle, near)].mean(axis=0)
        sites.append(middle)
        most = max(most, COMPANION * counts.max())
        left = left[np.linalg.norm(left[:, None] + _around(basis) - middle, axis=-1).min(axis=1) > 2 * near]
    return np.array(sites) if sites else None


def _nearest(points: FloatArray, basis: FloatArray, origins: FloatArray) -> NetSites:
    short = reduced(basis)
    steps = np.round((points[:, None] - origins) @ np.linalg.inv(short))
    places = origins + steps @ short
    which = np.linalg.norm(points[:, None] - places, axis=-1).argmin(axis=1)
    rows = np.arange(len(points)), which
    return NetSites(places[rows], np.round(steps[rows] @ short @ np.linalg.inv(basis)), which)


def _distances(points: FloatArray, sites: NetSites) -> FloatArray:
    return np.linalg.norm(points - sites.positions, axis=1)


def _fitted(points: FloatArray, sites: NetSites, offsets: FloatArray) -> FittedNet | None:
    """Fit vectors and origin to points on known sites, then where in the cell each kind of site is."""
    if len(points) < FEWEST_POINTS or np.linalg.matrix_rank(sites.indices - sites.indices.mean(axis=0)) < 2:
        return None
    cell = fit_cell(sites.indices, points - offsets[sites.which])
    cell, steps = conventional(cell)
    indices = np.round(sites.indices @ np.linalg.inv(steps))
    away = points - indices @ cell.basis - cell.origin
    kinds = range(len(offsets))
    found = [away[sites.which == i].mean(axis=0) if (sites.which == i).any() else offsets[i] for i in kinds]
    return FittedNet(cell, np.array([np.zeros(2), *found[1:]]), indices.mean(axis=0))


def _believed(net: FittedNet, points: FloatArray, near: float, area: float) -> bool:
    tolerance = min(OUTLIER * net.cell.scatter / math.sqrt(2), near)
    n = len(points)
    on_net = int((_distances(points, net.nearest(points)) <= max(tolerance, 1e-9)).sum())
    taken = math.pi * max(tolerance, 1e-9) ** 2
    share = min(len(net.offsets) * taken / abs(float(np.linalg.det(net.cell.basis))), 1.0)
    chance = float(bdtrc(on_net - 1, n, share)) * (area / taken) ** 3
    return on_net >= max(FEWEST_POINTS, SHARE * n) and chance < CHANCE
