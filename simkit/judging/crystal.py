"""Crystals: whether picks stand on the right sites, and what lattice they make.

An infinite crystal that is shifted by a lattice vector is itself, so positions alone cannot tell a
picker whose registry is off by a cell from a perfect one. Its edge can, and so can indices.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, cKDTree

from simkit.core.grid import FloatArray
from simkit.core.net import reduced
from simkit.matching.base import Match
from simkit.matching.optimal import match_optimal
from simkit.matching.pairs import ROUNDING

WINDOW = 2
"""Cells along a and along b by which a registry may be off."""

HULL_ROUNDING = 1e-6
"""Cells by which a site may lie beyond the hull of the others: far less than the nearest that does."""

Shift = tuple[float, float]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Net:
    """A net of sites.

    Attributes
    ----------
    origin : array, shape (2,)
        (y, x) of the site (0, 0), Å.
    basis : array, shape (2, 2)
        Lattice vectors a and b, one a row, components (y, x), Å.
    """

    origin: FloatArray
    basis: FloatArray

    def sites(self, indices: FloatArray) -> FloatArray:
        """Return the positions of sites (h, k), shape (n, 2)."""
        return self.origin + indices @ self.basis

    def nearest(self, positions: FloatArray) -> FloatArray:
        """Return the indices (h, k) of the sites nearest to positions, shape (n, 2).

        Exact within 0.43 of the shortest spacing of a site: that far rounding in the shortest basis
        cannot choose another.
        """
        short = reduced(self.basis)
        steps = np.round((positions - self.origin) @ np.linalg.inv(short))
        return np.round(steps @ short @ np.linalg.inv(self.basis))


def fit_net(indices: FloatArray, positions: FloatArray) -> Net | None:
    """Fit a net to sites by least squares.

    Parameters
    ----------
    indices : array, shape (n, 2)
        (h, k).
    positions : array, shape (n, 2)
        (y, x) in Å.

    Returns
    -------
    Net or None
        None where the indices lie on a line, or the positions do.
    """
    design = np.column_stack([np.ones(len(indices)), indices])
    if np.linalg.matrix_rank(design) < 3:
        return None
    origin, *basis = np.linalg.lstsq(design, positions, rcond=None)[0]
    return Net(origin, np.array(basis)) if np.linalg.matrix_rank(np.array(basis)) == 2 else None


@dataclass(frozen=True)
class Registry:
    """Where picks stand, relative to where they should.

    Attributes
    ----------
    shift : tuple of float
        Cells along a and b by which the picks lie too far; (0, 0) is right.
    ambiguous : bool
        Whether another shift explains the picks as well.
    """

    shift: Shift
    ambiguous: bool


def registry_of_positions(
    sites: FloatArray, picks: FloatArray, *, basis: FloatArray, radius: float
) -> Registry | None:
    """Find the shift that, undone, puts picks on the most sites.

    Parameters
    ----------
    sites, picks : array, shape (n, 2) and (m, 2)
        (y, x) in Å: the occupied sites of one crystal, and the picks of its micrograph.
    basis : array, shape (2, 2)
        a and b, one a row, Å.
    radius : float
        Å; a site that has a pick within this distance is taken.

    Returns
    -------
    Registry or None
        None where no shift puts a pick on a site.

    Notes
    -----
    All shifts of up to `WINDOW` cells along each vector are tried, the smallest first: none is preferred
    to no shift unless it takes more sites. A crystal without an edge in the image, or of which the picks
    lack what lies along it, looks the same after a shift; the registry is then ambiguous.
    """
    tree = cKDTree(sites)

    def taken(shift: Shift) -> int:
        _, site = tree.query(picks - shift @ basis, distance_upper_bound=radius * (1 + ROUNDING))
        return len(np.unique(site[site < len(sites)]))

    return _most(_SHIFTS, [taken(shift) for shift in _SHIFTS])


def in_the_truths_basis(stood_on: FloatArray, claimed: FloatArray) -> FloatArray:
    """Count what picks claim along the vectors that the truth counts along.

    Parameters
    ----------
    stood_on, claimed : array, shape (n, 2)
        (h, k) of the truth and of the pick of each pair.

    Returns
    -------
    array, shape (n, 2)
        The claims times the integer matrix next to the straight-line fit of the sites stood on to them. Those
        of determinant 1 alone are a choice of vectors: exchanged axes turn the net over, and stay.
    """
    design = np.column_stack([np.ones(len(claimed)), claimed])
    if np.linalg.matrix_rank(design) < 3:
        return claimed
    steps = np.round(np.linalg.lstsq(design, stood_on)[0][1:])
    return claimed @ steps if round(float(np.linalg.det(steps))) == 1 else claimed


def registry_of_indices(stood_on: FloatArray, claimed: FloatArray) -> Registry | None:
    """Find the commonest difference between the sites that picks stand on and those they claim.

    Parameters
    ----------
    stood_on, claimed : array, shape (n, 2)
        (h, k) of the truth and of the pick of each pair, at least one.
    """
    shifts, counts = np.unique(stood_on - claimed, axis=0, return_counts=True)
    order = np.argsort(np.abs(shifts).sum(axis=1), kind="stable")
    return _most([(float(h), float(k)) for h, k in shifts[order]], counts[order].tolist())


_REACH = range(-WINDOW, WINDOW + 1)
_SHIFTS: list[Shift] = sorted(
    itertools.product(_REACH, _REACH),
    key=lambda shift: (abs(shift[0]) + abs(shift[1]), shift),
)
"""Every shift that is tried, the smallest first."""


def _most(shifts: list[Shift], counts: list[int]) -> Registry | None:
    """Return the first of the shifts that explain the most; None if they explain nothing."""
    most = max(counts)
    return Registry(shifts[counts.index(most)], counts.count(most) > 1) if most else None


@dataclass(frozen=True)
class CrystalScore:
    """What the picks made of one crystal.

    Attributes
    ----------
    truths : int
        Occupied sites.
    pairs : int
        Of them, those that have a pick once the registry is put right.
    right : int
        Of them, those whose own pick is on the right site.
    registry : Registry or None
        The shift, and whether it is certain; None where no pick stands on any site.
    vacancies_picked : int
        Empty sites inside the crystal that have a pick.
    cell_error : array, shape (2,), or None
        Length in Å of the error of a and of b, fitted to the picks; None of too few.
    """

    truths: int
    pairs: int
    right: int
    registry: Registry | None
    vacancies_picked: int
    cell_error: FloatArray | None


@dataclass(frozen=True)
class CrystalPicks:
    """The picks of a crystal's micrograph.

    Attributes
    ----------
    positions : array, shape (m, 2)
        (y, x) in Å.
    claimed : array, shape (m, 2)
        Their own (h, k), NaN where a pick has none.
    elsewhere : array of bool, shape (m,)
        Picks that are matched with a particle of something else.
    """

    positions: FloatArray
    claimed: FloatArray
    elsewhere: Mask


def judge_crystal(
    indices: FloatArray, sites: FloatArray, picks: CrystalPicks, *, match: Match, radius: float
) -> CrystalScore | None:
    """Judge the picks on one crystal in one micrograph.

    Parameters
    ----------
    indices, sites : array, shape (n, 2)
        (h, k) and (y, x) in Å of its occupied sites, vacancies left out.
    picks : CrystalPicks
        All of its micrograph.
    match : Match
        Pairs of sites and picks, whatever the registry.
    radius : float
        Å.

    Returns
    -------
    CrystalScore or None
        None where the occupied sites make no net.

    Notes
    -----
    Picks that carry indices are judged by them: a pair is right when the site stood on and the one
    claimed differ by the commonest difference, since the site that is called (0, 0) is a picker's own
    choice, as are the vectors that it counts along; that difference is the registry's shift. Without indices
    a shifted registry has no right site, and one that is not shifted has those that are matched.
    """
    net = fit_net(indices, sites)
    if net is None:
        return None
    back = np.zeros(2)
    known = np.isfinite(picks.claimed[match.pick]).all(axis=1)
    if known.any():
        stood_on = indices[match.truth[known]]
        says = in_the_truths_basis(stood_on, picks.claimed[match.pick[known]])
        registry = registry_of_indices(stood_on, says)
        right = int((stood_on - says == registry.shift).all(axis=1).sum()) if registry else 0
    else:
        registry = registry_of_positions(sites, picks.positions, basis=net.basis, radius=radius)
        if registry is not None and any(registry.shift):
            back = registry.shift @ net.basis
            match = match_optimal(sites, picks.positions - back, radius)
        right = 0 if back.any() else len(match.truth)
    spare = ~picks.elsewhere
    spare[match.pick] = False
    found = fit_net(indices[match.truth], picks.positions[match.pick])
    return CrystalScore(
        truths=len(sites),
        pairs=len(match.truth),
        right=right,
        registry=registry,
        vacancies_picked=_vacancies(net, indices, picks.positions[spare] - back, radius),
        cell_error=None if found is None else np.linalg.norm(found.basis - net.basis, axis=1),
    )


def _vacancies(net: Net, indices: FloatArray, spare: FloatArray, radius: float) -> int:
    """Count the empty sites within the hull of the occupied ones that have a spare pick."""
    nearest = net.nearest(spare)
    on_site = np.linalg.norm(spare - net.sites(nearest), axis=1) <= radius * (1 + ROUNDING)
    candidates = {(h, k) for h, k in nearest[on_site].tolist()} - {(h, k) for h, k in indices.tolist()}
    if not candidates:
        return 0
    planes = ConvexHull(indices).equations
    places = np.array(sorted(candidates))
    return int((places @ planes[:, :2].T + planes[:, 2] <= HULL_ROUNDING).all(axis=1).sum())
