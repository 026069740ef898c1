"""The micrographs of a run, and its nulls: each simulated or read, and searched by every picker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Truth
from simkit.correlation.device import PROCESSOR
from simkit.engine.archive import Archive
from simkit.engine.files import name_of, read_pixels
from simkit.engine.null_search import NullSearch, null_search
from simkit.engine.nulls import Variant
from simkit.engine.picking import Banks, pick_image
from simkit.engine.results import Simulation
from simkit.engine.simulation import simulate_one
from simkit.engine.variants import null_count, null_variants, variant_of, without_phases
from simkit.io.names import stem
from simkit.picker.base import BatchPicker, Found
from simkit.scenario.spec import Scenario

Progress = Callable[[str, int, int], None]


@dataclass
class Stopwatch:
    """Seconds spent in each stage, summed over micrographs."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the duration of a with-block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def add(self, other: Mapping[str, float]) -> None:
        """Add another stopwatch's stages."""
        for stage, seconds in other.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


@dataclass(frozen=True)
class MicrographRun:
    """What one micrograph contributes; everything but micrograph 0 travels light."""

    simulation: Simulation | None
    name: str
    pixels: FloatArray
    blank: bool
    truth: Truth
    found: dict[str, Found]
    seconds: dict[str, float]


@dataclass(frozen=True)
class NullMicrograph:
    """What one micrograph without particles contributes."""

    variant: Variant
    searches: dict[str, NullSearch]
    seconds: dict[str, float]
    logs: dict[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One micrograph to search, of the scenario itself or of a null variant of it."""

    scenario: Scenario
    number: int
    banks: Banks
    threads: int
    variant: Variant | None = None
    device: str = PROCESSOR


def search_all(
    scenario: Scenario,
    archive: Archive | None,
    banks: Mapping[tuple[int, ...], Banks],
    *,
    workers: int,
    report: Progress,
    device: str = PROCESSOR,
) -> tuple[list[MicrographRun], list[NullMicrograph]]:
    """Search every micrograph of a run and those of its null variants.

    Parameters
    ----------
    scenario : Scenario
        Declares micrographs and pickers.
    archive : Archive or None
        The micrographs, where they are real.
    banks : mapping
        Shape of a micrograph → the templates drawn for it.
    workers : int
        Processes and threads; the results are the same bits for any number.
    report : callable
        Called as ``report(stage, done, total)``.
    device : str
        What the searches compute on, as `simkit.correlation.device` names it.
    """
    count = scenario.replicates if archive is None else len(archive.grids)
    wanted: list[tuple[int, Variant | None]] = [(number, None) for number in range(count)]
    for variant in null_variants(scenario):
        wanted += [(number, variant) for number in range(null_count(scenario, count))]
    processes = min(workers, len(wanted))
    threads = max(1, workers // processes)
    jobs = [
        Job(scenario, number, banks[_shape(scenario, archive, number)], threads, variant, device)
        for number, variant in wanted
    ]
    runs: list[MicrographRun] = []
    empty: list[NullMicrograph] = []
    report("micrographs", 0, len(jobs))
    for done in _results(jobs, processes):
        if isinstance(done, MicrographRun):
            runs.append(done)
        else:
            empty.append(done)
        report("micrographs", len(runs) + len(empty), len(jobs))
    return runs, empty


def _shape(scenario: Scenario, archive: Archive | None, number: int) -> tuple[int, ...]:
    return (scenario.image.grid if archive is None else archive.grids[number]).shape


def _results(jobs: Sequence[Job], processes: int) -> Iterator[MicrographRun | NullMicrograph]:
    if processes == 1:
        yield from map(search, jobs)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=processes, return_as="generator")
    yield from parallel(delayed(search)(job) for job in jobs)


def search(job: Job) -> MicrographRun | NullMicrograph:
    """Simulate or read one micrograph and run every picker on it that looks at one at a time."""
    watch = Stopwatch()
    scenario = job.scenario if job.variant is None else variant_of(job.scenario, job.variant)
    with watch.timing("simulation" if scenario.micrographs is None else "reading"):
        simulation, name, pixels = micrograph_of(scenario, job.number)
    found = _picked(scenario, job, name, pixels, simulation, watch)
    if job.variant is not None:
        searches = null_search(scenario, found, pixels, job.banks)
        return NullMicrograph(job.variant, searches, watch.seconds)
    first = job.number == 0
    if not first:
        found = {picker: replace(f, score_map=np.zeros(0)) for picker, f in found.items()}
    # A real micrograph stays on disk; only the first one is shown.
    kept = simulation is not None or first
    return MicrographRun(
        simulation=simulation if first else None,
        name=name,
        pixels=pixels if kept else pixels[:0],
        blank=bool(np.ptp(pixels) == 0),
        truth=simulation.truth if simulation else Truth(),
        found=found,
        seconds=watch.seconds,
    )


def micrograph_of(scenario: Scenario, number: int) -> tuple[Simulation | None, str, FloatArray]:
    """Simulate or read one micrograph; return its simulation, if it is one, its name and its pixels."""
    if scenario.micrographs is None:
        simulation = simulate_one(scenario, number)
        return simulation, str(simulation.micrograph.name), np.asarray(simulation.micrograph)
    file = scenario.micrographs.files[number]
    pixels = read_pixels(file, scenario.image.pixel_size)
    if scenario.null == "phase_randomised":
        pixels = without_phases(scenario, number, pixels)
    return None, stem(name_of(file)), pixels


def _picked(
    scenario: Scenario,
    job: Job,
    name: str,
    pixels: FloatArray,
    simulation: Simulation | None,
    watch: Stopwatch,
) -> dict[str, Found]:
    """Run every picker on one micrograph that looks at one at a time."""
    found = {}
    for picker, spec in scenario.pickers.items():
        if isinstance(spec, BatchPicker):
            continue
        with watch.timing(f"picker {picker}" if job.variant is None else f"null {job.variant}"):
            found[picker] = pick_image(
                scenario,
                picker,
                pixels=pixels,
                grid=Grid(pixels.shape, scenario.image.pixel_size),
                name=name,
                replicate=job.number,
                banks=job.banks,
                noise_spectrum=simulation.noise_spectrum if simulation else None,
                workers=job.threads,
                device=job.device,
            )
    return found
