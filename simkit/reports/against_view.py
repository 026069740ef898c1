"""The parts of a page on two versions of a picker: counts, gains, particles by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core.tables import Picks
from simkit.reports.boxes import Gallery, easiest_first, galleries
from simkit.reports.contest import Contest, Gain, Rows
from simkit.reports.elements import Table
from simkit.reports.wording import MISSING, name_of, number, plural

MOST_LINES = 40
"""Of a table of particles."""


@dataclass(frozen=True)
class Line:
    """One particle of the table; `anchor` is that of its box, "" where it has none."""

    name: str
    anchor: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Section:
    """One picker in one case; of the `changed` particles the table shows some."""

    id: str
    name: str
    passed: bool
    sentence: str
    failures: Sequence[str]
    gains: Table
    lines: Sequence[Line]
    changed: int
    galleries: Sequence[Gallery]


def overview(contests: Sequence[Contest]) -> Table:
    """List all cases and pickers, and what is different there."""
    rows = [
        [
            contest.name,
            "✗ failed" if contest.failures else "✓ passed",
            *(str(len(what)) for what in (contest.lost, contest.found, contest.appeared, contest.gone)),
            str(contest.particles),
        ]
        for contest in contests
    ]
    heads = ("Case, picker", "Verdict", "Lost", "Found", "New false picks", "False picks gone", "Particles")
    return Table("What is different, case by case", heads, rows, words={1})


def section(place: int, contest: Contest) -> Section:
    """Return all of one picker in one case."""
    drawn = galleries(f"contest{place}", contest)
    anchors = {box.name: box.id for gallery in drawn for box in gallery.boxes}
    lines = [
        *_lines(contest, contest.lost, "lost", anchors),
        *_lines(contest, contest.found, "found", anchors),
    ]
    lost, found = len(contest.lost), len(contest.found)
    return Section(
        id=f"contest{place}",
        name=contest.name,
        passed=not contest.failures,
        sentence=f"lost {lost}, found {found} of {plural(contest.particles, 'particle')}",
        failures=contest.failures,
        gains=_gains(contest.gains),
        lines=lines[:MOST_LINES],
        changed=len(lines),
        galleries=drawn,
    )


def _gains(gains: Sequence[Gain]) -> Table:
    rows = [
        [
            name_of(g.metric) + (f" ({g.unit})" if g.unit else ""),
            number(g.new),
            number(g.other),
            signed(g.gain),
            f"[{signed(g.low)}, {signed(g.high)}]",
            MISSING if g.margin is None else f"−{number(g.margin)}",
            MISSING if g.passed is None else ("✓ holds" if g.passed else "✗ fails"),
        ]
        for g in gains
    ]
    caption = (
        "Gain: positive where the new version is better. What is demanded holds where even the lower limit "
        "of the gain is above the margin"
    )
    heads = ("", "New", "Other", "Gain", "Its limits", "Margin", "Demanded")
    return Table(caption, heads, rows, words={6})


def signed(value: float) -> str:
    """Write a difference with its sign; none has none."""
    return ("+" if value > 0 else "") + number(value or 0, digits=3)


def _lines(contest: Contest, rows: Rows, word: str, anchors: Mapping[str, str]) -> Iterator[Line]:
    truth = contest.truth
    for row in easiest_first(contest, rows):
        cells = [word, str(truth["class"][row]), *(f"{truth[axis][row]:.1f}" for axis in "yx")]
        cells += [_nearest(contest, picks, row) for picks in (contest.new, contest.other)]
        cells += [number(None if np.isnan(d := float(truth["d_prime"][row])) else d, digits=3)]
        yield Line(contest.ids[row], anchors.get(contest.ids[row], ""), cells)


def _nearest(contest: Contest, picks: Picks, row: int) -> str:
    """Write how far the nearest pick is from a particle."""
    near = picks.take(picks["micrograph"] == contest.truth["micrograph"][row])
    away = np.hypot(*(near[axis] - contest.truth[axis][row] for axis in "yx"))
    return f"{away.min():.1f}" if len(away) else MISSING
