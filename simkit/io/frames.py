"""What no coordinate file says of itself and the user knows: that the picked image was flipped or binned.

Pixels are counted by their centres. A flip therefore takes y to height − 1 − y, and index i of an image
binned b times, each of its pixels the mean of b × b, lies at b·i + (b − 1)/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from simkit.core.grid import FloatArray
from simkit.io.raw import LARGEST

Orientation = Literal["upright", "flipped-y", "flipped-x", "transposed"]


@dataclass(frozen=True)
class CoordinateFrame:
    """How the numbers of a file relate to the micrograph; what no file says.

    Attributes
    ----------
    pixel_size : float or None
        Å of the micrograph's own, unbinned pixel; it goes before what the file says.
    orientation : str
        What happened to the image that was picked: ``flipped-y`` (top row last), ``flipped-x``, or
        ``transposed`` (x and y exchanged).
    height, width : int or None
        Pixels of the unbinned micrograph, which a flip in y or in x needs.
    binning : float
        So many times coarser is the image that was picked.

    Raises
    ------
    ValueError
        If a value is impossible.
    """

    pixel_size: float | None = None
    orientation: Orientation = "upright"
    height: int | None = None
    width: int | None = None
    binning: float = 1.0

    def __post_init__(self) -> None:
        for name in ("pixel_size", "height", "width", "binning"):
            value = getattr(self, name)
            if value is not None and not 0 < value < LARGEST:
                raise ValueError(f"{name} must be more than 0 and less than {LARGEST:g}, not {value}")

    @property
    def is_trivial(self) -> bool:
        """Whether the numbers of the file are those of the micrograph."""
        return self.orientation == "upright" and self.binning == 1

    def unbinned(self, index: FloatArray) -> FloatArray:
        """Return where pixels of the picked image lie in the micrograph."""
        return self.binning * index + (self.binning - 1) / 2

    def upright(
        self, y: FloatArray, x: FloatArray, psi: FloatArray, *, height: Any = None, width: Any = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Undo the flip or transposition, which is its own inverse.

        Parameters
        ----------
        y, x : array
            Pixels of the micrograph.
        psi : array
            Degrees; the result is where the same +x axis of the particle points.
        height, width : int or array of int, optional
            Pixels of the micrograph where the frame has none.

        Raises
        ------
        ValueError
            If a flip does not know how long its axis is.
        """
        if self.orientation == "transposed":
            return x, y, 90 - psi
        if self.orientation == "flipped-y":
            return _length("height", self.height, height) - 1 - y, x, -psi
        if self.orientation == "flipped-x":
            return y, _length("width", self.width, width) - 1 - x, 180 - psi
        return y, x, psi


def _length(name: str, stated: int | None, found: Any) -> Any:
    if stated is None and found is None:
        raise ValueError(f"give the {name} of the micrograph in pixels as well (--{name})")
    return found if stated is None else stated
