"""The sampling grid: where pixels are, in Å, and which spatial frequencies they hold.

Arrays are (row, col) = (y, x). An integer index is a pixel's centre, index 0 lies at the grid's
`origin` (0 Å unless the grid was padded), and the centre of an n-pixel axis is index n // 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[Any]
ComplexArray = npt.NDArray[Any]
"""Real and complex arrays; kernels take float32 and float64 alike and keep the precision."""

AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Grid:
    """A regular grid of pixels in one or two dimensions.

    Parameters
    ----------
    shape : tuple of int
        Pixels along (y, x), or along (x,).
    pixel_size : float
        Edge of a pixel in Å.
    origin : tuple of float, optional
        Position in Å of index 0 on every axis; zeros by default.
    """

    shape: tuple[int, ...]
    pixel_size: float
    origin: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.origin:
            object.__setattr__(self, "origin", (0.0,) * len(self.shape))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes: ("y", "x"), or ("x",)."""
        return AXES[-self.ndim :]

    @property
    def extent(self) -> tuple[float, ...]:
        """Length of every axis in Å, from the outer edge of the first pixel to that of the last."""
        return tuple(n * self.pixel_size for n in self.shape)

    @property
    def area(self) -> float:
        """Area (length, in one dimension) of the grid in Å^ndim."""
        return math.prod(self.extent)

    @property
    def centre(self) -> tuple[float, ...]:
        """Position in Å of the central pixel, index n // 2 on every axis."""
        return tuple(o + (n // 2) * self.pixel_size for o, n in zip(self.origin, self.shape, strict=True))

    @property
    def nyquist(self) -> float:
        """Highest spatial frequency of an axis, 1 / (2 pixel_size), in 1/Å."""
        return 0.5 / self.pixel_size

    def positions(self) -> tuple[FloatArray, ...]:
        """Return the pixel centres in Å, one open-mesh array an axis (they broadcast to `shape`)."""
        return self._mesh(
            [o + self.pixel_size * np.arange(n) for o, n in zip(self.origin, self.shape, strict=True)]
        )

    def offsets(self) -> tuple[FloatArray, ...]:
        """Return the pixel centres in Å relative to the central pixel n // 2, as an open mesh."""
        return self._mesh([self.pixel_size * (np.arange(n) - n // 2) for n in self.shape])

    def frequencies(self) -> tuple[FloatArray, ...]:
        """Return the spatial frequencies in 1/Å as an open mesh in real-FFT layout.

        All axes run 0, positive, negative; the last one only 0 … Nyquist.
        """
        full = [np.fft.fftfreq(n, self.pixel_size) for n in self.shape[:-1]]
        return self._mesh([*full, np.fft.rfftfreq(self.shape[-1], self.pixel_size)])

    def frequency_radius(self) -> FloatArray:
        """Return |k| in 1/Å in real-FFT layout."""
        return np.sqrt(sum(k * k for k in self.frequencies()))

    def indices(self, *positions: npt.ArrayLike) -> tuple[FloatArray, ...]:
        """Turn positions in Å (one array an axis) into real-valued pixel indices."""
        return tuple(
            (np.asarray(p, float) - o) / self.pixel_size for p, o in zip(positions, self.origin, strict=True)
        )

    def contains(self, *positions: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Tell which positions (Å, one array an axis) lie on a pixel: −½ ≤ index < n − ½."""
        inside = [
            (index >= -0.5) & (index < n - 0.5)
            for index, n in zip(self.indices(*positions), self.shape, strict=True)
        ]
        return np.logical_and.reduce(inside)

    def padded(self, before: int, shape: tuple[int, ...]) -> Grid:
        """Return a larger grid that starts `before` pixels earlier on every axis."""
        origin = tuple(o - before * self.pixel_size for o in self.origin)
        return Grid(shape, self.pixel_size, origin)

    def box(self, radius: float) -> Grid:
        """Return an odd-sized grid of this pixel size that holds a disk of `radius` Å."""
        side = 2 * math.ceil(radius / self.pixel_size) + 1
        return Grid((side,) * self.ndim, self.pixel_size)

    @staticmethod
    def _mesh(axes: list[FloatArray]) -> tuple[FloatArray, ...]:
        return tuple(np.meshgrid(*axes, indexing="ij", sparse=True))
