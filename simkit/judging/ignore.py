"""What is left out: particles that cannot be missed, and picks that are not false.

Two kinds of particle are left out. One that is ignored by declaration (near the border, cut by it,
overlapped, of an ignored class, under a mask) cannot be missed, and a pick on it is forgiven. One of
a class that a picker does not look for cannot be missed either, but a pick on it is false: whoever
looks for rings and finds a barrel has found no ring.

Particles that count are matched first; only what is then left of the picks can be forgiven. A
particle that is left out therefore takes no pick from one that counts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.matching.pairs import near

Mask = npt.NDArray[np.bool_]


def ignored_truth(
    truth: Truth,
    *,
    border: float = 0.0,
    edge: bool = False,
    overlap: float | None = None,
    classes: Collection[str] = (),
    outside: Mask | None = None,
) -> Mask:
    """Tell which particles are ignored by declaration.

    Parameters
    ----------
    truth : Truth
        What it says of `border`, `edge`, `overlap` and `class` is what counts; a particle of which the
        distance or the overlap is unknown (NaN) is not ignored for it.
    border : float
        Å; everything closer to the border of its micrograph is ignored. 0 ignores nothing.
    edge : bool
        Whether particles whose support the border cuts are ignored.
    overlap : float, optional
        Particles of which one neighbour covers more than this share are ignored.
    classes : collection of str
        Classes that are ignored.
    outside : array of bool, shape (n,), optional
        Particles in a region where nothing is judged.

    Returns
    -------
    array of bool, shape (n,)
    """
    ignored = truth.labels("class").among(classes)
    if border > 0:
        ignored |= truth["border"] < border
    if edge:
        ignored |= truth["edge"]
    if overlap is not None:
        ignored |= truth["overlap"] > overlap
    return ignored if outside is None else ignored | outside


def ignored_picks(
    truth: Truth,
    picks: Picks,
    *,
    match: Match,
    forgiven: Mask,
    region: Mask,
    radius: float,
    ndim: int = 2,
) -> Mask:
    """Tell which picks count nowhere.

    Parameters
    ----------
    truth, picks : Truth, Picks
        All of them.
    match : Match
        Pairs of the particles that count, as row numbers into `truth` and `picks`: these picks are hits.
    forgiven : array of bool, shape (n_truth,)
        Particles ignored by declaration; not those of classes that a picker does not look for.
    region : array of bool, shape (n_picks,)
        Picks where nothing is judged.
    radius : float
        Å; a pick this far from a forgiven particle, or nearer, is forgiven.
    ndim : int
        1 or 2.

    Returns
    -------
    array of bool, shape (n_picks,)
        Unmatched picks that lie in the region or near a forgiven particle of the same micrograph.

    Notes
    -----
    Any number of picks on a forgiven particle are forgiven. Leaving particles out never adds to those
    missed. It never adds to the false picks either where particles are more than two radii apart; where
    they are closer, two picks beside a particle that counts may both have been hits only because one of
    them could be charged to the neighbour, and without the neighbour one of them is a second pick.
    """
    ignored = region.copy()
    if forgiven.any():
        ignored[near(truth.take(forgiven), picks, radius=radius, ndim=ndim).pick] = True
    ignored[match.pick] = False
    return ignored


def border_distance(
    y: npt.ArrayLike, x: npt.ArrayLike, *, shape: Sequence[int], pixel_size: float
) -> FloatArray:
    """Return how far points lie from the nearest border of their image.

    Parameters
    ----------
    y, x : array_like, shape (n,)
        Å from the centre of pixel (0, 0); in one dimension y is not looked at.
    shape : sequence of int
        Of the image in pixels.
    pixel_size : float
        Å. The border is the outer edge of the outermost pixels: −½ and n − ½ pixels.

    Returns
    -------
    array, shape (n,)
        Å, negative outside the image.
    """
    positions = (np.asarray(y, float), np.asarray(x, float))[-len(shape) :]
    sides = [
        np.minimum(p + pixel_size / 2, (n - 0.5) * pixel_size - p)
        for p, n in zip(positions, shape, strict=True)
    ]
    return np.minimum.reduce(sides)


def in_mask(y: npt.ArrayLike, x: npt.ArrayLike, mask: npt.NDArray[np.generic], pixel_size: float) -> Mask:
    """Tell which points lie on a pixel where a mask is not 0: only they are judged.

    Parameters
    ----------
    y, x : array_like, shape (n,)
        Å from the centre of pixel (0, 0); in one dimension y is not looked at.
    mask : array, shape (ny, nx) or (nx,)
        Of the micrograph's shape.
    pixel_size : float
        Å.

    Returns
    -------
    array of bool, shape (n,)
        False for a point on no pixel.
    """
    positions = (np.asarray(y, float), np.asarray(x, float))[-mask.ndim :]
    grid = Grid(mask.shape, pixel_size)
    inside = grid.contains(*positions)
    pixel = tuple(np.floor(index[inside] + 0.5).astype(np.intp) for index in grid.indices(*positions))
    inside[inside] = mask[pixel] != 0
    return inside


def judged_area(grid: Grid, *, border: float = 0.0, mask: Mask | None = None) -> float:
    """Return the area of a micrograph in which picks are judged, Å² (Å in one dimension).

    Parameters
    ----------
    grid : Grid
        The micrograph.
    border : float
        Å; the strip along the border in which nothing is judged.
    mask : array of bool, optional
        Of the micrograph's shape; False where nothing is judged.

    Notes
    -----
    What lies around ignored particles is left in: picks on them are forgiven, so false picks are
    counted on a little less. Of a mask, pixels count whose centres are not in the strip.
    """
    if mask is None:
        return math.prod(max(length - 2 * border, 0.0) for length in grid.extent)
    sizes = zip(grid.shape, grid.extent, strict=True)
    centres = [((np.arange(n) + 0.5) * grid.pixel_size, length) for n, length in sizes]
    inside = [np.minimum(c, length - c) >= border for c, length in centres]
    return float(mask[np.ix_(*inside)].sum()) * grid.pixel_size**grid.ndim
