"""How methods look in the figures of a sweep, always the same: colour, shape and dashes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullLocator

from simkit.reports import canvas
from simkit.sweeps.places import rounded
from simkit.sweeps.results import AxisInfo

COLOURS = (
    canvas.BLUE,
    canvas.VERMILLION,
    canvas.GREEN,
    canvas.PURPLE,
    canvas.ORANGE,
    canvas.SKY,
    "black",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), ":")

NEAREST_TICKS = 0.09
"""Share of an axis that two values must be apart for both to be written under it."""


@dataclass(frozen=True)
class Look:
    """How one method is drawn.

    Attributes
    ----------
    name : str
        As the legend has it.
    colour, marker : str
    dash : object
        As matplotlib has them.
    oracle : bool
        An oracle's markers are empty and its lines thin.
    """

    name: str
    colour: str
    marker: str
    dash: Any
    oracle: bool = False

    @property
    def line(self) -> dict[str, Any]:
        """Settings of its lines and markers."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dash,
            "linewidth": 0.9 if self.oracle else 1.7,
            "markersize": 5.5,
            "markerfacecolor": "white" if self.oracle else self.colour,
            "label": self.name,
        }

    @property
    def dots(self) -> dict[str, Any]:
        """The same without a line between."""
        return {**self.line, "linestyle": "none"}


def looks(names: Sequence[str], oracles: Sequence[str] = ()) -> dict[str, Look]:
    """Return method → its look; the order of the names decides."""
    return {
        name: Look(
            name=f"{name} (oracle)" if name in oracles else name,
            colour=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            dash=DASHES[i % len(DASHES)],
            oracle=name in oracles,
        )
        for i, name in enumerate(names)
    }


def axis_title(axis: AxisInfo) -> str:
    """Write what stands along an axis, with its unit."""
    return f"{axis.name} ({axis.unit})" if axis.unit else axis.name


def place_of(axis: AxisInfo, value: Any) -> float:
    """Return where a value is drawn: a number at itself, a label at its turn."""
    return float(value) if axis.numeric else float(axis.labels.index(value))


def prepare(axes: Axes, axis: AxisInfo, *, vertical: bool = False) -> None:
    """Make one side of a chart that of a sweep's axis: its scale, ticks and title."""
    side = axes.yaxis if vertical else axes.xaxis
    side.set_label_text(axis_title(axis))
    if not axis.numeric:
        ticks = list(range(len(axis.labels)))
        side.set_ticks(ticks, [short(label) for label in axis.labels])
        if not vertical and max(map(len, axis.labels)) * len(axis.labels) > 40:
            axes.tick_params("x", rotation=30)
        (axes.set_ylim if vertical else axes.set_xlim)(-0.5, len(ticks) - 0.5)
        return
    log = axis.scale == "log" and min(axis.values) > 0
    if log:
        (axes.set_yscale if vertical else axes.set_xscale)("log")
        plain_log(side, axis.values)
    if _apart(axis.values, log=log):
        side.set_ticks(list(axis.values), [tick(value) for value in axis.values])


def plain_log(side: Axis, values: Sequence[float]) -> None:
    """Write plain numbers along a logarithmic side: 1, 2, 5, 10, or powers of ten where it is long."""
    side.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 300 * min(values) else (1,)))
    side.set_minor_locator(NullLocator())
    side.set_major_formatter(lambda value, _: rounded(value))


def tick(value: float) -> str:
    """Write a value under an axis, shorter than in a table."""
    return rounded(float(f"{value:.3g}"))


def _apart(values: Sequence[float], *, log: bool) -> bool:
    """Tell whether values lie far enough apart for each to be written."""
    places = np.log(values) if log else np.asarray(values, float)
    return len(places) < 2 or float(np.diff(places).min()) >= NEAREST_TICKS * float(np.ptp(places))


def short(label: str, most: int = 24) -> str:
    """Cut a long label, which stands in full in the table of cells."""
    return label if len(label) <= most else f"{label[: most - 1]}…"
