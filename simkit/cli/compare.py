"""`simkit compare`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simkit.cli.manners import AsJson, Debug, aligned, emit_json, friendly, note
from simkit.cli.run import SWEEP

if TYPE_CHECKING:
    from simkit.sweeps.change import Change
    from simkit.sweeps.compare import SweepComparison
    from simkit.sweeps.rematch import RunComparison
    from simkit.sweeps.results import SweepResult

MOST_SHOWN = 40
"""Cells, or names of what only one has, that the terminal lists; --json has all."""


@friendly
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A folder of `simkit run` or `simkit sweep`.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another of the same sort.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare two sweeps, or two runs: what became better or worse from A to B, and how surely.

    Pickers of the same name are compared, in sweeps cell by cell: micrograph by micrograph where both saw the
    same. Differences are B less A. The exit code is 0 whichever is better.

    Example: simkit compare reports/before reports/after
    """
    from simkit.core.errors import DataError

    sweeps = [(folder / SWEEP).is_file() for folder in (a, b)]
    if sweeps[0] != sweeps[1]:
        raise DataError(f"holds a {_sort(sweeps[1])}, and {a} a {_sort(sweeps[0])}; name two alike", str(b))
    if all(sweeps):
        _sweeps(a, b, as_json=as_json)
    else:
        _runs(a, b, as_json=as_json)


def _sort(is_sweep: bool) -> str:
    return "sweep" if is_sweep else "run, or nothing"


def _sweeps(a: Path, b: Path, *, as_json: bool) -> None:
    from simkit.sweeps.compare import compare_sweeps
    from simkit.sweeps.output import open_sweep

    before, after = open_sweep(a), open_sweep(b)
    found = compare_sweeps(before, after)
    if as_json:
        emit_json(
            {
                **_heading(a, b, found),
                "together": _plain(found.together),
                "cells": _plain(found.changes),
            }
        )
        return
    _say_pairing(found)
    typer.echo(_sweep_text(found, before))


def _runs(a: Path, b: Path, *, as_json: bool) -> None:
    from simkit.sweeps.rematch import compare_runs

    found = compare_runs(a, b)
    if as_json:
        emit_json({**_heading(a, b, found), "changes": _plain(found.changes)})
        return
    _say_pairing(found)
    parts = [_table(found.changes, [], found=not found.differing), *_lonely(found)]
    typer.echo("\n\n".join(parts))


def _heading(a: Path, b: Path, found: SweepComparison | RunComparison) -> dict[str, Any]:
    return {
        "a": str(a),
        "b": str(b),
        "paired": not found.differing,
        "differing": found.differing or None,
        "only_a": list(found.only_before),
        "only_b": list(found.only_after),
    }


def _plain(changes: Iterable[Change]) -> list[dict[str, Any]]:
    names = {"before": "a", "after": "b", "only_before": "found_by_a_alone", "only_after": "found_by_b_alone"}
    return [
        {names.get(key, key): value for key, value in asdict(change).items()} | {"verdict": change.verdict}
        for change in changes
    ]


def _say_pairing(found: SweepComparison | RunComparison) -> None:
    if found.differing:
        note(f"note: {found.differing}, so micrographs cannot be compared one by one")


def _sweep_text(found: SweepComparison, before: SweepResult) -> str:
    from simkit.sweeps.places import place_text

    own = [change for change in found.changes if change.metric == "f1"]
    shown = [change for change in own if change.verdict != "open"] or own
    places = [place_text(before.axes, change.place) for change in shown[:MOST_SHOWN]]
    parts = ["all cells together\n" + _table(found.together, [])]
    parts += [_counted(own)]
    parts += [_table(shown[:MOST_SHOWN], places)]
    if len(shown) > MOST_SHOWN:
        parts.append(f"… and {len(shown) - MOST_SHOWN} more")
    return "\n\n".join([*parts, *_lonely(found)])


def _counted(changes: Sequence[Change]) -> str:
    """Say of every picker in how many cells its F1 became better and worse."""
    lines = []
    for picker in dict.fromkeys(change.picker for change in changes):
        mine = [change for change in changes if change.picker == picker]
        counts = {}
        for verdict in ("better", "worse"):
            cells = [change for change in mine if change.verdict == verdict]
            held = sum(change.holds for change in cells)
            counts[verdict] = f"{verdict} in {len(cells)}" + (f" ({held} by Holm)" if cells else "")
        lines.append(f"{picker}: F1 {counts['better']}, {counts['worse']} of {len(mine)} cells")
    return "\n".join(lines)


def _table(changes: Sequence[Change], places: Sequence[str], *, found: bool = False) -> str:
    """Return changes as rows; with who found what alone, where that is known."""
    bases = len({change.basis for change in changes}) > 1
    head = [*(["where"] if places else []), "picker", "metric", *(["cut at"] if bases else [])]
    head += [
        "A",
        "B",
        "B − A",
        "95 %",
        "p (Holm)",
        *(["A alone found", "B alone found"] if found else []),
        "",
    ]
    rows = [head]
    for i, change in enumerate(changes):
        row = [*([places[i]] if places else []), change.picker, change.metric]
        row += [change.basis] if bases else []
        row += [_value(change.before), _value(change.after), _signed(change.difference), _interval(change)]
        row += ["–" if change.p_holm is None else f"{change.p_holm:.2g}"]
        row += [str(change.only_before), str(change.only_after)] if found else []
        rows.append([*row, "" if change.verdict == "open" else change.verdict])
    return aligned(rows)


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _interval(change: Change) -> str:
    return "–" if change.low is None or change.high is None else f"[{change.low:+.3f}, {change.high:+.3f}]"


def _lonely(found: SweepComparison | RunComparison) -> list[str]:
    """Name what only one of the two has."""
    said = []
    for side, names in (("A", found.only_before), ("B", found.only_after)):
        if names:
            more = f"\n… and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
            said.append(f"only in {side}:\n" + "\n".join(f"  {name}" for name in names[:MOST_SHOWN]) + more)
    return said
