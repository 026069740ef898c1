"""The convolution theorem, checked against the double sum that it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import Count

LARGEST = 2**14
"""Pixels of the largest image that the double sum is worked out for (a second or so)."""


def double_sum(image: FloatArray, kernel: FloatArray) -> FloatArray:
    """Convolve two periodic images of one shape as the definition says: Σ_t f(t) h(x − t).

    The kernel's centre is its central pixel n // 2, as for `simkit.core.fourier.convolve`.
    """
    axes = tuple(range(image.ndim))
    centre = [n // 2 for n in image.shape]
    total = np.zeros(image.shape)
    for t in np.ndindex(image.shape):
        total += image[t] * np.roll(kernel, np.subtract(t, centre), axes)
    return total


def direct_operations(pixels: int) -> int:
    """Return the real operations of the double sum: a product and a sum for each pair of pixels."""
    return 2 * pixels**2


def fft_operations(pixels: int) -> int:
    """Return the real operations of the same convolution through three real FFTs and one product.

    Notes
    -----
    A real FFT is counted as 2.5 N log₂ N real operations, as is usual [1]_; the product of two half
    planes is N/2 complex products of 6 real operations.

    References
    ----------
    .. [1] Frigo and Johnson, Proc. IEEE 93 (2005) 216.
    """
    return round(3 * 2.5 * pixels * np.log2(pixels) + 3 * pixels)


class Theorem(Audit):
    """The product of transforms against the double sum, and how the cost of both grows.

    The two factors are the first species' deltas and its cell, drawn over the whole field on small
    grids; without a species they are white noise. Costs are counted, not timed, so that they are
    the same on every machine.
    """

    kind: Literal["theorem"] = "theorem"

    sizes: Annotated[tuple[Annotated[Count, Field(ge=2)], ...], Field(min_length=1)] = (16, 32, 64)
    """Pixels along a side of the images to convolve."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("error", "direct_operations", "fft_operations", "speed_up"), "")
    )

    def measure(self, evidence: Evidence) -> Measurement:
        """Return the largest error (relative to the largest value), and the costs at the largest size."""
        ndim = evidence.grid.ndim
        largest = max(self.sizes)
        if largest**ndim > LARGEST:
            raise ScenarioError(
                f"the double sum over images of {largest**ndim} pixels would take too long; "
                f"sizes up to {int(LARGEST ** (1 / ndim))} are possible",
                ("sizes",),
            )
        runs = {n: _both_ways(*_factors(evidence, n)) for n in sorted(set(self.sizes))}
        error = max(float(np.abs(a - b).max() / (np.abs(b).max() or 1.0)) for a, b in runs.values())
        pixels = largest**ndim
        direct, fast = direct_operations(pixels), fft_operations(pixels)
        return Measurement(
            {
                "error": error,
                "direct_operations": direct,
                "fft_operations": fast,
                "speed_up": direct / fast,
            },
            (*_pictures(*runs[largest]), _cost_panel(pixels)),
        )


def _factors(evidence: Evidence, n: int) -> tuple[FloatArray, FloatArray]:
    grid = Grid((n,) * evidence.grid.ndim, max(evidence.grid.extent) / n)
    if not evidence.species:
        return evidence.rng.standard_normal(grid.shape), evidence.rng.standard_normal(grid.shape)
    record = next(iter(evidence.species.values()))
    deltas = fourier.delta_spectrum(grid, record.placements.positions(grid.ndim))
    cell = fourier.inverse(record.spectrum(grid), grid.shape)
    return fourier.inverse(deltas, grid.shape), fourier.corner_to_centre(cell)


def _both_ways(image: FloatArray, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
    return fourier.convolve(image, kernel), double_sum(image, kernel)


def _pictures(fast: FloatArray, direct: FloatArray) -> tuple[Panel, ...]:
    if fast.ndim == 1:
        x = np.arange(len(fast), dtype=float)
        return (
            Panel(
                "Two ways to convolve",
                "The double sum and the product of Fourier transforms draw the same curve.",
                series=(Series("double sum", x, direct), Series("product of transforms", x, fast)),
                x_label="pixel",
                y_label="value",
            ),
        )
    return (
        Panel("Double sum", "Every pixel of one image times every pixel of the other.", image=direct),
        Panel(
            "Product of transforms",
            "The same picture, from one product of the two Fourier transforms.",
            image=fast,
        ),
    )


def _cost_panel(pixels: int) -> Panel:
    n = 2.0 ** np.arange(4, max(24, int(np.log2(pixels))) + 1)
    return Panel(
        "Cost of a convolution",
        "The double sum needs four times the work for twice the pixels, the Fourier transform little "
        "more than twice; at 2²⁴ pixels (a 4096² micrograph) that is a factor of "
        f"{direct_operations(2**24) / fft_operations(2**24):,.0f}.",
        series=(
            Series("double sum, 2 N²", n, np.array([direct_operations(int(i)) for i in n], float)),
            Series("three FFTs, 7.5 N log₂ N + 3 N", n, np.array([fft_operations(int(i)) for i in n], float)),
        ),
        x_label="pixels N",
        y_label="real operations",
        log=True,
    )
