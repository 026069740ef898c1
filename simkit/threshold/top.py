"""A cut that keeps a given number of picks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.quantity import Count
from simkit.threshold.base import SearchStatistics, Threshold


def kth_largest(values: FloatArray, *, k: int) -> float:
    """Return the k-th largest value, k ≥ 1; −∞ of fewer."""
    if values.size < k:
        return -np.inf
    return float(np.partition(values, values.size - k)[values.size - k])


class Top(Threshold):
    """Keep the best peaks of every image.

    Peaks of exactly the score of the last one are all kept, so that no arbitrary order decides.
    """

    kind: Literal["top"] = "top"

    relative: ClassVar[bool] = True

    count: Count
    """Number of peaks to keep in each image."""

    @property
    def words(self) -> str:
        """See `Threshold.words`."""
        return f"top {self.count}"

    def level(self, statistics: SearchStatistics) -> float:
        """See `Threshold.level`: the score of the last peak that is kept."""
        return kth_largest(statistics.peaks, k=self.count)
