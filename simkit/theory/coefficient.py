"""How a correlation coefficient is distributed in noise of any spectrum, and the Gaussian that is like it.

A coefficient r = t·z / |z| of a unit vector t and Gaussian noise z of covariance C exceeds ρ > 0 where
zᵀ(ttᵀ − ρ²)z > 0 and t·z > 0: a form with one positive eigenvalue λ and negative ones −ν. Half the chance
that λ χ² exceeds Σ ν χ² is, by Craig's form of the Gaussian tail,

    P(r > ρ) = (1/π) ∫₀^{π/2} Π (1 + ν / (λ sin²θ))^(−1/2) dθ,

exactly. In white noise it is the tail of Student's t. In coloured noise a few slow waves make most of |z|, so
that r has fewer degrees of freedom than pixels: its deviation is larger, and its tail is shorter than a
Gaussian's. What exceeds a high ρ is noise whose slow waves happen to be weak there, as if the spectrum were
P / (1 + κP) with κ = ρ²/λ.

References
----------
.. [1] Craig, Proc. IEEE MILCOM (1991) 571: the form of the Gaussian tail.
.. [2] Imhof, Biometrika 48 (1961) 419: quadratic forms in normal variables.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri_exp

from simkit.core.grid import FloatArray

NODES = 48
"""Angles at which the integral is summed: a smooth periodic function, so that few are exact."""

KNOTS = 48
"""Coefficients at which levels are worked out; those between follow from them."""

NEAREST, FARTHEST = 0.1, 100.0
"""Standard deviations from which and up to which they are, as tangents."""

CERTAIN = 1 - 1e-6
"""A coefficient of 1 has no level."""


@dataclass(frozen=True, eq=False)
class CoefficientLaw:
    """The law of r in noise that consists of independent modes.

    Attributes
    ----------
    variance : array, shape (n,)
        Of the noise along each mode, in any unit.
    count : array, shape (n,)
        How many modes of the region that is compared each stands for.
    energy : array, shape (n,)
        Share of the template's energy along each; they sum to 1.
    """

    variance: FloatArray
    count: FloatArray
    energy: FloatArray

    @functools.cached_property
    def sd(self) -> float:
        """√(tᵀCt / tr C), the standard deviation of small coefficients; 0 without noise."""
        total = float(self.count @ self.variance)
        return math.sqrt(float(self.energy @ self.variance) / total) if total > 0 else 0.0

    def largest_root(self, r: float) -> float:
        """Return λ, the one positive eigenvalue of the form for a coefficient 0 < r < 1."""
        from scipy.optimize import brentq  # takes a tenth of a second to load

        signal, noise = self.energy * self.variance, r**2 * self.variance
        # 1 = Σ e v / (λ + r² v): a diagonal matrix and one direction.
        highest = float(signal.sum())
        return float(brentq(lambda x: 1 - (signal / (x + noise)).sum(), 1e-12 * highest, highest))

    def log_tail(self, r: float) -> float:
        """Return ln P(r' > r) for a coefficient 0 < r < 1."""
        root = self.largest_root(r)
        square = np.sin((np.arange(NODES) + 0.5) / NODES * math.pi / 2) ** 2
        inverse = 1 / (root * square)[:, None]
        waves = r**2 * self.variance * inverse
        # det(1 − xM) of the whole form, from which the positive eigenvalue is taken out.
        rest = 1 - (self.energy * self.variance * inverse / (1 + waves)).sum(axis=1)
        rest /= 1 - 1 / square
        exponent = -(np.log1p(waves) @ self.count + np.log(rest)) / 2
        top = float(exponent.max())
        return top + math.log(float(np.exp(exponent - top).mean()) / 2)

    def level(self, r: float) -> float:
        """Return the level that a unit Gaussian exceeds as seldom as noise exceeds a coefficient r.

        Negative for negative r; 0 without noise.
        """
        if self.sd == 0:
            return 0.0
        knots, levels = self._table
        return math.copysign(float(np.interp(_tangent(min(abs(r), CERTAIN)), knots, levels)), r)

    def damping(self, u: float) -> float:
        """Return κ at a level u > 0: noise that exceeds it is as if of the spectrum P / (1 + κP)."""
        r = self._coefficient(u)
        return r**2 / self.largest_root(r)

    def steepness(self, u: float) -> float:
        """Return how much more the gradient varies than that of a linear score in the damped noise.

        The level changes with r by g′, and r with the place by what changes t·z, over |z|: on average
        g′² E[1/|z|²] tᵀC′t times as much as a score of unit variance in the damped noise C′.
        """
        r = self._coefficient(u)
        root = self.largest_root(r)
        damped = self.variance / (1 + r**2 * self.variance / root)
        along = self.energy * damped**2 / np.where(self.variance > 0, self.variance, 1.0)
        across = float(self.count @ damped)
        height = float(self.count @ (r**2 * damped)) / root
        squared = height * float(along @ self.variance) / float(along.sum()) + across
        slope = (self.level(r * 1.01) - self.level(r / 1.01)) / (r * (1.01 - 1 / 1.01))
        return slope**2 * float(self.energy @ damped) / squared

    def _coefficient(self, u: float) -> float:
        knots, levels = self._table
        tangent = float(np.interp(u, levels[1:], knots[1:]))
        return tangent / math.hypot(1.0, tangent)

    @functools.cached_property
    def _table(self) -> tuple[FloatArray, FloatArray]:
        knots = _tangent(self.sd) * np.geomspace(NEAREST, FARTHEST, KNOTS)
        levels = [-float(ndtri_exp(self.log_tail(x / math.hypot(1.0, x)))) for x in knots]
        return np.append(0.0, knots), np.array([0.0, *levels])


def _tangent(r: float) -> float:
    """Return r / √(1 − r²), in which levels are nearly straight."""
    return r / math.sqrt(1 - r**2)
