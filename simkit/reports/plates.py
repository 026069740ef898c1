"""Arrays → plates: pixels stretched to what an eye can use, with a scale bar, in drawing units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.spatial import cKDTree

from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Placements
from simkit.reports import canvas
from simkit.reports.elements import PLATE_WIDTH, Layer, Mark, Plate, Ramp, scale_bar, symbol_path
from simkit.reports.wording import number

FEW_PIXELS = 100
"""Columns below which pixels are shown as squares."""

CLASS_STYLES = (
    ("circle", "blue"),
    ("square", "orange"),
    ("triangle", "green"),
    ("diamond", "purple"),
    ("wedge", "vermillion"),
)
"""Shape and colour of each class in turn."""


def class_style(names: Sequence[str], name: str) -> tuple[str, str]:
    """Return the (symbol, tone) of a class."""
    return CLASS_STYLES[list(names).index(name) % len(CLASS_STYLES)]


def units_per_pixel(grid: Grid) -> float:
    """Return the drawing units that a pixel is wide."""
    return PLATE_WIDTH / grid.shape[-1]


def to_units(grid: Grid, y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn positions in Å into drawing units (across, down); a pixel's centre is half a pixel in."""
    row, col = grid.indices(y, x)
    scale = units_per_pixel(grid)
    return (col + 0.5) * scale, (row + 0.5) * scale


def blank(grid: Grid, *, alt: str, layers: Sequence[Layer] = ()) -> Plate:
    """Return a plate of a grid's proportions with marks alone."""
    return Plate(alt=alt, height=grid.shape[0] * units_per_pixel(grid), layers=layers)


def grey(
    values: FloatArray,
    grid: Grid,
    *,
    alt: str,
    side: int,
    clip: float = 0.0,
    layers: Sequence[Layer] = (),
    bar: bool = True,
) -> Plate:
    """Show an image in grey, averaged down to `side` pixels, `clip` percent saturated at each end."""
    return Plate(
        alt=alt,
        height=grid.shape[0] * units_per_pixel(grid),
        source=canvas.paint_image(canvas.levels(canvas.shrink(values, side), clip=clip)),
        smooth=grid.shape[-1] >= FEW_PIXELS,
        layers=layers,
        bar=scale_bar(grid.extent[-1], units_per_pixel(grid) / grid.pixel_size) if bar else None,
    )


SATURATION = 5.0
"""Colours of a score map end at so many times the threshold, both above the median score.

Beyond, a score is clear anyhow; a scale up to the highest peak would leave the rest dark.
"""


def coloured(
    values: FloatArray,
    grid: Grid,
    *,
    alt: str,
    side: int,
    threshold: float,
    layers: Sequence[Layer] = (),
) -> Plate:
    """Show a score map in colour with its key; each displayed pixel is the best score beneath it."""
    small = canvas.shrink_peaks(values, side)
    middle = float(np.median(small))
    if np.isfinite(threshold) and threshold > middle:
        small = np.minimum(small, middle + SATURATION * (threshold - middle))
    return Plate(
        alt=alt,
        height=grid.shape[0] * units_per_pixel(grid),
        source=canvas.paint_image(canvas.levels(small), colours=canvas.SCORE_COLOURS),
        smooth=grid.shape[-1] >= FEW_PIXELS,
        layers=layers,
        bar=scale_bar(grid.extent[-1], units_per_pixel(grid) / grid.pixel_size),
        ramp=_ramp(small, float(values.max())),
    )


def _ramp(values: FloatArray, highest: float) -> Ramp:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    ticks = [number(low + f * (high - low), digits=3) for f in (0.0, 0.25, 0.5, 0.75, 1.0)]
    if highest > high:
        ticks[-1] = f"≥ {ticks[-1]}"
    strip = canvas.paint_image(np.arange(256, dtype=np.uint8)[np.newaxis], colours=canvas.SCORE_COLOURS)
    return Ramp(strip, "score", ticks)


def marks(
    symbol: str, across: FloatArray, down: FloatArray, radius: float, titles: Iterable[str] = ()
) -> list[Mark]:
    """Draw one symbol at many places, each with its own title if there are any."""
    words = list(titles) or [""] * len(across)
    return [
        Mark(x, y, symbol_path(symbol, x, y, radius), title)
        for x, y, title in zip(across.tolist(), down.tolist(), words, strict=True)
    ]


def lattice_layer(grid: Grid, placements: Placements, label: str, style: tuple[str, str]) -> Layer:
    """Draw a lattice of deltas as dots; where copies are turned, a stroke shows each one's +x axis."""
    symbol, tone = style
    across, down = to_units(grid, placements.y, placements.x)
    inside = (
        (across > 0) & (across < PLATE_WIDTH) & (down > 0) & (down < grid.shape[0] * units_per_pixel(grid))
    )
    across, down, psi = across[inside], down[inside], np.deg2rad(placements.psi[inside])
    radius = float(np.clip(0.3 * _spacing(across, down), 4, 26))
    dots = marks(symbol, across, down, radius)
    if not turned(placements):
        return Layer(label, symbol, tone, dots)
    reach = 2.2 * radius
    strokes = [
        Mark(
            dot.x,
            dot.y,
            f"{dot.path}M{dot.x:.1f},{dot.y:.1f}l{reach * np.cos(a):.1f},{reach * np.sin(a):.1f}",
        )
        for dot, a in zip(dots, psi, strict=True)
    ]
    return Layer(label, symbol, tone, strokes)


def _spacing(across: FloatArray, down: FloatArray) -> float:
    """Return the median distance of a dot to the nearest other one."""
    points = np.stack([across, down], axis=1)
    if len(points) < 2:
        return np.inf
    return float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))


def turned(placements: Placements) -> bool:
    """Tell whether copies are turned by angles of their own."""
    return len(placements) > 1 and bool(np.ptp(placements.psi) > 0)
