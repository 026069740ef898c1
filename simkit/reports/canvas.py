"""From arrays and figures to what one HTML file can hold: data URIs that are always the same bytes."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image as Pillow

from simkit.core.grid import FloatArray

SKY, GREEN, BLUE, VERMILLION, ORANGE, PURPLE = (
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#E69F00",
    "#CC79A7",
)
"""Okabe–Ito: colours that stay apart for colour-blind readers."""

SCORE_COLOURS = "viridis"
"""A sequential colour map that is even in lightness and safe for colour-blind readers."""

RASTER_ABOVE = 5000
"""Points of a curve beyond which it is drawn as pixels: a browser chokes on larger paths."""

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "hatch.linewidth": 0.6,
    "figure.dpi": 96,
    "savefig.dpi": 96,
    "svg.fonttype": "none",
    "svg.hashsalt": "simkit",
    "text.parse_math": False,
}


def draw(paint: Callable[[Figure], None], *, width: float, height: float) -> str:
    """Let `paint` fill a figure of width × height inches; return it as an SVG data URI.

    The reader's own matplotlib settings play no part, and neither does the date.
    """
    buffer = io.StringIO()
    with matplotlib.style.context(_STYLE, after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _uri("image/svg+xml", buffer.getvalue().encode())


def paint_image(levels: npt.NDArray[np.uint8], *, colours: str = "grey") -> str:
    """Return grey levels, or steps of a matplotlib colour map, as a PNG data URI."""
    image = Pillow.fromarray(levels)
    if colours != "grey":
        table = (np.asarray(colormaps[colours](np.arange(256)))[:, :3] * 255).round().astype(np.uint8)
        image.putpalette(table.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=9)
    return _uri("image/png", buffer.getvalue())


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def levels(values: FloatArray, *, clip: float = 0.0) -> npt.NDArray[np.uint8]:
    """Stretch values to 0 … 255.

    Parameters
    ----------
    values : array
        What is not finite counts as the lowest value.
    clip : float
        Percentage of the pixels at each end that saturates. An image flat but for its extremes
        (a few particles on nothing) is stretched over its full range instead.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(finite, [clip, 100 - clip])
    if high - low <= 1e-9 * np.ptp(finite):
        low, high = finite.min(), finite.max()
    if high == low:
        return np.full(values.shape, 128, np.uint8)
    scaled = (np.nan_to_num(values, nan=low, neginf=low, posinf=high) - low) / (high - low)
    return (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)


def shrink(values: FloatArray, side: int) -> FloatArray:
    """Average pixels until neither axis is longer than `side`; smaller images stay as they are."""
    longest = max(values.shape)
    if longest <= side:
        return np.asarray(values, np.float32)
    height, width = (max(1, round(n * side / longest)) for n in values.shape)
    image = Pillow.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize((width, height), Pillow.Resampling.BOX))


def shrink_peaks(values: FloatArray, side: int) -> FloatArray:
    """Keep the largest value of each block so that peaks survive; smaller images stay as they are."""
    step = max(values.shape) / side
    if step <= 1:
        return values
    for axis, n in enumerate(values.shape):
        starts = (np.arange(max(1, round(n / step))) * step).astype(int)
        values = np.maximum.reduceat(values, starts, axis=axis)
    return values


def plot(axes: Any, x: FloatArray, y: FloatArray, **style: Any) -> None:
    """Draw a curve, as pixels where it has too many points for a path."""
    axes.plot(x, y, rasterized=len(x) > RASTER_ABOVE, **style)


def paler(colour: str) -> tuple[float, float, float]:
    """Mix a colour with white, for areas whose outline and hatching are that colour."""
    red, green, blue = to_rgb(colour)
    return (0.3 * red + 0.7, 0.3 * green + 0.7, 0.3 * blue + 0.7)
