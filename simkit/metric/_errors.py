"""Errors of the matched pairs: of position, in-plane angle and orientation, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.orientation import angle_between, orientation
from simkit.core.quantity import fold, wrap_angle
from simkit.core.symmetry import point_group
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.matching.pairs import Indices

SAMPLED = 0.1
"""Least singular value, relative to the largest, of a fit over the pixel: with less, the positions
stand on too few places within the pixel to tell locking from bias."""


def position_errors(*, truth: Truth, picks: Picks, match: Match) -> tuple[FloatArray, FloatArray]:
    """Return pick − truth in Å, along y and along x, for every pair."""
    dy, dx = (picks[axis][match.pick] - truth[axis][match.truth] for axis in ("y", "x"))
    return dy, dx


def of_one_class(truth: Truth, rows: Indices, picks: Picks, picked: Indices) -> npt.NDArray[np.bool_]:
    """Tell of some truths, and a pick for each, whether both are of the same class."""
    (known, names), (found, others) = truth.codes("class"), picks.codes("class")
    number = {name: code for code, name in enumerate(names)}
    as_known = np.array([number.get(name, -1) for name in others], np.intp)
    return known[rows] == as_known[found[picked]]


def angle_errors_by_pair(
    *, truth: Truth, picks: Picks, match: Match, symmetry: Mapping[str, str]
) -> FloatArray:
    """Return pick − truth in degrees, modulo 360°/n, for every pair; NaN where they do not compare.

    Parameters
    ----------
    symmetry : mapping
        Class → Cn; a class that is not in it has C1.

    Notes
    -----
    The angles of two different things (pairs of unequal classes) do not compare, nor do those of
    solids, whose ψ means nothing without the view: `orientation_errors` has them.
    """
    t, p = match.truth, match.pick
    codes, names = truth.codes("class")
    period = np.array([360.0 / fold(symmetry.get(name, "C1")) for name in names])[codes[t]]
    error = wrap_angle(picks["psi"][p] - truth["psi"][t], period)
    flat = np.isnan(truth["tilt"][t]) & np.isnan(picks["tilt"][p])
    return np.where(flat & of_one_class(truth, t, picks, p), error, np.nan)


def angle_errors(*, truth: Truth, picks: Picks, match: Match, symmetry: Mapping[str, str]) -> FloatArray:
    """Return pick − truth in degrees, modulo 360°/n, for every pair that compares."""
    error = angle_errors_by_pair(truth=truth, picks=picks, match=match, symmetry=symmetry)
    return error[np.isfinite(error)]


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
    sides = (truth, match.truth), (picks, match.pick)
    whole = of_one_class(truth, match.truth, picks, match.pick)
    for table, rows in sides:
        for name in ("psi", "rot", "tilt"):
            whole &= np.isfinite(table[name][rows])
    right, found = (table.take(rows[whole]) for table, rows in sides)
    one = orientation(found["rot"], found["tilt"], found["psi"])
    other = orientation(right["rot"], right["tilt"], right["psi"], right["mirror"])
    errors = np.zeros(len(right))
    codes, names = right.codes("class")
    for code, name in enumerate(names):
        mine = codes == code
        group = point_group(symmetry.get(name, "C1"))
        errors[mine] = angle_between(one[mine], other[mine], group)
    return errors


@dataclass(frozen=True)
class Ellipse:
    """The covariance ellipse of errors in two dimensions.

    Attributes
    ----------
    major, minor : float
        Standard deviations along its axes, Å.
    angle : float or None
        Degrees from +x to the major axis, +x turned towards +y, in [−90, 90); None of a circle.
    """

    major: float
    minor: float
    angle: float | None


def error_ellipse(dy: FloatArray, dx: FloatArray) -> Ellipse | None:
    """Return the covariance ellipse of errors, shape (n,), in Å, about their mean; None of fewer than 2."""
    if len(dy) < 2:
        return None
    (yy, xy), (_, xx) = np.cov(dy, dx)
    half = np.hypot((xx - yy) / 2, xy)
    mean = (xx + yy) / 2
    angle = wrap_angle(np.rad2deg(np.arctan2(2 * xy, xx - yy)) / 2, 180.0) if half > 0 else None
    return Ellipse(
        major=float(np.sqrt(mean + half)),
        minor=float(np.sqrt(max(mean - half, 0.0))),
        angle=None if angle is None else float(angle),
    )


def locking_power(error: FloatArray, position: FloatArray, pixel_size: float) -> float | None:
    """Return the squared amplitude, in Å², of the error's wave over the pixel, less what noise gives it.

    Parameters
    ----------
    error : array, shape (n,)
        Pick − truth along one axis, Å.
    position : array, shape (n,)
        Of the truth along that axis, Å from the centre of pixel 0.
    pixel_size : float
        Å.

    Returns
    -------
    float or None
        Its expectation is the squared amplitude, 0 without locking, so it is negative as often as noise
        wills. None of fewer than 4 pairs, or where the positions stand on too few places of the pixel.

    Notes
    -----
    The fit is e = m + c cos 2πφ + s sin 2πφ with φ = position / pixel_size by least squares, whatever
    the distribution of φ. c² + s² exceeds the squared amplitude by the sum of the two variances on
    average, σ² tr (XᵀX)⁻¹ over c and s with σ² the residual's variance; that sum is taken off.
    """
    if len(error) < 4:
        return None
    phase = 2 * np.pi * position / pixel_size
    design = np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)], axis=1)
    singular = np.linalg.svd(design, compute_uv=False)
    if singular[-1] < SAMPLED * singular[0]:
        return None
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ error
    variance = ((error - design @ fitted) ** 2).sum() / (len(error) - 3)
    return float(fitted[1] ** 2 + fitted[2] ** 2 - variance * (inverse[1, 1] + inverse[2, 2]))
