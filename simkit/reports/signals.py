"""One-dimensional signals, and every other curve, as plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simkit.audit.base import Panel
from simkit.core.grid import FloatArray, Grid
from simkit.reports import canvas
from simkit.reports.elements import Plot
from simkit.reports.marks import STYLES, Outcomes
from simkit.reports.wording import number

SMALL = {"width": 2.9, "height": 1.9}
WIDE = {"width": 9.2, "height": 3.4}
"""Inches of a tile in an equation, and of a picture of its own."""

MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "wedge": "v",
    "hexagon": "h",
    "diamond": "D",
    "cross": "x",
    "plus": "+",
}
TONES = {
    "sky": canvas.SKY,
    "green": canvas.GREEN,
    "blue": canvas.BLUE,
    "vermillion": canvas.VERMILLION,
    "orange": canvas.ORANGE,
    "purple": canvas.PURPLE,
    "grey": "0.5",
}
"""Symbols and colours of the style sheet, as matplotlib has them."""

LINE_STYLES = ("-", "--", "-.", ":")


def marker_style(symbol: str, tone: str) -> dict[str, Any]:
    """Return the matplotlib settings of a symbol: open where its inside must stay visible."""
    return {
        "marker": MARKERS[symbol],
        "markersize": 8,
        "markeredgewidth": 1.8,
        "markeredgecolor": TONES[tone],
        "markerfacecolor": "none",
        "linestyle": "none",
    }


def curve(
    x: FloatArray, y: FloatArray, *, alt: str, x_label: str, y_label: str = "", wide: bool = False
) -> Plot:
    """Plot one curve."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
        axes.margins(x=0)
        canvas.plot(axes, x, y, color="black", linewidth=1.0)

    return Plot(alt, canvas.draw(paint, **(WIDE if wide else SMALL)))


def signal(values: FloatArray, grid: Grid, *, alt: str, wide: bool = False) -> Plot:
    """Plot a one-dimensional image over its positions."""
    return curve(grid.positions()[-1], values, alt=alt, x_label="x (Å)", wide=wide)


def kernel(values: FloatArray, grid: Grid, *, alt: str) -> Plot:
    """Plot a one-dimensional kernel around its centre."""
    return curve(grid.offsets()[-1], values, alt=alt, x_label="x from its centre (Å)")


def deltas(grid: Grid, species: Sequence[tuple[str, FloatArray, tuple[str, str]]], *, alt: str) -> Plot:
    """Plot deltas as stems, each species (name, positions in Å, style) with its own head."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="x (Å)", yticks=[], ylim=(0, 1.25))
        axes.set_xlim(grid.origin[-1], grid.origin[-1] + grid.extent[-1])
        for _, x, (symbol, tone) in species:
            axes.vlines(x, 0, 1, color=TONES[tone], linewidth=1.2)
            axes.plot(x, np.ones_like(x), color=TONES[tone], marker=MARKERS[symbol], linestyle="none")

    return Plot(alt, canvas.draw(paint, **SMALL))


def marked_signal(values: FloatArray, grid: Grid, outcomes: Outcomes, micrograph: str, *, alt: str) -> Plot:
    """Plot a one-dimensional micrograph and mark what became of picks and particles on it."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="x (Å)", ylabel="micrograph")
        axes.margins(x=0)
        canvas.plot(axes, grid.positions()[-1], values, color="0.45", linewidth=0.8)
        for outcome, table in outcomes.tables():
            _, symbol, tone = STYLES[outcome]
            x = table.take(table["micrograph"] == micrograph)["x"]
            axes.plot(x, _heights(values, grid, x), clip_on=False, **marker_style(symbol, tone))

    return Plot(alt, canvas.draw(paint, **WIDE))


def score_signal(
    values: FloatArray, grid: Grid, picks: FloatArray, threshold: float, *, alt: str, wide: bool
) -> Plot:
    """Plot a one-dimensional score map with its threshold, and crosses on the peaks picked."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="x (Å)", ylabel="score")
        axes.margins(x=0)
        canvas.plot(axes, grid.positions()[-1], values, color="black", linewidth=0.9)
        if np.isfinite(threshold):
            axes.axhline(threshold, color=canvas.VERMILLION, linestyle="--", linewidth=1.2)
        axes.plot(picks, _heights(values, grid, picks), **marker_style("cross", "blue"))

    return Plot(alt, canvas.draw(paint, **(WIDE if wide else SMALL)))


def _heights(values: FloatArray, grid: Grid, x: FloatArray) -> FloatArray:
    return np.interp(x, grid.positions()[-1], values)


def _plain(value: float, _: float) -> str:
    return number(value)


def series(panel: Panel) -> Plot:
    """Plot an audit's curves, told apart by colour and by line style."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel=panel.x_label, ylabel=panel.y_label)
        if panel.log:
            axes.set(xscale="log", yscale="log")
            axes.xaxis.set_major_formatter(_plain)
            axes.yaxis.set_major_formatter(_plain)
            axes.minorticks_off()
        colours = ("black", canvas.VERMILLION, canvas.BLUE, canvas.GREEN, canvas.PURPLE, canvas.ORANGE)
        for order, one in enumerate(panel.series):
            canvas.plot(
                axes,
                one.x,
                one.y,
                label=one.label,
                color=colours[order % len(colours)],
                linestyle=LINE_STYLES[order % len(LINE_STYLES)],
                marker="o" if len(one.x) <= 20 else None,
                markersize=4,
            )
        axes.grid(color="0.9")
        if len(panel.series) > 1:
            axes.legend(frameon=False)

    alt = f"{panel.title}: {', '.join(one.label for one in panel.series)}, against {panel.x_label}"
    return Plot(alt, canvas.draw(paint, width=6.2, height=3.6))
