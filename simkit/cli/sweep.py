"""`simkit sweep`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simkit.cli.manners import (
    AsJson,
    Debug,
    Overrides,
    ScenarioFile,
    Seed,
    Workers,
    aligned,
    emit_json,
    friendly,
    note,
    number,
)

if TYPE_CHECKING:
    from simkit.sweeps.completion import Progress, Tell
    from simkit.sweeps.estimate import Cost
    from simkit.sweeps.results import SweepResult
    from simkit.sweeps.running import Plan
    from simkit.sweeps.store import Store

REPRODUCE = "simkit sweep sweep.yaml"
"""The command that the page gives. It names the resolved scenario beside the page, as that of a run does."""

MOST_SHOWN = 40
"""Cells that the terminal lists; the report has all."""


@friendly
def sweep(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    seed: Seed = None,
    workers: Workers = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write; reports/<name>/ by default.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="DIR", help="Where results are kept; DIR/store by default."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the cells, what they cost and need, and stop.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, for example tcp://host:8786."),
    ] = None,
    collect: Annotated[bool, typer.Option("--collect", help="Run nothing; gather what is there.")] = False,
    rerun_failed: Annotated[
        bool, typer.Option("--rerun-failed", help="Try again what failed before.")
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")] = False,
    again: Annotated[
        list[str] | None,
        typer.Option("--again", metavar="PICKER", help="Search anew with a picker whose program changed."),
    ] = None,
    images: Annotated[
        bool,
        typer.Option("--images/--no-images", help="Keep pixels: a new picker then simulates nothing."),
    ] = True,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run every cell of a scenario's `sweep:` section, and report which method is better, where.

    What is finished stays finished: the same command goes on where it was stopped. The exit code is 1 if a
    cell failed.

    Example: simkit sweep scenarios/sweeps/dose.yaml
    """
    import os

    from simkit.reports.sweep_page import render
    from simkit.scenario.loading import read_draft
    from simkit.sweeps import running
    from simkit.sweeps.completion import Manner
    from simkit.sweeps.executors import executor
    from simkit.sweeps.output import save
    from simkit.sweeps.store import Store

    made = running.plan(read_draft(scenario, overrides=overrides or (), seed=seed))
    folder = out or Path("reports", scenario.stem)
    results = Store((store or folder / "store").absolute())
    cores = workers or os.cpu_count() or 1
    for warning in made.warnings:
        note(str(warning))
    if plan:
        _print_plan(made, results, cores, images=images, as_json=as_json)
        return
    _require_pickers(made, again or [])
    manner = Manner(images, tuple(again or ()), rerun_failed, fail_fast, collect)
    started = time.monotonic()
    with executor(cores, scheduler) as who, _live() as tell:
        result = running.run_sweep(made, results, who, manner=manner, tell=tell)
    save(result, folder, page=render(result, command=REPRODUCE))
    note(f"{result.cells.num_rows} cells in {time.monotonic() - started:.0f} s")
    if as_json:
        emit_json(_plain(result, folder))
    else:
        typer.echo(_summary(result))
        typer.echo(f"report: {folder / 'report.html'}")
    if not result.passed:
        raise typer.Exit(1)


def _print_plan(made: Plan, results: Store, cores: int, *, images: bool, as_json: bool) -> None:
    from simkit.sweeps.estimate import cost
    from simkit.sweeps.running import first_replicates

    cases = made.cases(made.cells, replicates=first_replicates(made.scenario))
    needed = cost(cases, results, workers=cores, images=images)
    if as_json:
        cells = [{"cell": c.number, "settings": dict(c.written)} for c in made.cells]
        emit_json({"cells": cells, **_plain_cost(needed, cores)})
        return
    axes = list(dict.fromkeys(axis for cell in made.cells for axis in cell.levels))
    rows = [["cell", *axes, "micrographs"]]
    for cell, case in list(zip(made.cells, cases, strict=True))[:MOST_SHOWN]:
        values = [cell.levels[axis].label if axis in cell.levels else "" for axis in axes]
        rows.append([str(cell.number), *values, str(len(case.numbers))])
    typer.echo(aligned(rows))
    if len(cases) > MOST_SHOWN:
        typer.echo(f"… and {len(cases) - MOST_SHOWN} more")
    typer.echo("\n" + _cost_in_words(needed, cores))


def _plain_cost(needed: Cost, cores: int) -> dict[str, Any]:
    return {
        "micrographs": needed.simulated,
        "searches": needed.searched,
        "searches_there": needed.there,
        "core_seconds": needed.seconds,
        "seconds": None if needed.seconds is None else needed.seconds / cores,
        "memory_bytes": needed.memory.needed,
        "disk_bytes": needed.disk,
    }


def _cost_in_words(needed: Cost, cores: int) -> str:
    lines = [
        f"{needed.cells} cells, {needed.simulated} different micrographs, {needed.searched} searches, "
        f"{needed.there} of them there already"
    ]
    if needed.seconds:
        lines.append(
            f"about {duration(needed.seconds / cores)} on {cores} cores, by the time of one micrograph"
        )
    lines.append(f"memory {needed.memory.text}; images on disk at most {needed.disk / 2**30:.2g} GiB")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Write a duration for a person: ``"3 min"``."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _require_pickers(made: Plan, named: list[str]) -> None:
    from simkit.core.errors import ScenarioError

    for name in named:
        if name not in made.scenario.pickers:
            raise ScenarioError(
                f"--again: there is no picker {name!r}; there are {', '.join(made.scenario.pickers)}"
            )


@contextmanager
def _live() -> Iterator[Tell | None]:
    """Yield a callback that shows progress, remaining time and failures on stderr, if it is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failures]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("sweep", failures="")

        def tell(progress: Progress) -> None:
            failures = f"{progress.failures} failed" if progress.failures else ""
            bars.update(task, completed=progress.done, total=progress.total, failures=failures)

        yield tell


def _summary(result: SweepResult) -> str:
    """Return the class-blind F1 of every cell and picker, differences between pickers, and what failed."""
    from simkit.sweeps.places import value_text

    blind = [row for row in result.scores.to_pylist() if row["class"] == "all"]
    pickers = list(dict.fromkeys(row["picker"] for row in blind))
    values = {(row["cell"], row["picker"]): row for row in blind}
    rows = [["cell", *(axis.name for axis in result.axes), *(f"F1 {picker}" for picker in pickers)]]
    cells = result.cells.to_pylist()
    for cell in cells[:MOST_SHOWN]:
        shown = [value_text(axis, cell[axis.name]) for axis in result.axes]
        rows.append([str(cell["cell"]), *shown, *(_f1(values.get((cell["cell"], p))) for p in pickers)])
    parts = [aligned(rows)]
    if len(cells) > MOST_SHOWN:
        parts.append(f"… and {len(cells) - MOST_SHOWN} more")
    parts += [answer["text"] for answer in result.answers if "text" in answer]
    if result.failures:
        failed = [["cell", "what", "error"]]
        failed += [[str(f["cell"]), f["what"], f["message"]] for f in result.failures[:MOST_SHOWN]]
        parts.append(f"{len(result.failures)} failures\n{aligned(failed)}")
    return "\n\n".join(parts)


def _f1(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    low, high = row.get("f1_low"), row.get("f1_high")
    return number(row["f1"]) if low is None or high is None else f"{row['f1']:.3f} [{low:.3f}, {high:.3f}]"


def _plain(result: SweepResult, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "report": str(folder / "report.html"),
        "cells": result.cells.to_pylist(),
        "answers": [dict(answer) for answer in result.answers],
        "failures": [dict(failure) for failure in result.failures],
        "passed": result.passed,
    }
