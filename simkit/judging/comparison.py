"""Two pickers on the same micrographs: which one is better, by how much, how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.statistics.bootstrap import Sums, interval
from simkit.statistics.paired import holm, mcnemar, sign_flip

METRICS = ("f1", "recall", "precision")

COUNTS = ("tp", "picks", "truths")


@dataclass(frozen=True)
class PairedComparison:
    """The difference of two pickers.

    Attributes
    ----------
    a, b : str
        Their names; the difference is a − b.
    basis : str
        Where they were cut: "own thresholds" or "equal false picks".
    metric : str
        What is compared: "f1", "recall", "precision".
    difference : float or None
        Of the pooled values; None where either does not exist.
    interval : tuple of float or None
        95 %, by paired cluster bootstrap; None with fewer than six clusters, or where the difference is the
        same in all of them.
    p : float or None
        Two-sided sign-flip permutation test over the clusters; None where there is no difference.
    p_holm : float or None
        The same, corrected by Holm's method for all comparisons made on the same basis and metric.
    clusters : int
        How many clusters were resampled.
    only_a, only_b : int
        Particles that one of the two alone found.
    p_mcnemar : float or None
        McNemar's exact test of those two counts; None where both are 0. It takes particles as
        independent, and so promises more than `p`.
    value_a, value_b : float or None
        The pooled values themselves.
    false_per_image : float or None
        False picks per micrograph that both lists were cut at; None at their own thresholds.
    """

    a: str
    b: str
    basis: str
    metric: str
    difference: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    clusters: int
    only_a: int
    only_b: int
    p_mcnemar: float | None
    value_a: float | None = None
    value_b: float | None = None
    false_per_image: float | None = None


@dataclass(frozen=True)
class Tally:
    """What one picker did, cut somewhere.

    Attributes
    ----------
    name : str
        Of the picker.
    tp, picks, truths : array, shape (clusters,)
        Pairs, picks and particles of each cluster; what is ignored left out. A pair counts in one cluster,
        that of its particle, with its pick.
    hits : array of bool, shape (n,)
        Whether each particle was found; the same particles for every picker.
    judged : array of bool, shape (n,), or None
        Particles that the picker was asked for: those it could have missed. None for all.
    """

    name: str
    tp: FloatArray
    picks: FloatArray
    truths: FloatArray
    hits: npt.NDArray[np.bool_]
    judged: npt.NDArray[np.bool_] | None = None

    @property
    def asked_for(self) -> npt.NDArray[np.bool_]:
        """The particles that the picker was asked for."""
        return np.ones(len(self.hits), bool) if self.judged is None else self.judged

    @property
    def sums(self) -> dict[str, FloatArray]:
        """The counts by name."""
        return {name: getattr(self, name) for name in COUNTS}

    def value(self, metric: str) -> float | None:
        """Return a metric of all clusters together; None where it does not exist."""
        with np.errstate(invalid="ignore"):
            value = float(_rates({name: np.sum(counts) for name, counts in self.sums.items()})[metric])
        return value if np.isfinite(value) else None


def compare(
    tallies: Sequence[Tally], *, basis: str, seed: int, resamples: int = 2000, level: float = 0.95
) -> tuple[PairedComparison, ...]:
    """Compare every two pickers by F1, recall and precision.

    Parameters
    ----------
    tallies : sequence of Tally
        Of the same clusters and particles. Leave out oracles: they know what nobody has.
    basis : str
        Where they were cut: "own thresholds" or "equal false picks".
    seed : int
        Of the resampling.
    resamples : int
        How often clusters are drawn for the intervals.
    level : float
        How often the intervals should hold the true difference.

    Returns
    -------
    tuple of PairedComparison
        Metric by metric; within one, pairs in the order of `tallies`. Two pickers that were asked for
        different particles are no pair: their recalls are shares of different things, and what one
        alone found the other may not have looked for.

    Notes
    -----
    Both pickers of a pair are resampled on the same clusters, so what makes a micrograph hard for
    both cancels. Intervals, tests and their limits: `simkit.statistics.bootstrap.interval`,
    `simkit.statistics.paired.sign_flip`. Where particles may be missing from the truth, precision
    and F1 are lower bounds for both pickers, and their difference holds if the missing
    particles favour neither.
    """
    pairs = [(a, b) for a, b in combinations(tallies, 2) if np.array_equal(a.asked_for, b.asked_for)]
    intervals = [difference_interval(a, b, seed=seed, resamples=resamples, level=level) for a, b in pairs]
    tests = [sign_flip(a.sums, b.sums, _rates, seed=seed) for a, b in pairs]
    corrected = {m: holm([test.get(m, np.nan) for test in tests]).tolist() for m in METRICS}
    return tuple(
        _comparison(a, b, metric, basis, intervals[i].get(metric), tests[i].get(metric), corrected[metric][i])
        for metric in METRICS
        for i, (a, b) in enumerate(pairs)
    )


def difference_interval(
    a: Tally, b: Tally, *, seed: int, resamples: int = 2000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Return metric → interval of the difference a − b of two pickers in the same clusters; see `compare`."""
    return interval(_side_by_side(a, b), _difference, seed=seed, resamples=resamples, level=level)


def _comparison(
    a: Tally,
    b: Tally,
    metric: str,
    basis: str,
    bounds: tuple[float, float] | None,
    p: float | None,
    p_holm: float,
) -> PairedComparison:
    value_a, value_b = a.value(metric), b.value(metric)
    only_a, only_b = int((a.hits & ~b.hits).sum()), int((b.hits & ~a.hits).sum())
    return PairedComparison(
        a=a.name,
        b=b.name,
        basis=basis,
        metric=metric,
        difference=value_a - value_b if value_a is not None and value_b is not None else None,
        interval=bounds,
        p=p,
        p_holm=p_holm if p is not None else None,
        clusters=len(a.tp),
        only_a=only_a,
        only_b=only_b,
        p_mcnemar=mcnemar(only_a, only_b),
        value_a=value_a,
        value_b=value_b,
    )


def _rates(sums: Sums) -> dict[str, FloatArray]:
    tp, picks, truths = (sums[name] for name in COUNTS)
    return {"f1": 2 * tp / (picks + truths), "recall": tp / truths, "precision": tp / picks}


def _side_by_side(a: Tally, b: Tally) -> dict[str, FloatArray]:
    return {f"{side} {name}": t.sums[name] for side, t in (("a", a), ("b", b)) for name in COUNTS}


def _difference(sums: Sums) -> dict[str, FloatArray]:
    of_a, of_b = (_rates({name: sums[f"{side} {name}"] for name in COUNTS}) for side in "ab")
    return {metric: of_a[metric] - of_b[metric] for metric in METRICS}
