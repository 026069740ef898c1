"""The contract of a metric: truth, picks and their matching in, named values out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simkit.core.spec import Spec
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match


@dataclass(frozen=True)
class Comparison:
    """Truth and picks of all micrographs, compared over one class or over all.

    Attributes
    ----------
    truth, picks : Truth, Picks
        Rows under comparison, of all micrographs.
    match : Match
        Pairs by row number; never across micrographs. For `all` the matching is blind to class.
    radius : float
        Å within which a pair may be formed.
    symmetry : mapping
        Class → Cn.
    ndim : int
        1 or 2.
    complete : bool
        Whether every particle is in the truth. If not, a pick without one is not false but unlabelled.
    """

    truth: Truth
    picks: Picks
    match: Match
    radius: float
    symmetry: Mapping[str, str]
    ndim: int = 2
    complete: bool = True


class Metric(Spec):
    """How to judge."""

    units: ClassVar[Mapping[str, str]]
    """Name of every value the metric gives → its unit ("" for a pure number)."""

    @abstractmethod
    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """Return the value of every name in `units`; None where a value does not exist."""
