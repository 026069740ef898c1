"""A cut at a chosen share of false picks."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Checked
from pydantic import Strict

from simkit.core.quantity import LENGTH, PositiveLength
from simkit.theory.random_field import level_for
from simkit.theory.significance import accepted
from simkit.threshold.base import Counting, SearchStatistics, Threshold, counted

Share = Annotated[float, Strict(), Checked(gt=0, lt=1)]


class Fdr(Threshold):
    """Cut so that on average at most a chosen share of the picks is false.

    The false discovery rate of Benjamini and Hochberg, over the peaks of one image: with noise expected to
    give E(u) peaks above u, and each peak having a chance m that it is a particle's but in a wrong place
    (`misplacement`), the longest list of k picks is kept with E + m₁ + … + m_k ≤ q k at its end. An image
    full of particles is so cut lower than an empty one, where even the best peak has to be rarer than q.
    It is as true as the picker's own account of its noise, see `ExpectedFalsePicks`, and never
    falls below 1.8 standard deviations.

    References
    ----------
    .. [1] Benjamini & Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
    .. [2] Schwartzman, Gavrilov & Adler, Ann. Statist. 39 (2011) 3290: the same for peaks of a random field.
    """

    kind: Literal["fdr"] = "fdr"

    q: Share
    """Share of the picks that may be false."""

    within: PositiveLength | None = None
    """Farthest that a true pick may be from its particle; half the particle's radius by default. At a score
    radius that is smaller, more picks are false than were counted."""

    calibration: Counting = "measured"
    """As for `expected_false_picks`."""

    @property
    def counting(self) -> Counting:
        """See `Threshold.counting`."""
        return self.calibration

    @property
    def nearness(self) -> float | None:
        """See `Threshold.nearness`."""
        return self.within

    @property
    def words(self) -> str:
        """See `Threshold.words`."""
        near = "" if self.within is None else f" within {LENGTH.write(self.within)}"
        return f"false discovery rate, {self.q:g}{near}{counted(self.calibration)}"

    def level(self, statistics: SearchStatistics) -> float:
        """See `Threshold.level`."""
        sd, above = statistics.noise_sd, statistics.expected_above
        levels = statistics.peaks / sd if sd > 0 else np.empty(0)
        chances = None if statistics.misplaced is None else statistics.misplaced[: len(levels)]
        picks = accepted(levels, self.q, expected_above=above, misplaced=chances)
        order = np.argsort(-levels, kind="stable")
        elsewhere = 0.0 if chances is None else float(chances[order[:picks]].sum())
        level = sd * level_for(self.q * max(picks, 1) - elsewhere, above)
        # A peak above that level but doubtful of place may be the one too many.
        best_left = statistics.peaks[order[picks:]].max(initial=-np.inf)
        last = statistics.peaks[order[:picks]].min(initial=np.inf)
        return min(max(level, float(np.nextafter(best_left, np.inf))), float(last))
