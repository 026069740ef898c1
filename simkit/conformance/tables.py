"""Cards as text: one picker in full, several side by side."""

from __future__ import annotations

from collections.abc import Sequence

from simkit.conformance.card import Card
from simkit.conformance.trial import Verdict

SYMBOLS = {
    "holds": "✓",
    "passed": "✓",
    "does not hold": "✗",
    "failed": "✗",
    "crashed": "✗ crashed",
    "measured": "",
    "does not apply": "–",
}
"""Verdict → how a narrow cell shows it."""


def number(value: float | None) -> str:
    """Write a number in three digits; one that does not exist is nothing, a tiny one is 0."""
    if value is None:
        return ""
    return "0" if abs(value) < 5e-4 else f"{value:.3g}"


def card_rows(card: Card) -> list[list[str]]:
    """Return the rows of one card: trial, verdict, number with its unit, what happened."""
    rows = [["trial", "verdict", "measured", "what happened"]]
    for verdict in card.verdicts:
        measured = number(verdict.outcome.value)
        measured += f" {verdict.trial.unit}" if measured else ""
        rows.append([verdict.trial.name, verdict.word, measured, " ".join(verdict.outcome.words.split())])
    return rows


def side_by_side(cards: Sequence[Card]) -> list[list[str]]:
    """Return one row for each trial and one column for each picker."""
    rows = [["", *(card.picker for card in cards)]]
    for title, sort in (("**laws that hold**", "law"), ("**tasks passed**", "task")):
        rows.append([title, *(" of ".join(map(str, card.count(sort))) for card in cards)])  # type: ignore[arg-type]
    for columns in zip(*(card.verdicts for card in cards), strict=True):
        trial = columns[0].trial
        rows.append([f"{trial.name} ({trial.unit})", *map(_cell, columns)])
    return rows


def _cell(verdict: Verdict) -> str:
    return f"{SYMBOLS[verdict.word]} {number(verdict.outcome.value)}".strip()


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
