"""Where picks lie relative to the particles, in Å and in units of what physics allows."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from simkit.core.grid import FloatArray
from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot
from simkit.reports.marks import Outcomes
from simkit.reports.wording import number, plural


def localisation(
    picker: str, outcomes: Outcomes, radius: float, pixel_size: float, ndim: int
) -> Illustration:
    """Show pick − truth of every hit, with their mean, the matching radius and one pixel for scale."""
    dy, dx = outcomes.displacements()
    if ndim == 1:
        return _localisation_line(picker, dx, pixel_size)
    near = max(1.5 * float(np.percentile(np.hypot(dy, dx), 90)), 0.6 * pixel_size)
    beyond = int((np.maximum(np.abs(dy), np.abs(dx)) > near).sum())
    title = f"magnified; {beyond} outside" if beyond else "magnified"

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        _scatter(left, dy, dx, 1.08 * radius, "whole matching radius", radius, pixel_size)
        _scatter(right, dy, dx, near, title, radius, pixel_size)

    down, right = (number(float(d.mean()), "Å", digits=2) for d in (dy, dx))
    words = f"mean {down} along y, {right} along x"
    plot = Plot(
        f"Scatter of pick minus truth for {len(dx)} hits of {picker}: {words}",
        canvas.draw(paint, width=5.6, height=3.0),
    )
    caption = (
        f"Where {picker} puts a pick relative to the true centre ({words}). Dots are hits, the vermillion "
        "plus is their mean, the dotted square is one pixel, the dashed circle the matching radius."
    )
    return Illustration(plot, caption)


def _scatter(
    axes: Axes, dy: FloatArray, dx: FloatArray, limit: float, title: str, radius: float, pixel_size: float
) -> None:
    axes.set(xlim=(-limit, limit), ylim=(limit, -limit), aspect="equal", title=title)
    axes.set(xlabel="pick − truth along x (Å)", ylabel="along y, down (Å)")
    axes.axhline(0, color="0.85", linewidth=0.8)
    axes.axvline(0, color="0.85", linewidth=0.8)
    many = len(dx) > canvas.RASTER_ABOVE
    axes.plot(dx, dy, "o", color=canvas.BLUE, markersize=3.5, alpha=0.6, rasterized=many)
    axes.plot(dx.mean(), dy.mean(), "P", color=canvas.VERMILLION, markeredgecolor="white", markersize=9)
    axes.add_patch(Circle((0, 0), radius, fill=False, linestyle="--", edgecolor="0.3"))
    corner, side = (-pixel_size / 2, -pixel_size / 2), pixel_size
    axes.add_patch(Rectangle(corner, side, side, fill=False, linestyle=":", edgecolor="0.3"))


def _localisation_line(picker: str, dx: FloatArray, pixel_size: float) -> Illustration:
    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="pick − truth (Å)", ylabel="hits")
        axes.hist(dx, 25, color=(canvas.BLUE, 0.4), edgecolor=canvas.BLUE)
        axes.axvline(dx.mean(), color=canvas.VERMILLION, linestyle="--")

    return Illustration(
        Plot(f"Histogram of pick minus truth of {len(dx)} hits", canvas.draw(paint, width=5.2, height=3.2)),
        f"Where {picker} puts a pick relative to the true position; the dashed line is the mean. "
        f"A pixel is {pixel_size:g} Å.",
    )


WIDEST = 5.0
"""Limits either way that the histogram of errors shows; what lies beyond is counted."""


def over_limit(picker: str, outcomes: Outcomes, ndim: int) -> Illustration | None:
    """Show pick − truth ÷ Cramér–Rao limit of every hit whose limit is known; None if there is none.

    The axes are pooled: where errors are Gaussian and attain the limit, each is drawn from N(0, 1).
    """
    errors = errors_over_limit(outcomes, ndim)
    if not len(errors):
        return None
    inside = errors[np.abs(errors) <= WIDEST]
    edges = np.linspace(-WIDEST, WIDEST, 41)
    rms = number(float(np.sqrt(np.mean(errors**2))), digits=3)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot(xlabel="(pick − truth) ÷ limit", ylabel="errors")
        pale = canvas.paler(canvas.BLUE)
        axes.hist(inside, edges.tolist(), label=picker, facecolor=pale, edgecolor=canvas.BLUE)
        z = np.linspace(-WIDEST, WIDEST, 201)
        ideal = len(errors) * (edges[1] - edges[0]) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        axes.plot(z, ideal, color="black", linewidth=1.6, label="at the limit")
        axes.margins(x=0)
        figure.legend(loc="outside upper right", ncols=2, frameon=False)

    beyond = len(errors) - len(inside)
    rest = f" {plural(beyond, 'error')} beyond ±{WIDEST:g} limits: not shown." if beyond else ""
    caption = (
        f"Errors of position of the hits of {picker}, each divided by its own Cramér–Rao limit, the least "
        "that any unbiased picker can have. Bars that fill the black curve are as good as physics allows; "
        f"wider ones are worse. Root mean square: {rms} limits.{rest}"
    )
    alt = f"Histogram of {len(errors)} errors of {picker} over their limits, root mean square {rms}"
    return Illustration(Plot(alt, canvas.draw(paint, width=5.2, height=3.2)), caption)


def errors_over_limit(outcomes: Outcomes, ndim: int) -> FloatArray:
    """Return pick − truth of every hit in units of its Cramér–Rao limit, all axes together.

    Hits without a limit are left out.
    """
    truth = outcomes.truth.take(outcomes.pairs[:, 0])
    along = zip(outcomes.displacements(), (truth["sigma_y"], truth["sigma_x"]), strict=True)
    both = [error[sigma > 0] / sigma[sigma > 0] for error, sigma in along]
    return np.concatenate(both[-ndim:])
