"""A crystal as prior: weak particles are believed where its lattice says that one should be.

Noise is mistaken for a particle the more often the more places are searched. The sites of a lattice take a
small part of the image, so that a peak at one of them is as rare as a much higher one anywhere: that is its
rank, and ranks are what is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import KDTree
from scipy.special import ndtr

from simkit.core.grid import FloatArray, Grid
from simkit.core.holes import Holes
from simkit.correlation.candidates import best_near
from simkit.correlation.peaks import Peak, suppress
from simkit.indexing.net import FittedNet, NetSites, net_through, vectors_of
from simkit.picker._harvest import Harvest, Mask, Search
from simkit.theory.fisher import limits
from simkit.theory.random_field import LOWEST_LEVEL
from simkit.theory.rank import Ranks

WEAKEST = 3.0
"""Detectability of the particles that the radius around a site is made for."""

REACH = 2.5
"""Standard deviations of the place of such a particle within which it is looked for: one in 23 is farther."""

FARTHEST = 1 / 3
"""Of the shortest distance between two sites: the largest radius."""

FINE = 1 / 3
"""Of the distance within which only the best peak stays: steps in which places count when the vectors are
looked for."""

REGION = 5
"""Cells, a side, among which picks tell where the crystal reaches, before its sites are searched."""

SPARSE = 0.3
"""Share of what a crystal has there that must be there for sites to be searched: at a corner 9 of 25 are."""

SEARCHED = 0.4
"""The same of a site and its eight neighbours, once all are searched: one row beyond a straight edge has 3 of
9, a corner 4."""

SURROUNDED = 0.5
"""The same for an empty site between picks to be a hole; with fewer it is in a bay of the crystal's edge."""


def at_sites(plain: Harvest, search: Search) -> Harvest:
    """Fit a lattice to the picks and look for more at its sites; without a lattice, add nothing but a notice.

    Notes
    -----
    Sites are searched within a radius r of `REACH` standard deviations: of the place of a particle of
    d′ = `WEAKEST`, of the crystal's own disorder (what scatter of the picks is left), and of the fitted
    lattice; half a pixel of the search at least, `FARTHEST` of the distance between sites at most. With E(u)
    false peaks above u to expect in an area A, n sites have E(u) n πr²/A. A peak there ranks as one anywhere
    that is as rare, and the threshold cuts the ranks, of which noise now has twice as many: half of the
    false picks that it allows are for the sites, half for everywhere else.
    """
    net = _net(plain, search)
    if isinstance(net, str):
        return replace(plain, notices=(f"no lattice was fitted, all is picked as without one: {net}",))
    picks = plain.picks
    radius = _radius(net, picks, search)
    sites = _standing(net.within(**_borders(search.grid)), search)
    region = _covered(sites, _near(sites.positions, picks, radius), REGION, SPARSE)
    near = _peaks_at(sites, region, radius, picks, search)
    # Only the peaks at its sites tell where the crystal ends, and how many of its sites there are.
    harvest = _cut(plain, search, net, sites, region, near, radius)
    region &= _covered(sites, _near(sites.positions, harvest.picks, radius), 3, SEARCHED)
    harvest = _cut(plain, search, net, sites, region, near, radius)
    return _with_holes(harvest, search, net, sites, region, near)


def _peaks_at(
    sites: NetSites, region: Mask, radius: float, picks: Sequence[Peak], search: Search
) -> list[Peak | None]:
    """Return the pick at every site of a region, or the best peak there if there is none."""
    gaps, rows = KDTree([pick.position for pick in picks]).query(sites.positions)
    peaks: list[Peak | None] = [
        picks[row] if inside and gap <= radius else None
        for inside, gap, row in zip(region, gaps, rows, strict=True)
    ]
    asked = np.flatnonzero(region & (gaps > radius))
    found = best_near(
        search.found,
        search.field,
        search.probes,
        places=sites.positions[asked],
        radius=radius,
        low=LOWEST_LEVEL * search.found.noise_sd,
        may_stand=search.may_stand,
    )
    for row, peak in zip(asked.tolist(), found, strict=True):
        peaks[row] = peak
    return peaks


def _covered(sites: NetSites, taken: Mask, side: int, share: float) -> Mask:
    """Tell around which sites there is a share of what is around one that is taken."""
    around = sites.share_around(taken, side)
    return around >= share * np.median(around[taken]) if taken.any() else taken


def _net(plain: Harvest, search: Search) -> FittedNet | str:
    """Return the lattice on which the picks stand, or why there is none."""
    if search.grid.ndim != 2:
        return "lattices are fitted in two dimensions"
    picks = plain.picks
    if not picks:
        return "there are no picks"
    # All peaks have a say in which vectors there are, in which one far above others tells no more than they.
    scores = np.array([peak.score for peak in plain.peaks])
    basis = vectors_of(
        np.array([peak.position for peak in plain.peaks]),
        np.minimum(scores, np.median([peak.score for peak in picks])),
        **_borders(search.grid),
        step=FINE * min(search.reach),
    )
    if basis is None:
        return "the peaks have no common period in two directions"
    net = net_through(np.array([p.position for p in picks]), basis, area=search.allowed * search.grid.area)
    if net is not None:
        return net.counted_from(np.array(search.grid.centre))
    return "the picks stand on no common net; there may be several grains, each with its own"


def _radius(net: FittedNet, picks: Sequence[Peak], search: Search) -> float:
    noise_sd = search.found.noise_sd
    # Of a particle of d′ = 1, in the widest of all views.
    known = [limits(p.moments, wanted=range(2)) for p in search.probes if p.moments is not None]
    variance = max(
        (float(np.trace(np.nan_to_num(c), axis1=1, axis2=2).max()) / 2 for c in known), default=0.0
    )
    levels = np.array([p.score for p in picks]) / noise_sd if noise_sd > 0 else np.full(1, np.inf)
    disorder = max(net.cell.scatter**2 / 2 - variance * float(np.mean(1 / levels**2)), 0.0)
    weak = variance / WEAKEST**2 if noise_sd > 0 else 0.0
    fitted = float(np.mean(net.errors(net.within(**_borders(search.grid)).indices) ** 2))
    radius = REACH * math.sqrt(weak + disorder + fitted)
    return min(max(radius, search.found.grid.pixel_size / 2), FARTHEST * net.spacing())


def _borders(grid: Grid) -> dict[str, FloatArray]:
    lower = np.array(grid.origin) - grid.pixel_size / 2
    return {"lower": lower, "upper": lower + grid.extent}


def _standing(sites: NetSites, search: Search) -> NetSites:
    """Return the sites at which a peak of some template may be."""
    templates = range(len(search.probes))
    return sites.take(
        np.array([any(search.may_stand(p, t) for t in templates) for p in sites.positions], bool)
    )


def _near(points: FloatArray, peaks: Sequence[Peak], radius: float) -> Mask:
    """Tell which points have a peak within a radius."""
    if not peaks:
        return np.zeros(len(points), bool)
    return np.asarray(KDTree([p.position for p in peaks]).query(points)[0] <= radius)


def _cut(
    plain: Harvest,
    search: Search,
    net: FittedNet,
    sites: NetSites,
    region: Mask,
    near: Sequence[Peak | None],
    radius: float,
) -> Harvest:
    """Rank the peaks at the sites of a region and all others alike, and cut them."""
    there = [peak for peak, inside in zip(near, region, strict=True) if peak is not None and inside]
    peaks = there + _apart_from(plain.peaks, sites.positions[region], radius)
    at_site = np.arange(len(peaks)) < len(there)
    scores = np.array([peak.score for peak in peaks])
    share = region.sum() * math.pi * radius**2 / (search.allowed * search.grid.area)
    # In whole pixels, so that micrographs alike are calibrated once.
    counted = search.count(math.ceil(radius / search.grid.pixel_size) * search.grid.pixel_size)
    table = Ranks.of_counts(plain.above, lambda u: share * counted(u), noise_sd=search.found.noise_sd)
    ranks = np.where(at_site, table.of(scores), scores)
    reach = np.array([search.reach[peak.template] for peak in peaks])
    positions = np.array([peak.position for peak in peaks])
    kept = suppress(positions, ranks, reach)

    def above(u: float) -> float:
        return 2 * plain.above(u)

    cut = search.level(ranks[kept], above)
    # Elsewhere only picks stay, so that all that is picked scores higher than all that is not.
    kept = kept[at_site[kept] | (ranks[kept] >= cut)]
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    lowest = scores[kept[ranks[kept] >= cut]].min(initial=np.inf)
    nearest = net.nearest(positions[kept])
    off = np.linalg.norm(positions[kept] - nearest.positions, axis=1) > radius
    indices = np.where(off[:, None], np.nan, nearest.indices)
    return Harvest(
        [peaks[i] for i in kept],
        ranks[kept],
        cut,
        min(table.score(cut), float(lowest)),
        above,
        columns={"h": indices[:, 0], "k": indices[:, 1]},
        doubts={"off_lattice": off},
        notes={"sites": float(region.sum()), "site_radius": radius},
    )


def _apart_from(peaks: Sequence[Peak], places: FloatArray, radius: float) -> list[Peak]:
    if not len(places) or not peaks:
        return list(peaks)
    gaps = KDTree(places).query([p.position for p in peaks])[0]
    return [peak for peak, gap in zip(peaks, gaps, strict=True) if gap > radius]


def _with_holes(
    harvest: Harvest,
    search: Search,
    net: FittedNet,
    sites: NetSites,
    region: Mask,
    near: Sequence[Peak | None],
) -> Harvest:
    """List the sites within the crystal that have no pick."""
    taken = _near(sites.positions, harvest.picks, harvest.notes["site_radius"])
    # Where a pick stands beside its place the site is not empty.
    empty = region & ~_near(sites.positions, harvest.picks, FARTHEST * net.spacing())
    empty &= _covered(sites, taken, 3, SURROUNDED) & sites.between(taken)
    scores = np.array([np.nan if peak is None else peak.score for peak in near])
    holes = Holes(
        h=sites.indices[empty, 0],
        k=sites.indices[empty, 1],
        y=sites.positions[empty, 0],
        x=sites.positions[empty, 1],
        score=scores[empty],
    )
    notes = {"holes": float(len(holes)), **_missed(scores[region], harvest, int(taken[region].sum()), search)}
    return replace(harvest, holes=holes, notes={**harvest.notes, **notes})


def _missed(scores: FloatArray, harvest: Harvest, taken: int, search: Search) -> dict[str, float]:
    """Return how many particles as weak as the others are to be expected among the holes.

    Of particles of one d′ a share Φ(level − d′) is missed. The median of the best scores at all sites is that
    of the particles within the scatter of one, as long as most sites have one.
    """
    if not search.found.noise_sd > 0 or not len(scores):
        return {}
    typical = float(np.median(np.nan_to_num(scores, nan=0.0)))
    share = float(ndtr((harvest.level - typical) / search.found.noise_sd))
    return {"holes_missed": taken * share / max(1 - share, 1e-9)}
