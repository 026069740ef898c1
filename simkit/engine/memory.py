"""How much memory a run needs, before it is started."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simkit.core.errors import ResourceError
from simkit.engine.realisation import simulation_grid
from simkit.engine.variants import null_count, null_variants
from simkit.io.images import open_image
from simkit.scenario.spec import Scenario
from simkit.view.map_file import MapFile

SIMULATION_BYTES = 8 * 14
"""Per simulated pixel: the double-precision grid of the non-uniform FFT is oversampled 2×2 and complex."""

RECORD_BYTES = 4 * 8
"""Per image pixel while it is searched: density, ideal image, transfer function, noise spectrum."""

SEARCH_BYTES = 4 * 40
"""Per image pixel: padded image, spectra, local sums in float64, running maxima of one picker."""

LOADING_BYTES = 16
"""Per pixel of a file while it is read: as stored, and in double precision."""

VOXEL_BYTES = 64
"""Per voxel of a density map: in double precision, as complex numbers, and its oversampled transform."""

SLICES_BYTES = 250 * 2**20
"""The frequencies of all slices through a map that are evaluated at once."""

KEPT_BYTES = 4
"""Per image pixel of every finished micrograph: its float32 pixels."""

BASE_BYTES = 250 * 2**20
"""An interpreter with the scientific libraries loaded, per process."""

TILE_BYTES = 350 * 2**20
"""The views of the templates and the tiles of a search, per process."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a run needs at its peak, and that this machine has to give."""

    needed: int
    available: int

    @property
    def text(self) -> str:
        """Both numbers for a person."""
        return f"needs about {_gib(self.needed)}, {_gib(self.available)} available"


def estimate(scenario: Scenario, workers: int) -> MemoryEstimate:
    """Estimate a run's peak memory from its image size, replicates and processes."""
    if scenario.micrographs is not None:
        return _of_files(scenario, scenario.micrographs.files, workers)
    if not scenario.simulates:
        return MemoryEstimate(BASE_BYTES, available_memory())
    pixels = scenario.image.grid.size
    simulated = math.prod(simulation_grid(scenario).shape)
    at_once = min(workers, _searches(scenario, scenario.replicates))
    one = SIMULATION_BYTES * simulated
    if scenario.pickers:
        one = TILE_BYTES + max(one, (RECORD_BYTES + SEARCH_BYTES) * pixels)
    one += _of_maps(scenario)
    needed = at_once * (BASE_BYTES + one) + scenario.replicates * KEPT_BYTES * pixels
    return MemoryEstimate(needed, available_memory())


def _searches(scenario: Scenario, micrographs: int) -> int:
    """Count the micrographs that are searched, those of the null variants too."""
    return micrographs + len(null_variants(scenario)) * null_count(scenario, micrographs)


def _of_maps(scenario: Scenario) -> int:
    """Estimate the memory of projecting the largest density map."""
    solids = [spec.map.density.size for _, spec in scenario.members() if isinstance(spec, MapFile)]
    return VOXEL_BYTES * max(solids) + SLICES_BYTES if solids else 0


def _of_files(scenario: Scenario, files: Sequence[str], workers: int) -> MemoryEstimate:
    """Estimate the memory of searching real micrographs from the largest one's header."""
    largest = max(math.prod(open_image(file).shape) for file in files)
    one = BASE_BYTES + TILE_BYTES + (LOADING_BYTES + SEARCH_BYTES) * largest
    at_once = min(workers, _searches(scenario, len(files)))
    return MemoryEstimate(at_once * one + KEPT_BYTES * largest, available_memory())


def require_memory(scenario: Scenario, workers: int) -> MemoryEstimate:
    """Return the estimate.

    Raises
    ------
    ResourceError
        If the machine does not have that much; says what would fit.
    """
    found = estimate(scenario, workers)
    if found.needed <= found.available:
        return found
    alone = estimate(scenario, 1)
    advice = (
        f"with --workers 1 it needs {_gib(alone.needed)}"
        if alone.needed <= found.available
        else "make the image smaller or use fewer replicates"
    )
    raise ResourceError(f"the run {found.text}; {advice}")


def available_memory() -> int:
    """Return the bytes this process may still use: free physical memory, within a container's limit."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [physical, _meminfo_available()]
    limits += [
        _number(Path(p)) for p in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    ]
    return min(limit for limit in limits if limit)


def _meminfo_available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), 0)


def _number(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
