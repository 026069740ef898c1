"""The verbs of simkit for Python: load, simulate, pick, score, run, report, sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simkit.core.tables import Picks, Truth, grid_of
from simkit.engine import output, picking, pipeline, scoring, simulation
from simkit.engine.results import RunResult, Simulation
from simkit.scenario import loading
from simkit.scenario.spec import Scenario

if TYPE_CHECKING:
    import xarray as xr

    from simkit.scenario.loading import Draft
    from simkit.sweeps.results import SweepResult


def load(path: str | Path, *, overrides: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """Read and validate a scenario file.

    Parameters
    ----------
    path : str or Path
        The YAML file.
    overrides : sequence of str
        ``"noise.shot.dose=5 e/Å²"``, as for ``--set``.
    seed : int, optional
        In place of the file's own.

    Raises
    ------
    SimkitError
        If the file is wrong; the text lists every error as ``file:line:col: path: message``.
    """
    return loading.load(path, overrides=overrides, seed=seed).scenario


def simulate(scenario: Scenario, replicate: int = 0) -> Simulation:
    """Simulate one micrograph: the image with noise, the ideal one, and the truth.

    Parameters
    ----------
    scenario : Scenario
        Must have an image shape.
    replicate : int
        Which micrograph, counted from 0.

    Raises
    ------
    ScenarioError
        If copies cannot be placed or an intensity is negative.
    """
    return simulation.simulate_one(scenario, replicate)


def pick(scenario: Scenario, micrograph: xr.DataArray, picker: str) -> Picks:
    """Search one micrograph with a scenario's templates and one of its pickers.

    Parameters
    ----------
    scenario : Scenario
        Declares templates and picker.
    micrograph : xarray.DataArray
        Dims (y, x) or (x,); `attrs["pixel_size"]` in Å, as `simulate` returns it.
    picker : str
        The picker's name; not an oracle, which would need the true noise.

    Raises
    ------
    ScenarioError
        If the search is impossible.
    """
    grid = grid_of(micrograph)
    pixels = np.asarray(micrograph)
    return picking.pick_image(
        scenario,
        picker,
        pixels=pixels,
        grid=grid,
        name=str(micrograph.name),
        replicate=0,
        banks=picking.draw_banks(scenario, grid, lambda _: pixels),
    ).picks


def score(truth: Truth, picks: Picks, *, radius: float) -> Mapping[str, Any]:
    """Judge picks against truth, blind to class: counts, precision, recall, F1 and localisation.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Compared within equal micrograph names.
    radius : float
        Å; a pick this close to a truth (inclusive) may be matched with it, one to one.
    """
    return scoring.judge_points(truth, picks, radius).values["all"]


def run(scenario: Scenario, *, workers: int | None = None) -> RunResult:
    """Simulate, or read real micrographs, pick, score and measure; write nothing.

    Parameters
    ----------
    scenario : Scenario
        Must have an image shape, or micrographs.
    workers : int, optional
        Processes and threads; all cores by default. Results do not depend on it.
    """
    return pipeline.run_scenario(scenario, workers=workers)


def report(result: RunResult, directory: str | Path) -> Path:
    """Write a run's directory with its report; return the report's path.

    Raises
    ------
    DataError
        If the directory holds something that is not an earlier run.
    """
    from simkit.reports.page import render  # matplotlib takes longer to load than a scenario

    folder = Path(directory)
    output.save(result, folder, page=render(result, command="simkit.report(result, directory)"))
    return folder / "report.html"


def sweep(scenario: str | Path | Draft, *, folder: str | Path, workers: int | None = None) -> SweepResult:
    """Run every cell of a scenario's `sweep` that is not finished, and write what all of them come to.

    Parameters
    ----------
    scenario : str, Path or Draft
        The YAML file, or what `simkit.scenario.loading.read_draft` read of it with overrides.
    folder : str or Path
        Where tables, Dataset, page and, in `store`, every finished piece go. The same call goes on where it
        was stopped.
    workers : int, optional
        Processes; all cores by default. Results do not depend on it.

    Returns
    -------
    SweepResult
        Its `failures` list what failed; the other cells are there.

    Raises
    ------
    SimkitError
        If the scenario, or any cell of it, is wrong.
    """
    import os

    from simkit.reports.sweep_page import render
    from simkit.sweeps.executors import executor
    from simkit.sweeps.output import save
    from simkit.sweeps.running import plan, run_sweep
    from simkit.sweeps.store import Store

    draft = loading.read_draft(scenario) if isinstance(scenario, (str, Path)) else scenario
    made, target = plan(draft), Path(folder)
    with executor(workers or os.cpu_count() or 1, None) as who:
        result = run_sweep(made, Store((target / "store").absolute()), who)
    save(result, target, page=render(result, command="simkit.sweep(scenario, folder=folder)"))
    return result


def open_sweep(path: str | Path) -> SweepResult:
    """Return a finished sweep from its folder.

    Raises
    ------
    DataError
        If the folder holds no sweep, or a file of it is damaged.
    """
    from simkit.sweeps import output as sweep_output

    return sweep_output.open_sweep(path)
