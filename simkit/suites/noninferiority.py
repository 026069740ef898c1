"""Two versions of a picker, micrograph by micrograph: whether the new one lost more than a margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import ndtri, stdtrit

from simkit.core.grid import FloatArray
from simkit.suites.clustering import Cluster, cluster_of

FEWEST = 4
"""Micrographs without which a spread between them says too little."""


@dataclass(frozen=True)
class Vectors:
    """What a picker did in each micrograph, blind to class.

    Attributes
    ----------
    tp, picks, truths : array, shape (n,)
        Pairs, picks and particles; what is ignored left out.
    squares : array, shape (n,)
        Sum of the squared distances of the pairs, Å².
    """

    tp: FloatArray
    picks: FloatArray
    truths: FloatArray
    squares: FloatArray


def _missed(v: Vectors) -> FloatArray:
    return v.truths - v.tp


def _false(v: Vectors) -> FloatArray:
    return v.picks - v.tp


@dataclass(frozen=True)
class Measure:
    """A metric that is a ratio of sums over micrographs, or its root.

    Attributes
    ----------
    parts : callable
        Vectors → numerator and denominator, shape (n,) each.
    better : int
        1 where more is better, −1 where less is.
    root : bool
        Whether it is the root of the ratio.
    step : int
        What the numerator loses with a particle, or gains with a false pick; 0 where it counts neither.
    harm : callable or None
        Vectors → what counts against a picker, shape (n,).
    exposed : callable
        Vectors → how much of each micrograph could come to harm, in any unit, shape (n,).
    """

    parts: Callable[[Vectors], tuple[FloatArray, FloatArray]]
    better: int = 1
    root: bool = False
    step: int = 1
    harm: Callable[[Vectors], FloatArray] | None = None
    exposed: Callable[[Vectors], FloatArray] = lambda v: np.ones(len(v.tp))

    def value(self, v: Vectors) -> float | None:
        """Return the pooled value; None where its denominator is 0."""
        top, bottom = (float(part.sum()) for part in self.parts(v))
        if bottom <= 0:
            return None
        return math.sqrt(top / bottom) if self.root else top / bottom

    def influence(self, v: Vectors) -> FloatArray:
        """Return what each micrograph adds to the value's error, to first order, shape (n,); their sum is 0.

        Of r = Σa / Σb it is n (a − r b) / Σb [1]_, of √r half of that over √r.

        References
        ----------
        .. [1] Cochran, Sampling Techniques (1977), section 2.11.
        """
        top, bottom = self.parts(v)
        ratio = top.sum() / bottom.sum()
        linear = len(top) * (top - ratio * bottom) / bottom.sum()
        if not self.root:
            return linear
        return linear / (2 * math.sqrt(ratio)) if ratio > 0 else np.zeros(len(top))

    def cluster(self, new: Vectors, old: Vectors) -> Cluster | None:
        """Return the cluster in which losses come, if they do, see `cluster_of`."""
        if self.harm is None:
            return None
        return cluster_of(np.maximum(self.harm(new) - self.harm(old), 0), self.exposed(old))


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "recall": Measure(lambda v: (v.tp, v.truths), harm=_missed, exposed=lambda v: v.tp),
        "precision": Measure(lambda v: (v.tp, v.picks), harm=_false),
        "f1": Measure(lambda v: (2 * v.tp, v.picks + v.truths), step=2, harm=_missed, exposed=lambda v: v.tp),
        "fp": Measure(lambda v: (_false(v), np.full(len(v.tp), 1 / len(v.tp))), better=-1, harm=_false),
        "rmse": Measure(lambda v: (v.squares, v.tp), better=-1, root=True, step=0),
    }
)
"""Metrics that a baseline holds."""


@dataclass(frozen=True)
class Gain:
    """By how much a picker became better; a loss is negative.

    Attributes
    ----------
    new, old : float
        The pooled values.
    gain : float
        Their difference, positive where the new one is better.
    error : float
        Its standard error.
    freedom : float
        Degrees of freedom of that.
    grain : float
        What a single particle, or false pick, is worth; 0 of values that are no counts.
    cluster : Cluster or None
        In what losses come, where they are not spread as single ones would be.
    """

    new: float
    old: float
    gain: float
    error: float
    freedom: float
    grain: float = 0.0
    cluster: Cluster | None = None

    def limits(self, alpha: float, margin: float = 0.0) -> tuple[float, float]:
        """Return the limits of the true gain, each of which it passes with a chance of at most `alpha`.

        Parameters
        ----------
        alpha : float
            That chance.
        margin : float
            A loss that is to be excluded.

        Notes
        -----
        Who loses the margin m loses m / g particles of worth g each, one independently of another, which is
        a number with a standard deviation of √(m / g) at most. The limits are therefore no nearer than
        z_α √(m g) however alike the micrographs are: few losses happen to show little spread just where
        they happen to be few, and a limit from the spread alone would let a loss of the margin pass several
        times too often. With the variance that holds at the margin it is a score test, as Farrington and
        Manning's [1]_. Where losses are seen to come in clusters a cluster counts as one loss; the spread
        decides where it is more.

        References
        ----------
        .. [1] Farrington and Manning, Stat. Med. 9 (1990) 1447.
        """
        spread = _quantile(alpha, self.freedom) * self.error
        reach = max(spread, -float(ndtri(alpha)) * math.sqrt(margin * self.unit))
        return self.gain - reach, self.gain + reach

    @property
    def unit(self) -> float:
        """What is lost at once: a single particle, or a cluster of them."""
        return self.grain * (self.cluster.size if self.cluster else 1)

    @property
    def unchanged(self) -> bool:
        """Whether no micrograph shows any difference."""
        return self.gain == 0 and self.error == 0

    def traceless(self, margin: float) -> float:
        """Return the chance that a loss of a margin happens to hit nothing here: exp(−m / u), of Poisson."""
        return math.exp(-margin / self.unit) if self.unit else 0.0


def paired(metric: str, new: Vectors, old: Vectors) -> Gain | None:
    """Return the gain of a metric on the same micrographs; None where either value does not exist.

    Parameters
    ----------
    metric : str
        One of `MEASURES`.
    new, old : Vectors
        Of the same micrographs, in the same order.

    Notes
    -----
    The standard error is that of the mean over micrographs of the difference of influences, with n − 1
    degrees of freedom: what makes a micrograph hard for both cancels.
    """
    measure = MEASURES[metric]
    a, b = measure.value(new), measure.value(old)
    if a is None or b is None:
        return None
    difference = measure.influence(new) - measure.influence(old)
    n = len(difference)
    error = float(np.std(difference, ddof=1) / math.sqrt(n))
    grain = measure.step / float(measure.parts(old)[1].sum())
    return Gain(a, b, measure.better * (a - b), error, n - 1, grain, measure.cluster(new, old))


def unpaired(metric: str, new: Vectors, old: Vectors) -> Gain | None:
    """Return the gain of a metric between different micrographs; None where either value does not exist.

    Notes
    -----
    Welch's degrees of freedom [1]_.

    References
    ----------
    .. [1] Welch, Biometrika 34 (1947) 28.
    """
    measure = MEASURES[metric]
    a, b = measure.value(new), measure.value(old)
    if a is None or b is None:
        return None
    influences = [measure.influence(side) for side in (new, old)]
    parts = [float(np.var(values, ddof=1) / len(values)) for values in influences]
    total = sum(parts)
    spread = sum(part**2 / (len(v) - 1) for part, v in zip(parts, influences, strict=True))
    freedom = total**2 / spread if spread > 0 else math.inf
    return Gain(a, b, measure.better * (a - b), math.sqrt(total), freedom)


def not_worse(gain: Gain, *, margin: float, alpha: float) -> bool:
    """Tell whether a loss of the margin is excluded, or nothing has changed at all.

    A picker that loses as much as the margin, each particle independently, passes with a chance of at most
    `alpha`, or of `Gain.traceless` where that is more: on so few particles it may show no change, and no
    change passes. One without any loss fails with the chance that its gain's error is as large as the margin
    leaves room for.

    Notes
    -----
    Of losses that come in clusters no comparison of few micrographs can promise as much. Who loses whole
    micrographs, a share m of them, shows no loss in n with a chance of (1 − m)ⁿ: 0.6 of m = 0.06 and n = 8,
    and 0.002 not before n = 100. Whatever passes what has not changed passes that as often, and a cluster
    that did hit says little about those that did not.
    """
    return gain.unchanged or gain.limits(alpha, margin)[0] > -margin


def proven_worse(gain: Gain, *, margin: float, alpha: float) -> bool:
    """Tell whether a loss of more than the margin is beyond doubt.

    A picker that lost no more than the margin is accused with a chance of at most `alpha`.
    """
    return gain.limits(alpha)[1] < -margin


def _quantile(alpha: float, freedom: float) -> float:
    # Beyond that Student's deviate is the normal one to all digits that matter, and ∞ is none for SciPy.
    return -float(stdtrit(min(freedom, 1e9), alpha))
