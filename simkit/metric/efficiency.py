"""How far a picker is from what physics allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.metric._errors import angle_errors_by_pair, of_one_class, position_errors
from simkit.metric.base import Comparison, Indices, Metric
from simkit.theory.outliers import LOWEST_REACHABLE

OUTLIER = 5.0
"""Standard deviations of the limit from which on a pick is an outlier: in two dimensions an efficient
picker has 4 in a million."""


def unbiased_height(mean_height: float, parameters: float) -> float | None:
    """Return the d′ whose peak is so high on average when it is the highest near the particle.

    Parameters
    ----------
    mean_height : float
        Mean height of peaks in standard deviations of the noise.
    parameters : float
        How many parameters were searched: the positions, and the angle where it was.

    Returns
    -------
    float or None
        (m + √(m² − 2k)) / 2; None where m² < 2k, too low for a peak that stands out of the noise.

    Notes
    -----
    Near a particle the score is d′ (1 − ½ θᵀΛθ) + n(θ), with n noise of unit variance whose gradient has
    the covariance Λ. To first order in 1/d′ the highest point is θ̂ = Λ⁻¹∇n / d′, and there the score is
    d′ + n + ∇nᵀΛ⁻¹∇n / (2 d′). The last term is χ² of k degrees of freedom over 2 d′: the mean height is
    m = d′ + k / (2 d′), of which d′ is the larger root.
    """
    square = mean_height**2 - 2 * parameters
    return (mean_height + float(np.sqrt(square))) / 2 if mean_height > 0 and square >= 0 else None


class Efficiency(Metric):
    """Sensitivity and precision of what was found, against the limits that the truth states.

    Sensitivity: `d_prime` is the mean detectability by the ideal observer of the particles that a
    candidate was matched with (best score first; the picks where no candidates are kept),
    `d_prime_observed` the mean height of their peaks in standard deviations of the noise, freed of what
    the highest of many places gains, and `eta_detection` the square of their ratio. Candidates end at a
    level of their own; where particles fall below it, those that do not are the higher ones.

    Precision: `rmse_bound` is the root of the mean of σ_y² + σ_x², the Cramér–Rao limits of the particles
    found, `rmse_over_bound` the error over it, `eta_localisation` the inverse square of that, and
    `psi_over_bound` the same for the in-plane angle. Errors over their own limits have the means
    `normalised_bias_y` and `normalised_bias_x`, 0 of an efficient picker, and the standard deviation
    `normalised_sd`, 1 of one. `outliers` is the share of pairs more than 5 σ apart; only errors within
    the matching radius are seen.

    `reachable` is 1 where half of the particles at least have d′ ≥ 6, and 0 where not: the limits are then
    out of any picker's reach. Nothing exists whose limits are unknown or where nothing was matched.
    """

    kind: Literal["efficiency"] = "efficiency"

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **dict.fromkeys(("d_prime", "d_prime_observed", "eta_detection"), ""),
            "rmse_bound": "Å",
            **dict.fromkeys(("rmse_over_bound", "eta_localisation", "psi_over_bound"), ""),
            **dict.fromkeys(("normalised_bias_y", "normalised_bias_x", "normalised_sd"), ""),
            **dict.fromkeys(("outliers", "reachable"), ""),
        }
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`; in one dimension the limit is that of x."""
        known = comparison.truth["d_prime"][np.isfinite(comparison.truth["d_prime"])]
        return {
            **_detection(comparison),
            **_localisation(comparison),
            "psi_over_bound": _psi_over_bound(comparison),
            "reachable": int(np.median(known) >= LOWEST_REACHABLE) if len(known) else None,
        }

    def sums(self, comparison: Comparison) -> dict[str, FloatArray]:
        """See `Metric.sums`; a pair counts where its particle is."""
        errors = _normalisable(comparison)
        return {
            "error": comparison.over_truth((errors.error**2).sum(axis=0), errors.truth),
            "bound": comparison.over_truth((errors.limit**2).sum(axis=0), errors.truth),
        }

    def from_sums(self, sums: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """See `Metric.from_sums`."""
        error, bound = (np.asarray(sums[name], float) for name in ("error", "bound"))
        return {
            "rmse_over_bound": np.sqrt(error / np.where(bound > 0, bound, np.nan)),
            "eta_localisation": bound / np.where(error > 0, error, np.nan),
        }


def _detection(c: Comparison) -> dict[str, float | None]:
    if np.isnan(c.truth["d_prime"]).all():
        return dict.fromkeys(("d_prime", "d_prime_observed", "eta_detection"))
    found, truth, pick = _heights(c)
    limit = c.truth["d_prime"][truth]
    known = np.isfinite(limit)
    truth, pick, limit = truth[known], pick[known], limit[known]
    expected = float(limit.mean()) if len(limit) else None
    observed = None
    if len(limit) and c.score_sd and np.isfinite(found["score"][pick]).all():
        turned = np.isfinite(c.truth["sigma_psi"][truth]) if len(np.unique(found["psi"])) > 1 else 0.0
        parameters = c.ndim + float(np.mean(turned))
        observed = unbiased_height(float(found["score"][pick].mean()) / c.score_sd, parameters)
    return {
        "d_prime": expected,
        "d_prime_observed": observed,
        "eta_detection": (observed / expected) ** 2 if observed and expected else None,
    }


def _heights(c: Comparison) -> tuple[Picks, Indices, Indices]:
    """Return the list whose heights count, and the rows of its pairs in the truth and in it."""
    if c.candidates is None or c.taken is None:
        alike = _seen_as_it_is(c.truth, c.match.truth, c.picks, c.match.pick)
        return c.picks, c.match.truth[alike], c.match.pick[alike]
    pick = np.flatnonzero(c.taken >= 0)
    truth = c.taken[pick]
    alike = _seen_as_it_is(c.truth, truth, c.candidates, pick)
    return c.candidates, truth[alike], pick[alike]


def _seen_as_it_is(truth: Truth, rows: Indices, picks: Picks, picked: Indices) -> npt.NDArray[np.bool_]:
    """Tell which pairs do not take one thing for another: the limits are those of seeing it as it is."""
    return of_one_class(truth, rows, picks, picked) | truth.labels("class").among([""])[rows]


@dataclass(frozen=True)
class _Errors:
    """Pairs whose limits are known: rows of the truth, errors and limits (ndim, n) along (y, x) in Å."""

    truth: Indices
    error: FloatArray
    limit: FloatArray


def _normalisable(c: Comparison) -> _Errors:
    error = np.array(position_errors(truth=c.truth, picks=c.picks, match=c.match)[-c.ndim :])
    limit = np.array([c.truth[f"sigma_{axis}"][c.match.truth] for axis in ("y", "x")[-c.ndim :]])
    known = (np.isfinite(limit) & (limit > 0)).all(axis=0)
    known &= _seen_as_it_is(c.truth, c.match.truth, c.picks, c.match.pick)
    return _Errors(c.match.truth[known], error[:, known], limit[:, known])


def _localisation(c: Comparison) -> dict[str, float | None]:
    pairs = _normalisable(c)
    names = ("rmse_bound", "rmse_over_bound", "eta_localisation", "outliers")
    n = len(pairs.truth)
    if n == 0:
        return dict.fromkeys((*names, "normalised_bias_y", "normalised_bias_x", "normalised_sd"))
    bound, mean_square = (float((v**2).sum(axis=0).mean()) for v in (pairs.limit, pairs.error))
    normalised = pairs.error / pairs.limit
    bias = normalised.mean(axis=1).tolist()
    return {
        "rmse_bound": float(np.sqrt(bound)),
        "rmse_over_bound": float(np.sqrt(mean_square / bound)),
        "eta_localisation": bound / mean_square if mean_square > 0 else None,
        "normalised_bias_y": bias[0] if c.ndim == 2 else None,
        "normalised_bias_x": bias[-1],
        "normalised_sd": float(np.sqrt(normalised.var(axis=1, ddof=1).mean())) if n > 1 else None,
        "outliers": float(np.mean((normalised**2).sum(axis=0) > OUTLIER**2)),
    }


def _psi_over_bound(c: Comparison) -> float | None:
    limit = c.truth["sigma_psi"][c.match.truth]
    if np.isnan(limit).all():
        return None
    error = angle_errors_by_pair(truth=c.truth, picks=c.picks, match=c.match, symmetry=c.symmetry)
    known = np.isfinite(error) & np.isfinite(limit) & (limit > 0)
    # A picker that tries one angle alone has not looked for it.
    if c.ndim == 1 or not known.any() or len(np.unique(c.picks["psi"])) < 2:
        return None
    return float(np.sqrt(np.mean(error[known] ** 2) / np.mean(limit[known] ** 2)))
