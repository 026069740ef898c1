"""The contract of a threshold: the score below which a peak is not a pick."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from simkit.core.grid import FloatArray
from simkit.core.spec import Spec

Counting = Literal["measured", "closed_form", "independent_pixels"]
"""How false picks are counted beforehand.

measured: the closed form of a random field, times what drawn noise gives for it (`calibrate`). closed_form:
that form alone, which expects up to twice what is picked where angles are searched. independent_pixels: for
comparison, what other programs do; every pixel and angle counts as a trial of its own, N · ½ erfc(u/√2) after
Rickgauer, Grigorieff & Denk, eLife 6 (2017) e25648, so that finer angles alone raise the level."""


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
    misplaced : array, shape (n,), or None
        Chance of each peak that its particle is elsewhere, see `misplacement`; None where nobody asked or
        nothing can be said.
    """

    peaks: FloatArray
    noise_sd: float
    expected_above: Callable[[float], float]
    misplaced: FloatArray | None = None


class Threshold(Spec):
    """Where to cut."""

    relative: ClassVar[bool] = False
    """Whether the peaks themselves say where to cut: noise alone then gives as many picks as anything."""

    @property
    def words(self) -> str:
        """The policy in words, for reports: its kind, then its values with their names."""
        values = self.model_dump(mode="json", exclude_none=True)
        kind = values.pop("kind", type(self).__name__)
        return ", ".join([kind, *(f"{name} {value}" for name, value in values.items())]).replace("_", " ")

    @property
    def counting(self) -> Counting:
        """How the search is to count the false picks it expects."""
        return "measured"

    @property
    def nearness(self) -> float | None:
        """How far (Å) a pick may be from its particle to be true; half the particle's radius if None."""
        return None

    @abstractmethod
    def level(self, statistics: SearchStatistics) -> float:
        """Return the lowest score that is still a pick (inclusive); −∞ to keep every peak."""


def counted(by: Counting) -> str:
    """Return how false picks were counted, in words to end a sentence with; nothing for the usual way."""
    return "" if by == "measured" else f", counted by {by.replace('_', ' ')}"
