"""The direction a solid is seen from, in RELION's ZYZ Euler angles."""

from __future__ import annotations

import math
from typing import NamedTuple


class View(NamedTuple):
    """The direction a solid is projected along; the third angle is the in-plane ψ.

    Attributes
    ----------
    rot, tilt : float
        Degrees: RELION's rlnAngleRot and rlnAngleTilt.
    """

    rot: float
    tilt: float


FLAT = View(math.nan, math.nan)
"""What stands in a table for a particle that is not a solid."""
