"""What a search for peaks has brought, and what it was, for those who look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray, Grid
from simkit.core.holes import Holes
from simkit.correlation.exact import MayStand
from simkit.correlation.peaks import Peak
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.search import Scan

Mask = npt.NDArray[np.bool_]
Count = Callable[[float], float]


@dataclass(frozen=True)
class Harvest:
    """The peaks of a search, and how they are cut.

    Attributes
    ----------
    peaks : sequence of Peak
        Best first.
    ranks : array, shape (n,)
        Score from which on a peak anywhere is as rare as this one.
    cut : float
        Lowest rank of a pick.
    level : float
        Lowest score of a pick.
    above : callable
        ``above(u)`` → expected number of false picks of ranks above u standard deviations.
    misplaced : array, shape (n,), or None
        Chance of every peak that its particle is elsewhere; None where that is unknown.
    columns : mapping
        What is known of the peaks besides.
    doubts : mapping
        Doubt → on which peaks it is cast.
    holes : Holes or None
        Empty sites; None where no lattice was looked for or found.
    notes : mapping
        Numbers worth reporting.
    notices : tuple of str
        What a reader must know.
    """

    peaks: Sequence[Peak]
    ranks: FloatArray
    cut: float
    level: float
    above: Count
    misplaced: FloatArray | None = None
    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    doubts: Mapping[str, Mask] = field(default_factory=dict)
    holes: Holes | None = None
    notes: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @classmethod
    def anywhere(cls, peaks: Sequence[Peak], level: float, above: Count) -> Harvest:
        """Return peaks that may be anywhere: each ranks by its score."""
        return cls(peaks, np.array([p.score for p in peaks]), level, level, above)

    @property
    def picked(self) -> Mask:
        """Which peaks are picks."""
        return self.ranks >= self.cut

    @property
    def picks(self) -> list[Peak]:
        """The picks among them."""
        return [peak for peak, picked in zip(self.peaks, self.picked, strict=True) if picked]


@dataclass(frozen=True)
class Search:
    """What was searched, and how.

    Attributes
    ----------
    found, field, probes
        See `best_peaks`.
    grid : Grid
        Of the image.
    reach : sequence of float
        Å around each probe's peaks within which only the best stays.
    may_stand : callable
        See `best_peaks`.
    allowed : float
        Share of the image in which there may be picks.
    count : callable
        ``count(reach)`` → expected number of false peaks per image above a level, if of those within a reach
        (Å) only the best stays.
    level : callable
        ``level(ranks, above)`` → the lowest rank of a pick.
    """

    found: Scan
    field: Field
    probes: Sequence[Probe]
    grid: Grid
    reach: Sequence[float]
    may_stand: MayStand
    allowed: float
    count: Callable[[float], Count]
    level: Callable[[FloatArray, Count], float]
