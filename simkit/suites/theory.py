"""What theory says of a value: where it lies for a picker that attains what physics allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtr

from simkit.statistics.counts import poisson_quantile

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Account:
    """What a value is to be compared by.

    Attributes
    ----------
    values : mapping
        Metric → value, of the picker and class.
    ceiling : mapping or None
        Recall of the ideal observer at `score.equal_false_picks` and other values; None where unknown.
    expected_false : float or None
        False picks that the picker itself expects in all micrographs; None where it cannot say.
    dims : int
        1 or 2.
    """

    values: Mapping[str, float | None]
    ceiling: Mapping[str, float] | None
    expected_false: float | None
    dims: int


@dataclass(frozen=True)
class Prediction:
    """A value by theory and the limits within which one that is drawn lies."""

    value: float
    low: float
    high: float
    why: str


def predict(metric: str, account: Account, sigmas: float) -> Prediction | None:
    """Return what theory says of a metric.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    account : Account
        What was found, and what physics allows.
    sigmas : float
        How many standard deviations away the limits are.

    Returns
    -------
    Prediction or None
        None where theory has nothing to say: limits unknown, nothing found.

    Notes
    -----
    rmse, rmse_over_bound, normalised_sd
        An efficient picker's errors over their Cramér–Rao limits are normal deviates; of n pairs in D
        dimensions a root of their mean square is within ± 1 / √(2 D n) of 1, relatively.
    normalised_bias_y, normalised_bias_x
        Their mean: 0 ± 1 / √n.
    fp
        A Poisson number of the mean that the picker itself expects in images without particles; exact where
        there is no particle (`null:`), an upper end where particles take room. Limits are quantiles of as
        much chance as the deviations have.
    recall_at_equal_false
        The ideal observer's recall p at as many false picks, ± √(p (1 − p) / n) of n particles.
    """
    return METRICS[metric](account, sigmas)


def _rmse(account: Account, sigmas: float) -> Prediction | None:
    bound = account.values.get("rmse_bound")
    return (
        None if bound is None else _around(bound, bound * _relative(account), sigmas, "the Cramér–Rao limit")
    )


def _one(account: Account, sigmas: float) -> Prediction | None:
    if account.values.get("rmse_bound") is None:
        return None
    return _around(1.0, _relative(account), sigmas, "errors at the Cramér–Rao limit")


def _zero(account: Account, sigmas: float) -> Prediction | None:
    if account.values.get("rmse_bound") is None:
        return None
    return _around(0.0, 1 / math.sqrt(account.values.get("tp") or 1), sigmas, "no bias")


def _false(account: Account, sigmas: float) -> Prediction | None:
    mean = account.expected_false
    if mean is None:
        return None
    tail = float(ndtr(-sigmas))
    low, high = (float(n) for n in poisson_quantile([tail, 1 - tail], mean))
    return Prediction(mean, low, high, "the false picks that the picker expects")


def _ideal(account: Account, sigmas: float) -> Prediction | None:
    values = account.values
    if account.ceiling is None or values.get("tp") is None or values.get("fn") is None:
        return None
    particles = (values["tp"] or 0) + (values["fn"] or 0)
    p = account.ceiling["recall"]
    if not particles:
        return None
    return _around(p, math.sqrt(p * (1 - p) / particles), sigmas, "the ideal observer")


def _relative(account: Account) -> float:
    return 1 / math.sqrt(2 * account.dims * (account.values.get("tp") or 1))


def _around(value: float, error: float, sigmas: float, why: str) -> Prediction:
    return Prediction(value, value - sigmas * error, value + sigmas * error, why)


METRICS: Mapping[str, Callable[[Account, float], Prediction | None]] = {
    "rmse": _rmse,
    "rmse_over_bound": _one,
    "normalised_sd": _one,
    "normalised_bias_y": _zero,
    "normalised_bias_x": _zero,
    "fp": _false,
    "recall_at_equal_false": _ideal,
}
"""Metrics of which theory says something."""
