"""What matching two sets of points gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.matching.pairs import Pairs


@dataclass(frozen=True)
class Match:
    """One-to-one pairs of truths and picks.

    Attributes
    ----------
    truth, pick : array of int, shape (n,)
        Row numbers of each pair in the truth and in the picks, sorted by truth.
    distance : array, shape (n,)
        Distance of each pair in Å.
    """

    truth: npt.NDArray[np.intp]
    pick: npt.NDArray[np.intp]
    distance: FloatArray

    @classmethod
    def of(cls, pairs: Pairs) -> Match:
        """Take the pairs that were chosen."""
        order = np.argsort(pairs.truth)
        return cls(pairs.truth[order], pairs.pick[order], pairs.distance[order])
