"""The ideal observer's curves: what recall costs in false picks when nothing is left to improve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chndtr, ndtr

from simkit.core.grid import FloatArray
from simkit.theory.random_field import HIGHEST_LEVEL, LOWEST_LEVEL

LEVELS = 400
"""How many levels a curve is computed at unless they are given."""

ABOVE = 4.0
"""Standard deviations above the highest expected peak at which a curve ends."""


@dataclass(frozen=True)
class IdealCurve:
    """The ideal observer at every level of its score.

    Attributes
    ----------
    level : array, shape (n,)
        Rising, in standard deviations of the noise.
    recall : array, shape (n,)
        Expected share of the particles above the level.
    false_per_image : array, shape (n,)
        Expected false picks in a micrograph.
    particles_per_image : float
        Particles in a micrograph.
    area : float
        Of a micrograph, µm² (µm in one dimension).
    """

    level: FloatArray
    recall: FloatArray
    false_per_image: FloatArray
    particles_per_image: float
    area: float

    @property
    def precision(self) -> FloatArray:
        """Expected true ÷ all picks; NaN where none is expected."""
        true = self.recall * self.particles_per_image
        return _ratio(true, true + self.false_per_image)

    @property
    def f1(self) -> FloatArray:
        """2 TP / (particles + picks) of the expected counts; NaN without particles and picks."""
        true = self.recall * self.particles_per_image
        return _ratio(2 * true, self.particles_per_image + true + self.false_per_image)

    @property
    def false_per_area(self) -> FloatArray:
        """Expected false picks per µm² (per µm in one dimension): the other axis of an FROC curve."""
        return self.false_per_image / self.area

    def recall_at(self, false_per_image: npt.ArrayLike) -> FloatArray:
        """Return the recall at the level that lets so many false picks through in a micrograph.

        More than the curve's lowest level lets through give the recall there.
        """
        return np.interp(np.asarray(false_per_image, float), self.false_per_image[::-1], self.recall[::-1])


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def recall_above(
    level: npt.ArrayLike, d_prime: npt.ArrayLike, *, gain: bool = True, dims: int = 2
) -> FloatArray:
    """Return the chance that the score's maximum at a particle is above a level.

    At the particle's own place and angle the score is normal with mean d′ and unit variance: Φ(d′ − u). A
    picker takes the top of the field near there. With the slopes normalised to unit variance the field is
    near its top a linear one, (s, ∂s) · e over unit vectors e, so the top is the length of a normal vector of
    1 + k components, one of which has the mean d′: height² is non-central χ² with k + 1 degrees of freedom.

    Parameters
    ----------
    level : array_like
        u, in standard deviations of the noise.
    d_prime : array_like
        Detectability of the particle; broadcasts with the level.
    gain : bool
        Whether the maximum is searched; False for the score at the true place and angle.
    dims : int
        Searched dimensions k: axes of position, plus one for the angle.

    Returns
    -------
    array, 0 to 1

    Notes
    -----
    The top is on average k/(2d′) higher than the score at the true place. The chance is met within 0.015
    from d′ = 4 on and within 0.035 at 3. A search of whole pixels or coarse angles gains less.
    """
    u, d = np.asarray(level, float), np.asarray(d_prime, float)
    if not gain:
        return np.asarray(ndtr(d - u))
    return np.asarray(1 - chndtr(np.maximum(u, 0.0) ** 2, dims + 1, d**2))


def ideal_curve(
    *,
    d_prime: npt.ArrayLike,
    false_above: Callable[[float], float],
    area: float,
    dims: int,
    weights: npt.ArrayLike | None = None,
    levels: FloatArray | None = None,
) -> IdealCurve:
    """Return the ideal observer's curve in a micrograph.

    Parameters
    ----------
    d_prime : array_like, shape (n,)
        Detectability of every copy, or of typical ones.
    false_above : callable
        ``false_above(u)`` → expected false picks above u in a micrograph, summed over everything that is
        looked for: see `random_field.expected_maxima`.
    area : float
        Of the micrograph, µm² (µm in one dimension).
    dims : int
        Searched dimensions: axes of position, plus one for the angle.
    weights : array_like, shape (n,), optional
        How many copies of each are expected in a micrograph; 1 by default.
    levels : array, optional
        Rising, ≥ 1.8, where the closed form of false picks begins; by default from there to beyond the
        highest peak.

    Raises
    ------
    ValueError
        If no copy is expected: there is then no recall.
    """
    d = np.asarray(d_prime, float).ravel()
    many = np.broadcast_to(np.asarray(1.0 if weights is None else weights, float), d.shape)
    total = float(many.sum())
    if total <= 0:
        raise ValueError("an ideal curve needs at least one expected copy")
    if levels is None:
        highest = min(max(float(d.max()), LOWEST_LEVEL) + ABOVE, HIGHEST_LEVEL)
        levels = np.linspace(LOWEST_LEVEL, highest, LEVELS)
    recall = many @ recall_above(levels, d[:, None], dims=dims) / total
    false = np.array([false_above(float(u)) for u in levels])
    return IdealCurve(
        level=levels, recall=recall, false_per_image=false, particles_per_image=total, area=area
    )
