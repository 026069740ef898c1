"""The flip that tells correlation from convolution."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import PositiveLength
from simkit.core.vector import Vector


def flipped(image: FloatArray) -> FloatArray:
    """Return h(−x): every axis reversed about the central pixel n // 2, periodically."""
    # About index n // 2 an odd axis is simply reversed; an even one has no partner for index 0.
    shifts = [1 - n % 2 for n in image.shape]
    return np.roll(np.flip(image), shifts, tuple(range(image.ndim)))


def distances(grid: Grid, point: tuple[float, ...], *, periodic: bool) -> FloatArray:
    """Return every pixel's distance in Å from a point, the short way round in a periodic image."""
    squares = []
    for axis, centre, length in zip(grid.positions(), point, grid.extent, strict=True):
        d = np.abs(axis - centre)
        squares.append(np.minimum(d, np.abs(length - d)) ** 2 if periodic else d**2)
    return np.sqrt(sum(squares))


class Flip(Audit):
    """Correlation is convolution with the probe flipped, and only correlation finds the probe.

    Measured on the first micrograph, with the first view of a template.
    """

    kind: Literal["flip"] = "flip"

    template: str
    """Name of the template that is the probe."""

    at: Vector
    """Where the probe's centre is expected."""

    radius: PositiveLength
    """Neighbourhood of the highest point within which no second peak is looked for."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "relation_error": "",
            "correlation_peak_distance": "Å",
            "convolution_peak_distance": "Å",
            "contrast": "",
        }
    )

    def measure(self, evidence: Evidence) -> Measurement:
        """Return how far either map's highest point is from `at`, and how well the relation holds.

        `relation_error` is the largest difference between the correlation and the convolution with
        the flipped probe, relative to the highest value; `contrast` the highest point of the
        correlation ÷ the highest beyond `radius` (None where that is not positive).
        """
        grid, periodic = evidence.grid, evidence.boundary == "periodic"
        image = np.asarray(evidence.micrographs[0], float)
        image = image - image.mean()
        probe = _padded(self._probe(evidence), grid.shape)
        correlation = fourier.correlate(image, probe)
        convolution = fourier.convolve(image, probe)
        relation = np.abs(correlation - fourier.convolve(image, flipped(probe))).max()
        expected = distances(grid, self.at.components(grid.ndim), periodic=periodic)
        peak, wrong = (np.unravel_index(int(c.argmax()), grid.shape) for c in (correlation, convolution))
        around = distances(grid, _position(grid, peak), periodic=periodic)
        second = correlation[around > self.radius].max(initial=0.0)
        return Measurement(
            {
                "relation_error": float(relation / (np.abs(correlation).max() or 1.0)),
                "correlation_peak_distance": float(expected[peak]),
                "convolution_peak_distance": float(expected[wrong]),
                "contrast": float(correlation[peak] / second) if second > 0 else None,
            },
            (
                _panel(
                    "Correlation",
                    "The probe slid over the image as it is: the highest point (marked) is where it fits.",
                    grid,
                    correlation,
                    peak,
                ),
                _panel(
                    "Convolution",
                    "The same with the probe flipped: its highest point (marked) means nothing, unless "
                    "the probe looks the same upside down.",
                    grid,
                    convolution,
                    wrong,
                ),
            ),
        )

    def _probe(self, evidence: Evidence) -> FloatArray:
        if self.template not in evidence.templates:
            raise ScenarioError(
                f"there is no template {self.template!r}; there are "
                f"{', '.join(evidence.templates) or 'none'}",
                ("template",),
            )
        return evidence.templates[self.template]


def _padded(probe: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Lay a probe on zeros, central pixel on central pixel."""
    if any(n > m for n, m in zip(probe.shape, shape, strict=True)):
        raise ScenarioError("the template is larger than the image; a smaller one is needed", ("template",))
    result = np.zeros(shape)
    start = [m // 2 - n // 2 for n, m in zip(probe.shape, shape, strict=True)]
    result[tuple(slice(s, s + n) for s, n in zip(start, probe.shape, strict=True))] = probe
    return result


def _position(grid: Grid, index: tuple[np.intp, ...]) -> tuple[float, ...]:
    return tuple(o + i * grid.pixel_size for o, i in zip(grid.origin, index, strict=True))


def _panel(title: str, caption: str, grid: Grid, values: FloatArray, peak: tuple[np.intp, ...]) -> Panel:
    if grid.ndim == 2:
        return Panel(title, caption, image=values, marks=np.array([peak], float))
    x = grid.positions()[0]
    here = Series("highest point", x[list(peak)], values[list(peak)])
    return Panel(
        title, caption, series=(Series(title.lower(), x, values), here), x_label="x (Å)", y_label="value"
    )
