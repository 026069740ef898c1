"""How every command behaves: results on stdout, all else on stderr, exit codes that mean something.

0 done, expectations met · 1 an expectation failed · 2 the input is wrong · 3 a fault of ours or of
an outside program · 130 interrupted.
"""

from __future__ import annotations

import functools
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from simkit.scenario.source import locating as locating

if TYPE_CHECKING:
    from simkit.core.quantity import Dimension
    from simkit.scenario.loading import Loaded

WRONG_INPUT = 2
FAULT = 3
INTERRUPTED = 130

Progress = Callable[[str, int, int], None]
P = ParamSpec("P")

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario, a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace a value of the scenario, for example noise.shot.dose='5 e/Å²'. May be repeated.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Replace the scenario's seed.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Processor cores to use; all by default."),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        envvar="SIMKIT_DEVICE",
        help="What searches compute on: cpu, or a device of PyTorch such as cuda, for which "
        "simkit[gpu] must be installed.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for other programs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the Python traceback of an error.")]


def friendly(command: Callable[P, None]) -> Callable[P, None]:
    """Turn whatever a command raises into a message and an exit code; a traceback only with --debug."""

    @functools.wraps(command)
    def polite(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except (KeyboardInterrupt, Exception) as error:
            if kwargs.get("debug"):
                traceback.print_exc()
            raise typer.Exit(tell(error)) from None

    return polite


def tell(error: BaseException) -> int:
    """Say on stderr what went wrong and return the exit code that it means."""
    from simkit.core.errors import SimkitError
    from simkit.scenario.source import InvalidScenarioError

    if isinstance(error, KeyboardInterrupt):
        note("interrupted")
        return INTERRUPTED
    if isinstance(error, InvalidScenarioError):
        note(str(error))
        return error.exit_code
    if isinstance(error, SimkitError):
        note(f"error: {error}")
        return error.exit_code
    if isinstance(error, MemoryError):
        note("error: out of memory; make the image smaller or use fewer --workers")
        return WRONG_INPUT
    note(f"internal error: {type(error).__name__}: {error}; run again with --debug and report what it shows")
    return FAULT


def note(text: str) -> None:
    """Write a message to stderr."""
    typer.echo(text, err=True)


def emit_json(data: Any) -> None:
    """Write data to stdout as JSON."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def number(value: float | None) -> str:
    """Write a value for a person; one that does not exist is a dash, and counts are exact."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def length(text: str) -> float:
    """Parse a length with its unit from the command line."""
    from simkit.core.quantity import LENGTH

    return _positive(text, LENGTH)


def dose(text: str) -> float:
    """Parse a dose with its unit from the command line."""
    from simkit.core.quantity import DOSE

    return _positive(text, DOSE)


def point_group(text: str) -> str:
    """Parse a point group from the command line."""
    from simkit.core.symmetry import is_point_group

    if not is_point_group(text):
        raise typer.BadParameter(f"{text!r} is not a point group; write C1, C5, D7, T, O or I")
    return text


def _positive(text: str, dimension: Dimension) -> float:
    try:
        value = dimension.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"{text!r} is not a {dimension.name}; it must be more than 0 and finite")
    return value


def load(
    path: Path,
    overrides: Sequence[str] | None = None,
    seed: int | None = None,
    *,
    search_only: bool = False,
) -> Loaded:
    """Read a scenario and tell on stderr what is doubtful in it."""
    from simkit.scenario.loading import load as load_scenario

    loaded = load_scenario(path, overrides=overrides or (), seed=seed, search_only=search_only)
    for warning in loaded.warnings:
        note(str(warning))
    return loaded


@contextmanager
def progress() -> Iterator[Progress | None]:
    """Yield a callback that shows progress on stderr; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show
