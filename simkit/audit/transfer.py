"""What the optics did to each frequency, measured from the images and compared with the declaration."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.quantity import Count


class Transfer(Audit):
    """The transfer function, recovered from the noise-free image ÷ the density.

    Both of the first micrograph. The image model's level is left out with the zero frequency and
    its gain is fitted, so that only the shape of the transfer function is judged. Exact in a
    periodic image; in an open one the border, across which the optics carry density, adds a
    little: about the PSF's share of the image.
    """

    kind: Literal["transfer"] = "transfer"

    bins: Count = 64
    """Rings of the curve in the report."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType({"error": ""})

    def measure(self, evidence: Evidence) -> Measurement:
        """Return the root-mean-square error of the measured transfer, weighted by the density's power.

        Notes
        -----
        With D, I and T the density, the image and the declared transfer function, the gain is
        g = Re Σ (D T)* I / Σ |D T|² and error² = Σ |I/g − D T|² / Σ |D|², which is the mean of
        |I/(g D) − T|² with the weight |D|².
        """
        grid = evidence.grid
        density, image = (fourier.forward(a - a.mean()) for a in (evidence.density, evidence.ideal))
        filtered = density * evidence.transfer
        power, passed = (fourier.energy(fourier.power(f), grid.shape) for f in (density, filtered))
        gain = fourier.energy((np.conj(filtered) * image).real, grid.shape)
        if passed == 0 or gain == 0:
            raise ScenarioError("there is no contrast in the image to measure a transfer function with")
        measured = image * (passed / gain)
        error = np.sqrt(fourier.energy(fourier.power(measured - filtered), grid.shape) / power)
        return Measurement({"error": float(error)}, (_panel(grid, density, measured, filtered, self.bins),))


def _panel(
    grid: Grid, density: ComplexArray, measured: ComplexArray, filtered: ComplexArray, bins: int
) -> Panel:
    bins = min(bins, max(grid.shape) // 2)

    def ring_mean(spectrum: ComplexArray) -> FloatArray:
        return fourier.radial_average((spectrum * np.conj(density)).real, grid, bins)[1]

    frequency, power = fourier.radial_average(fourier.power(density), grid, bins)
    seen = power > 0
    return Panel(
        "Transfer function",
        "How strongly the optics pass each spatial frequency (negative: contrast is inverted): measured "
        "from the noise-free image and the density, and as declared.",
        series=(
            Series("measured", frequency[seen], ring_mean(measured)[seen] / power[seen]),
            Series("declared", frequency[seen], ring_mean(filtered)[seen] / power[seen]),
        ),
        x_label="spatial frequency (1/Å)",
        y_label="transfer",
    )
