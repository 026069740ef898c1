"""The contract of a metric: truth, picks and their matching in, named values out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.spec import Spec
from simkit.core.tables import Picks, Truth
from simkit.judging.curve import Curve, curve_of_hits
from simkit.matching.base import Match
from simkit.matching.pairs import Pairs, near
from simkit.matching.score_greedy import truths_taken

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Comparison:
    """Truth and picks of all micrographs, compared over one class or over all.

    Attributes
    ----------
    truth, picks : Truth, Picks
        Rows under comparison, of all micrographs.
    match : Match
        Pairs by row number; never across micrographs. For `all` the matching is blind to class.
    radius : float
        Å within which a pair may be formed.
    symmetry : mapping
        Class → Cn.
    ndim : int
        1 or 2.
    complete : bool
        Whether every particle is in the truth. If not, a pick without one is not false but unlabelled.
    ignored_truths, ignored_picks : int
        How many of each were left out of `truth` and `picks`: neither hit, nor missed, nor false.
    truth_cluster, pick_cluster : array of int, or None
        Which cluster (micrograph, or tile of one) each row belongs to, 0 to `clusters` − 1: what an
        interval resamples. None for all in one cluster.
    clusters : int
        How many there are, those without any row included.
    candidates : Picks or None
        The picker's list kept down to a low level, ignored rows left out; None where there is none.
    images : int
        Micrographs that are compared.
    area : float or None
        Of all of them, µm² (µm in one dimension); None if unknown.
    score_sd : float or None
        Standard deviation of the picker's score where there is only noise; None if unknown.
    pixel_size : float or None
        Å, of the micrographs; None if unknown.
    """

    truth: Truth
    picks: Picks
    match: Match
    radius: float
    symmetry: Mapping[str, str]
    ndim: int = 2
    complete: bool = True
    ignored_truths: int = 0
    ignored_picks: int = 0
    truth_cluster: Indices | None = None
    pick_cluster: Indices | None = None
    clusters: int = 1
    candidates: Picks | None = None
    images: int = 1
    area: float | None = None
    score_sd: float | None = None
    pixel_size: float | None = None

    @cached_property
    def pairs(self) -> Pairs:
        """Every truth and pick within the radius of each other."""
        return near(self.truth, self.picks, radius=self.radius, ndim=self.ndim)

    @cached_property
    def taken(self) -> Indices | None:
        """The row of the truth that every candidate takes, the best score first; −1 where it takes none.

        None where no candidates are kept, or one has no score.
        """
        if self.candidates is None or np.isnan(self.candidates["score"]).any():
            return None
        known = self.pairs if self.candidates is self.picks else None
        return truths_taken(self.truth, self.candidates, radius=self.radius, ndim=self.ndim, pairs=known)

    @cached_property
    def curve(self) -> Curve | None:
        """Counts of the candidates at every threshold; None as for `taken`."""
        if self.candidates is None or self.taken is None:
            return None
        score, hit = self.candidates["score"], self.taken >= 0
        return curve_of_hits(score, hit, truths=len(self.truth), images=self.images, area=self.area)

    def over_truth(self, values: FloatArray, rows: Indices) -> FloatArray:
        """Sum one value for each of some truth rows over each cluster; shape (clusters,)."""
        return _over_clusters(self.truth_cluster, values, rows, self.clusters)

    def over_picks(self, values: FloatArray, rows: Indices) -> FloatArray:
        """Sum one value for each of some pick rows over each cluster; shape (clusters,)."""
        return _over_clusters(self.pick_cluster, values, rows, self.clusters)


def _over_clusters(cluster: Indices | None, values: FloatArray, rows: Indices, clusters: int) -> FloatArray:
    label = np.zeros(len(rows), np.intp) if cluster is None else cluster[rows]
    return np.bincount(label, weights=values, minlength=clusters)


class Metric(Spec):
    """How to judge."""

    units: ClassVar[Mapping[str, str]]
    """Name of every value the metric gives → its unit ("" for a pure number)."""

    @abstractmethod
    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """Return the value of every name in `units`; None where a value does not exist."""

    def sums(self, comparison: Comparison) -> dict[str, FloatArray]:
        """Return named sums over each cluster, arrays of shape (clusters,); what intervals are made from.

        Empty for a metric whose values are no function of sums: it then has no intervals.
        """
        return {}

    def from_sums(self, sums: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Return the values that follow from sums of `sums` over clusters.

        Parameters
        ----------
        sums : mapping
            Name → array of any shape, one entry for each resampled set of clusters.

        Returns
        -------
        mapping
            Some of the names in `units` → array of the same shape, NaN where a value does not exist. At
            the plain sums over all clusters it is what `score` returns.
        """
        return {}
