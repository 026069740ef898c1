"""Metrics of a sweep against its axes, with their intervals and what theory allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot
from simkit.reports.sweep_layout import MOST_PANELS, Layout, Panel, spread
from simkit.reports.sweep_looks import Look, place_of, prepare, short
from simkit.reports.sweep_table import SHARES, Scores
from simkit.reports.wording import conjoined, name_of, number

PANEL = {"width": 3.1, "height": 2.3}
SINGLE = {"width": 5.2, "height": 3.5}
"""Inches of one panel of several, and of one alone."""

COLUMNS = 3
"""Panels beside each other."""

DODGE = 0.16
"""Share of the distance of two labels by which methods stand beside each other."""

MOST_TOLD = 40
"""Points that the words in place of a figure list."""

LIMIT: dict[str, Any] = {"color": "0.65", "linewidth": 3.5, "zorder": 1}


def chart(scores: Scores, layout: Layout, metric: str, looks: Mapping[str, Look]) -> Illustration:
    """Draw a metric of every method along an axis, a panel for each combination of the others."""
    panels = spread(layout.panels, MOST_PANELS)
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = (
        SINGLE
        if len(panels) == 1
        else {"width": PANEL["width"] * columns, "height": PANEL["height"] * rows + 0.5}
    )

    def paint(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            _panel(axes, scores, layout, panel, metric, looks)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for i, axes in enumerate(grid[: len(panels)]):
            # Of a column whose last row is empty, the lowest panel has the ticks.
            axes.tick_params(labelbottom=i + columns >= len(panels))
            axes.set_xlabel(axes.get_xlabel() if i + columns >= len(panels) else "")
            axes.set_ylabel(_title(scores, metric) if i % columns == 0 else "")
        handles: dict[str, Any] = {}
        for axes in grid[: len(panels)]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside upper center",
            ncols=4,
            frameon=False,
            handlelength=3.2,
        )

    return Illustration(
        Plot(_alt(scores, layout, metric), canvas.draw(paint, **size)),
        _caption(scores, layout, metric),
        _note(scores, layout, metric),
    )


def _title(scores: Scores, metric: str) -> str:
    unit = scores.result.units.get(metric, "")
    return f"{short(name_of(metric), 30)} ({unit})" if unit else short(name_of(metric), 30)


def _panel(
    axes: Axes, scores: Scores, layout: Layout, panel: Panel, metric: str, looks: Mapping[str, Look]
) -> None:
    across = layout.across
    prepare(axes, across)
    axes.set_title(short(panel.title, 44))
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    _limits(axes, scores, layout, panel, metric)
    joined = across.numeric and not layout.scattered
    for turn, (picker, look) in enumerate(looks.items()):
        shift = 0.0 if across.numeric else DODGE * (turn - (len(looks) - 1) / 2)
        points = [
            (
                place_of(across, cell[across.name]) + shift,
                value,
                scores.interval(cell["cell"], picker, metric),
            )
            for cell in panel.cells
            if (value := scores.value(cell["cell"], picker, metric)) is not None
        ]
        if not points:
            continue
        bars = [(x, *ends) for x, _, ends in points if ends is not None]
        if bars:
            axes.vlines(*zip(*bars, strict=True), color=look.colour, linewidth=1.1, alpha=0.8, zorder=2)
        style = look.line if joined else look.dots
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], zorder=3, clip_on=False, **style)
    _crossings(axes, scores, layout, panel, metric)
    if metric in SHARES:
        axes.set_ylim(0, 1.04)
    else:
        axes.set_ylim(bottom=0)


def _limits(axes: Axes, scores: Scores, layout: Layout, panel: Panel, metric: str) -> None:
    across = layout.across
    points = [
        (place_of(across, cell[across.name]), limit)
        for cell in panel.cells
        if (limit := scores.limit(cell["cell"], metric)) is not None
    ]
    label = limit_name(metric)
    if not points:
        return
    x, y = zip(*points, strict=True)
    if across.numeric and not layout.scattered:
        axes.plot(x, y, label=label, **LIMIT)
        if len(points) == 1:
            axes.plot(x, y, "_", markersize=16, markeredgewidth=3.5, color="0.65", zorder=1)
    else:
        axes.plot(x, y, "_", label=label, markersize=16, markeredgewidth=3.5, color="0.65", zorder=1)


def limit_name(metric: str) -> str:
    """Name what theory allows of a metric."""
    return "Cramér–Rao bound" if metric == "rmse" else "ideal observer"


def _crossings(axes: Axes, scores: Scores, layout: Layout, panel: Panel, metric: str) -> None:
    """Mark where a search along the axis found that the metric crosses what was looked for."""
    sweep = scores.result.scenario.sweep
    if sweep is None or sweep.find is None or sweep.find.metric != metric or not panel.cells:
        return
    if sweep.find.crosses is not None:
        axes.axhline(sweep.find.crosses, color="0.3", linewidth=0.8, linestyle=(0, (1, 2)))
    for answer in scores.result.answers:
        if answer.get("along") != layout.across.name or answer.get("value") is None:
            continue
        labels = {
            a.name: a.labels[_index(a, panel.cells[0][a.name])]
            for a in scores.axes
            if a.name in answer.get("others", {})
        }
        if labels != answer.get("others", {}):
            continue
        axes.axvline(answer["value"], color="black", linewidth=1.2, label="crossing")
        if answer.get("low") is not None and answer.get("high") is not None:
            axes.axvspan(*sorted((answer["low"], answer["high"])), color="0.88", zorder=0)


def _index(axis: Any, value: Any) -> int:
    return int((axis.values if axis.numeric else axis.labels).index(value))


def _caption(scores: Scores, layout: Layout, metric: str) -> str:
    against = f"{_capital(name_of(metric))} against {layout.across.name}"
    if len(layout.panels) > 1:
        against += ", in a panel for each combination of the other axes"
    text = f"{against}. Bars through the markers are 95 % intervals"
    if any(scores.limit(cell["cell"], metric) is not None for panel in layout.panels for cell in panel.cells):
        text += f"; in grey, the {limit_name(metric)}"
    return f"{text}."


def _note(scores: Scores, layout: Layout, metric: str) -> str:
    notes = []
    score = scores.result.scenario.score
    if metric in ("f1", "recall_at_equal_false") and scores.ceilings and score is not None:
        allowed = number(score.equal_false_picks, digits=3)
        notes.append(f"The ideal observer makes {allowed} false picks a micrograph on average.")
    if metric == "f1" and scores.ceilings:
        notes.append(
            "A picker whose own threshold lets through more of them, or fewer, trades precision for recall, "
            "and may lie above it in one of the two."
        )
    lattice = [name for name in scores.pickers if _fits_a_lattice(scores, name)]
    if lattice and metric in SHARES and scores.ceilings:
        notes.append(f"It knows of no lattice, and is no limit where one is fitted: {conjoined(lattice)}.")
    if metric == "rmse" and any(scores.limit(c["cell"], metric) is not None for c in scores.cells):
        notes.append(
            "The bound is about the particles that were found; where hardly any are, chance matches and the "
            "matching radius decide the RMSE."
        )
    left = len(layout.panels) - MOST_PANELS
    if left > 0:
        notes.append(f"{left} panels between these are left out; scores.csv has them.")
    return " ".join(notes)


def _fits_a_lattice(scores: Scores, picker: str) -> bool:
    return getattr(scores.result.scenario.pickers[picker], "lattice", "none") == "fitted"


def _alt(scores: Scores, layout: Layout, metric: str) -> str:
    cells = [cell for panel in layout.panels for cell in panel.cells]
    told = [
        f"{picker} {number(value, digits=3)} at {scores.place(cell)}"
        for cell in cells
        for picker in scores.pickers
        if (value := scores.value(cell["cell"], picker, metric)) is not None
    ]
    more = f"; and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return f"{_capital(name_of(metric))} against {layout.across.name}: {'; '.join(told[:MOST_TOLD])}{more}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
