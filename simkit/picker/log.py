"""The Laplacian of a Gaussian: round blobs of a diameter, without a template."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.picker._blobs import Blobs


def scale_of(diameter: float, ndim: int) -> float:
    """Return the standard deviation σ = d / (2 √n) of the Gaussian for blobs of diameter d in n dimensions.

    It is the scale at which a disk of that diameter responds most, σ = d / (2 √2) [1]_, and the filter then
    changes its sign at the disk's rim.

    References
    ----------
    .. [1] Lindeberg, Int. J. Comput. Vis. 30 (1998) 79.
    """
    return diameter / (2 * math.sqrt(ndim))


def laplacian(squares: FloatArray, sigma: float, ndim: int) -> FloatArray:
    """Return −σ² ∇² exp(−r²/2σ²) = (n − r²/σ²) exp(−r²/2σ²), positive in the middle.

    Parameters
    ----------
    squares : array
        r² in Å².
    sigma : float
        σ in Å.
    ndim : int
        n.
    """
    scaled = squares / sigma**2
    return (ndim - scaled) * np.exp(-scaled / 2)


class Log(Blobs):
    """Laplacian of a Gaussian of the scale at which a disk of the given diameter responds most.

    The filter is (n − r²/σ²) exp(−r²/2σ²) with σ = d / (2 √n) in n dimensions. See `Blobs` for the score.
    """

    kind: Literal["log"] = "log"

    def widest(self, diameter: float, ndim: int) -> float:
        """See `Blobs.widest`."""
        return scale_of(diameter, ndim)

    def profile(self, squares: FloatArray, diameter: float, ndim: int) -> FloatArray:
        """See `Blobs.profile`."""
        return laplacian(squares, scale_of(diameter, ndim), ndim)

    def curvature(self, diameter: float, ndim: int) -> float:
        """See `Blobs.curvature`: 8 / d² in any number of dimensions."""
        return 8 / diameter**2
