"""The contract of a threshold: the score below which a peak is not a pick."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from simkit.core.grid import FloatArray
from simkit.core.spec import Spec


@dataclass(frozen=True)
class SearchStatistics:
    """What is known of a search's scores before it is cut.

    Attributes
    ----------
    peaks : array, shape (n,)
        Scores of all local maxima that survived suppression, in any order.
    noise_sd : float
        Standard deviation of the score at one place and one angle where there is only noise.
    expected_above : callable
        ``expected_above(u)`` → expected number of false peaks per image above u, with u in units
        of `noise_sd`.
    """

    peaks: FloatArray
    noise_sd: float
    expected_above: Callable[[float], float]


class Threshold(Spec):
    """Where to cut."""

    @property
    def words(self) -> str:
        """The policy in words, for reports: its kind, then its values with their names."""
        values = self.model_dump(mode="json", exclude_none=True)
        kind = values.pop("kind", type(self).__name__)
        return ", ".join([kind, *(f"{name} {value}" for name, value in values.items())]).replace("_", " ")

    @abstractmethod
    def level(self, statistics: SearchStatistics) -> float:
        """Return the lowest score that is still a pick (inclusive); −∞ to keep every peak."""
