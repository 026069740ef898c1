"""The grey values of the first micrograph, with and without its noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core.grid import FloatArray

STATISTICS: Mapping[str, Callable[[FloatArray], Any]] = MappingProxyType(
    {"minimum": np.min, "maximum": np.max, "mean": np.mean, "sd": np.std}
)


class Statistics(Audit):
    """Minimum, maximum, mean and standard deviation of the first micrograph and of its parts.

    Plain names belong to the micrograph (in its own units), `ideal_…` to the noise-free image and
    `density_…` to the specimen and background before the optics.
    """

    kind: Literal["statistics"] = "statistics"

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys((f"{of}{name}" for of in ("", "ideal_", "density_") for name in STATISTICS), "")
    )

    def measure(self, evidence: Evidence) -> Measurement:
        """Return every statistic of every image; in one dimension also draw the images as curves."""
        images = {
            "": np.asarray(evidence.micrographs[0], float),
            "ideal_": evidence.ideal,
            "density_": evidence.density,
        }
        values: dict[str, float | int | None] = {
            f"{of}{name}": float(statistic(image))
            for of, image in images.items()
            for name, statistic in STATISTICS.items()
        }
        return Measurement(values, (_profile(evidence, *images.values()),) if evidence.grid.ndim == 1 else ())


def _profile(evidence: Evidence, micrograph: FloatArray, ideal: FloatArray, density: FloatArray) -> Panel:
    (x,) = evidence.grid.positions()
    return Panel(
        "The image as a curve",
        "The specimen's density, what the optics make of it, and what the detector records.",
        series=(
            Series("micrograph", x, micrograph),
            Series("noise-free image", x, ideal),
            Series("density", x, density),
        ),
        x_label="x (Å)",
        y_label="value",
    )
