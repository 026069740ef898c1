"""What physics allows of a scenario, before any run.

The ideal observer knows what the particles look like, the noise and its spectrum, and weighs every
frequency by how little noise it has. It does not know where the particles are, nor how they are turned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.engine.appearance import Appearance, appearance, noise_on
from simkit.engine.realisation import realise
from simkit.scenario.spec import Scenario
from simkit.theory.lattice_limit import lattice_limit
from simkit.theory.observer import ABOVE, LEVELS, IdealCurve, ideal_curve
from simkit.theory.outliers import LOWEST_REACHABLE, outlier_probability
from simkit.theory.random_field import HIGHEST_LEVEL, LOWEST_LEVEL

FINE_UNTIL = 8.0
"""Level beyond which false picks are tabulated at whole levels only: there are hardly any."""

MICROMETRE = 1e4


@dataclass(frozen=True)
class SpeciesCeiling:
    """The limits for one species, over its copies in micrograph 0 or its typical views.

    Attributes
    ----------
    d_prime : float
        Median detectability of a copy by the ideal observer.
    d_prime_range : tuple of float
        Lowest and highest.
    sigma_y, sigma_x : float
        Cramér–Rao limits of a copy's position in Å, root mean square over copies; y is NaN in 1-D.
    sigma_psi : float
        Of its in-plane angle in degrees; NaN where turning changes nothing or is not searched.
    outliers : float
        Expected share of copies whose highest peak is not their own, each in the room that it has: the
        micrograph's area ÷ the copies in it.
    """

    d_prime: float
    d_prime_range: tuple[float, float]
    sigma_y: float
    sigma_x: float
    sigma_psi: float
    outliers: float

    @property
    def reachable(self) -> bool:
        """Whether the limits of position and angle can be attained."""
        return self.d_prime >= LOWEST_REACHABLE


@dataclass(frozen=True)
class LatticeCeiling:
    """Limits on a crystal's lattice from one micrograph: standard deviations in Å.

    Attributes
    ----------
    sites : int
        How many copies with known indices it is fitted to.
    sigma_a, sigma_b : float
        Of the lengths of the lattice vectors; b is NaN of a chain.
    sigma_origin : float
        Of where the net lies, root mean square over the axes.
    """

    sites: int
    sigma_a: float
    sigma_b: float
    sigma_origin: float


@dataclass(frozen=True)
class Ceiling:
    """The limits of a scenario.

    Attributes
    ----------
    species : mapping
        Species name → its limits.
    curve : IdealCurve or None
        The ideal observer's, over all species that are looked for; None in one case: no copy is expected.
    curves : mapping
        The same for each species alone.
    lattices : mapping
        Species on a net → limits on its lattice vectors.
    """

    species: Mapping[str, SpeciesCeiling]
    curve: IdealCurve | None
    curves: Mapping[str, IdealCurve] = field(default_factory=dict)
    lattices: Mapping[str, LatticeCeiling] = field(default_factory=dict)


def ceiling_of(scenario: Scenario) -> Ceiling | None:
    """Return what physics allows of a scenario.

    Nothing is simulated: copies are placed (micrograph 0) to know how many there are and how they lie, and
    each species is imaged from its typical views.

    Returns
    -------
    Ceiling or None
        None of real micrographs, and without a specimen or noise.

    Raises
    ------
    ScenarioError
        If copies cannot be placed.

    Notes
    -----
    The limits are those of a whole copy that stands alone, with its amplitude and the background around it
    unknown, in the noise of an empty image: where electrons are counted, a dark particle has a little less
    noise of its own, which the truth's `d_prime` counts. False picks are counted over the whole micrograph
    and every species on its own: where two look alike, fewer are found. A solid is looked for from as many
    directions as its templates have, or else from its typical ones. Where particles are crowded a picker
    makes no pick beside one, and so fewer false ones than the curve says.
    """
    if scenario.micrographs is not None or not scenario.simulates or not scenario.specimen:
        return None
    noise = noise_on(scenario)
    if noise is None:
        return None
    image = scenario.image.grid
    placed = {
        name: copies.take(image.contains(*copies.positions(image.ndim)))
        for name, copies in realise(scenario, 0).placements.items()
    }
    seen = {name: appearance(scenario, name, copies, noise) for name, copies in placed.items()}
    false = {name: _tabulated(look, image.area) for name, look in seen.items()}
    room = 1 / max(sum(len(copies) for copies in placed.values()), 1)
    sought = looked_for(scenario)
    curves = _curves({name: seen[name] for name in sought}, false, image)
    nets = {name: species.lattice.basis for name, species in scenario.specimen.items()}
    return Ceiling(
        species={name: _of_copy(look, false[name], room) for name, look in seen.items()},
        curve=_together(list(curves.values()), sum_of=[false[name] for name in sought]),
        curves=curves,
        lattices={
            name: limit
            for name, basis in nets.items()
            if basis is not None and (limit := _of_lattice(seen[name], basis)) is not None
        },
    )


def looked_for(scenario: Scenario) -> tuple[str, ...]:
    """Return the species that some template finds; all of them where there are no templates."""
    found = {template.found_class(name) for name, template in scenario.templates.items()}
    return tuple(name for name in scenario.specimen if not found or name in found)


FalseAbove = Callable[[float], float]


def _tabulated(look: Appearance, area: float) -> FalseAbove:
    """Return the false picks above a level in a micrograph, from a table: they are asked for often."""
    levels = np.concatenate([np.arange(LOWEST_LEVEL, FINE_UNTIL, 0.1), np.arange(FINE_UNTIL, HIGHEST_LEVEL)])
    counts = np.maximum([look.false_above(u, area) for u in levels], np.finfo(float).tiny)
    # Without its Gaussian the count is nearly a power of the level, and hardly bends between two levels.
    slow = np.log(counts) + levels**2 / 2

    def above(level: float) -> float:
        return float(np.exp(np.interp(level, levels, slow) - level**2 / 2))

    return above


def _of_copy(look: Appearance, false_above: FalseAbove, room: float) -> SpeciesCeiling:
    limits = look.limits
    outliers = outlier_probability(limits.d_prime, lambda u: room * false_above(u), dims=look.dims)
    sigma = _root_mean_square(limits.sigma_y), _root_mean_square(limits.sigma_x)
    if look.turn > 0:
        # A copy's own long and short axis lie along y and x equally often.
        sigma = (_root_mean_square(np.array(sigma)),) * 2
    return SpeciesCeiling(
        d_prime=float(np.median(limits.d_prime)),
        d_prime_range=(float(limits.d_prime.min()), float(limits.d_prime.max())),
        sigma_y=sigma[0],
        sigma_x=sigma[1],
        sigma_psi=_root_mean_square(limits.sigma_psi),
        outliers=float(np.mean(outliers)),
    )


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _curves(
    sought: Mapping[str, Appearance], false: Mapping[str, FalseAbove], image: Grid
) -> dict[str, IdealCurve]:
    """Return the curve of each species of which there are copies, all at the same levels."""
    expected = {name: look for name, look in sought.items() if len(look.copies)}
    highest = max((float(look.limits.d_prime.max()) for look in expected.values()), default=0.0)
    levels = np.linspace(LOWEST_LEVEL, min(max(highest, LOWEST_LEVEL) + ABOVE, HIGHEST_LEVEL), LEVELS)
    return {
        name: ideal_curve(
            d_prime=look.limits.d_prime,
            false_above=false[name],
            area=image.area / MICROMETRE**image.ndim,
            dims=look.dims,
            weights=np.full(len(look.limits.d_prime), len(look.copies) / len(look.limits.d_prime)),
            levels=levels,
        )
        for name, look in expected.items()
    }


def _together(curves: Sequence[IdealCurve], *, sum_of: Sequence[FalseAbove]) -> IdealCurve | None:
    """Join the curves of species that are cut at one level; those without copies give false picks too."""
    if not curves:
        return None
    particles = sum(curve.particles_per_image for curve in curves)
    found = sum(curve.recall * curve.particles_per_image for curve in curves)
    levels = curves[0].level
    return IdealCurve(
        level=levels,
        recall=np.asarray(found) / particles,
        false_per_image=np.array([sum(above(float(u)) for above in sum_of) for u in levels]),
        particles_per_image=particles,
        area=curves[0].area,
    )


def _of_lattice(look: Appearance, basis: FloatArray) -> LatticeCeiling | None:
    """Return the limits on a net's vectors, with its middle as the origin; None without indexed sites."""
    indices = np.stack([look.copies.h, look.copies.k][: len(basis)], axis=1)
    indices = indices[np.isfinite(indices).all(axis=1)]
    if len(indices) == 0:
        return None
    information = np.linalg.pinv(look.position.mean(axis=0))
    limit = lattice_limit(indices - indices.mean(axis=0), information)
    along = [
        float(np.sqrt(vector @ covariance @ vector) / np.linalg.norm(vector))
        for vector, covariance in zip(basis, limit.vectors, strict=True)
    ]
    return LatticeCeiling(
        sites=len(indices),
        sigma_a=along[0],
        sigma_b=along[1] if len(along) > 1 else np.nan,
        sigma_origin=float(np.sqrt(np.trace(limit.origin) / len(limit.origin))),
    )
