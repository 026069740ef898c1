"""The differences of two methods in every cell, as a forest plot and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.judging.comparison import PairedComparison
from simkit.reports import canvas
from simkit.reports.comparison_view import LEAST_REACH
from simkit.reports.elements import Illustration, Plot, Table
from simkit.reports.sweep_layout import rank
from simkit.reports.sweep_looks import short
from simkit.reports.sweep_table import Scores
from simkit.reports.wording import name_of, number, sure
from simkit.sweeps.duels import EQUAL, OWN, Duel

TOLD = ((OWN, "f1"), (EQUAL, "recall"))
"""What tells two methods apart on each basis; the table of comparisons has the other metrics too."""

MOST_ROWS = 40
"""Cells of a forest plot."""


def forest(
    scores: Scores,
    title: str,
    sides: Mapping[tuple[str, str], Sequence[Duel]],
    whole: PairedComparison | None,
) -> Illustration | None:
    """Draw the differences of two methods in all cells, with their intervals.

    Parameters
    ----------
    scores : Scores
        Of the sweep.
    title : str
        "first − second".
    sides : mapping
        (basis, metric) → the duels that are drawn under it.
    whole : PairedComparison or None
        Of all cells together, on the first side.
    """
    drawn = {
        key: _most_telling(scores, duels) for key, duels in sides.items() if any(_exists(d) for d in duels)
    }
    if not drawn:
        return None
    bounds = [
        b for duels in drawn.values() for d in duels for b in (d.difference, d.low, d.high) if b is not None
    ]
    bounds += [bound for bound in (whole.interval or ()) if whole is not None] if whole else []
    reach = 1.05 * max(LEAST_REACH, *map(abs, bounds))
    tallest = max(map(len, drawn.values())) + (whole is not None)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(1, len(drawn), squeeze=False).ravel()
        for i, (axes, ((basis, metric), duels)) in enumerate(zip(grid, drawn.items(), strict=True)):
            axes.set(
                title=f"{title}: {name_of(metric)}\nat {basis}", xlabel="difference", xlim=(-reach, reach)
            )
            _rows(axes, scores, duels, whole if i == 0 else None)

    size = {"width": 4.8 * len(drawn), "height": 1.25 + 0.24 * tallest}
    caption = (
        f"{title}, on the same micrographs. Right of the line the first is better, left of it "
        "the second. Filled: the 95 % interval of that cell leaves no doubt; ringed: nor does the test after "
        "Holm’s correction for all cells; empty: left open."
    )
    longest = max(len(duels) for duels in sides.values())
    note = f"Of {longest} cells the {MOST_ROWS} with the largest differences." if longest > MOST_ROWS else ""
    words = "; ".join(
        f"{scores.place(d.place)}, {name_of(metric)} at {basis}: {sure(d.difference, _ends(d))}"
        for (basis, metric), duels in drawn.items()
        for d in duels
    )
    return Illustration(
        Plot(f"Paired differences, {title}. {words}", canvas.draw(paint, **size)), caption, note
    )


def _exists(duel: Duel) -> bool:
    return duel.difference is not None


def _most_telling(scores: Scores, duels: Sequence[Duel]) -> list[Duel]:
    """Return the duels that are drawn, in the order of the axes."""
    there = sorted(
        (duel for duel in duels if _exists(duel)),
        key=lambda duel: [rank(axis, duel.place.get(axis.name)) for axis in scores.axes],
    )
    if len(there) <= MOST_ROWS:
        return there
    sizes = [abs(duel.difference or 0.0) for duel in there]
    kept = sorted(np.argsort(sizes, kind="stable")[-MOST_ROWS:].tolist())
    return [there[i] for i in kept]


def _rows(axes: Axes, scores: Scores, duels: Sequence[Duel], whole: PairedComparison | None) -> None:
    for place, duel in enumerate(duels):
        colour = {duel.a: canvas.BLUE, duel.b: canvas.VERMILLION}.get(duel.winner or "", "0.35")
        shape = {duel.a: "o", duel.b: "s"}.get(duel.winner or "", "D")
        if duel.low is not None and duel.high is not None:
            axes.plot([duel.low, duel.high], [place, place], color=colour, linewidth=1.6)
        face = "white" if duel.winner is None else colour
        axes.plot([duel.difference or 0.0], [place], shape, color=colour, markerfacecolor=face, markersize=5)
        if duel.holds:
            axes.plot(
                [duel.difference or 0.0], [place], "o", color=colour, markerfacecolor="none", markersize=10
            )
    labels = [_row_name(scores, duel) for duel in duels]
    if whole is not None and whole.difference is not None:
        place = len(duels)
        if whole.interval is not None:
            axes.plot(whole.interval, [place, place], color="black", linewidth=2.2)
        axes.plot([whole.difference], [place], "d", color="black", markersize=8)
        labels.append("all cells together")
    axes.axvline(0, color="0.3", linewidth=0.9)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(np.arange(len(labels)), [short(label, 40) for label in labels])
    axes.grid(axis="x", color="0.9")


def _row_name(scores: Scores, duel: Duel) -> str:
    return f"{duel.a} − {duel.b}" if duel.picker else scores.place(duel.place)


def duel_table(scores: Scores, duels: Sequence[Duel], most: int) -> Table:
    """Tell every comparison in numbers."""
    rows = [
        [
            scores.place(d.place),
            f"{d.picker}, {d.a} − {d.b}" if d.picker else f"{d.a}\u00a0−\u00a0{d.b}",
            d.basis.replace(" ", "\u00a0"),
            name_of(d.metric),
            sure(d.difference, _ends(d)),
            number(d.p, digits=2),
            number(d.p_holm, digits=2),
        ]
        for d in duels[:most]
    ]
    caption = (
        "Every comparison: the difference with its interval in that cell, how often chance alone would give "
        "one as large (sign-flip permutation), and the same after Holm’s correction for all of its kind"
    )
    if len(duels) > most:
        caption += f" (the first {most} of {len(duels)}; comparisons.csv has all)"
    columns = ["where", "methods", "at", "of", "difference [95 %]", "p", "p (Holm)"]
    return Table(caption, columns, rows, words={1, 2, 3})


def _ends(duel: Duel) -> tuple[float, float] | None:
    return None if duel.low is None or duel.high is None else (duel.low, duel.high)
