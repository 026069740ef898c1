"""The cells of a sweep one by one: what each came to, and the command that repeats it alone."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from simkit.reports.sweep_table import Row, Scores
from simkit.reports.wording import sure
from simkit.sweeps.places import value_text

MOST_CELLS = 200
"""Cells that the page lists; the CSV has all."""

MOST_FAILURES = 200

Settings = Sequence[tuple[str, str]]

FILE = "sweep.yaml"
"""The resolved scenario beside the page, which the commands name."""


@dataclass(frozen=True)
class CellLine:
    """One cell: its number, values, scores, and how to run it alone."""

    number: str
    shown: Sequence[str]
    failed: bool
    command: str


@dataclass(frozen=True)
class FailureLine:
    """One failure: where, of what, why; and the traceback of what is not meant for users."""

    cell: str
    place: str
    what: str
    message: str
    trace: str


def columns(scores: Scores) -> list[str]:
    """Return the headings between the cell's number and its command."""
    names = [f"{picker} (oracle)" if scores.oracle(picker) else picker for picker in scores.pickers]
    return [*(axis.name for axis in scores.axes), "micrographs", *(f"F1 of {name}" for name in names)]


def cell_lines(scores: Scores) -> list[CellLine]:
    """Return the first `MOST_CELLS` cells."""
    pairs = zip(scores.cells, scores.result.settings, strict=True)
    return [_line(scores, cell, settings) for cell, settings in itertools.islice(pairs, MOST_CELLS)]


def _line(scores: Scores, cell: Row, settings: Settings) -> CellLine:
    number = cell["cell"]
    f1 = [sure(scores.value(number, p, "f1"), scores.interval(number, p, "f1")) for p in scores.pickers]
    values = [value_text(axis, cell[axis.name]) for axis in scores.axes]
    return CellLine(
        str(number), [*values, str(cell["micrographs"]), *f1], cell["failed"], command(scores, cell, settings)
    )


def command(scores: Scores, cell: Row, settings: Settings) -> str:
    """Return the command that runs one cell alone, quoted for a shell."""
    put = list(settings)
    # Of real micrographs there are as many as files.
    if scores.result.scenario.micrographs is None and cell["micrographs"]:
        put.append(("replicates", str(cell["micrographs"])))
    options = (f"--set {shlex.quote(path)}={shlex.quote(value)}" for path, value in put)
    return " ".join([f"simkit run {FILE}", *options])


def failure_lines(scores: Scores) -> list[FailureLine]:
    """Return the first `MOST_FAILURES` failures."""
    cells = {cell["cell"]: cell for cell in scores.cells}
    return [
        FailureLine(
            cell=str(failure["cell"]),
            place=scores.place(cells[failure["cell"]]),
            what=failure["what"],
            message=failure["message"],
            trace=failure.get("trace", ""),
        )
        for failure in scores.result.failures[:MOST_FAILURES]
    ]
