"""simkit: declared experiments in microscopy, simulated, picked and honestly judged.

    >>> import simkit
    >>> scenario = simkit.load("scenarios/lecture/hemocyanin.yaml")
    >>> result = simkit.run(scenario)
    >>> result.judgements["matched"].values["all"]["recall"]

Names are loaded when first used, so that importing simkit costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "load": ("simkit.api", "load"),
    "simulate": ("simkit.api", "simulate"),
    "pick": ("simkit.api", "pick"),
    "score": ("simkit.api", "score"),
    "run": ("simkit.api", "run"),
    "report": ("simkit.api", "report"),
    "sweep": ("simkit.api", "sweep"),
    "open_sweep": ("simkit.api", "open_sweep"),
    "Scenario": ("simkit.scenario.spec", "Scenario"),
    "Grid": ("simkit.core.grid", "Grid"),
    "Truth": ("simkit.core.tables", "Truth"),
    "Picks": ("simkit.core.tables", "Picks"),
    "Simulation": ("simkit.engine.results", "Simulation"),
    "RunResult": ("simkit.engine.results", "RunResult"),
    "SweepResult": ("simkit.sweeps.results", "SweepResult"),
    "convolve": ("simkit.core.fourier", "convolve"),
    "correlate": ("simkit.core.fourier", "correlate"),
    "ncc_map": ("simkit.correlation.normalised", "ncc_map"),
    "read_image": ("simkit.io.images", "read_image"),
    "open_image": ("simkit.io.images", "open_image"),
    "read_volume": ("simkit.io.volumes", "read_volume"),
    "read_coordinates": ("simkit.io.coordinates", "read_coordinates"),
    "write_coordinates": ("simkit.io.coordinates", "write_coordinates"),
    "CoordinateFrame": ("simkit.io.coordinates", "CoordinateFrame"),
    "SimkitError": ("simkit.core.errors", "SimkitError"),
    "ScenarioError": ("simkit.core.errors", "ScenarioError"),
    "DataError": ("simkit.core.errors", "DataError"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'simkit' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
