"""What was taken for what: classes of the truth against classes of the picks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Confusion:
    """Counts of particles and picks by class.

    Attributes
    ----------
    truth, picks : tuple of str
        Classes of the rows and of the columns.
    counts : array of int, shape (n_truth + 1, n_picks + 1)
        Class-blind pairs; the last column counts missed particles, the last row picks without a
        particle (spurious). The corner is 0.
    """

    truth: tuple[str, ...]
    picks: tuple[str, ...]
    counts: npt.NDArray[np.intp]
