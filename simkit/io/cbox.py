"""crYOLO ``.cbox``: boxes with confidences.

From crYOLO 1.8 on it is a STAR file whose table ``cryolo`` has ``_CoordinateX``, ``_CoordinateY``,
``_Width``, ``_Height`` and ``_Confidence``, with ``<NA>`` for what does not exist; before, it was a table
without a header, ``x y width height confidence …``, which reads like an EMAN ``.box``.

Corners are real numbers: crYOLO takes half the box, n / 2, off the centre it found, and adds it again when
it writes STAR. ``_Angle`` is not read: in which sense it turns is nowhere said.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.quantity import shortest
from simkit.io.box import read_box
from simkit.io.raw import EXTENT, FINITE, POSITION, RawPoints, stated
from simkit.io.star import write_tables
from simkit.io.star_table import StarTable, read_table

NOTHING = "<NA>"

COLUMNS = (
    "CoordinateX",
    "CoordinateY",
    "CoordinateZ",
    "Width",
    "Height",
    "Depth",
    "EstWidth",
    "EstHeight",
    "Confidence",
    "NumBoxes",
    "Angle",
)


WANTED = {
    "CoordinateX": POSITION,
    "CoordinateY": POSITION,
    "CoordinateZ": None,
    "Width": EXTENT,
    "Height": EXTENT,
    "Confidence": replace(FINITE, absent=NOTHING),
}
"""Columns that are read."""


def read_cbox(file: Path) -> RawPoints:
    """Read boxes of either kind.

    Raises
    ------
    DataError
        If it is neither, damaged, or of a tomogram.
    """
    if b"data_" not in file.read_bytes():
        return read_box(file)
    rows = read_table(file, "CoordinateX", WANTED)
    if rows is None:
        raise DataError("no table in it has the column CoordinateX; these are not boxes", str(file))
    depths = rows.labels("CoordinateZ")
    if depths is not None and set(depths.names) - {NOTHING}:
        raise DataError("these boxes are three-dimensional; simkit reads those of images", str(file))
    return RawPoints(
        y=_column(rows, "CoordinateY"),
        x=_column(rows, "CoordinateX"),
        box=(_column(rows, "Height"), _column(rows, "Width")),
        score=rows.numbers("Confidence"),
    )


def _column(rows: StarTable, tag: str) -> FloatArray:
    values = rows.numbers(tag)
    if values is None:
        there = f"it has {', '.join(rows.tags)}"
        raise DataError(f"the column {tag} is missing; {there}", str(rows.file), rows.line)
    return values


def write_cbox(raw: RawPoints) -> bytes:
    """Write boxes as crYOLO does from 1.8 on."""
    height, width = stated(raw.box, "boxes")
    numbers: dict[str, FloatArray | None] = {
        "CoordinateX": raw.x,
        "CoordinateY": raw.y,
        "Width": width,
        "Height": height,
    }
    numbers |= {"EstWidth": width, "EstHeight": height, "Confidence": raw.score}
    columns = {name: _texts(numbers.get(name), len(raw)) for name in COLUMNS}
    body = write_tables(cryolo=columns, cryolo_include={"slice_index": []})
    return f"data_global\n\n_cbox_format_version 1.0\n\n{body}".encode()


def _texts(values: FloatArray | None, n: int) -> list[str]:
    if values is None:
        return [NOTHING] * n
    return [NOTHING if np.isnan(value) else shortest(value) for value in values]
