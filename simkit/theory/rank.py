"""How much a peak counts where few places are searched: as one as rare where many are.

Noise is mistaken for a particle the more often the more places are looked at. Of two expected numbers of
false peaks above a level let E(u) be that anywhere and e(u), which is smaller, that at some places. Then a
peak of u at one of those is as rare as one of v anywhere, if E(v) = e(u): its rank is v, it is v − u ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray
from simkit.theory.random_field import LOWEST_LEVEL

LEVELS = np.linspace(LOWEST_LEVEL, 14.0, 306)
"""Between them ranks are interpolated; above, a peak is as much ahead as at the last level."""


@dataclass(frozen=True)
class Ranks:
    """Scores at some places and their ranks.

    Attributes
    ----------
    scores : array, shape (n,)
        Ascending, in any unit.
    ahead : array, shape (n,)
        How much higher a peak as rare would be anywhere, in the same unit; ≥ 0.
    """

    scores: FloatArray
    ahead: FloatArray

    @classmethod
    def of_counts(
        cls, anywhere: Callable[[float], float], there: Callable[[float], float], *, noise_sd: float
    ) -> Ranks:
        """Return the ranks of two ways of searching.

        Parameters
        ----------
        anywhere, there : callable
            ``count(u)`` → expected number of false peaks above u standard deviations, falling for u ≥ 1.8.
        noise_sd : float
            Standard deviation of the score; 0 where there is no noise, and nothing to be ahead of.
        """
        if not noise_sd > 0:
            return cls(np.zeros(1), np.zeros(1))
        # Far up a count is smaller than any number that can be told from 0.
        rarity, rarity_there = (
            np.array([-math.log(max(count(u), 1e-300)) for u in LEVELS]) for count in (anywhere, there)
        )
        ahead = np.interp(rarity_there, rarity, LEVELS) - LEVELS
        # Peaks so rare that the table ends before their rank are as much ahead as the last whose it holds.
        last = max(int(np.searchsorted(rarity_there, rarity[-1])) - 1, 0)
        ahead[last:] = ahead[last]
        return cls(noise_sd * LEVELS, noise_sd * np.maximum(ahead, 0.0))

    def of(self, scores: FloatArray) -> FloatArray:
        """Return the ranks of scores, none lower than the lowest tabulated."""
        return scores + np.interp(scores, self.scores, self.ahead)

    def score(self, rank: float) -> float:
        """Return the score that has a rank; of one below all tabulated the lowest, or the rank itself."""
        lowest = min(rank, float(self.scores[0]))
        return max(rank - float(np.interp(rank, self.scores + self.ahead, self.ahead)), lowest)
