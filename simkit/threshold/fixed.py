"""A cut at a given score."""

from __future__ import annotations

from typing import Literal

from simkit.core.quantity import Number
from simkit.threshold.base import SearchStatistics, Threshold


class Fixed(Threshold):
    """Keep every peak of at least a given score."""

    kind: Literal["fixed"] = "fixed"

    value: Number
    """Lowest score that is still a pick, in the picker's own scale."""

    @property
    def words(self) -> str:
        """See `Threshold.words`."""
        return f"fixed, {self.value:g}"

    def level(self, statistics: SearchStatistics) -> float:
        """See `Threshold.level`."""
        return self.value
