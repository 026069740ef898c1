"""Boxes: cut-outs of micrographs around what two versions of a picker do not agree on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks, Table, Truth
from simkit.reports import plates
from simkit.reports.contest import Contest, Rows
from simkit.reports.elements import PLATE_WIDTH, Layer, Plate
from simkit.reports.wording import number

MOST_BOXES = 12
"""Of one gallery."""

SIDE = 200
"""Pixels of a box on the page at most."""

SMOOTHING = 0.05
"""Standard deviation of the Gaussian that smooths a box for the eye, as a share of its side."""

PARTICLE = ("a particle; a pick within its circle finds it", "circle", "white")
NEW = ("a pick of the new version", "plus", "sky")
OTHER = ("a pick of the other version", "diamond", "orange")
"""What a mark means, its shape and its colour: never colour alone."""

LEGEND = tuple(Layer(*style) for style in (PARTICLE, NEW, OTHER))


@dataclass(frozen=True)
class Box:
    """One cut-out: an anchor to link to, what it shows, and a few words on it."""

    id: str
    name: str
    detail: str
    picture: Plate


@dataclass(frozen=True)
class Gallery:
    """Boxes of one meaning, the first of `total`."""

    title: str
    means: str
    total: int
    boxes: Sequence[Box]


@dataclass(frozen=True)
class Cut:
    """A square of a micrograph.

    Attributes
    ----------
    pixels : array, shape (n, n), n odd
        NaN beyond the border of the micrograph.
    grid : Grid
        Of these pixels.
    top, left : float
        Å, the centre of its first pixel in the micrograph.
    """

    pixels: FloatArray
    grid: Grid
    top: float
    left: float


def galleries(id: str, contest: Contest) -> list[Gallery]:
    """Return the boxes of one contest, in galleries that are not empty.

    Parameters
    ----------
    id : str
        What their anchors begin with.
    contest : Contest
        What is different.
    """
    c = contest
    lost = "the other version finds these particles, the new one does not"
    found = "the new version finds these particles, the other does not"
    appeared = "only the new version picks here, where no particle is"
    gone = "only the other version picks here, where no particle is"
    drawn = [
        Gallery("Lost", lost, len(c.lost), _of_particles(id, c, c.lost)),
        Gallery("Found", found, len(c.found), _of_particles(id, c, c.found)),
        Gallery("New false picks", appeared, len(c.appeared), _of_picks(id, "New false pick", c, c.appeared)),
        Gallery("False picks gone", gone, len(c.gone), _of_picks(id, "False pick gone", c, c.gone)),
    ]
    return [gallery for gallery in drawn if gallery.total]


def easiest_first(contest: Contest, rows: Rows) -> Rows:
    """Order particles by how well they can be seen: to lose one of the first is the worst."""
    return rows[np.argsort(-contest.truth["d_prime"][rows], kind="stable")]


def _of_particles(id: str, contest: Contest, rows: Rows) -> list[Box]:
    shown = easiest_first(contest, rows)[:MOST_BOXES]
    return [
        _box(id, contest, contest.ids[row], _seen(contest.truth, row), contest.truth.take([row]))
        for row in shown
    ]


def _seen(truth: Truth, row: int) -> str:
    """Name a particle's class, and how well it can be seen."""
    d_prime = float(truth["d_prime"][row])
    words = [str(truth["class"][row]), "" if np.isnan(d_prime) else f"d′ {number(d_prime, digits=3)}"]
    return ", ".join(word for word in words if word)


def _of_picks(id: str, title: str, contest: Contest, picks: Picks) -> list[Box]:
    best = np.argsort(-np.nan_to_num(picks["score"]), kind="stable")[:MOST_BOXES]
    boxes = []
    for place, row in enumerate(best, start=1):
        score = float(picks["score"][row])
        detail = f"micrograph {picks['micrograph'][row]}"
        detail += "" if np.isnan(score) else f", score {number(score, digits=3)}"
        boxes.append(_box(id, contest, f"{title} {place}", detail, picks.take([row])))
    return boxes


def _box(id: str, contest: Contest, name: str, detail: str, one: Truth | Picks) -> Box:
    micrograph, y, x = one["micrograph"][0], float(one["y"][0]), float(one["x"][0])
    there = [table.take(table["micrograph"] == micrograph) for table in _all(contest)]
    pixels = contest.pixels(str(micrograph))
    piece = cut(pixels, contest.pixel_size, y=y, x=x, reach=contest.reach)
    alt = f"{name}: box around y {y:.1f} Å, x {x:.1f} Å of micrograph {micrograph}"
    picture = draw(piece, *there, radius=contest.radius, alt=alt)
    return Box(f"{id}-{name.replace(' ', '-')}", name, detail, picture)


def _all(contest: Contest) -> tuple[Table, Table, Table]:
    return contest.truth, contest.new, contest.other


def cut(pixels: FloatArray, pixel_size: float, *, y: float, x: float, reach: float) -> Cut:
    """Return the square of a micrograph around a place.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The micrograph.
    pixel_size : float
        Å.
    y, x : float
        Å; the nearest pixel is the middle one.
    reach : float
        Å that are seen either way, at least.
    """
    half = max(1, math.ceil(reach / pixel_size))
    rows, cols = (np.arange(2 * half + 1) + round(place / pixel_size) - half for place in (y, x))
    inside = [(at >= 0) & (at < n) for at, n in zip((rows, cols), pixels.shape, strict=True)]
    square = np.full((2 * half + 1,) * 2, np.nan)
    square[np.ix_(*inside)] = pixels[np.ix_(rows[inside[0]], cols[inside[1]])]
    return Cut(square, Grid(square.shape, pixel_size), rows[0] * pixel_size, cols[0] * pixel_size)


def draw(piece: Cut, truth: Table, new: Table, other: Table, *, radius: float, alt: str) -> Plate:
    """Draw a square of a micrograph with what is in it.

    Parameters
    ----------
    piece : Cut
        The square.
    truth, new, other : Table
        Particles and picks of its micrograph; those outside are left out.
    radius : float
        Å within which a pick finds a particle.
    alt : str
        What a reader who cannot see it should know.
    """
    per_angstrom = PLATE_WIDTH / piece.grid.extent[-1]
    layers = [
        _layer(piece, truth, PARTICLE, radius * per_angstrom),
        _layer(piece, other, OTHER, 62.0),
        _layer(piece, new, NEW, 42.0),
    ]
    return plates.grey(_smooth(piece.pixels), piece.grid, alt=alt, side=SIDE, clip=0.3, layers=layers)


def _layer(piece: Cut, table: Table, style: tuple[str, str, str], size: float) -> Layer:
    y, x = table["y"] - piece.top, table["x"] - piece.left
    inside = piece.grid.contains(y, x)
    across, down = plates.to_units(piece.grid, y[inside], x[inside])
    return Layer(*style, plates.marks(style[1], across, down, size))


def _smooth(pixels: FloatArray) -> FloatArray:
    """Smooth what is there; beyond the border of the micrograph it stays dark."""
    there = np.isfinite(pixels)
    sigma = SMOOTHING * len(pixels)
    weight = gaussian_filter(there.astype(float), sigma)
    smooth = gaussian_filter(np.where(there, pixels, 0.0), sigma) / np.maximum(weight, 1e-9)
    return np.where(there, smooth, np.nan)
