"""What a page is told of two versions of a picker on the same micrographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Gain:
    """By how much a metric became better.

    Attributes
    ----------
    metric, unit : str
        What was measured.
    new, other : float
        What the two came to.
    gain, low, high : float
        Their difference, positive where the new one is better, and its limits.
    margin : float or None
        What may be lost; None where nothing is demanded.
    passed : bool or None
        Whether a loss of the margin is excluded; None where nothing is demanded.
    """

    metric: str
    unit: str
    new: float
    other: float
    gain: float
    low: float
    high: float
    margin: float | None = None
    passed: bool | None = None


@dataclass(frozen=True)
class Contest:
    """Two versions of one picker in one case.

    Attributes
    ----------
    case, picker : str
        Which.
    failures : sequence of str
        What was demanded of it and does not hold.
    gains : sequence of Gain
        Metric by metric.
    particles : int
        How many count.
    truth, new, other : Truth, Picks, Picks
        Of all micrographs.
    ids : sequence of str
        Names of the particles.
    lost, found : array of int
        Rows of the truth: what the other one alone finds, and what the new one alone does.
    appeared, gone : Picks
        Picks without a particle that only the new one has, and that only the other one has.
    radius : float
        Å within which a pick finds a particle.
    reach : float
        Å that a box shows either way.
    pixel_size : float
        Å.
    pixels : callable
        Name of a micrograph → its pixels, shape (ny, nx).
    """

    case: str
    picker: str
    failures: Sequence[str]
    gains: Sequence[Gain]
    particles: int
    truth: Truth
    new: Picks
    other: Picks
    ids: Sequence[str]
    lost: Rows
    found: Rows
    appeared: Picks
    gone: Picks
    radius: float
    reach: float
    pixel_size: float
    pixels: Callable[[str], FloatArray]

    @property
    def name(self) -> str:
        """Case and picker."""
        return f"{self.case}, {self.picker}"
