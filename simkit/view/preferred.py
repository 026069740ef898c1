"""Views scattered about one."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.orientation import View, orientation, view_along
from simkit.core.quantity import ANGLE, Quantity
from simkit.view.base import AnyOneView, Views


def von_mises_fisher_views(
    n: int, rng: np.random.Generator, *, around: View, spread: float
) -> tuple[FloatArray, FloatArray]:
    """Draw n directions from the von Mises–Fisher distribution, the Gaussian of the sphere.

    Parameters
    ----------
    around : View
        The mean direction.
    spread : float
        s in degrees: the concentration is κ = 1/s², so that a small spread is the standard
        deviation along each of the two directions across the mean.

    Returns
    -------
    rot, tilt : arrays, shape (n,)
        Degrees.

    Notes
    -----
    On the sphere the cosine w of the distance from the mean has density ∝ e^(κw), which is
    inverted in closed form [1]_; its mean is coth κ − 1/κ.

    References
    ----------
    .. [1] Wood, Commun. Stat. Simul. Comput. 23 (1994) 157; Jakob, "Numerically stable sampling of
       the von Mises–Fisher distribution on S²" (2012).
    """
    kappa = np.deg2rad(spread) ** -2
    u = 1.0 - rng.random(n)
    w = np.clip(1.0 + np.log(u + (1.0 - u) * np.exp(-2 * kappa)) / kappa, -1.0, 1.0)
    turn, across = rng.uniform(0.0, 2 * np.pi, n), np.sqrt(1 - w**2)
    from_z = np.stack([across * np.cos(turn), across * np.sin(turn), w], axis=1)
    return view_along(from_z @ orientation(around.rot, around.tilt))


class Preferred(Views):
    """Directions scattered about one, as particles that lie on the air–water interface have."""

    kind: Literal["preferred"] = "preferred"

    around: AnyOneView
    """The middle: a view of `kind: fixed` or `named`."""

    spread: Annotated[float, Quantity(ANGLE, ge=0.01, le=180)]
    """Standard deviation along each direction across the middle (von Mises–Fisher, κ = 1/spread²)."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """See `Views.draw`."""
        return von_mises_fisher_views(n, rng, around=self.around.only, spread=self.spread)
