"""Cards of the conformance kit → one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.conformance.bench import Seen, positions
from simkit.conformance.card import Card
from simkit.conformance.scene import RADIUS
from simkit.conformance.tables import headline, number, side_by_side
from simkit.conformance.trial import Verdict
from simkit.core.tables import Picks, Truth
from simkit.reports import plates
from simkit.reports.elements import Illustration, Layer, Table
from simkit.reports.html import filled

MOST_PICTURES = 2
"""Of one trial."""

SIDE = 600
"""Pixels of a picture at most."""

HIT = ("a pick of a particle", "circle", "sky")
FALSE = ("a pick of none", "cross", "vermillion")
MISSED = ("a particle without a pick", "triangle", "orange")
LURE = ("what is to be left alone, or may be", "hexagon", "grey")


@dataclass(frozen=True)
class Failure:
    """A trial that went wrong, with pictures of it."""

    name: str
    asks: str
    words: str
    judged: str
    pictures: Sequence[Illustration]


@dataclass(frozen=True)
class Section:
    """One picker on the page."""

    id: str
    name: str
    headline: str
    lawful: bool
    table: Table
    failures: Sequence[Failure]


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    title: str
    sections: Sequence[Section]
    comparison: Table | None


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
        sections=[_section(number, card) for number, card in enumerate(cards)],
        comparison=_comparison(cards) if len(cards) > 1 else None,
    )
    return filled("conformance.html", report=report)


def _section(place: int, card: Card) -> Section:
    failed = [verdict for verdict in card.verdicts if verdict.outcome.holds is False]
    return Section(
        id=f"card{place}",
        name=card.picker,
        headline=f"{headline(card)}; cut at {card.cut}" + ("; quick" if card.quick else ""),
        lawful=card.lawful,
        table=Table(
            caption=f"Trials of {card.picker}",
            columns=("Trial", "Verdict", "Measured", "Unit", "What happened"),
            rows=[_row(verdict) for verdict in card.verdicts],
            glossary={verdict.trial.name: verdict.trial.asks for verdict in card.verdicts},
            words=(1, 3, 4),
        ),
        failures=[_failure(verdict) for verdict in failed],
    )


def _row(verdict: Verdict) -> list[str]:
    value = number(verdict.outcome.value)
    return [
        verdict.trial.name,
        verdict.word,
        value or "–",
        verdict.trial.unit if value else "",
        verdict.outcome.words,
    ]


def _comparison(cards: Sequence[Card]) -> Table:
    head, *rows = side_by_side(cards)
    return Table(
        caption="All pickers: ✓ holds or passed, ✗ not, – does not apply; the number is what was measured",
        columns=head,
        rows=[[cell.replace("**", "") for cell in row] for row in rows],
    )


def _failure(verdict: Verdict) -> Failure:
    shown = [
        seen for seen in verdict.outcome.exhibits if seen.missed or seen.false or len(seen.exposure.lures)
    ]
    return Failure(
        name=verdict.trial.name,
        asks=verdict.trial.asks,
        words=verdict.outcome.words,
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
