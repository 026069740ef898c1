"""The difference of two Gaussians: round blobs of a diameter, without a template."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, Strict
from scipy.special import gammainc

from simkit.core.grid import FloatArray
from simkit.picker._blobs import Blobs

Ratio = Annotated[float, Strict(), Field(gt=1, le=10)]


def inner_scale(diameter: float, ratio: float, ndim: int) -> float:
    """Return the standard deviation of the narrower Gaussian for blobs of diameter d in n dimensions.

    (d/2) √((1 − 1/k²) / (2 n ln k)) with k the ratio of both: the scale at which a disk of that diameter
    responds most, the difference then changing its sign at the disk's rim. For k → 1 it is the
    d / (2 √n) of the Laplacian of a Gaussian.
    """
    return diameter / 2 * math.sqrt(-math.expm1(-2 * math.log(ratio)) / (2 * ndim * math.log(ratio)))


def difference(squares: FloatArray, sigma: float, ratio: float, ndim: int) -> FloatArray:
    """Return exp(−r²/2σ²) − k⁻ⁿ exp(−r²/2k²σ²), two Gaussians of one integral.

    Parameters
    ----------
    squares : array
        r² in Å².
    sigma : float
        σ of the narrower in Å.
    ratio : float
        k, the wider one's over the narrower one's.
    ndim : int
        n.
    """
    narrow, wide = (np.exp(-squares / (2 * s**2)) for s in (sigma, ratio * sigma))
    return narrow - wide / ratio**ndim


def curvature(diameter: float, ratio: float, ndim: int) -> float:
    """Return −∇²s / (n s) of the score s of an even disk in its middle, in 1/Å².

    A Gaussian of variance t, centred on a ball of radius R in n dimensions, has the share
    P(n/2, R²/2t) of its integral in it, with P the regularised incomplete gamma function, and smoothing
    changes the ball's image as ∂/∂t = ½ ∇². For a ratio near 1 it is 8 / d².
    """
    half, variances = ndim / 2, inner_scale(diameter, ratio, ndim) ** 2 * np.array([1.0, ratio**2])
    depths = diameter**2 / 8 / variances
    narrow, wide = gammainc(half, depths)
    flows = depths**half * np.exp(-depths) / (math.gamma(half) * variances)
    return float(2 / ndim * (flows[0] - flows[1]) / (narrow - wide))


class Dog(Blobs):
    """Difference of two Gaussians of the scale at which a disk of the given diameter responds most.

    It approximates the Laplacian of a Gaussian, and is it for a ratio near 1. See `Blobs` for the score.

    References
    ----------
    .. [1] Marr & Hildreth, Proc. R. Soc. B 207 (1980) 187: the ratio 1.6.
    """

    kind: Literal["dog"] = "dog"

    ratio: Ratio = 1.6
    """Standard deviation of the wider Gaussian over that of the narrower."""

    def widest(self, diameter: float, ndim: int) -> float:
        """See `Blobs.widest`."""
        return self.ratio * inner_scale(diameter, self.ratio, ndim)

    def profile(self, squares: FloatArray, diameter: float, ndim: int) -> FloatArray:
        """See `Blobs.profile`."""
        return difference(squares, inner_scale(diameter, self.ratio, ndim), self.ratio, ndim)

    def curvature(self, diameter: float, ndim: int) -> float:
        """See `Blobs.curvature`."""
        return curvature(diameter, self.ratio, ndim)
