"""Cards as text: one picker in full, several side by side, and in a few lines what a picker cannot do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from simkit.conformance.card import Card
from simkit.conformance.trial import Verdict

SYMBOLS = {True: "✓", False: "✗", None: "–"}
"""Whether a trial was passed → its symbol."""

LONGEST = 140
"""Characters of what a program said last that a row repeats."""


def number(value: float | None) -> str:
    """Write a number in three digits, or all that are before the point; None is nothing, a tiny one 0."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return "0" if abs(value) < 5e-4 else f"{value:.3g}"


def symbol(verdict: Verdict) -> str:
    """Return ✓, ✗ or –; nothing for what is only measured."""
    return "" if verdict.word == "measured" else SYMBOLS[verdict.outcome.holds]


def told(verdict: Verdict) -> str:
    """Return the verdict with its symbol; what went wrong is in capitals, for colours may be missing."""
    word = verdict.word.upper() if verdict.outcome.holds is False else verdict.word
    return f"{symbol(verdict)} {word}".strip()


def happened(verdict: Verdict) -> str:
    """Return what happened in one line; of what a program said before it broke down, its last."""
    first, *said = verdict.outcome.words.splitlines() or [""]
    return " ".join([first, *(textwrap.shorten(line, LONGEST, placeholder=" …") for line in said[-1:])])


def card_rows(card: Card) -> list[list[str]]:
    """Return the rows of one card: verdict, trial, number with its unit, what happened."""
    rows = [["verdict", "trial", "measured", "what happened"]]
    for verdict in card.verdicts:
        measured = number(verdict.outcome.value)
        measured += f" {verdict.trial.unit}" if measured else ""
        rows.append([told(verdict), verdict.trial.name, measured, happened(verdict)])
    return rows


def shortcomings(card: Card) -> list[tuple[str, list[Verdict]]]:
    """Return what went wrong, the worst first: what it is called, and the trials."""
    wrong = [verdict for verdict in card.verdicts if verdict.outcome.holds is False]
    lawless = [verdict for verdict in wrong if verdict.trial.sort == "law" and not verdict.crashed]
    sorts = (
        ("broke down", [verdict for verdict in wrong if verdict.crashed]),
        ("breaks a law" if len(lawless) == 1 else "breaks laws", lawless),
        ("fails", [verdict for verdict in wrong if verdict.trial.sort != "law" and not verdict.crashed]),
    )
    return [(name, verdicts) for name, verdicts in sorts if verdicts]


def cannot(card: Card) -> list[str]:
    """Say in a line for each sort of shortcoming what the picker cannot do."""
    lines = [
        f"✗ {name}: {', '.join(verdict.trial.name for verdict in verdicts)}"
        for name, verdicts in shortcomings(card)
    ]
    return lines or ["✓ nothing failed"]


def side_by_side(cards: Sequence[Card]) -> list[list[str]]:
    """Return one row for each trial and one column for each picker."""
    rows = [["", *(card.picker for card in cards)]]
    for title, sort in (("**laws that hold**", "law"), ("**tasks passed**", "task")):
        rows.append([title, *(" of ".join(map(str, card.count(sort))) for card in cards)])  # type: ignore[arg-type]
    for columns in zip(*(card.verdicts for card in cards), strict=True):
        trial = columns[0].trial
        rows.append([f"{trial.name} ({trial.unit})", *map(cell, columns)])
    return rows


def cell(verdict: Verdict) -> str:
    """Return a verdict as a narrow cell shows it: its symbol and its number, or that it broke down."""
    return f"{symbol(verdict)} {'crashed' if verdict.crashed else number(verdict.outcome.value)}".strip()


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Write rows, the first of them headings, as a table in Markdown."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def headline(card: Card) -> str:
    """Say in a line what came of all trials."""
    laws, tasks = card.count("law"), card.count("task")
    said = f"{card.picker}: {laws[0]} of {laws[1]} laws hold, {tasks[0]} of {tasks[1]} tasks passed"
    crashed = sum(verdict.crashed for verdict in card.verdicts)
    said += f", broke down in {crashed}" if crashed else ""
    needs = card["low dose"].outcome.value
    return said if needs is None else f"{said}; needs {needs:.2f} × the ideal observer's d′"
