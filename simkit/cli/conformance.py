"""`simkit conformance`: a fixed set of trials that any picker can take."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli.manners import (
    AsJson,
    Debug,
    Workers,
    aligned,
    emit_json,
    friendly,
    load,
    locating,
    note,
    progress,
)

if TYPE_CHECKING:
    from simkit.conformance.card import Card
    from simkit.picker.base import Picker

INTERPRETER = re.compile(r"(python|sh|bash|perl|julia|Rscript)[\d.]*")
"""Runs a program that has a name of its own."""


@friendly
def conformance(
    pickers: Annotated[
        list[str] | None,
        typer.Option(
            "--picker",
            metavar="PICKER",
            help="A command ('mypick {micrographs} --out {out}'), package.module:function, installed or in "
            "this folder, kind:matched_filter, files:'picks/*.star', or a name of --scenario's. "
            "May be repeated.",
        ),
    ] = None,
    scenario: Annotated[
        Path | None,
        typer.Option(
            "--scenario", metavar="FILE", help="A scenario whose pickers are examined: all by default."
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Format of the files that a command writes."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Of the picker, as a scenario has it: per=micrograph, output.binning=4, "
            "threshold='{kind: top, count: 25}'. May be repeated.",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer micrographs; numbers are less sure.")] = False,
    as_markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the card, or several side by side, as a table in Markdown."),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write a page with pictures of what failed, HTML."),
    ] = None,
    micrographs: Annotated[
        Path | None,
        typer.Option(
            "--micrographs",
            metavar="FOLDER",
            help="Write the micrographs and templates there, for a program that simkit cannot start; its "
            "picks are then judged by --picker files:'…'.",
        ),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Examine a picker: which laws it obeys, what it can do, how near it comes to what physics allows.

    Micrographs are simulated, the same every time: 256 × 288 pixels of 4 Å, particles dark on bright, 80 Å
    across and 100 Å from tip to tip. The exit code is 1 if a law does not hold or the picker breaks down.

    Example: simkit conformance --picker 'mypick {micrographs} --out {out}' --format topaz
    """
    import os

    from simkit.conformance.card import examine
    from simkit.conformance.handing import hand_out, subject_of

    if micrographs is not None:
        note(f"{hand_out(micrographs, quick=quick)} micrographs written to {micrographs}/")
        if not pickers and scenario is None:
            return
    if scenario is not None:
        chosen = _of_scenario(scenario, pickers or [], plain=not (format or options))
    else:
        chosen = _of_words(pickers or [], format, options or [])
    for picker in chosen.values():
        picker.require_ready()
    with progress() as report:
        cards = [
            examine(
                subject_of(name, picker, quick=quick, workers=workers or os.cpu_count() or 1),
                quick=quick,
                progress=report,
            )
            for name, picker in chosen.items()
        ]
    if page is not None:
        _write(page, cards)
        note(f"report: {page}")
    _tell(cards, as_json=as_json, as_markdown=as_markdown)
    if not all(card.lawful for card in cards):
        raise typer.Exit(1)


def _of_words(words: list[str], format: str | None, options: list[str]) -> Mapping[str, Picker]:
    from simkit.conformance.choosing import picker_of
    from simkit.picker.python import Python

    if not words:
        raise typer.BadParameter("name a picker, or a scenario that has some", param_hint="--picker")
    named = {_name(text): picker_of(text, format=format, options=options) for text in words}
    if len(named) < len(words):
        raise typer.BadParameter("two of one name cannot be told apart", param_hint="--picker")
    if any(isinstance(picker, Python) for picker in named.values()):
        _look_here()
    return named


def _look_here() -> None:
    """Let modules in the current folder be imported, as ``python -m`` does and ``python -P`` forbids.

    A function that stands on the command line was named by whoever started this. One in a scenario was not,
    and comes from an installed package.
    """
    if not sys.flags.safe_path:
        sys.path.insert(0, str(Path.cwd()))


def _name(text: str) -> str:
    """Return what a card calls a picker: its kind, its function, its program."""
    words = text.removeprefix("kind:").removeprefix("files:").split()
    named = [word for word in words if "{" not in word and not INTERPRETER.fullmatch(Path(word).name)]
    return Path(next(iter(named), text)).name


def _of_scenario(file: Path, names: list[str], *, plain: bool) -> Mapping[str, Picker]:
    from simkit.conformance.choosing import usable
    from simkit.core.errors import ScenarioError

    if not plain:
        raise typer.BadParameter(
            "a scenario's picker says itself what it writes; leave --format and --option out"
        )
    loaded = load(file, search_only=True)
    there = loaded.scenario.pickers
    with locating(loaded.source):
        if unknown := [name for name in names if name not in there]:
            raise ScenarioError(
                f"there is no picker {unknown[0]!r}; there are {', '.join(there)}", ("pickers",)
            )
        return {name: usable(there[name]) for name in names or there}


def _tell(cards: list[Card], *, as_json: bool, as_markdown: bool) -> None:
    from simkit.conformance.tables import card_rows, markdown, side_by_side

    if as_json:
        emit_json({"cards": [card.plain() for card in cards]})
    elif as_markdown:
        typer.echo(markdown(card_rows(cards[0]) if len(cards) == 1 else side_by_side(cards)))
    else:
        typer.echo("\n\n".join(map(_card, cards)))


def _card(card: Card) -> str:
    """Return a card as a terminal shows it, what went wrong in colour too; what it cannot do stands last."""
    from simkit.conformance.tables import SYMBOLS, cannot, card_rows, headline

    lines = [
        *aligned(card_rows(card)).splitlines(),
        "",
        f"{headline(card)}; cut at {card.cut}",
        *cannot(card),
    ]
    return "\n".join(
        typer.style(line, fg=typer.colors.RED, bold=True) if line.startswith(SYMBOLS[False]) else line
        for line in lines
    )


def _write(page: Path, cards: list[Card]) -> None:
    from simkit.core.errors import DataError
    from simkit.io.atomic import write_bytes_atomic
    from simkit.reports.conformance_page import render

    if not page.parent.is_dir():
        raise DataError("there is no such folder to write to; make it first", str(page.parent))
    write_bytes_atomic(page, render(cards).encode())
