"""A found lattice in one picture: sites on the image, spots on its spectrum, averaged cell, distortion."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.patheffects import Normal, Stroke

from simkit.core.grid import FloatArray
from simkit.core.net import reciprocal
from simkit.indexing.lattice import FoundLattice
from simkit.indexing.spectrum import flattened
from simkit.reports import canvas

SIDE = 900
"""Pixels along the longer side of the drawn image."""

CELLS_SHOWN = 28
"""Cells across the image beyond which only its middle is drawn, so that each is still seen."""

MOST_ARROWS = 400
"""Displacements that are drawn, at most: of more, only every second, third … row of sites has one."""

LABELLED = 8
"""Strongest spots whose (h, k) is written beside them."""

BEYOND = 1.4
"""Frequency, relative to the outermost explained spot, up to which the spectrum is drawn."""

BRIGHTEST = 1e4
"""Power over background that is drawn white."""

CELL_SAMPLES = 160
"""Pixels along the averaged cell's picture."""

DARK_HALO = [Stroke(linewidth=3.2, foreground="black"), Normal()]
TEXT_HALO = [Stroke(linewidth=2.5, foreground="black"), Normal()]

_STYLE = {"font.size": 9.5, "axes.titlesize": 10.5, "text.parse_math": False}


def lattice_picture(pixels: FloatArray, found: FoundLattice, *, title: str) -> bytes:
    """Draw a lattice that was found.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image.
    found : FoundLattice
        Its lattice.
    title : str
        What was found, in a line or two.

    Returns
    -------
    bytes
        A PNG, the same every time.
    """
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", _STYLE], after_reset=True):
        figure = Figure(figsize=(13.2, 7.6), dpi=100, layout="constrained")
        grid = figure.add_gridspec(2, 3, width_ratios=[2.3, 1, 1], height_ratios=[1.45, 1])
        _draw_image(figure.add_subplot(grid[:, 0]), pixels, found)
        _draw_spectrum(figure.add_subplot(grid[0, 1:]), pixels, found)
        _draw_cell(figure.add_subplot(grid[1, 1]), found)
        _draw_distortion(figure.add_subplot(grid[1, 2]), found)
        figure.suptitle(title, fontsize=12, x=0.01, ha="left", parse_math=False)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_image(axes: Axes, pixels: FloatArray, found: FoundLattice) -> None:
    top, bottom, left, right = _window(pixels.shape, found)
    part = pixels[top:bottom, left:right]
    shown = canvas.levels(canvas.shrink(part, SIDE), clip=0.5)
    axes.imshow(
        shown, cmap="gray", extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5), interpolation="nearest"
    )
    axes.set(xlim=(left - 0.5, right - 0.5), ylim=(bottom - 0.5, top - 0.5))
    axes.set(xlabel="x (pixels)", ylabel="y (pixels)")
    whole = part.shape == pixels.shape
    axes.set_title("Sites" if whole else "Sites, in the middle of the image", loc="left")
    handles = _draw_sites(axes, found, right - left)
    _draw_vectors(axes, found.cell.origin, found.cell.basis)
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.07), ncols=2, frameon=False)


def _window(shape: tuple[int, ...], found: FoundLattice) -> tuple[int, int, int, int]:
    """Return the rows and columns that are drawn: around the site (0, 0), and no smaller than needed."""
    most = int(CELLS_SHOWN * found.cell.lengths().max())
    edges = []
    for n, centre in zip(shape, found.cell.origin, strict=True):
        size = min(n, most)
        first = int(np.clip(round(centre - size / 2), 0, n - size))
        edges += [first, first + size]
    return edges[0], edges[1], edges[2], edges[3]


def _draw_sites(axes: Axes, found: FoundLattice, width: int) -> list[Any]:
    sites = found.sites
    column = ~(sites["vacant"] | sites["outside"] | sites["edge"])
    # Points across one column: the panel is some 560 points wide.
    size = float(np.clip(0.5 * found.motif.spacing * 560 / width, 3, 15))
    styles = (
        (column, "o", canvas.SKY, 0.9 * size, f"column: {int(column.sum())}"),
        (sites["vacant"], "s", canvas.ORANGE, size, _vacancies(found)),
        (sites["edge"], ".", "white", 4, f"cut by the border, not measured: {int(sites['edge'].sum())}"),
    )
    handles = []
    for chosen, marker, colour, scale, label in styles:
        if marker == "." and not chosen.any():
            continue
        look: dict[str, Any] = {"marker": marker, "color": colour, "fillstyle": "none", "linestyle": ""}
        x, y = sites["x"][chosen], sites["y"][chosen]
        axes.plot(x, y, markersize=scale, markeredgewidth=1.3, path_effects=DARK_HALO, **look)
        halo = DARK_HALO if colour == "white" else None
        handles.append(Line2D([], [], label=label, markersize=min(scale, 9), path_effects=halo, **look))
    return handles


def _vacancies(found: FoundLattice) -> str:
    if not found.resolved:
        return "vacancies cannot be told from the noise"
    return f"vacancy: {int(found.sites['vacant'].sum())}"


def _draw_distortion(axes: Axes, found: FoundLattice) -> None:
    sites = found.sites
    known = np.isfinite(sites["dy"]) & np.isfinite(sites["smooth_dy"])
    y, x, dy, dx = (sites[name][known] for name in ("y", "x", "smooth_dy", "smooth_dx"))
    step = int(np.ceil(np.sqrt(known.sum() / MOST_ARROWS)))
    thin = (sites["h"][known] % step == 0) & (sites["k"][known] % step == 0)
    longest = float(np.quantile(np.hypot(dy, dx), 0.98)) if known.any() else 0.0
    spacing = step * float(found.cell.lengths().min())
    factor = _round_down(spacing / longest) if longest > 1e-6 * spacing else 0.0
    axes.quiver(
        x[thin],
        y[thin],
        factor * dx[thin],
        factor * dy[thin],
        angles="xy",
        scale_units="xy",
        scale=1,
        color=canvas.BLUE,
        width=0.006,
        headwidth=4,
    )
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.margins(0.08)
    axes.invert_yaxis()
    axes.set_title(f"Distortion, drawn × {factor:g}" if factor else "No distortion", loc="left")


def _round_down(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20 … that is not more than a value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value))


def _draw_vectors(axes: Axes, origin: FloatArray, basis: FloatArray) -> None:
    for vector, name in zip(basis, "ab", strict=True):
        tip = origin + vector
        axes.annotate(
            "",
            xy=(tip[1], tip[0]),
            xytext=(origin[1], origin[0]),
            arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 2.4, "path_effects": DARK_HALO},
            zorder=5,
        )
        label = origin + 1.25 * vector
        axes.text(
            label[1], label[0], name, color="white", fontsize=15, weight="bold", ha="center", va="center",
            path_effects=TEXT_HALO, zorder=6, clip_on=True,
        )  # fmt: skip


def _draw_spectrum(axes: Axes, pixels: FloatArray, found: FoundLattice) -> None:
    ratio, _ = flattened(pixels - pixels.mean())
    shape = np.array(pixels.shape)
    stars = reciprocal(found.cell.basis)
    stands = found.reciprocal.explained
    places = np.concatenate([found.spots.steps[stands] / shape, stars])
    reach = min(BEYOND * float(np.abs(places).max()), 0.5)
    half = np.maximum((reach * shape).astype(int), 1)
    low, high = np.maximum(shape // 2 - half, 0), np.minimum(shape // 2 + half + 1, shape)
    part = np.log(np.clip(ratio[low[0] : high[0], low[1] : high[1]], 1.0, BRIGHTEST))
    edges = [
        ((a - 0.5 - n // 2) / n, (b - 0.5 - n // 2) / n) for a, b, n in zip(low, high, shape, strict=True)
    ]
    image = canvas.levels(canvas.shrink_peaks(part, SIDE))
    (y0, y1), (x0, x1) = edges
    axes.imshow(image, cmap="gray", extent=(x0, x1, y1, y0), interpolation="nearest")
    axes.set(xlim=(x0, x1), ylim=(y1, y0), xlabel="cycles per pixel", ylabel="cycles per pixel")
    axes.set_title("Power spectrum over its background", loc="left")
    both = np.concatenate([found.spots.steps, -found.spots.steps]) / shape
    handles = []
    for chosen, marker, colour, label in (
        (stands, "o", canvas.SKY, "spot on the lattice"),
        (~stands, "x", canvas.ORANGE, "spot that is not"),
    ):
        at = both[np.concatenate([chosen, chosen])]
        look: dict[str, Any] = {"marker": marker, "color": colour, "fillstyle": "none", "linestyle": ""}
        axes.plot(at[:, 1], at[:, 0], markersize=9, **look)
        beyond = int((np.abs(at).max(axis=1) > reach).sum()) // 2
        count = f"{label}: {int(chosen.sum())}" + (f", {beyond} beyond this view" if beyond else "")
        handles.append(Line2D([], [], label=count, markersize=7, **look))
    strongest = np.flatnonzero(stands)[:LABELLED]
    for row in strongest:
        y, x = found.spots.steps[row] / shape
        axes.annotate(
            _miller(found.reciprocal.indices[row]), (x, y), (0, 6), textcoords="offset points", ha="center",
            color="white", fontsize=8.5, path_effects=TEXT_HALO, clip_on=True,
        )  # fmt: skip
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.14), ncols=1, frameon=False)


def _miller(indices: FloatArray) -> str:
    """Write (h, k) as crystallographers do, a negative index with a bar over it."""
    return " ".join(f"{abs(int(i))}" + ("\u0304" if i < 0 else "") for i in indices)


def _draw_cell(axes: Axes, found: FoundLattice) -> None:
    basis, column = found.cell.basis, found.motif.column
    corners = column + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) @ basis
    margin = 0.35 * found.cell.lengths().max()
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    axis = [np.linspace(a, b, CELL_SAMPLES) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axis, indexing="ij"), axis=-1).reshape(-1, 2)
    image = canvas.levels(found.motif.at(points).reshape(CELL_SAMPLES, CELL_SAMPLES))
    axes.imshow(image, cmap="gray", extent=(low[1], high[1], high[0], low[0]), interpolation="bilinear")
    outline = Polygon(
        corners[:, ::-1], fill=False, edgecolor=canvas.SKY, linewidth=1.8, path_effects=DARK_HALO
    )
    axes.add_patch(outline)
    _draw_vectors(axes, column, basis)
    axes.set(xlim=(low[1], high[1]), ylim=(high[0], low[0]), xticks=[], yticks=[])
    axes.set_title("Averaged cell", loc="left")
