"""What the cells of a sweep cost: seconds a micrograph, against the axes and against what they buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot, Table
from simkit.reports.sweep_layout import Layout
from simkit.reports.sweep_looks import Look, place_of, plain_log, prepare, short
from simkit.reports.sweep_table import Scores
from simkit.reports.wording import number
from simkit.sweeps.duels import method_axes
from simkit.sweeps.places import place_text

SIZE = {"width": 5.2, "height": 3.5}

MOST_NAMED = 12
"""Points of the trade-off whose values are written beside them."""

SIMULATION = Look("simulation", "0.5", "x", (0, (1, 2)))


def costs(scores: Scores) -> dict[tuple[int, str], float]:
    """Return (cell, stage) → mean seconds of one core for a micrograph."""
    return {(row["cell"], row["stage"]): row["seconds"] for row in scores.result.costs.to_pylist()}


def cost_table(scores: Scores) -> Table | None:
    """Tell what each stage costs over the cells; None where nothing was timed."""
    spent = costs(scores)
    stages = sorted(dict.fromkeys(stage for _, stage in spent), key=lambda name: name != "simulation")
    if not stages:
        return None
    rows = []
    for stage in stages:
        values = [seconds for (_, name), seconds in spent.items() if name == stage]
        rows.append([stage, *(_seconds(f(values)) for f in (np.median, np.min, np.max))])
    caption = "Seconds of one core for a micrograph, over the cells"
    return Table(caption, ["stage", "median", "least", "most"], rows)


def cost_chart(scores: Scores, layout: Layout, looks: Mapping[str, Look]) -> Illustration | None:
    """Draw the cost of every stage against the axis that is drawn across; None where nothing was timed."""
    spent = costs(scores)
    cells = [cell for panel in layout.panels for cell in panel.cells]
    stages = {"simulation": SIMULATION, **looks}
    drawn = {
        name: [
            (place_of(layout.across, c[layout.across.name]), spent[c["cell"], name])
            for c in cells
            if (c["cell"], name) in spent
        ]
        for name in stages
    }
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(ylabel="seconds a micrograph", yscale="log")
        prepare(axes, layout.across)
        for name, points in drawn.items():
            x = sorted({at for at, _ in points})
            spent_at = [[seconds for at, seconds in points if at == place] for place in x]
            axes.vlines(x, [min(s) for s in spent_at], [max(s) for s in spent_at], color=stages[name].colour)
            style = stages[name].line if layout.across.numeric else stages[name].dots
            axes.plot(x, [float(np.median(s)) for s in spent_at], **style)
        plain_log(axes.yaxis, [s for points in drawn.values() for _, s in points])
        axes.grid(color="0.92")
        figure.legend(loc="outside upper center", ncols=4, frameon=False)

    words = ", ".join(
        f"{name} {_seconds(float(np.median([s for _, s in p])))} s" for name, p in drawn.items()
    )
    caption = (
        f"What a micrograph costs on one core, against {layout.across.name}: medians, least and most. "
        "Cells that share their micrographs share what simulating them cost."
    )
    return Illustration(
        Plot(f"Cost against {layout.across.name}: {words}", canvas.draw(paint, **SIZE)), caption
    )


def trade_off(scores: Scores, looks: Mapping[str, Look]) -> Illustration | None:
    """Draw recall against cost, where an axis changes the search and so what it costs; else None."""
    varied, spent = method_axes(scores.result), costs(scores)
    points = {
        picker: [
            (spent[cell["cell"], picker], value, cell)
            for cell in scores.cells
            if (value := scores.value(cell["cell"], picker, "recall")) is not None
            and (cell["cell"], picker) in spent
        ]
        for picker in scores.pickers
    }
    everything = [point for members in points.values() for point in members]
    if not varied or len(everything) < 2:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="seconds a micrograph", ylabel="recall", xscale="log")
        for picker, members in points.items():
            for seconds, _, cell in members:
                ends = scores.interval(cell["cell"], picker, "recall")
                if ends is not None:
                    axes.plot([seconds] * 2, ends, color=looks[picker].colour, linewidth=1.1, alpha=0.8)
            axes.plot([p[0] for p in members], [p[1] for p in members], **looks[picker].dots)
        if len(everything) <= MOST_NAMED:
            for seconds, value, cell in everything:
                place = short(place_text(varied, cell), 26)
                axes.annotate(place, (seconds, value), (5, 4), textcoords="offset points", fontsize=8)
        axes.set_ylim(0, 1.04)
        axes.margins(x=0.2)
        plain_log(axes.xaxis, [seconds for seconds, _, _ in everything])
        axes.grid(color="0.92")
        if len(points) > 1:
            figure.legend(loc="outside upper center", ncols=4, frameon=False)

    words = "; ".join(
        f"{place_text(varied, cell)}: recall {number(value, digits=3)} for {_seconds(seconds)} s"
        for seconds, value, cell in everything[:MOST_NAMED]
    )
    names = " and ".join(axis.name for axis in varied)
    caption = f"What {names} buys: recall against its cost, with 95 % intervals. Upper left is better."
    return Illustration(Plot(f"Recall against cost. {words}", canvas.draw(paint, **SIZE)), caption)


def _seconds(value: float | Sequence[float]) -> str:
    return number(float(np.asarray(value)), digits=2)
