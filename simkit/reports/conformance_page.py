"""Cards of the conformance kit → one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.conformance.bench import Seen, positions
from simkit.conformance.card import Card
from simkit.conformance.scene import RADIUS
from simkit.conformance.tables import cell, happened, headline, number, shortcomings, told
from simkit.conformance.trial import Sort, Verdict
from simkit.core.tables import Picks, Truth
from simkit.reports import plates
from simkit.reports.elements import Illustration, Layer
from simkit.reports.html import filled

MOST_PICTURES = 2
"""Of one trial."""

SIDE = 600
"""Pixels of a picture at most."""

STATES = {True: "passed", False: "failed", None: "none"}
"""Whether a trial was passed → class of the style sheet."""

TITLES: dict[Sort, str] = {
    "law": "Laws, what any picker ought to obey",
    "task": "Tasks, what a good one can do",
    "measure": "Measures",
}

HIT = ("a pick of a particle", "circle", "sky")
FALSE = ("a pick of none", "cross", "vermillion")
MISSED = ("a particle without a pick", "triangle", "orange")
LURE = ("what is to be left alone, or may be", "hexagon", "grey")


@dataclass(frozen=True)
class Cell:
    """A verdict in a table: its text, and the class of the style sheet that colours it."""

    text: str
    state: str


@dataclass(frozen=True)
class Line:
    """A trial of one picker in its table."""

    name: str
    asks: str
    verdict: Cell
    measured: str
    happened: str


@dataclass(frozen=True)
class Failure:
    """A trial that went wrong, with pictures of it; `said` is what a program said before it broke down."""

    id: str
    name: str
    verdict: str
    asks: str
    words: str
    said: str
    judged: str
    pictures: Sequence[Illustration]


@dataclass(frozen=True)
class Section:
    """One picker on the page: what went wrong, the worst first, and all trials by their sort."""

    id: str
    name: str
    badge: str
    headline: str
    lawful: bool
    cannot: Sequence[tuple[str, Sequence[Failure]]]
    groups: Sequence[tuple[str, Sequence[Line]]]

    @property
    def failures(self) -> list[Failure]:
        """All that went wrong."""
        return [failure for _, failures in self.cannot for failure in failures]


@dataclass(frozen=True)
class Row:
    """A trial of all pickers."""

    name: str
    unit: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    title: str
    sections: Sequence[Section]
    comparison: Sequence[Row]


def render(cards: Sequence[Card]) -> str:
    """Return the cards as one self-contained HTML page.

    Parameters
    ----------
    cards : sequence of Card
        At least one.

    Returns
    -------
    str
        Text from outside is escaped, and the page's own security policy allows neither scripts nor network.
    """
    report = Report(
        title="Conformance of " + ", ".join(card.picker for card in cards),
        sections=[_section(f"card{number}", card) for number, card in enumerate(cards)],
        comparison=_comparison(cards) if len(cards) > 1 else (),
    )
    return filled("conformance.html", report=report)


def _section(id: str, card: Card) -> Section:
    wrong = shortcomings(card)
    unlawful = [name for name, verdicts in wrong if verdicts[0].crashed or verdicts[0].trial.sort == "law"]
    return Section(
        id=id,
        name=card.picker,
        badge=", ".join(unlawful) or "every law holds",
        headline=f"{headline(card)}; cut at {card.cut}" + ("; quick" if card.quick else ""),
        lawful=card.lawful,
        cannot=[(name, [_failure(id, verdict) for verdict in verdicts]) for name, verdicts in wrong],
        groups=[
            (f"{title}: {_counted(card, sort)}", [_line(verdict) for verdict in card.of(sort)])
            for sort, title in TITLES.items()
        ],
    )


def _counted(card: Card, sort: Sort) -> str:
    passed, of = card.count(sort)
    return "numbers without a verdict" if sort == "measure" else f"{passed} of {of} that apply"


def _line(verdict: Verdict) -> Line:
    value = number(verdict.outcome.value)
    return Line(
        name=verdict.trial.name,
        asks=verdict.trial.asks,
        verdict=Cell(told(verdict), STATES[verdict.outcome.holds]),
        measured=f"{value} {verdict.trial.unit}" if value else "",
        happened=happened(verdict),
    )


def _comparison(cards: Sequence[Card]) -> list[Row]:
    counts: tuple[tuple[str, Sort], ...] = (("laws that hold", "law"), ("tasks passed", "task"))
    rows = [
        Row(title, "", [Cell(" of ".join(map(str, card.count(sort))), "none") for card in cards])
        for title, sort in counts
    ]
    return rows + [
        Row(one.trial.name, one.trial.unit, [Cell(cell(v), STATES[v.outcome.holds]) for v in (one, *others)])
        for one, *others in zip(*(card.verdicts for card in cards), strict=True)
    ]


def _failure(id: str, verdict: Verdict) -> Failure:
    shown = [
        seen for seen in verdict.outcome.exhibits if seen.missed or seen.false or len(seen.exposure.lures)
    ]
    words, _, said = verdict.outcome.words.partition("\n")
    return Failure(
        id=f"{id}-{verdict.trial.name.replace(' ', '-').replace(':', '')}",
        name=verdict.trial.name,
        verdict=told(verdict),
        asks=verdict.trial.asks,
        words=words if said else f"{words}.",
        said=textwrap.dedent(said),
        judged=verdict.trial.judged,
        pictures=[_picture(seen) for seen in (shown or verdict.outcome.exhibits)[:MOST_PICTURES]],
    )


def _picture(seen: Seen) -> Illustration:
    exposure = seen.exposure
    hit = np.isin(np.arange(len(seen.picks)), seen.match.pick)
    missed = ~np.isin(np.arange(len(exposure.truth)), seen.match.truth)
    layers = [
        _layer(HIT, seen.picks.take(hit), seen),
        _layer(FALSE, seen.picks.take(~hit), seen),
        _layer(MISSED, exposure.truth.take(missed), seen),
        _layer(LURE, exposure.lures, seen),
    ]
    layers = [layer for layer in layers if layer.marks]
    plate = plates.grey(
        np.asarray(exposure.pixels, float),
        exposure.grid,
        alt=f"micrograph {exposure.name} with the picks marked",
        side=SIDE,
        clip=0.5,
        layers=layers,
    )
    return Illustration(plate, caption=f"micrograph {exposure.name}", legend=layers)


def _layer(style: tuple[str, str, str], table: Picks | Truth, seen: Seen) -> Layer:
    meaning, symbol, tone = style
    grid = seen.exposure.grid
    across, down = plates.to_units(grid, *positions(table).T)
    radius = RADIUS / grid.pixel_size * plates.units_per_pixel(grid)
    return Layer(f"{meaning} ({len(table)})", symbol, tone, plates.marks(symbol, across, down, radius))
