"""One view, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from simkit.core.orientation import View
from simkit.view.base import OneView

ViewName = Literal["top", "bottom", "side", "front"]

NAMED: Mapping[ViewName, View] = MappingProxyType(
    {"top": View(0, 0), "bottom": View(0, 180), "side": View(0, 90), "front": View(90, 90)}
)
"""Where the beam points in the map: along +z, −z, +x and +y.

On the screen (x right, y down) the map's axes then point: top, x right and y down; bottom, x left and
y down; side, z left and y down; front, z left and x up.
"""


class Named(OneView):
    """One direction, by its name: along an axis of the map."""

    kind: Literal["named"] = "named"

    view: ViewName
    """top: along the map's z; bottom: against it; side: along x; front: along y."""

    @property
    def only(self) -> View:
        """See `Views.only`."""
        return NAMED[self.view]
