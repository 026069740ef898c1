"""A cut at a chosen share of false picks."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Checked
from pydantic import Strict

from simkit.theory.random_field import level_for
from simkit.theory.significance import accepted
from simkit.threshold.base import Counting, SearchStatistics, Threshold, counted

Share = Annotated[float, Strict(), Checked(gt=0, lt=1)]


class Fdr(Threshold):
    """Cut so that on average at most a chosen share of the picks is false.

    The false discovery rate of Benjamini and Hochberg, over the peaks of one image: with noise expected to
    give E(u) peaks above u, the longest list of k picks is kept with E ≤ q k at its end. An image full of
    particles is so cut lower than an empty one, where even the best peak has to be rarer than q. It is
    as true as the picker's own account of its noise, see `ExpectedFalsePicks`, and never
    falls below 1.8 standard deviations.

    References
    ----------
    .. [1] Benjamini & Hochberg, J. R. Stat. Soc. B 57 (1995) 289.
    .. [2] Schwartzman, Gavrilov & Adler, Ann. Statist. 39 (2011) 3290: the same for peaks of a random field.
    """

    kind: Literal["fdr"] = "fdr"

    q: Share
    """Share of the picks that may be false."""

    calibration: Counting = "measured"
    """As for `expected_false_picks`."""

    @property
    def counting(self) -> Counting:
        """See `Threshold.counting`."""
        return self.calibration

    @property
    def words(self) -> str:
        """See `Threshold.words`."""
        return f"false discovery rate, {self.q:g}{counted(self.calibration)}"

    def level(self, statistics: SearchStatistics) -> float:
        """See `Threshold.level`."""
        sd, above = statistics.noise_sd, statistics.expected_above
        levels = statistics.peaks / sd if sd > 0 else np.empty(0)
        picks = accepted(levels, self.q, expected_above=above)
        return sd * level_for(self.q * max(picks, 1), above)
