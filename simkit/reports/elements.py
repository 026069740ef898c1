"""The pieces a page is made of: pictures with marks, plots, tables. Data only; the template has the HTML."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

PLATE_WIDTH = 1000.0
"""Width of every plate in its own drawing units, whatever its pixels."""


@dataclass(frozen=True)
class Mark:
    """One symbol on a plate, in drawing units; `title` shows when a pointer rests on it."""

    x: float
    y: float
    path: str
    title: str = ""


@dataclass(frozen=True)
class Layer:
    """Marks of one meaning: a shape and a colour together, never a colour alone.

    Attributes
    ----------
    label : str
        What the marks mean.
    symbol : str
        One of `SYMBOLS`.
    tone : str
        Colour class of the style sheet.
    marks : sequence of Mark
    """

    label: str
    symbol: str
    tone: str
    marks: Sequence[Mark] = ()

    @property
    def swatch(self) -> str:
        """Path of the symbol in a 20 × 20 legend box."""
        return symbol_path(self.symbol, 10, 10, 7)

    @property
    def outline(self) -> str:
        """All marks as one path, for the halo that keeps them visible on noise."""
        return " ".join(mark.path for mark in self.marks)


@dataclass(frozen=True)
class ScaleBar:
    """A bar of a round length, in drawing units and in words."""

    length: float
    label: str


@dataclass(frozen=True)
class Ramp:
    """What the colours of a plate mean: a strip of them and labels spaced evenly along it."""

    source: str
    label: str
    ticks: Sequence[str]


@dataclass(frozen=True)
class Plate:
    """A two-dimensional picture and what is marked on it.

    Attributes
    ----------
    alt : str
        What a reader who cannot see it should know.
    height : float
        In drawing units; the width is `PLATE_WIDTH`.
    source : str
        Data URI of the pixels, "#name" for pixels that the page defines once, "" for none.
    smooth : bool
        False for so few pixels that they should be seen as such.
    """

    alt: str
    height: float
    source: str = ""
    smooth: bool = True
    layers: Sequence[Layer] = ()
    bar: ScaleBar | None = None
    ramp: Ramp | None = None
    width: float = PLATE_WIDTH


@dataclass(frozen=True)
class Plot:
    """A finished drawing: data URI and what a reader who cannot see it should know."""

    alt: str
    source: str


@dataclass(frozen=True)
class Illustration:
    """A picture with its caption, and remarks on how it was made."""

    picture: Plate | Plot
    caption: str
    note: str = ""
    legend: Sequence[Layer] = ()


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first cell of a row names it.

    Attributes
    ----------
    caption : str
        What the rows are.
    columns : sequence of str
        Headings.
    rows : sequence of sequences of str
        Cells.
    glossary : dict
        First cell of a row → what it means.
    words : collection of int
        Columns that hold prose, which breaks into lines, rather than numbers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    glossary: dict[str, str] = field(default_factory=dict)
    words: Collection[int] = ()


def symbol_path(symbol: str, x: float, y: float, r: float) -> str:
    """Return the SVG path of a symbol centred on (x, y) with radius r.

    A sight is a cross that leaves its middle free, so that the peak beneath it can be seen.
    """
    corners = _CORNERS.get(symbol)
    if corners is not None:
        points = " L".join(f"{x + r * cx:.1f},{y + r * cy:.1f}" for cx, cy in corners)
        return f"M{points}Z"
    if symbol == "circle":
        return (
            f"M{x - r:.1f},{y:.1f}a{r:.1f},{r:.1f} 0 1,0 {2 * r:.1f},0a{r:.1f},{r:.1f} 0 1,0 {-2 * r:.1f},0Z"
        )
    d = r * (math.sqrt(0.5) if symbol == "cross" else 1.0)
    if symbol == "cross":
        return f"M{x - d:.1f},{y - d:.1f}l{2 * d:.1f},{2 * d:.1f}m0,{-2 * d:.1f}l{-2 * d:.1f},{2 * d:.1f}"
    if symbol == "sight":
        arm = 0.6 * r
        arms = [(sx, sy) for sx in (-1, 1) for sy in (-1, 1)]
        return "".join(
            f"M{x + sx * r:.1f},{y + sy * r:.1f}l{-sx * arm:.1f},{-sy * arm:.1f}" for sx, sy in arms
        )
    if symbol == "plus":
        return f"M{x - d:.1f},{y:.1f}h{2 * d:.1f}m{-d:.1f},{-d:.1f}v{2 * d:.1f}"
    raise ValueError(f"no symbol is called {symbol!r}; there are {', '.join(SYMBOLS)}")


_CORNERS = {
    "triangle": [(0.0, -1.0), (0.87, 0.5), (-0.87, 0.5)],
    "diamond": [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)],
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "wedge": [(0.0, 1.0), (0.87, -0.5), (-0.87, -0.5)],
    "hexagon": [(0.5, -0.87), (1.0, 0.0), (0.5, 0.87), (-0.5, 0.87), (-1.0, 0.0), (-0.5, -0.87)],
}

SYMBOLS = (*_CORNERS, "circle", "cross", "sight", "plus")


def scale_bar(extent: float, unit_per_angstrom: float) -> ScaleBar:
    """Choose a round length of about a fifth of the width.

    Parameters
    ----------
    extent : float
        Width shown, in Å.
    unit_per_angstrom : float
        Drawing units per Å.
    """
    length = round_length(extent / 4)
    return ScaleBar(length * unit_per_angstrom, length_text(length))


def round_length(limit: float) -> float:
    """Return the largest 1, 2 or 5 × 10ⁿ that is not above `limit`."""
    power = 10.0 ** math.floor(math.log10(limit) + 1e-12)
    return max(step * power for step in (1, 2, 5) if step * power <= limit * (1 + 1e-9))


def length_text(angstroms: float) -> str:
    """Write a length in Å, nm or µm, whichever is shortest to read."""
    for unit, size in (("µm", 1e4), ("nm", 10.0)):
        if angstroms >= 10 * size:
            return f"{angstroms / size:.3g} {unit}"
    return f"{angstroms:.3g} Å"
