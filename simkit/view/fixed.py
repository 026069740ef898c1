"""One view, by its angles."""

from __future__ import annotations

from typing import Literal

from simkit.core.orientation import View
from simkit.core.quantity import Angle
from simkit.view.base import OneView


class Fixed(OneView):
    """One direction, by RELION's angles."""

    kind: Literal["fixed"] = "fixed"

    rot: Angle
    """rlnAngleRot: about z, first."""

    tilt: Angle
    """rlnAngleTilt: about y, second; 0° looks along z."""

    @property
    def only(self) -> View:
        """See `Views.only`."""
        return View(self.rot, self.tilt)
