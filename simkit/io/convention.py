"""What the numbers of a coordinate file mean, and the one place where they are turned into simkit's.

A reader returns `RawPoints`, the numbers as they stand in the file. Its `Format` says what they
count: corners or centres, from pixel 0 or 1, downwards or upwards. `to_picks` and `to_raw` apply that, in
either direction, for every format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.labels import Labels
from simkit.core.quantity import wrap_angle
from simkit.core.tables import Picks, Truth
from simkit.io.frames import CoordinateFrame
from simkit.io.raw import JUDGED, LARGEST, RawPoints

Position = Literal["centre", "corner + n // 2", "corner + n / 2"]
Shape = tuple[int, int] | Mapping[str, tuple[int, int]]
"""Rows and columns of the micrographs in px: of all, or by name."""


@dataclass(frozen=True)
class Format:
    """One program's way to write positions down. This is what is applied, not a description of it.

    Attributes
    ----------
    name, title : str
        What `format=` calls it, and what people call it.
    suffixes : tuple of str
        Ends of file names, the one that is written first.
    position : str
        What the two numbers are: the particle's ``centre``, or a box's corner and how far from it the
        centre is.
    first_pixel : int
        Number of the first pixel.
    y_axis : str
        ``down``: row 0 of the file is y = 0. ``up``: it is the last.
    unit : str
        ``pixel``, ``fraction`` of the micrograph's edges, or ``pixel or Å`` where the file says which.
    psi_sign : int
        The format's in-plane angle is this times simkit's ψ (+x turned towards +y); 0: it has none, or one
        whose sense is nowhere said.
    first_class : int or None
        Number of the first class; None: classes go by name, or not at all.
    holds : frozenset of str
        Which of `HOLDABLE` it can hold besides positions.
    decimals : int or None
        Decimals of positions that are written, in the format's unit; None: they read back exactly.
    source : str
        How this is known.
    read : callable
        File → `RawPoints`.
    write : callable or None
        `RawPoints` → bytes.
    pixels_of : str
        Whose pixels it counts: the ``micrograph``'s own, or those of the ``searched image``. Where that was
        binned, the frame's `binning` says by how much, since the file does not.
    recognises : callable
        Whether a file, by its name and first bytes, is of this format; asked where suffixes collide.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    position: Position
    first_pixel: Literal[0, 1]
    y_axis: Literal["down", "up"]
    unit: Literal["pixel", "fraction", "pixel or Å"]
    psi_sign: Literal[-1, 0, 1]
    first_class: int | None
    holds: frozenset[str]
    decimals: int | None
    source: str
    read: Callable[[Path], RawPoints]
    write: Callable[[RawPoints], bytes] | None
    pixels_of: Literal["micrograph", "searched image"] = "micrograph"
    recognises: Callable[[Path, bytes], bool] = lambda file, head: True


HOLDABLE = ("micrograph", "score", "psi", "class", "class name", "template", "view")
"""What a format may hold besides positions."""


def to_picks(raw: RawPoints, form: Format, frame: CoordinateFrame, file: str) -> Picks:
    """Turn the numbers of a file into simkit's.

    Parameters
    ----------
    raw : RawPoints
        What the file says.
    form : Format
        What its numbers mean.
    frame : CoordinateFrame
        What the user says of it.
    file : str
        Its name, for errors.

    Raises
    ------
    DataError
        If something is left open that is needed.
    """
    unit = raw.unit or form.unit
    nowhere = np.broadcast_to(np.nan, len(raw))
    psi = form.psi_sign * raw.psi if raw.psi is not None and form.psi_sign else nowhere
    columns: dict[str, Any] = {"score": raw.score, "rot": raw.rot, "tilt": raw.tilt}
    columns |= {"class": _class_names(raw, form), "template": raw.template, "micrograph": raw.micrograph}
    columns |= raw.judged or {}
    if (unit == "Å" and frame.is_trivial) or not len(raw):
        y, x = raw.y, raw.x
    else:
        scale = _pixel_size(raw, unit, frame, file)
        y, x = _pixels(raw, form, unit, frame.binning, scale)
        y, x = frame.unbinned(y), frame.unbinned(x)
        try:
            height, width = raw.shape or (None, None)
            y, x, psi = frame.upright(y, x, psi, height=height, width=width)
        except ValueError as error:
            raise DataError(str(error), file) from error
        y, x = y * scale, x * scale
        if frame.orientation != "upright":
            # Those of a mirror image are not the particle's, and of a turned one y may be x.
            columns |= dict.fromkeys(("rot", "tilt", "sigma_y", "sigma_x"))
    if psi is not nowhere:
        columns["psi"] = psi if form.psi_sign == 1 and frame.orientation == "upright" else wrap_angle(psi)
    return Picks(y=y, x=x, **{name: value for name, value in columns.items() if value is not None})


def _pixels(
    raw: RawPoints, form: Format, unit: str, binning: float, scale: FloatArray | float
) -> tuple[FloatArray, FloatArray]:
    """Return centres in pixels of the picked image, from the centre of its first one, y down."""
    if unit == "Å":
        return raw.y / (scale * binning), raw.x / (scale * binning)
    y, x = raw.y, raw.x
    if raw.box is not None and form.position != "centre":
        y, x = (corner + to_centre(n, form.position) for corner, n in zip((y, x), raw.box, strict=True))
    if unit == "fraction":
        rows, columns = (n / binning for n in raw.shape or (math.nan, math.nan))
        return (rows - rows * y if form.y_axis == "up" else rows * y), columns * x
    return y - form.first_pixel, x - form.first_pixel


def to_centre(size: FloatArray | float, position: Position) -> FloatArray | float:
    """Return how far the centre of a box is from its corner."""
    return np.floor_divide(size, 2) if position == "corner + n // 2" else np.divide(size, 2)


def _pixel_size(raw: RawPoints, unit: str, frame: CoordinateFrame, file: str) -> FloatArray | float:
    if frame.pixel_size is not None:
        return frame.pixel_size
    if raw.pixel_size is None:
        if unit == "Å":
            raise DataError(
                "to turn or unbin positions in Å, give the pixel size in Å as well (--pixel-size)", file
            )
        raise DataError(
            "positions are in pixels and the file does not say how large; "
            "give the pixel size in Å as well (--pixel-size)",
            file,
        )
    if frame.binning != 1 and unit == "pixel":
        raise DataError(
            "whether the file's pixel size is that of the binned image or of the micrograph is open; "
            "give the micrograph's pixel size in Å as well (--pixel-size)",
            file,
        )
    return raw.pixel_size


def _class_names(raw: RawPoints, form: Format) -> Sequence[str] | None:
    """Return classes by name, or where numbers are all there is counted from 1; below: none."""
    if raw.class_ is not None or raw.number is None or form.first_class is None:
        return raw.class_
    numbers, codes = np.unique(np.nan_to_num(raw.number, nan=-math.inf), return_inverse=True)
    counted = (numbers - form.first_class + 1).tolist()
    return Labels.coded(codes, [f"{number:.0f}" if number > 0 else "" for number in counted])


def to_raw(
    table: Picks | Truth,
    form: Format,
    *,
    pixel_size: float,
    shape: Shape | None = None,
    box: float | None = None,
    classes: Sequence[str] = (),
) -> RawPoints:
    """Turn a table into the numbers that a format writes.

    Parameters
    ----------
    table : Picks or Truth
        Positions in Å, upright.
    form : Format
        What its numbers mean.
    pixel_size : float
        Å of the micrographs.
    shape : tuple or mapping, optional
        Rows and columns of the micrographs, for fractions.
    box : float, optional
        Side of the boxes in px, for corners.
    classes : sequence of str
        Classes in the order of their numbers.

    Raises
    ------
    ValueError
        If the box or the shape is needed and not given.
    """
    raw = RawPoints(
        y=table["y"],
        x=table["x"],
        psi=wrap_angle(form.psi_sign * table["psi"]),
        rot=table["rot"],
        tilt=table["tilt"],
        score=table["score"] if isinstance(table, Picks) else None,
        number=_class_numbers(table, form, classes),
        class_=table["class"].tolist(),
        template=table["template"].tolist() if isinstance(table, Picks) else None,
        micrograph=table["micrograph"].tolist(),
        mirror=table["mirror"] if isinstance(table, Truth) else None,
        judged={name: table[name] for name in JUDGED} if isinstance(table, Picks) else None,
        pixel_size=pixel_size,
    )
    if form.unit == "pixel or Å":
        return replace(raw, unit="Å")
    raw = replace(raw, y=raw.y / pixel_size + form.first_pixel, x=raw.x / pixel_size + form.first_pixel)
    if form.position != "centre":
        raw = _with_corners(raw, form, box)
    if form.unit == "fraction":
        raw = _with_fractions(raw, form, shape)
    if form.decimals is None:
        return raw
    return replace(raw, y=raw.y.round(form.decimals), x=raw.x.round(form.decimals))


def _class_numbers(table: Picks | Truth, form: Format, classes: Sequence[str]) -> FloatArray:
    """Return the numbers of classes in their order; without a list, classes that are numbers keep them."""
    order = {name: i for i, name in enumerate(classes)}
    counted = [
        order.get(name, int(name) - 1 if re.fullmatch(r"\d{1,9}", name) and not classes else -1)
        for name in table["class"].tolist()
    ]
    return np.array(counted, float) + (form.first_class or 0)


def _with_corners(raw: RawPoints, form: Format, box: float | None) -> RawPoints:
    if box is None or not 0 < box < LARGEST:
        raise ValueError(f"{form.title} holds the corners of boxes; give the side of a box in pixels")
    shift, sides = to_centre(box, form.position), np.full(len(raw), box, float)
    return replace(raw, y=raw.y - shift, x=raw.x - shift, box=(sides, sides))


def _with_fractions(raw: RawPoints, form: Format, shape: Shape | None) -> RawPoints:
    names = raw.micrograph or ()
    shapes = [shape.get(name) if isinstance(shape, Mapping) else shape for name in names]
    if None in shapes:
        raise ValueError(f"{form.title} holds fractions of a micrograph; give its rows and columns")
    rows, columns = np.array(shapes, float).reshape(-1, 2).T
    y = raw.y / rows
    return replace(raw, y=1 - y if form.y_axis == "up" else y, x=raw.x / columns, shape=(rows, columns))
