"""Whether to believe a lattice: how much of the spots it explains, and how much of the image agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.net import reciprocal, reduced
from simkit.indexing.cell import SHORT, Cell, fit_cell
from simkit.indexing.sites import Sites, Survey
from simkit.indexing.spectrum import Spots
from simkit.indexing.spots import Reciprocal, index_spots

EXPLAINED = 0.9
"""Least share of the spots' power that the lattice must explain."""

FEWEST_REFLECTIONS = 3
"""Independent spots below which nothing but the lattice itself supports it."""

FEWEST_SITES = 12
"""Columns below which the errors are rough."""

ASTRAY = 0.1
"""Largest share of columns that may be missing from where the lattice puts them."""

BEND = 0.1
"""Largest root mean square of the smoothed displacement, relative to a."""

TILES = 3
"""Tiles along each side of the image that are fitted by themselves."""

SITES_IN_TILE = 9
"""Columns that a tile must have to be fitted."""

TURN = 1.0
STRETCH = 0.02
"""Degrees, and share of a length, by which tiles may differ besides their errors."""

ALIKE = 0.05
"""Relative difference of lengths up to which a second lattice is the same crystal, turned."""


@dataclass(frozen=True)
class Confidence:
    """How far to trust a lattice.

    Attributes
    ----------
    level : {"high", "low"}
        low as soon as there is one reason against.
    reasons : tuple of str
        Every reason against, as a sentence.
    explained : float
        Share of the spots' power, above the background, that stands on the lattice.
    covered : float
        Share of the image that the crystal covers.
    turn : float or None
        Largest minus smallest direction of a over 3 × 3 tiles, in degrees; None if they are too small.
    stretch : float or None
        Largest minus smallest length of a or b over the tiles, relative to the mean.
    """

    level: Literal["high", "low"]
    reasons: tuple[str, ...]
    explained: float
    covered: float
    turn: float | None
    stretch: float | None


def judge(
    spots: Spots, found: Reciprocal, seen: Survey, sites: Sites, cell: Cell, shape: tuple[int, ...]
) -> Confidence:
    """Weigh what supports a lattice and what does not."""
    explained = float(spots.power[found.explained].sum() / spots.power.sum())
    whole = ~seen.edge
    covered = float((whole & ~seen.outside).sum() / max(whole.sum(), 1))
    turn, stretch, excess = _over_tiles(seen, shape)
    reasons = [
        _unexplained(spots, found, cell, shape, explained),
        _few(int(found.explained.sum()), cell),
        _astray(seen),
        _bent(sites, cell),
        _disagreement(turn, stretch) if excess else None,
    ]
    against = tuple(reason for reason in reasons if reason)
    return Confidence("low" if against else "high", against, explained, covered, turn, stretch)


def _unexplained(
    spots: Spots, found: Reciprocal, cell: Cell, shape: tuple[int, ...], explained: float
) -> str | None:
    if explained >= EXPLAINED:
        return None
    left = spots.take(~found.explained)
    second = index_spots(left)
    if second is None:
        return f"spots that this lattice does not explain hold {1 - explained:.0%} of the power"
    share = float(left.power[second.explained].sum() / spots.power.sum())
    other = reduced(reciprocal(second.basis / shape))
    angle = _turned(cell.basis, other)
    if angle is None:
        a, b = np.linalg.norm(other, axis=1)
        what = f"spots of a second lattice, {a:.3g} × {b:.3g} pixels,"
    else:
        what = f"spots of a second orientation, {angle:.1f}° away,"
    return f"{what} hold {share:.0%} of the power: there is more than one crystal"


def _turned(basis: FloatArray, other: FloatArray) -> float | None:
    """Return the smallest turn that takes a net to another of the same cell; None if it is another cell."""
    lengths = np.linalg.norm(basis, axis=1)
    short = SHORT @ other
    turns = []
    for u in short:
        for v in short:
            pair = np.array([u, v])
            if np.linalg.det(pair) * np.linalg.det(basis) <= 0:
                continue
            if (np.abs(np.linalg.norm(pair, axis=1) / lengths - 1) > ALIKE).any():
                continue
            angles = [np.degrees(np.arctan2(*_cross_dot(p, q))) for p, q in zip(basis, pair, strict=True)]
            if abs(angles[0] - angles[1]) < np.degrees(ALIKE):
                turns.append(abs(float(np.mean(angles))))
    return min(turns) if turns else None


def _cross_dot(u: FloatArray, v: FloatArray) -> tuple[float, float]:
    return float(u[1] * v[0] - u[0] * v[1]), float(u @ v)


def _few(reflections: int, cell: Cell) -> str | None:
    if reflections < FEWEST_REFLECTIONS:
        return f"only {reflections} independent spots support the lattice: nothing confirms it"
    if cell.sites < FEWEST_SITES:
        return f"only {cell.sites} whole columns could be measured"
    return None


def _astray(seen: Survey) -> str | None:
    expected = seen.expected
    share = float((expected & ~seen.found).sum() / max(expected.sum(), 1))
    return f"{share:.0%} of the columns are not where the lattice puts them" if share > ASTRAY else None


def _bent(sites: Sites, cell: Cell) -> str | None:
    squares = sites["smooth_dy"] ** 2 + sites["smooth_dx"] ** 2
    bend = float(np.sqrt(squares[np.isfinite(squares)].mean()))
    relative = bend / float(cell.lengths().min())
    if relative <= BEND:
        return None
    return f"whole neighbourhoods lie off the lattice by {relative:.0%} of its shortest vector"


def _over_tiles(seen: Survey, shape: tuple[int, ...]) -> tuple[float | None, float | None, bool]:
    """Fit every tile by itself; return the ranges of direction and length, and whether they are too large."""
    known = seen.measured
    tile = (seen.ideal[known] // (np.array(shape) / TILES)).astype(int)
    label = np.clip(tile, 0, TILES - 1) @ [TILES, 1]
    fits = []
    for number in range(TILES**2):
        indices, places = seen.indices[known][label == number], seen.positions[known][label == number]
        if len(indices) >= SITES_IN_TILE and (np.ptp(indices, axis=0) >= 2).all():
            fits.append(fit_cell(indices, places))
    if len(fits) < 2:
        return None, None, False
    directions = np.array([f.direction() for f in fits])
    directions = (directions - directions[0] + 180) % 360 - 180
    lengths = np.array([f.lengths() for f in fits])
    turn_error = max(f.error(lambda m: float(np.degrees(np.arctan2(m[0, 0], m[0, 1])))) for f in fits)
    length_error = max(float((f.length_errors() / f.lengths()).max()) for f in fits)
    turn = float(np.ptp(directions))
    stretch = float((np.ptp(lengths, axis=0) / lengths.mean(axis=0)).max())
    # The range of nine fits is some four of their standard errors, by themselves.
    excess = turn > TURN + 6 * turn_error or stretch > STRETCH + 6 * length_error
    return turn, stretch, excess


def _disagreement(turn: float | None, stretch: float | None) -> str:
    return (
        f"the lattice changes across the image: it turns by {turn:.2g}° and its lengths by {stretch:.1%} "
        "from one ninth of it to another"
    )
