"""One image with its picks drawn on it: what `simkit pick` shows."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, RegularPolygon
from matplotlib.patheffects import Normal, Stroke
from scipy.ndimage import gaussian_filter

from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks
from simkit.reports import canvas

OUTLINES: tuple[tuple[int | None, str], ...] = (
    (None, canvas.SKY),
    (4, canvas.ORANGE),
    (3, canvas.GREEN),
    (6, canvas.PURPLE),
    (5, canvas.VERMILLION),
)
"""Corners (none: a circle) and colour of each class in turn: never colour alone."""

SIDE = 1100
"""Pixels along the longer side of the picture."""

HALO = [Stroke(linewidth=3.5, foreground="black"), Normal()]


def picks_picture(
    pixels: FloatArray, grid: Grid, picks: Picks, *, supports: Mapping[str, float], title: str
) -> bytes:
    """Draw picks on their micrograph, outlined by class and turned by ψ.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image; for the eye it is smoothed by half a per cent of its width and stretched.
    grid : Grid
        Its grid.
    picks : Picks
        On this micrograph.
    supports : mapping
        Class → radius in Å of the outline.
    title : str
        Text above the picture.

    Returns
    -------
    bytes
        A PNG, the same every time.
    """
    smooth = gaussian_filter(np.asarray(pixels, np.float32), max(pixels.shape) / 1000)
    shown = canvas.levels(canvas.shrink(smooth, SIDE), clip=0.5)
    height, width = shown.shape
    buffer = io.BytesIO()
    with matplotlib.style.context("default", after_reset=True):
        figure = Figure(figsize=(width / 100, height / 100 + 0.6), dpi=100, layout="constrained")
        axes = figure.subplots()
        _paint(axes, shown, grid)
        classes = {name: OUTLINES[i % len(OUTLINES)] for i, name in enumerate(supports)}
        for row in picks.rows():
            _outline(axes, row, grid, *classes[row["class"]], supports[row["class"]])
        axes.set_title(title, fontsize=11, loc="left", parse_math=False)
        counts = {name: int((picks["class"] == name).sum()) for name in classes}
        keys = [_key(*style, f"{name}: {counts[name]}") for name, style in classes.items()]
        figure.legend(handles=keys, loc="upper right", ncols=len(keys), frameon=False)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _paint(axes: Axes, shown: FloatArray, grid: Grid) -> None:
    ny, nx = grid.shape
    axes.imshow(shown, cmap="gray", extent=(-0.5, nx - 0.5, ny - 0.5, -0.5), interpolation="nearest")
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(ny - 0.5, -0.5), xlabel="x (pixels)", ylabel="y (pixels)")


def _outline(
    axes: Axes, row: Mapping[str, float], grid: Grid, corners: int | None, colour: str, support: float
) -> None:
    y, x = (float(index) for index in grid.indices(row["y"], row["x"]))
    radius = support / grid.pixel_size
    psi = np.deg2rad(row["psi"]) if np.isfinite(row["psi"]) else 0.0
    shape: Patch = Circle((x, y), radius)
    if corners is not None:
        # A polygon starts with a corner on its axis; half a side's turn lays a flat side across ψ = 0.
        shape = RegularPolygon((x, y), corners, radius=radius, orientation=psi + np.pi / corners)
    shape.set(fill=False, edgecolor=colour, linewidth=1.8, path_effects=HALO)
    axes.add_patch(shape)
    axes.plot(x, y, marker="+", markersize=9, markeredgewidth=1.8, color=colour, path_effects=HALO)


def _key(corners: int | None, colour: str, label: str) -> Line2D:
    marker = "o" if corners is None else {3: "^", 4: "s", 5: "p", 6: "h"}[corners]
    return Line2D(
        [], [], linestyle="", marker=marker, markersize=10, fillstyle="none", color=colour, label=label
    )
