"""crYOLO ``.cbox``: boxes with confidences.

From crYOLO 1.8 on it is a STAR file whose table ``cryolo`` has ``_CoordinateX``, ``_CoordinateY``,
``_Width``, ``_Height`` and ``_Confidence``, with ``<NA>`` for what does not exist; before, it was a table
without a header, ``x y width height confidence …``, which reads like an EMAN ``.box``.

Corners are real numbers: crYOLO takes half the box, n / 2, off the centre it found, and adds it again when
it writes STAR. ``_Angle`` is not read: in which sense it turns is nowhere said.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.quantity import shortest
from simkit.io.box import read_box
from simkit.io.raw import RawPoints, coordinate, extent, finite, stated
from simkit.io.star import Loop, find_loop, read_document, write_tables

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


def read_cbox(file: Path) -> RawPoints:
    """Read boxes of either kind.

    Raises
    ------
    DataError
        If it is neither, damaged, or of a tomogram.
    """
    if "data_" not in file.read_text(encoding="utf-8-sig"):
        return read_box(file)
    loop = find_loop(read_document(file), "_CoordinateX", file)
    if loop is None:
        raise DataError("no table in it has the column CoordinateX; these are not boxes", str(file))
    if any(text != NOTHING for text in loop.text("_CoordinateZ") or ()):
        raise DataError("these boxes are three-dimensional; simkit reads those of images", str(file))
    sides = _column(loop, "_Height", extent), _column(loop, "_Width", extent)
    return RawPoints(
        y=_column(loop, "_CoordinateY", coordinate),
        x=_column(loop, "_CoordinateX", coordinate),
        box=sides,
        score=loop.parsed("_Confidence", _optional),
    )


def _column(loop: Loop, tag: str, parse: Callable[..., float]) -> FloatArray:
    values = loop.parsed(tag, parse)
    if values is None:
        raise DataError(f"the column {tag[1:]} is missing", str(loop.file), loop.line)
    return values


def _optional(text: str, name: str, file: str) -> float:
    return np.nan if text == NOTHING else finite(text, name, file)


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
