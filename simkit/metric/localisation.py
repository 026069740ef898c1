"""How well what was found was placed: errors of position and angle over the matched pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.orientation import angle_between, orientation
from simkit.core.quantity import fold, wrap_angle
from simkit.core.symmetry import point_group
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.metric.base import Comparison, Metric


def position_errors(*, truth: Truth, picks: Picks, match: Match) -> tuple[FloatArray, FloatArray]:
    """Return pick − truth in Å, along y and along x, for every pair."""
    dy, dx = (picks[axis][match.pick] - truth[axis][match.truth] for axis in ("y", "x"))
    return dy, dx


def angle_errors(*, truth: Truth, picks: Picks, match: Match, symmetry: Mapping[str, str]) -> FloatArray:
    """Return pick − truth in degrees, modulo 360°/n, for every pair that has both angles.

    Parameters
    ----------
    symmetry : mapping
        Class → Cn; a class that is not in it has C1.

    Notes
    -----
    Pairs of unequal classes are left out: the angles of two different things do not compare. So
    are those of solids, whose ψ means nothing without the view: `orientation_errors` has them.
    """
    t, p = match.truth, match.pick
    period = np.array([360.0 / fold(symmetry.get(name, "C1")) for name in truth["class"][t]])
    error = wrap_angle(picks["psi"][p] - truth["psi"][t], period)
    flat = np.isnan(truth["tilt"][t]) & np.isnan(picks["tilt"][p])
    return error[np.isfinite(error) & flat & (truth["class"][t] == picks["class"][p])]


def orientation_errors(
    *, truth: Truth, picks: Picks, match: Match, symmetry: Mapping[str, str]
) -> FloatArray:
    """Return the smallest turn from truth to pick, in degrees, for every pair that has both views.

    Parameters
    ----------
    symmetry : mapping
        Class → point group, which the turn is taken modulo; a class that is not in it has C1.

    Notes
    -----
    Pairs of unequal classes are left out. A projection mirrored by the lattice is that of the solid
    seen from behind, and counted as such.
    """
    known = truth.take(match.truth), picks.take(match.pick)
    whole = np.logical_and.reduce([np.isfinite(t[name]) for t in known for name in ("psi", "rot", "tilt")])
    whole &= known[0]["class"] == known[1]["class"]
    right, found = (table.take(whole) for table in known)
    one = orientation(found["rot"], found["tilt"], found["psi"])
    other = orientation(right["rot"], right["tilt"], right["psi"], right["mirror"])
    errors = np.zeros(len(right))
    for name in np.unique(right["class"]):
        mine = right["class"] == name
        group = point_group(symmetry.get(str(name), "C1"))
        errors[mine] = angle_between(one[mine], other[mine], group)
    return errors


class Localisation(Metric):
    """Errors of position and angle of the matched pairs; none of them exists without a pair.

    `bias_y` and `bias_x` are the mean of pick − truth, `rmse` the root of the mean squared
    distance, `median` the median distance, and `psi_median_error` the median size of the angle
    error modulo the symmetry of the truth's class. Of solids, `orientation_median_error` is the
    median turn in space between the two orientations, modulo the point group. A picker that tries
    one angle alone reports that angle, so the angle error then says how the particles were turned.
    """

    kind: Literal["localisation"] = "localisation"

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "bias_y": "Å",
            "bias_x": "Å",
            "rmse": "Å",
            "median": "Å",
            "psi_median_error": "°",
            "orientation_median_error": "°",
        }
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`; `bias_y` and the angle exist in two dimensions only."""
        c = comparison
        dy, dx = position_errors(truth=c.truth, picks=c.picks, match=c.match)
        psi = angle_errors(truth=c.truth, picks=c.picks, match=c.match, symmetry=c.symmetry)
        turn = orientation_errors(truth=c.truth, picks=c.picks, match=c.match, symmetry=c.symmetry)
        flat = c.ndim == 2
        return {
            "bias_y": _of(np.mean, dy) if flat else None,
            "bias_x": _of(np.mean, dx),
            "rmse": _of(lambda d: np.sqrt(np.mean(d**2)), c.match.distance),
            "median": _of(np.median, c.match.distance),
            "psi_median_error": _of(np.median, np.abs(psi)) if flat else None,
            "orientation_median_error": _of(np.median, turn),
        }


def _of(statistic: Callable[[FloatArray], FloatArray], values: FloatArray) -> float | None:
    return float(statistic(values)) if len(values) else None
