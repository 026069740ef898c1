"""What physics allows of a scenario, before any run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simkit.theory.observer import IdealCurve

REACH = 6.0
"""d′ below which the Cramér–Rao limit is out of reach: the highest peak is then often not the particle's."""


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
        Expected share of copies whose highest peak is not their own.
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
        return self.d_prime >= REACH


@dataclass(frozen=True)
class LatticeCeiling:
    """Limits on a crystal's lattice vectors from one micrograph: standard deviations in Å."""

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
