"""A whole run: every micrograph simulated and picked, then scored and measured."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from simkit.audit.base import Evidence, Measurement
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.holes import Holes
from simkit.core.random import stream
from simkit.core.tables import Picks, Truth
from simkit.correlation.device import PROCESSOR, device_named
from simkit.engine.archive import Archive, survey
from simkit.engine.batches import logs_of, search_together
from simkit.engine.ceiling import ceiling_of
from simkit.engine.files import naming, require_readable
from simkit.engine.judging import judge_all
from simkit.engine.micrographs import MicrographRun, Progress, Stopwatch, search_all
from simkit.engine.notices import by_chance, notices, of_pickers
from simkit.engine.null_search import null_run
from simkit.engine.picking import Banks, draw_banks, require_ready
from simkit.engine.results import Judgement, PickerRun, RunResult
from simkit.engine.simulation import simulate_one
from simkit.engine.variants import null_variants, variant_of, without_particles
from simkit.engine.verdict import verdict
from simkit.picker.base import Found
from simkit.scenario.spec import Scenario


def run_scenario(
    scenario: Scenario,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    device: str = PROCESSOR,
) -> RunResult:
    """Simulate, pick, score and measure a scenario.

    Parameters
    ----------
    scenario : Scenario
        It must have an image shape, or micrographs.
    workers : int, optional
        Processes and threads to use, all cores by default; results are the same bits for any number.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    device : str
        What the pickers' searches compute on, as `simkit.correlation.device` names it.

    Raises
    ------
    ScenarioError
        If the scenario cannot be realised; located from its root.
    DataError
        If a real micrograph or what is known of it cannot be read.
    ResourceError
        If the device is not there.
    OutsideError
        If a program or function that is not ours failed.
    """
    if not scenario.simulates and scenario.micrographs is None:
        raise ScenarioError(
            "there is nothing to simulate without a shape; give `shape: [rows, columns]`, "
            "or name real images under `micrographs:`",
            ("image",),
        )
    require_ready(scenario)
    device_named(device)
    watch = Stopwatch()
    report = progress or (lambda stage, done, total: None)
    archive = survey(scenario.micrographs, scenario.image.pixel_size) if scenario.micrographs else None
    if archive is not None and scenario.null:
        archive = without_particles(archive)
    if archive is not None:
        with watch.timing("reading"):
            require_readable(archive.files, scenario.image.pixel_size, report)
    with watch.timing("templates"):
        banks = _banks_by_shape(scenario, archive)
    workers = workers or os.cpu_count() or 1
    runs, empty = search_all(scenario, archive, banks, workers=workers, report=report, device=device)
    runs, empty = search_together(
        scenario, archive, banks, runs, empty, workers=workers, report=report, watch=watch
    )
    for seconds in (*(run.seconds for run in runs), *(one.seconds for one in empty)):
        watch.add(seconds)
    truth = Truth.concat([run.truth for run in runs]) if archive is None else archive.truth
    pickers = _gather(scenario, runs)
    first_banks = banks[runs[0].pixels.shape]
    nulls = tuple(
        null_run(scenario, variant, [one.searches for one in empty if one.variant == variant], first_banks)
        for variant in null_variants(scenario)
    )
    with watch.timing("scoring"):
        names = [run.name for run in runs]
        judgements, comparisons = judge_all(scenario, truth, names, pickers, archive)
    with watch.timing("ceiling"):
        ceiling = ceiling_of(scenario)
    with watch.timing("audit"):
        measurements = _measure(scenario, runs, truth, pickers, first_banks, report)
    return RunResult(
        scenario=scenario,
        micrograph_names=tuple(run.name for run in runs),
        micrographs=tuple(run.pixels for run in (runs if archive is None else runs[:1])),
        first=runs[0].simulation,
        truth=truth,
        banks=first_banks,
        pickers=pickers,
        judgements=judgements,
        measurements=measurements,
        scores=verdict(
            scenario,
            judgements,
            measurements,
            _notices(scenario, archive, runs, pickers, judgements),
            comparisons=comparisons,
            ceiling=ceiling,
            nulls=nulls,
        ),
        timings=watch.seconds,
        sources=archive.files if archive else (),
        unjudged=archive.unjudged if archive else frozenset(),
        ceiling=ceiling,
        nulls=nulls,
        comparisons=comparisons,
        logs=logs_of(runs, empty),
    )


def _notices(
    scenario: Scenario,
    archive: Archive | None,
    runs: list[MicrographRun],
    pickers: Mapping[str, PickerRun],
    judgements: Mapping[str, Judgement],
) -> tuple[str, ...]:
    told = tuple(of_pickers(scenario, {name: [run.found[name] for run in runs] for name in pickers}))
    told += () if scenario.score is None else tuple(by_chance(judgements, scenario.score.radius))
    if archive is None or scenario.micrographs is None:
        return told
    return told + notices(
        scenario.micrographs,
        archive,
        pickers,
        blank=[run.name for run in runs if run.blank],
        radius=scenario.score.radius if scenario.score else None,
    )


def _banks_by_shape(scenario: Scenario, archive: Archive | None) -> dict[tuple[int, ...], Banks]:
    """Draw the templates once for every shape of micrograph there is."""
    if archive is None:
        grid = scenario.image.grid
        return {grid.shape: draw_banks(scenario, grid, own_micrographs(scenario))}
    banks: dict[tuple[int, ...], Banks] = {}
    for file, grid in zip(archive.files, archive.grids, strict=True):
        if grid.shape not in banks:
            with naming(file):
                banks[grid.shape] = draw_banks(scenario, grid, own_micrographs(scenario))
    return banks


def own_micrographs(scenario: Scenario) -> Callable[[int], FloatArray]:
    """Return a lookup of the scenario's own micrographs, for templates cropped from one."""

    @functools.lru_cache(maxsize=1)
    def micrograph(replicate: int) -> FloatArray:
        if not scenario.simulates:
            raise ScenarioError(
                "there is no simulated micrograph to crop from; give the crop a `file`", ("micrograph",)
            )
        if replicate >= scenario.replicates:
            raise ScenarioError(
                f"there is no micrograph {replicate}; there are {scenario.replicates}, counted from 0",
                ("micrograph",),
            )
        return np.asarray(simulate_one(variant_of(scenario, None), replicate).micrograph)

    return micrograph


def _gather(scenario: Scenario, runs: list[MicrographRun]) -> dict[str, PickerRun]:
    return {
        picker: PickerRun(
            picks=Picks.concat([run.found[picker].picks for run in runs]),
            first=runs[0].found[picker],
            thresholds=tuple(run.found[picker].threshold for run in runs),
            candidates=_candidates([run.found[picker] for run in runs]),
            noise_sds=tuple(_or_nan(run.found[picker].noise_sd) for run in runs),
            holes=_holes([run.found[picker] for run in runs]),
        )
        for picker in scenario.pickers
    }


def _candidates(found: Sequence[Found]) -> Picks | None:
    lists = [f.candidates for f in found]
    known = [candidates for candidates in lists if candidates is not None]
    return Picks.concat(known) if len(known) == len(lists) else None


def _holes(found: Sequence[Found]) -> Holes | None:
    known = [f.holes for f in found if f.holes is not None]
    return Holes.concat(known) if known else None


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


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
