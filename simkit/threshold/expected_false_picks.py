"""A cut at a chosen rate of false picks."""

from __future__ import annotations

from typing import Literal

from simkit.core.quantity import PositiveNumber
from simkit.theory.random_field import level_for
from simkit.threshold.base import Counting, SearchStatistics, Threshold, counted


class ExpectedFalsePicks(Threshold):
    """Cut where pure noise would give a chosen number of false picks per image.

    It is as true as the picker's own account of its noise: the noise must be Gaussian with the
    spectrum the picker believes in, and structured background counts as particles. It never falls
    below 1.8 standard deviations.
    """

    kind: Literal["expected_false_picks"] = "expected_false_picks"

    per_image: PositiveNumber
    """False picks to expect in an image without particles."""

    calibration: Counting = "measured"
    """How they are counted: measured in drawn noise; by the closed form of a random field alone; or as if all
    pixels and angles were independent, as other programs do."""

    @property
    def counting(self) -> Counting:
        """See `Threshold.counting`."""
        return self.calibration

    @property
    def words(self) -> str:
        """See `Threshold.words`."""
        return f"expected false picks, {self.per_image:g} per image{counted(self.calibration)}"

    def level(self, statistics: SearchStatistics) -> float:
        """See `Threshold.level`."""
        return statistics.noise_sd * level_for(self.per_image, statistics.expected_above)
