"""What may be asked of a ceiling: a quantity, and what it must be."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simkit.core.quantity import ANGLE, LENGTH, Dimension
from simkit.engine.ceiling import Ceiling
from simkit.engine.operating import operating_point
from simkit.scenario.messages import suggestion


@dataclass(frozen=True)
class Quantity:
    """A number that a ceiling gives.

    Attributes
    ----------
    meaning : str
        For a person.
    dimension : Dimension or None
        None of a share, and of d′.
    least : bool
        Whether the species with the least value counts, not that with the largest.
    """

    meaning: str
    dimension: Dimension | None = None
    least: bool = True


QUANTITIES = {
    "recall": Quantity("share of the particles that are found"),
    "precision": Quantity("share of the picks that are particles"),
    "f1": Quantity("harmonic mean of the two"),
    "d_prime": Quantity("height of a particle's peak in standard deviations of the noise"),
    "rmse": Quantity("least error of the position", LENGTH, least=False),
    "sigma_y": Quantity("least error of y", LENGTH, least=False),
    "sigma_x": Quantity("least error of x", LENGTH, least=False),
    "sigma_psi": Quantity("least error of the in-plane angle", ANGLE, least=False),
}

SHARES = ("recall", "precision", "f1")
"""What depends on the level, and so on how many false picks are allowed."""


@dataclass(frozen=True)
class Target:
    """What a quantity must be, as ``recall >= 0.95`` says it."""

    quantity: str
    relation: Literal["≥", "≤"]
    value: float

    def met(self, reached: float) -> bool:
        """Tell whether a value meets the target; one that does not exist never does."""
        return reached >= self.value if self.relation == "≥" else reached <= self.value

    def write(self, value: float | None = None) -> str:
        """Return the target for a person, or another value of its quantity."""
        if value is None:
            return f"{self.quantity} {self.relation} {self.written(self.value)}"
        return f"{self.quantity} {self.written(value)}"

    def written(self, value: float) -> str:
        """Return a value with its unit."""
        dimension = QUANTITIES[self.quantity].dimension
        if dimension is None:
            return f"{value:.4g}"
        return f"{value:.4g}{dimension.unit}" if dimension is ANGLE else f"{value:.4g} {dimension.unit}"


def parse_target(text: str) -> Target:
    """Read ``"recall >= 0.95"``, ``"rmse <= 2 Å"`` or ``"sigma_psi <= 1°"``.

    Raises
    ------
    ValueError
        Saying what would be right.
    """
    found = re.fullmatch(r"\s*([\w′']+)\s*(>=|<=|≥|≤|=>|=<)\s*(.+?)\s*", text)
    if found is None:
        raise ValueError(f"{text!r} is no target; write for example `recall >= 0.95` or `rmse <= 2 Å`")
    name = {"d′": "d_prime", "d'": "d_prime"}.get(found[1], found[1])
    if name not in QUANTITIES:
        raise ValueError(f"{name!r} is nothing that a ceiling gives{suggestion(name, tuple(QUANTITIES))}")
    dimension = QUANTITIES[name].dimension
    value = dimension.parse(found[3]) if dimension else _bare(found[3], name)
    if not 0 < value < (1 if name in SHARES else math.inf):
        allowed = "more than 0 and less than 1" if name in SHARES else "more than 0"
        raise ValueError(f"{name} must be {allowed}, not {found[3]}")
    return Target(name, "≥" if ">" in found[2] or found[2] == "≥" else "≤", value)


def _bare(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} has no unit; write a number such as 0.95, not {text!r}") from None


def reading(
    ceiling: Ceiling, quantity: str, *, species: str | None = None, false_picks: float = 1.0
) -> float:
    """Return the value of a quantity.

    Parameters
    ----------
    ceiling : Ceiling
        Of a scenario.
    quantity : str
        One of `QUANTITIES`.
    species : str, optional
        The only one that counts. By default shares are those of all that is looked for, and of d′ and
        the limits the worst species counts.
    false_picks : float
        Expected in a micrograph, which sets the level.

    Returns
    -------
    float
        Infinite for limits that cannot be reached (d′ < 6), NaN where the quantity does not exist: no copies,
        or no angle that is searched.
    """
    if quantity in SHARES:
        curve = ceiling.curve if species is None else ceiling.curves.get(species)
        return math.nan if curve is None else getattr(operating_point(curve, false_picks), quantity)
    names = [species] if species else list(ceiling.curves) or list(ceiling.species)
    values = np.array([_of_species(ceiling, name, quantity) for name in names])
    if np.isnan(values).all():
        return math.nan
    return float(np.nanmin(values) if QUANTITIES[quantity].least else np.nanmax(values))


def _of_species(ceiling: Ceiling, name: str, quantity: str) -> float:
    limits = ceiling.species[name]
    if quantity == "d_prime":
        return limits.d_prime
    if quantity == "rmse":
        value = float(np.sqrt(np.nansum([limits.sigma_y**2, limits.sigma_x**2])))
    else:
        value = float(getattr(limits, quantity))
    return value if limits.reachable or math.isnan(value) else math.inf
