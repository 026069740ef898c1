"""The verbs of simkit for Python: load, simulate, pick, score, run, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from simkit.core.tables import Picks, Truth, grid_of
from simkit.engine import output, picking, pipeline, scoring, simulation
from simkit.engine.results import RunResult, Simulation
from simkit.scenario import loading
from simkit.scenario.spec import Scenario


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
