"""What every kind of template needs to bring its views to size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid


def odd_within(length: float, pixel_size: float) -> int:
    """Return the largest odd number of pixels within a length: a box with a pixel in its middle."""
    return max(1, 2 * math.floor((length / pixel_size - 1) / 2 + 1e-9) + 1)


def middle(spectrum: ComplexArray, grid: Grid, shape: Sequence[int]) -> FloatArray:
    """Return the central `shape` (odd) of the image whose spectrum, centred on index 0, this is."""
    drawn = fourier.corner_to_centre(fourier.inverse(spectrum, grid.shape))
    return drawn[
        tuple(slice(n // 2 - m // 2, n // 2 + m // 2 + 1) for n, m in zip(grid.shape, shape, strict=True))
    ]


def refuse_larger(size: Sequence[float], image: Grid) -> None:
    """Refuse a template that is larger (Å, one number an axis) than the image to search.

    Raises
    ------
    ScenarioError
        Saying how large both are.
    """
    for axis, needed, there in zip(image.axes, size, image.extent, strict=True):
        if needed > there * (1 + 1e-9):
            raise ScenarioError(
                f"the template is {needed:.4g} Å along {axis} and the image only {there:.4g} Å; "
                "search a larger image, or make the template smaller"
            )
