"""How well what was found was placed: errors of position and angle over the matched pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.metric._errors import (
    angle_errors,
    error_ellipse,
    locking_power,
    orientation_errors,
    position_errors,
)
from simkit.metric.base import Comparison, Metric


class Localisation(Metric):
    """Errors of position and angle of the matched pairs; none of them exists without a pair.

    `bias_y` and `bias_x` are the mean of pick − truth, `rmse` the root of the mean squared distance,
    `median` the median distance and `p95` the distance that 95 % stay below. `ellipse_major`,
    `ellipse_minor` and `ellipse_angle` are the standard deviations along the axes of the errors'
    covariance ellipse, and the direction of the longer one from +x towards +y.

    `locking` is how far picks are pulled to one place within the pixel: the amplitude of the first
    Fourier coefficient of the error over the particle's place in the pixel, root mean square over the
    axes, with what noise alone gives it taken off its square (0 where less than that is left). Picks
    rounded to whole pixels have 1/π of a pixel.

    `psi_median_error` and `psi_p95` are the median size of the angle error modulo the symmetry of the
    truth's class, and the size that 95 % stay below; of solids, `orientation_median_error` and
    `orientation_p95` those of the turn in space between the two orientations, modulo the point group. A
    picker that tries one angle alone reports that angle, so the angle error then says how the particles
    were turned.
    """

    kind: Literal["localisation"] = "localisation"

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **dict.fromkeys(("bias_y", "bias_x", "rmse", "median", "p95"), "Å"),
            **{"ellipse_major": "Å", "ellipse_minor": "Å", "ellipse_angle": "°", "locking": "Å"},
            **dict.fromkeys(
                ("psi_median_error", "psi_p95", "orientation_median_error", "orientation_p95"), "°"
            ),
        }
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`; `bias_y`, the ellipse and ψ exist in two dimensions only."""
        c = comparison
        flat = c.ndim == 2
        dy, dx = position_errors(truth=c.truth, picks=c.picks, match=c.match)
        psi = np.abs(angle_errors(truth=c.truth, picks=c.picks, match=c.match, symmetry=c.symmetry))
        turn = orientation_errors(truth=c.truth, picks=c.picks, match=c.match, symmetry=c.symmetry)
        ellipse = error_ellipse(dy, dx) if flat else None
        return {
            "bias_y": _of(np.mean, dy) if flat else None,
            "bias_x": _of(np.mean, dx),
            "rmse": _of(lambda d: np.sqrt(np.mean(d**2)), c.match.distance),
            "median": _of(np.median, c.match.distance),
            "p95": _of(_p95, c.match.distance),
            "ellipse_major": ellipse.major if ellipse else None,
            "ellipse_minor": ellipse.minor if ellipse else None,
            "ellipse_angle": ellipse.angle if ellipse else None,
            "locking": self._locking(c),
            "psi_median_error": _of(np.median, psi) if flat else None,
            "psi_p95": _of(_p95, psi) if flat else None,
            "orientation_median_error": _of(np.median, turn),
            "orientation_p95": _of(_p95, turn),
        }

    def _locking(self, c: Comparison) -> float | None:
        if c.pixel_size is None:
            return None
        errors = dict(zip("yx", position_errors(truth=c.truth, picks=c.picks, match=c.match), strict=True))
        powers = [
            locking_power(errors[axis], c.truth[axis][c.match.truth], c.pixel_size)
            for axis in ("y", "x")[-c.ndim :]
        ]
        known = [power for power in powers if power is not None]
        return _of(lambda p: np.sqrt(np.maximum(p.mean(), 0.0)), np.array(known))

    def sums(self, comparison: Comparison) -> dict[str, FloatArray]:
        """See `Metric.sums`; a pair counts where its particle is."""
        c = comparison
        dy, dx = position_errors(truth=c.truth, picks=c.picks, match=c.match)
        terms = {
            "pairs": np.ones(len(dx)),
            "dy": dy if c.ndim == 2 else np.full(len(dy), np.nan),
            "dx": dx,
            "squares": c.match.distance**2,
        }
        return {name: c.over_truth(term, c.match.truth) for name, term in terms.items()}

    def from_sums(self, sums: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """See `Metric.from_sums`."""
        pairs = np.asarray(sums["pairs"], float)
        number = np.where(pairs > 0, pairs, np.nan)
        return {
            "bias_y": sums["dy"] / number,
            "bias_x": sums["dx"] / number,
            "rmse": np.sqrt(sums["squares"] / number),
        }


def _p95(values: FloatArray) -> FloatArray:
    return np.quantile(values, 0.95)


def _of(statistic: Callable[[FloatArray], FloatArray], values: FloatArray) -> float | None:
    return float(statistic(values)) if len(values) else None
