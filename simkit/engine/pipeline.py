"""A whole run: every micrograph simulated and picked, then scored and measured."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from simkit.audit.base import Evidence, Measurement
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.random import stream
from simkit.core.tables import Picks, Truth
from simkit.engine.picking import Banks, draw_banks, pick_image
from simkit.engine.results import Judgement, PickerRun, RunResult, Simulation
from simkit.engine.scoring import judge, verdict
from simkit.engine.simulation import simulate_one
from simkit.picker.base import Found
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
    truth: Truth
    found: dict[str, Found]
    seconds: dict[str, float]


def run_scenario(
    scenario: Scenario, *, workers: int | None = None, progress: Progress | None = None
) -> RunResult:
    """Simulate, pick, score and measure a scenario.

    Parameters
    ----------
    scenario : Scenario
        It must have an image shape.
    workers : int, optional
        Processes and threads to use, all cores by default; results are the same bits for any number.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    ScenarioError
        If the scenario cannot be realised; located from its root.
    """
    if not scenario.simulates:
        raise ScenarioError(
            "there is nothing to simulate without a shape; give `shape: [rows, columns]`, "
            "or search real images with `simkit pick`",
            ("image",),
        )
    watch = Stopwatch()
    report = progress or (lambda stage, done, total: None)
    with watch.timing("templates"):
        banks = draw_banks(scenario, scenario.image.grid, _micrographs(scenario))
    runs = _run_micrographs(scenario, banks, workers or os.cpu_count() or 1, report)
    for run in runs:
        watch.add(run.seconds)
    truth = Truth.concat([run.truth for run in runs])
    pickers = _gather(scenario, runs)
    with watch.timing("scoring"):
        judgements = _judge(scenario, truth, pickers)
    with watch.timing("audit"):
        measurements = _measure(scenario, runs, truth, pickers, banks, report)
    return RunResult(
        scenario=scenario,
        micrograph_names=tuple(run.name for run in runs),
        micrographs=tuple(run.pixels for run in runs),
        first=runs[0].simulation,
        truth=truth,
        banks=banks,
        pickers=pickers,
        judgements=judgements,
        measurements=measurements,
        scores=verdict(scenario, judgements, measurements),
        timings=watch.seconds,
    )


def _micrographs(scenario: Scenario) -> Callable[[int], FloatArray]:
    """Return a lookup of the scenario's own micrographs, for templates cropped from one."""

    @functools.lru_cache(maxsize=1)
    def micrograph(replicate: int) -> FloatArray:
        if replicate >= scenario.replicates:
            raise ScenarioError(
                f"there is no micrograph {replicate}; there are {scenario.replicates}, counted from 0",
                ("micrograph",),
            )
        return np.asarray(simulate_one(scenario, replicate).micrograph)

    return micrograph


def _run_micrographs(scenario: Scenario, banks: Banks, workers: int, report: Progress) -> list[MicrographRun]:
    processes = min(workers, scenario.replicates)
    threads = max(1, workers // processes)
    jobs = [(scenario, replicate, banks, threads) for replicate in range(scenario.replicates)]
    runs: list[MicrographRun] = []
    report("micrographs", 0, len(jobs))
    for run in _results(jobs, processes):
        runs.append(run)
        report("micrographs", len(runs), len(jobs))
    return runs


def _results(jobs: list[tuple[Scenario, int, Banks, int]], processes: int) -> Iterator[MicrographRun]:
    if processes == 1:
        yield from (run_micrograph(*job) for job in jobs)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=processes, return_as="generator")
    yield from parallel(delayed(run_micrograph)(*job) for job in jobs)


def run_micrograph(scenario: Scenario, replicate: int, banks: Banks, threads: int = 1) -> MicrographRun:
    """Simulate one micrograph and run every picker on it."""
    watch = Stopwatch()
    with watch.timing("simulation"):
        simulation = simulate_one(scenario, replicate)
    pixels = np.asarray(simulation.micrograph)
    name = str(simulation.micrograph.name)
    found = {}
    for picker in scenario.pickers:
        with watch.timing(f"picker {picker}"):
            found[picker] = pick_image(
                scenario,
                picker,
                pixels=pixels,
                grid=scenario.image.grid,
                name=name,
                replicate=replicate,
                banks=banks,
                noise_spectrum=simulation.noise_spectrum,
                workers=threads,
            )
    if replicate > 0:
        found = {p: Found(f.picks, np.zeros(0), f.map_grid, f.threshold, f.notes) for p, f in found.items()}
    return MicrographRun(
        simulation=simulation if replicate == 0 else None,
        name=name,
        pixels=pixels,
        truth=simulation.truth,
        found=found,
        seconds=watch.seconds,
    )


def _gather(scenario: Scenario, runs: list[MicrographRun]) -> dict[str, PickerRun]:
    return {
        picker: PickerRun(
            picks=Picks.concat([run.found[picker].picks for run in runs]),
            first=runs[0].found[picker],
            thresholds=tuple(run.found[picker].threshold for run in runs),
        )
        for picker in scenario.pickers
    }


def _judge(scenario: Scenario, truth: Truth, pickers: Mapping[str, PickerRun]) -> dict[str, Judgement]:
    if scenario.score is None:
        return {}
    return {
        name: judge(
            truth,
            run.picks,
            scenario.score,
            classes=tuple(scenario.specimen),
            symmetry={s: species.symmetry for s, species in scenario.specimen.items()},
            ndim=scenario.image.ndim,
            knows=scenario.pickers[name].knows,
            oracle=scenario.pickers[name].oracle,
        )
        for name, run in pickers.items()
    }


def _measure(
    scenario: Scenario,
    runs: list[MicrographRun],
    truth: Truth,
    pickers: Mapping[str, PickerRun],
    banks: Banks,
    report: Progress,
) -> dict[str, Measurement]:
    first = runs[0].simulation
    measurements: dict[str, Measurement] = {}
    if first is None:
        return measurements
    for number, (name, audit) in enumerate(scenario.audit.items()):
        report("audit", number, len(scenario.audit))
        evidence = Evidence(
            grid=scenario.image.grid,
            boundary=scenario.image.boundary,
            species=first.species,
            density=first.density,
            ideal=first.ideal,
            micrographs=[run.pixels for run in runs],
            transfer=first.transfer,
            truth=truth,
            picks={p: run.picks for p, run in pickers.items()},
            micrograph_names=[run.name for run in runs],
            templates={t: views[0].images[0] for t, views in banks.items()},
            rng=stream(scenario.seed, "audit", name),
        )
        try:
            measurements[name] = audit.measure(evidence)
        except ScenarioError as error:
            raise error.under("audit", name) from None
    return measurements
