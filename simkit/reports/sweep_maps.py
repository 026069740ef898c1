"""Two axes of a sweep as a map: a number in every cell, and which method is best in it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot
from simkit.reports.sweep_layout import Panel, panels_of, spread
from simkit.reports.sweep_looks import Look, axis_title, prepare, short, tick
from simkit.reports.sweep_standing import Standing
from simkit.reports.sweep_table import SHARES, Row, Scores
from simkit.reports.wording import name_of, number
from simkit.sweeps.places import place_text
from simkit.sweeps.results import AxisInfo

MOST_MAPS = 12
"""Maps of a figure."""

MOST_ACROSS, MOST_UP = 14, 30
"""Values of the axes up to which numbers fit into the cells of a map."""

FILLED = 0.5
"""Share of its places that must hold a cell for a pair of axes to be a map."""

COLUMNS = 2

FAILED: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.45", "hatch": "////", "linewidth": 0.0}
"""A cell that failed; one that is not part of the sweep stays empty."""

FAILED_COLOUR = (0.6, 0.6, 0.6)
"""The same on a map too fine for hatching."""

LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Field:
    """What is written and painted in one cell of a map; `strong` is written bold."""

    text: str
    colour: tuple[float, float, float] | None
    strong: bool = False


Painted = Callable[[Row], Field]


def sides(scores: Scores) -> tuple[AxisInfo, AxisInfo] | None:
    """Return the axes across and up of the maps: those of most values; None where cells are no grid."""
    sweep = scores.result.scenario.sweep
    if len(scores.axes) < 2 or (sweep is not None and sweep.find is not None):
        return None
    across, up = sorted(scores.axes, key=lambda axis: -len(axis.labels))[:2]
    panels = panels_of(scores.cells, scores.axes, (across, up))
    places = len(panels) * len(across.labels) * len(up.labels)
    if not panels or len(scores.cells) < FILLED * places:
        return None
    return across, up


def score_map(scores: Scores, metric: str) -> Illustration | None:
    """Write a metric into the cells of a map for each picker; None where there is nothing to map."""
    found = sides(scores)
    if found is None:
        return None
    panels = panels_of(scores.cells, scores.axes, found)
    known = [v for key in scores.by_cell if (v := scores.value(*key, metric)) is not None]
    low, high = (0.0, 1.0) if metric in SHARES else (min(known), max(known))
    names = [f"{picker} (oracle)" if scores.oracle(picker) else picker for picker in scores.pickers]

    def field(picker: str) -> Painted:
        def painted(cell: Row) -> Field:
            value = scores.value(cell["cell"], picker, metric)
            if value is None:
                return Field("–", None)
            share = (value - low) / (high - low) if high > low else 0.5
            share = share if metric in SHARES else 1 - share
            return Field(_number(value), _viridis(share))

        return painted

    maps = [
        (f"{name}, {panel.title}" if panel.title else name, panel, field(picker))
        for panel in panels
        for picker, name in zip(scores.pickers, names, strict=True)
    ]
    better = "brighter" if metric in SHARES else "darker is larger: brighter"
    caption = f"{name_of(metric)} in every cell; {better} is better.{_key(scores, panels, found)}"
    return _figure(maps, found, f"Map of {name_of(metric)} over {found[0].name} and {found[1].name}", caption)


def win_map(
    scores: Scores, standings: Mapping[int, Standing], looks: Mapping[str, Look]
) -> Illustration | None:
    """Write into each cell of a map which picker is best in it, and whether that is sure."""
    found = sides(scores)
    if found is None or not standings:
        return None

    def painted(cell: Row) -> Field:
        standing = standings.get(cell["cell"])
        if standing is None:
            return Field("–", None)
        red, green, blue = to_rgb(looks[standing.best].colour)
        share = 0.55 if standing.sure else 0.18
        colour = tuple(share * part + 1 - share for part in (red, green, blue))
        text = short(standing.best, 14) + ("" if standing.sure else " ?")
        return Field(text, (colour[0], colour[1], colour[2]), standing.sure)

    panels = panels_of(scores.cells, scores.axes, found)
    maps = [(panel.title, panel, painted) for panel in panels]
    caption = (
        "The picker with the highest F1 in every cell. Bold on a strong colour: better than every other, by "
        "the intervals of their differences; pale, with a question mark: not told apart from all others."
        f"{_key(scores, panels, found)}"
    )
    return _figure(maps, found, f"Which picker is best over {found[0].name} and {found[1].name}", caption)


def win_scatter(
    scores: Scores, standings: Mapping[int, Standing], looks: Mapping[str, Look]
) -> Illustration | None:
    """Mark which picker is best where cells lie anywhere between two axes; None where there are no two."""
    axes_drawn = sorted((a for a in scores.axes if a.numeric), key=lambda axis: -len(axis.labels))[:2]
    if len(axes_drawn) < 2 or not standings:
        return None
    across, up = axes_drawn

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        prepare(axes, across)
        prepare(axes, up, vertical=True)
        for picker, look in looks.items():
            for certain in (True, False):
                cells = [
                    cell
                    for cell in scores.cells
                    if (standing := standings.get(cell["cell"])) is not None
                    and (standing.best, standing.sure) == (picker, certain)
                    and cell[across.name] is not None
                    and cell[up.name] is not None
                ]
                if cells:
                    style = look.dots | {"markersize": 8, "markeredgewidth": 1.6}
                    style |= {} if certain else {"markerfacecolor": "white", "label": f"{look.name} ?"}
                    axes.plot([c[across.name] for c in cells], [c[up.name] for c in cells], **style)
        axes.grid(color="0.92")
        figure.legend(loc="outside upper center", ncols=4, frameon=False)

    told = [
        f"{scores.place(cell)}: {standing.best}{'' if standing.sure else ' ?'}"
        for cell in scores.cells
        if (standing := standings.get(cell["cell"])) is not None
    ]
    caption = (
        "The picker with the highest F1 in every cell. Filled: better than every other, by the intervals of "
        "their differences; empty, with a question mark: not told apart from all others."
    )
    alt = f"Which picker is best over {across.name} and {up.name}. {'; '.join(told[:60])}"
    return Illustration(Plot(alt, canvas.draw(paint, width=6.2, height=4.2)), caption)


def _key(scores: Scores, panels: Sequence[Panel], found: tuple[AxisInfo, AxisInfo]) -> str:
    """Say what hatched and empty cells are, where there are such."""
    places = len(panels) * math.prod(len(axis.labels) for axis in found)
    failed = " Hatched or plain grey: failed." if any(cell["failed"] for cell in scores.cells) else ""
    return failed + (" Empty: not part of the sweep." if len(scores.cells) < places else "")


def _figure(
    maps: Sequence[tuple[str, Panel, Painted]], found: tuple[AxisInfo, AxisInfo], alt: str, caption: str
) -> Illustration:
    across, up = found
    shown = maps[:MOST_MAPS]
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    width = min(9.6 / columns, max(2.6, 1.0 + 0.68 * len(across.labels)))
    height = 0.95 + 0.36 * min(len(up.labels), MOST_UP)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        for axes, (title, panel, painted) in zip(grid, shown, strict=False):
            _map(axes, title, panel, painted, across, up)

    note = f"{len(maps) - MOST_MAPS} more maps are left out." if len(maps) > MOST_MAPS else ""
    words = "; ".join(
        f"{title}{', ' if title else ''}{place_text(found, cell)}: "
        f"{'failed' if cell['failed'] else painted(cell).text}"
        for title, panel, painted in shown[:4]
        for cell in panel.cells[:30]
    )
    size = {"width": width * columns, "height": height * rows}
    return Illustration(Plot(f"{alt}. {words}", canvas.draw(paint, **size)), caption, note)


def _map(axes: Axes, title: str, panel: Panel, painted: Painted, across: AxisInfo, up: AxisInfo) -> None:
    columns, rows = len(across.labels), len(up.labels)
    small = columns <= MOST_ACROSS and rows <= MOST_UP
    colours = np.ones((rows, columns, 3))
    for cell in panel.cells:
        x, y = _turn(across, cell), _turn(up, cell)
        if cell["failed"] and small:
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, zorder=2, **FAILED))
            continue
        field = painted(cell)
        colours[y, x] = FAILED_COLOUR if cell["failed"] else field.colour or (1.0, 1.0, 1.0)
        if small:
            ink = "black" if colours[y, x] @ LUMINANCE > 0.55 else "white"
            weight = "bold" if field.strong else "normal"
            axes.text(x, y, field.text, ha="center", va="center", color=ink, weight=weight, fontsize=8)
    edges = {"edgecolors": "white", "linewidth": 0.8} if small else {"rasterized": True}
    axes.pcolormesh(np.arange(columns), np.arange(rows), colours, shading="nearest", **edges)
    axes.set(title=short(title, 60), xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5))
    for side, axis in ((axes.xaxis, across), (axes.yaxis, up)):
        ticks = spread(range(len(axis.labels)), MOST_ACROSS)
        side.set_ticks(list(ticks), [_tick(axis, i) for i in ticks])
        side.set_label_text(axis_title(axis))
    axes.tick_params(length=0)
    if not across.numeric and max(map(len, across.labels)) > 9:
        axes.tick_params("x", rotation=30)


def _turn(axis: AxisInfo, cell: Row) -> int:
    return int((axis.values if axis.numeric else axis.labels).index(cell[axis.name]))


def _tick(axis: AxisInfo, i: int) -> str:
    return tick(axis.values[i]) if axis.numeric else short(axis.labels[i])


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else number(value, digits=3)


def _viridis(share: float) -> tuple[float, float, float]:
    red, green, blue = _steps()[round(255 * share)]
    return red, green, blue


@functools.cache
def _steps() -> list[list[float]]:
    """Return the steps of the colour map; asking it for one colour at a time takes a millisecond."""
    return np.asarray(colormaps[canvas.SCORE_COLOURS](np.arange(256)))[:, :3].tolist()
