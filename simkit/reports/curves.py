"""Scores at every threshold and at every radius, with the ideal observer's under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from simkit.core.grid import FloatArray
from simkit.engine.results import Value
from simkit.judging.curve import Curve, RadiusCurve
from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot
from simkit.reports.wording import number
from simkit.theory.observer import IdealCurve

SIZE = {"width": 5.2, "height": 3.4}
"""Inches of one chart."""

MOST_POINTS = 400
"""Points of a curve that are drawn; more cannot be told apart at this size."""

CHANCE = 0.05
"""Share of chance matches above which the matching radius is too generous."""


@dataclass(frozen=True)
class Cut:
    """A picker at its own threshold."""

    recall: float | None
    precision: float | None
    apart: float | None
    """Picks without a particle."""


def precision_recall(
    picker: str, curve: Curve, cut: Cut, ideal: IdealCurve | None, *, complete: bool
) -> Illustration:
    """Show precision against recall over all thresholds."""
    kept = _thinned(len(curve.tp))
    bound = "" if complete else ", a lower bound"

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="recall", ylabel=f"precision{bound}")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.04))
        if ideal is not None:
            _ideal(axes, ideal.recall, ideal.precision)
        axes.plot(curve.recall[kept], curve.precision[kept], color=canvas.BLUE, linewidth=1.6, label=picker)
        _mark(axes, cut.recall, cut.precision)
        _key(figure)

    caption = (
        f"Precision against recall as the threshold of {picker} falls from left to right{_under(ideal)}. "
        "The closer to the upper right corner, the better."
    )
    if not complete:
        caption += (
            " Particles may be missing from the truth: a pick near none is unlabelled rather than false, and "
            "precision is a lower bound."
        )
    words = (
        f"own threshold at recall {number(cut.recall, digits=3)}, precision {number(cut.precision, digits=3)}"
    )
    plot = Plot(f"Precision against recall of {picker}; {words}", canvas.draw(paint, **SIZE))
    return Illustration(plot, caption)


def froc(
    picker: str, curve: Curve, cut: Cut, ideal: IdealCurve | None, *, complete: bool, ndim: int
) -> Illustration:
    """Show recall against picks without a particle, per area or else per micrograph."""
    kept = _thinned(len(curve.tp))
    size = curve.images if curve.area is None else curve.area
    per = "micrograph" if curve.area is None else "µm²" if ndim == 2 else "µm"
    apart = "false" if complete else "unlabelled"
    least = 0.5 / size

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel=f"{apart} picks per {per}", ylabel="recall", xscale="log")
        x = np.maximum(curve.fp[kept] / size, least)
        if ideal is not None:
            false = ideal.false_per_image if curve.area is None else ideal.false_per_area
            _ideal(axes, false, ideal.recall)
        axes.plot(x, curve.recall[kept], color=canvas.BLUE, linewidth=1.6, label=picker)
        _mark(axes, None if cut.apart is None else max(cut.apart / size, least), cut.recall)
        axes.set(xlim=(least, max(20 * least, 1.3 * float(x.max()))), ylim=(0, 1.04))
        few = x.max() < 100 * least
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axes.xaxis.set_major_formatter(_plain)
        axes.minorticks_off()
        _key(figure)

    caption = (
        f"Recall of {picker} against what it costs: {apart} picks per {per}, on a logarithmic "
        f"axis{_under(ideal)}. The higher and the farther left, the better."
    )
    among = "the micrograph" if curve.images == 1 else f"all {curve.images} micrographs together"
    note = f"The left edge stands for none: it is half a pick in {among}."
    if ideal is not None:
        note += (
            " The ideal is that of few particles: where they are crowded no pick is made beside one, and "
            "where false picks abound chance puts some on particles. Both lift the curve above it."
        )
    alt = f"Recall of {picker} against {apart} picks per {per}"
    return Illustration(Plot(alt, canvas.draw(paint, **SIZE)), caption, note)


def against_radius(picker: str, curve: RadiusCurve, radius: float, *, complete: bool) -> Illustration:
    """Show recall, precision and F1 against the matching radius, with the share of chance matches."""
    lines = (
        ("recall", curve.recall, canvas.BLUE, "-"),
        ("precision", curve.precision, canvas.VERMILLION, "-."),
        ("F1", curve.f1, "black", ":"),
        ("chance matches", curve.chance, "0.45", "--"),
    )

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="matching radius (Å)", ylabel="share")
        axes.set(ylim=(0, 1.04))
        for label, values, colour, style in lines:
            if np.isfinite(values).any():
                axes.plot(curve.radius, values, color=colour, linestyle=style, linewidth=1.6, label=label)
        axes.axvline(radius, color="0.3", linewidth=0.9, label=f"declared: {number(radius, 'Å')}")
        axes.margins(x=0)
        figure.legend(loc="outside upper center", ncols=3, frameon=False)

    caption = (
        f"How the scores of {picker} depend on how near a pick must be to a particle to count as found. "
        "The vertical line is the radius that this run is judged by; the dashed line is the share of "
        "randomly placed picks that would lie near a particle all the same."
    )
    bounds = "" if complete else " Precision and F1 are lower bounds."
    plot = Plot(f"Scores of {picker} against the matching radius", canvas.draw(paint, **SIZE))
    return Illustration(plot, f"{caption}{bounds}{chance_warning(curve, radius)}")


def chance_warning(curve: RadiusCurve, radius: float) -> str:
    """Say that the matching radius collects chance matches, where it does; else nothing."""
    chance = float(np.interp(radius, curve.radius, curve.chance))
    # Unknown (NaN) is not above anything.
    if not chance > CHANCE:
        return ""
    return (
        f" Warning: at {number(radius, 'Å')}, {100 * chance:.2g} % of randomly placed picks would count as "
        "found; a smaller radius tells picks from chance."
    )


def own_cut(values: Mapping[str, Value]) -> Cut:
    """Return where a picker's own threshold lies, from its scores."""
    false = values.get("fp")
    apart = values.get("unlabelled") if false is None else false
    return Cut(values.get("recall"), values.get("precision"), apart)


def _thinned(n: int) -> FloatArray:
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(int))


def _ideal(axes: Axes, x: FloatArray, y: FloatArray) -> None:
    axes.plot(x, y, color="0.65", linewidth=3.5, label="ideal observer", zorder=1)


def _mark(axes: Axes, x: float | None, y: float | None) -> None:
    if x is None or y is None:
        return
    (dot,) = axes.plot([x], [y], "o", label="own threshold", clip_on=False, zorder=4, markersize=9)
    dot.set(markeredgecolor="black", markerfacecolor=canvas.ORANGE)


def _key(figure: Figure) -> None:
    figure.legend(loc="outside upper center", ncols=3, frameon=False)


def _under(ideal: IdealCurve | None) -> str:
    return "" if ideal is None else "; in grey, the ideal observer: the best that any picker could do"


def _plain(value: float, _: float) -> str:
    return number(float(value))
