"""`simkit run` and `simkit report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from simkit.cli import score_tables, verdict
from simkit.cli.manners import (
    AsJson,
    Debug,
    Device,
    Overrides,
    ScenarioFile,
    Seed,
    Workers,
    emit_json,
    friendly,
    load,
    locating,
    note,
    progress,
)

if TYPE_CHECKING:
    from simkit.engine.results import RunResult
    from simkit.scenario.loading import Loaded

REPRODUCE = "simkit run scenario.yaml"
"""The command that the report gives. It names the resolved scenario beside the report, not the file that
was run, so that running either leaves the same bits."""


SWEEP = "sweep.json"
"""The file by which a sweep's directory is known: `simkit.sweeps.output.MARK`, which takes long to load."""


@friendly
def run(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    seed: Seed = None,
    workers: Workers = None,
    device: Device = "cpu",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write; reports/<name>/ by default.")
    ] = None,
    keep: Annotated[
        Literal["stages"] | None,
        typer.Option("--keep", help="stages: also write the image at every stage, as stages.nc."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Simulate (or read real micrographs), pick, score and report a scenario.

    Prints the verdict and where the report is. The exit code is 1 if an expectation fails.

    Example: simkit run scenarios/lecture/hemocyanin.yaml --set noise.shot.dose='5 e/Å²'
    """
    from simkit.io.atomic import refuse_foreign

    directory = out or Path("reports", scenario.stem)
    refuse_foreign(directory)
    loaded = load(scenario, overrides, seed)
    result = _execute(loaded, workers, device)
    _write(result, directory, keep_stages=keep == "stages")
    for notice in result.scores["notices"]:
        note(f"note: {notice}")
    if as_json:
        emit_json(result.scores)
    else:
        if summary := _summary(result):
            typer.echo(summary)
        typer.echo(f"report: {directory / 'report.html'}")
    if not result.passed:
        raise typer.Exit(1)


@friendly
def report(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR…", help="Directories of `simkit run` or `simkit sweep`.")
    ],
    workers: Workers = None,
    device: Device = "cpu",
    debug: Debug = False,
) -> None:
    """Make the reports of earlier runs and sweeps anew.

    A run is repeated from the resolved scenario in its directory, which gives the same bits. Of a sweep
    nothing is run: its tables are there.

    Example: simkit report reports/hemocyanin
    """
    from simkit.core.errors import DataError

    for directory in directories:
        if (directory / SWEEP).is_file():
            _report_sweep(directory)
            continue
        scenario = directory / "scenario.yaml"
        if not scenario.is_file():
            raise DataError(
                "there is no scenario.yaml and no sweep.json here; name a directory that `simkit run` or "
                "`simkit sweep` wrote",
                str(directory),
            )
        result = _execute(load(scenario), workers, device)
        keep_stages = (directory / "stages.nc").exists()
        _write(result, directory, keep_stages=keep_stages)
        typer.echo(f"report: {directory / 'report.html'}")


def _report_sweep(directory: Path) -> None:
    from simkit.cli.sweep import REPRODUCE as REPRODUCE_SWEEP
    from simkit.io.atomic import write_bytes_atomic
    from simkit.reports.sweep_page import render
    from simkit.sweeps.output import open_sweep

    page = render(open_sweep(directory), command=REPRODUCE_SWEEP)
    write_bytes_atomic(directory / "report.html", page.encode())
    typer.echo(f"report: {directory / 'report.html'}")


def _execute(loaded: Loaded, workers: int | None, device: str) -> RunResult:
    import os

    from simkit.engine.memory import require_memory
    from simkit.engine.pipeline import run_scenario

    workers = workers or os.cpu_count() or 1
    with locating(loaded.source):
        note(f"the run {require_memory(loaded.scenario, workers).text}")
        with progress() as show:
            return run_scenario(loaded.scenario, workers=workers, progress=show, device=device)


def _write(result: RunResult, directory: Path, *, keep_stages: bool) -> None:
    from simkit.engine.output import save
    from simkit.reports.page import render

    save(result, directory, page=render(result, command=REPRODUCE), keep_stages=keep_stages)


def _summary(result: RunResult) -> str:
    scores = result.scores
    null = result.scenario.null
    parts = [f"a null, {verdict.NULLS[null]}: it holds no particle, and every pick is false"] if null else []
    parts += [verdict.expectations(scores)] if scores["expectations"] else []
    if scores["pickers"]:
        parts += [verdict.pickers(scores), verdict.conditions(scores)]
        if result.comparisons:
            parts.append(score_tables.differences(result.comparisons))
        if scores["nulls"]:
            parts.append(verdict.nulls(scores))
    else:
        parts += [f"{name}: {len(run.picks)} picks" for name, run in result.pickers.items()]
    if scores["expectations"]:
        parts.append("all expectations met" if result.passed else "an expectation FAILED")
    return "\n\n".join(parts)
