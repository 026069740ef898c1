"""Where a picker fails: recall by how hard the particles are, and what was taken for what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.judging.confusion import Confusion
from simkit.judging.strata import Stratum
from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot, Table
from simkit.reports.wording import name_of, number, sure

BY = {
    "d_prime": "detectability d′",
    "overlap": "share covered by a neighbour",
    "border": "distance to the border",
    "background": "local background",
    "defocus": "defocus",
    "class": "class",
}
"""Column of the truth → what it means, as the title of a panel."""

ACROSS = 3
"""Panels in a row."""


def recall_by_difficulty(picker: str, strata: Sequence[Stratum], recall: float | None) -> Illustration:
    """Show recall with its interval in every stratum, a panel for each way of splitting the particles.

    Parameters
    ----------
    picker : str
        Its name.
    strata : sequence of Stratum
        At least one, sorted by what they are split by.
    recall : float or None
        Over all particles, drawn as a dashed line.
    """
    panels = [(by, list(members)) for by, members in groupby(strata, key=lambda s: s.by)]
    columns = min(ACROSS, len(panels))
    rows = math.ceil(len(panels) / columns)
    tallest = [
        max(len(members) for _, members in panels[first : first + columns])
        for first in range(0, len(panels), columns)
    ]

    def paint(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False, height_ratios=[2 + n for n in tallest]).ravel()
        for axes, (by, members) in zip(grid, panels, strict=False):
            _panel(axes, by, members, recall)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()

    where = _lowest(strata)
    size = {"width": 3.2 * columns, "height": sum(0.8 + 0.28 * n for n in tallest)}
    caption = (
        f"Where {picker} fails: the share of the particles found, with its 95 % interval, by what makes them "
        f"hard. {where}"
    )
    if recall is not None:
        caption += f" The dashed line is recall over all, {number(recall, digits=3)}."
    alt = f"Recall of {picker} in {len(strata)} strata. {where}"
    return Illustration(Plot(alt, canvas.draw(paint, **size)), caption)


def _lowest(strata: Sequence[Stratum]) -> str:
    worst = min(strata, key=lambda s: s.recall)
    if worst.found == worst.truths:
        return "None was missed."
    return f"Lowest: {_title(worst.by)}, {worst.label} ({worst.found} of {worst.truths} found)."


def _panel(axes: Axes, by: str, members: Sequence[Stratum], recall: float | None) -> None:
    places = np.arange(len(members))
    values = np.array([s.recall for s in members])
    low, high = np.array([s.recall_interval for s in members]).T
    # Rounding may leave a bound on the wrong side of the value by an ulp.
    reach = np.maximum([values - low, high - values], 0)
    axes.errorbar(values, places, xerr=reach, fmt="o", color=canvas.BLUE, capsize=3, markersize=5)
    if recall is not None:
        axes.axvline(recall, color="0.45", linestyle="--", linewidth=1.0)
    axes.set(title=_title(by), xlabel="recall", xlim=(-0.02, 1.02), ylim=(len(members) - 0.5, -0.5))
    axes.set_yticks(places, [f"{s.label} ({s.truths})" for s in members])
    axes.grid(axis="x", color="0.9")


def _title(by: str) -> str:
    return BY.get(by, name_of(by))


def strata_table(picker: str, strata: Sequence[Stratum]) -> Table:
    """List every stratum."""
    rows = [
        [
            _title(s.by),
            s.label,
            str(s.truths),
            str(s.found),
            sure(s.recall, s.recall_interval),
            number(s.rmse, "Å", digits=3),
            number(s.picks),
            number(s.precision, digits=3),
        ]
        for s in strata
    ]
    columns = ["split by", "which", "particles", "found", "recall [95 %]", "RMSE", "picks", "precision"]
    return Table(f"Scores of {picker} by difficulty", columns, rows, words={1})


def confusion_table(picker: str, confusion: Confusion | None) -> Table | None:
    """Tabulate what was taken for what; None with fewer than two classes of particles."""
    if confusion is None or len(confusion.truth) < 2:
        return None
    named = [*confusion.truth, "spurious"]
    rows = [[name, *map(str, row)] for name, row in zip(named, confusion.counts.tolist(), strict=True)]
    rows[-1][-1] = ""
    glossary = {"spurious": "picks with no particle near them"}
    caption = (
        f"What {picker} took for what: a row for each class of particles, a column for each class of picks"
    )
    columns = ["", *(f"picked as {name}" for name in confusion.picks), "missed"]
    return Table(caption, columns, rows, glossary)
