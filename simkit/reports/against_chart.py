"""The gains of one version of a picker over another, each in units of the loss that it may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.core.grid import FloatArray
from simkit.reports import canvas
from simkit.reports.contest import Contest
from simkit.reports.elements import Illustration, Plot
from simkit.reports.wording import name_of, plural

WIDEST = 3.0
"""Margins either way that the chart shows; what lies beyond stands at its edge."""


def gains_chart(contests: Sequence[Contest]) -> Illustration | None:
    """Draw every gain of which something is demanded, with its limits; None where nothing is.

    Parameters
    ----------
    contests : sequence of Contest
        In the order of the page.
    """
    demanded = [(c, gain, gain.margin) for c in contests for gain in c.gains if gain.margin is not None]
    if not demanded:
        return None
    names = [f"{contest.name}: {name_of(gain.metric)}" for contest, gain, _ in demanded]
    values = np.array([[g.low / margin, g.gain / margin, g.high / margin] for _, g, margin in demanded])
    held = [bool(gain.passed) for _, gain, _ in demanded]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="gain, in units of its margin (right: the new version is better)")
        axes.axvspan(-WIDEST, -1, color="0.92")
        axes.axvline(0, color="0.45", linewidth=1)
        axes.axvline(-1, color=canvas.VERMILLION, linestyle="--", linewidth=1.4)
        for place, (three, holds) in enumerate(zip(np.clip(values, -WIDEST, WIDEST), held, strict=True)):
            _row(axes, place, three, holds=holds)
        axes.set(xlim=(-WIDEST, WIDEST), ylim=(len(names) - 0.5, -0.5))
        axes.set_yticks(range(len(names)), names)

    failed = held.count(False)
    caption = (
        "What is demanded, each in units of its margin, the loss that is allowed (dashed). A bar is where "
        "the true gain lies: one that reaches the grey fails (vermillion square), one clear of it passes "
        f"(blue dot). What lies beyond {WIDEST:g} margins is drawn at the edge."
    )
    alt = f"Gains of {plural(len(names), 'expectation')} in units of their margins; {failed} fail"
    size = {"width": 7.6, "height": 0.9 + 0.3 * len(names)}
    return Illustration(Plot(alt, canvas.draw(paint, **size)), caption)


def _row(axes: Axes, place: int, three: FloatArray, *, holds: bool) -> None:
    low, gain, high = three
    colour, marker = (canvas.BLUE, "o") if holds else (canvas.VERMILLION, "s")
    axes.plot([low, high], [place, place], color=colour, linewidth=2, clip_on=False)
    axes.plot(gain, place, marker, color=colour, markersize=7, clip_on=False)
