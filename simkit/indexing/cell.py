"""The cell: the straight-line fit of positions on (h, k), its standard errors, and its conventional form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.core.net import reduced
from simkit.indexing.field import SiteGrid

OUTLIER = 4.5
"""Robust standard deviations beyond which a site takes no part in the fit."""

TIE = 3.0
"""Standard errors within which two lengths or angles count as equal."""

SMALLEST_TIE = 1e-9
"""Relative difference that rounding makes, in an image without noise."""

PASSES = 3
"""Times that the correlation is worked out, each with what the fit took from it put back."""

SHORT = np.array([hk for hk in itertools.product((-1, 0, 1), repeat=2) if any(hk)])


@dataclass(frozen=True)
class Cell:
    """A cell in pixels, with errors.

    Attributes
    ----------
    basis : array, shape (2, 2)
        Lattice vectors a, b, one a row, components (y, x).
    origin : array, shape (2,)
        Position of the site (0, 0).
    covariance : array, shape (4, 4)
        Of (a_y, a_x, b_y, b_x).
    sites : int
        Sites that were fitted.
    independent : float
        Effective number of independent ones among them.
    scatter : float
        Root mean square displacement of the fitted sites from the lattice.
    """

    basis: FloatArray
    origin: FloatArray
    covariance: FloatArray
    sites: int
    independent: float
    scatter: float

    def lengths(self) -> FloatArray:
        """Return a and b."""
        return np.linalg.norm(self.basis, axis=1)

    def gamma(self) -> float:
        """Return the angle from a to b in degrees."""
        return _gamma(self.basis)

    def direction(self) -> float:
        """Return the angle from +x to a in degrees, +x towards +y."""
        return float(np.degrees(np.arctan2(self.basis[0, 0], self.basis[0, 1])))

    def length_errors(self) -> FloatArray:
        """Return the standard errors of a and b."""
        return np.array([self.error(lambda m: _length(m[0])), self.error(lambda m: _length(m[1]))])

    def gamma_error(self) -> float:
        """Return the standard error of γ in degrees."""
        return self.error(_gamma)

    def error(self, function: Callable[[FloatArray], float]) -> float:
        """Return the standard error of any function of the basis, by its linear part."""
        step = 1e-6 * float(self.lengths().min())
        changes = step * np.eye(4).reshape(4, 2, 2)
        rises = [function(self.basis + c) - function(self.basis - c) for c in changes]
        slope = np.array(rises) / (2 * step)
        return math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))

    def transformed(self, steps: FloatArray) -> Cell:
        """Return the same net with the basis `steps @ basis`."""
        mixing = np.kron(steps, np.eye(2))
        return Cell(
            steps @ self.basis,
            self.origin,
            mixing @ self.covariance @ mixing.T,
            self.sites,
            self.independent,
            self.scatter,
        )

    def vanishes(self, function: Callable[[FloatArray], float]) -> float | None:
        """Return how many standard errors a function of the basis is from 0; None if too many."""
        value = abs(function(self.basis))
        error = self.error(function) + SMALLEST_TIE * float(self.lengths().max())
        return value / error if value <= TIE * error else None


def _length(vector: FloatArray) -> float:
    return float(np.linalg.norm(vector))


def _gamma(basis: FloatArray) -> float:
    (ay, ax), (by, bx) = basis
    return float(np.degrees(np.arctan2(ax * by - ay * bx, ax * bx + ay * by)))


def fit_cell(indices: FloatArray, positions: FloatArray) -> Cell:
    """Fit position = origin + h a + k b to sites.

    Parameters
    ----------
    indices : array, shape (n, 2)
        (h, k), n ≥ 4 and not all on one line.
    positions : array, shape (n, 2)
        (y, x) in pixels.

    Notes
    -----
    Least squares without the sites that lie farther off than 4.5 robust standard deviations. The
    covariance is Σ (XᵀX)⁻¹ τ, Σ being that of the residuals and τ = Σ ρ(lag) ≥ 1 their integrated
    autocorrelation over the net: n sites count for n/τ independent ones. Where a smooth distortion
    displaces neighbours together the error is therefore that of the mean cell, were the crystal bent
    anew at random in the same manner. A distortion that is a straight line over the whole field
    (a stretched or sheared scan, a wrong pixel size) is part of the fitted cell, not of its error.
    """
    used = np.ones(len(indices), bool)
    design = np.column_stack([np.ones(len(indices)), indices])
    for _ in range(5):
        fit = np.linalg.lstsq(design[used], positions[used])[0]
        away = np.linalg.norm(positions - design @ fit, axis=1)
        # The median distance of a round Gaussian is 1.1774 of its standard deviation.
        limit = OUTLIER * np.median(away[used]) / 1.1774
        kept = away <= max(limit, 1e-9)
        if (kept == used).all() or kept.sum() < 4:
            break
        used = kept
    residuals = positions[used] - design[used] @ fit
    count = int(used.sum())
    inflation = _inflation(indices[used], residuals)
    spread = residuals.T @ residuals / max(count - 3 * inflation, 1)
    inverse = np.linalg.inv(design[used].T @ design[used])[1:, 1:]
    covariance = np.kron(inverse, spread) * inflation
    scatter = float(np.sqrt((residuals**2).sum(axis=1).mean()))
    return Cell(fit[1:], fit[0], covariance, count, count / inflation, scatter)


def _inflation(indices: FloatArray, residuals: FloatArray) -> float:
    """Return τ = Σ ρ over the lags up to where the correlation is lost in its own scatter; at least 1.

    The fit has taken three independent displacements' worth from the residuals, 3 τ/n of their
    variance at every lag, which is put back.
    """
    pairs, products = _autocorrelation(indices, residuals)
    if products[0, 0] <= 0:
        return 1.0
    measured = np.where(pairs > 0, products / np.maximum(pairs, 1), 0.0) / (products[0, 0] / pairs[0, 0])
    lags = np.hypot(*np.meshgrid(*(_lags(n) for n in pairs.shape), indexing="ij"))
    rings = [(np.abs(lags - r) <= 0.5) & (pairs > 0) for r in range(1, min(pairs.shape) // 4 + 1)]
    inflation = 1.0
    for _ in range(PASSES):
        taken = min(3 * inflation / len(indices), 0.5)
        correlation = (measured + taken) / (1 + taken)
        inflation = 1.0
        for ring in rings:
            # Both halves of the plane hold the same pairs, and each has two components.
            if not ring.any() or correlation[ring].mean() < 2 / np.sqrt(pairs[ring].sum()):
                break
            inflation += float(correlation[ring].sum())
    return min(inflation, len(indices) / 4)


def _autocorrelation(indices: FloatArray, residuals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return, for every lag in (h, k), how many pairs of sites there are and the sum of their products."""
    grid = SiteGrid.of(indices)
    totals = []
    for columns in (np.ones((1, len(indices))), residuals.T):
        padded = np.zeros((2, 2 * grid.shape[0], 2 * grid.shape[1]))[: len(columns)]
        for array, column in zip(padded, columns, strict=True):
            array[: grid.shape[0], : grid.shape[1]] = grid.spread(column, empty=0.0)
        parts = [fourier.correlate(array, fourier.corner_to_centre(array)) for array in padded]
        totals.append(np.sum(parts, axis=0))
    return np.round(totals[0]), totals[1]


def _lags(n: int) -> FloatArray:
    lag = np.arange(n)
    return np.minimum(lag, n - lag)


def conventional(cell: Cell) -> tuple[Cell, FloatArray]:
    """Return the reduced cell in its conventional form, and its steps: new basis = steps @ old basis.

    a ≤ b are the two shortest vectors, the turn from a to b is +x towards +y, and a points to the
    right; γ then lies within [60°, 120°]. Between bases that are equally short within 3 standard
    errors the one with γ ≥ 90° is taken, then the one whose a is nearest to +x.
    """
    steps = np.round(reduced(cell.basis) @ np.linalg.inv(cell.basis))
    short = cell.transformed(steps)
    best = min(_as_short(short), key=lambda mixing: _preference(short.transformed(mixing)))
    return short.transformed(best), best @ steps


def _as_short(cell: Cell) -> list[FloatArray]:
    """List the right-handed bases whose vectors are no longer than the shortest ones, within errors."""
    pairs = [np.array(pair, float) for pair in itertools.product(SHORT, repeat=2)]
    sense = np.sign(np.linalg.det(cell.basis))
    # In (y, x) components a turn from +x towards +y has a negative determinant.
    turning = [pair for pair in pairs if round(float(np.linalg.det(pair)) * sense) == -1]
    return [p for p in turning if all(_no_longer(cell, v, w) for v, w in zip(p, np.eye(2), strict=True))]


def _no_longer(cell: Cell, vector: FloatArray, than: FloatArray) -> bool:
    def excess(basis: FloatArray) -> float:
        return _length(vector @ basis) - _length(than @ basis)

    return excess(cell.basis) <= 0 or cell.vanishes(excess) is not None


def _preference(cell: Cell) -> tuple[bool, float]:
    acute = cell.gamma() < 90 and cell.vanishes(lambda basis: _gamma(basis) - 90) is None
    return acute, abs(cell.direction())


NETS: tuple[tuple[str, tuple[Callable[[FloatArray], float], ...]], ...] = (
    ("hexagonal", (lambda m: _length(m[0]) - _length(m[1]), lambda m: _gamma(m) - 120)),
    ("square", (lambda m: _length(m[0]) - _length(m[1]), lambda m: _gamma(m) - 90)),
    ("rectangular", (lambda m: _gamma(m) - 90,)),
    ("centred rectangular", (lambda m: _length(m[0]) - _length(m[1]),)),
    ("centred rectangular", (lambda m: _length(m[1]) - _length(m[0] + m[1]),)),
    ("centred rectangular", (lambda m: _length(m[1]) - _length(m[1] - m[0]),)),
)
"""What vanishes in each net, the most symmetric first, for a basis in conventional form."""


def net_of(cell: Cell) -> str:
    """Return the most symmetric net that the cell is within 3 standard errors of."""
    for name, conditions in NETS:
        if all(cell.vanishes(condition) is not None for condition in conditions):
            return name
    return "oblique"
