"""Tables as CSV: headers carry the units, a value that does not exist is an empty cell.

What is read: positions in ``x_px, y_px`` or ``x_A, y_A`` (pixels count from 0 at the centre of the
first one; ``x`` alone in one dimension) or in the ``X-Coordinate, Y-Coordinate`` (pixels) of CryoPPP's
experts, and where there are such columns ``micrograph``, ``class``, ``template``, ``psi_deg`` (+x turned
towards +y), ``rot_deg``, ``tilt_deg``, ``score``, and what simkit's pickers say of their own picks. Other
columns are passed over. Cells are parted by
commas, semicolons or tabs, whichever the header has most of.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from simkit.core.errors import DataError
from simkit.core.quantity import shortest
from simkit.core.tables import Picks, Table, Truth
from simkit.io.delimited import read_columns, read_header
from simkit.io.raw import FINITE, JUDGED, POSITION, RawPoints

SUFFIX = {"": "", "Å": "_A", "°": "_deg"}
"""What a column's unit adds to its header; ASCII, so that every program can name the column."""

COUNTED = frozenset({"h", "k"})
"""Columns of whole numbers that are stored as floats because they may not exist."""

PLANAR = frozenset({"y", "psi", "sigma_y", "sigma_psi"})
"""Columns that mean nothing in one dimension."""

RARE = {
    Truth: frozenset({"rot", "tilt", "defocus"}),
    Picks: frozenset({"rot", "tilt", "h", "k", *JUDGED}),
}
"""Columns that are written only where they say something: of a solid, of a lens, of a crystal, of a picker
that knows what its picks are worth."""

POSITIONS: tuple[tuple[dict[str, str], Literal["pixel", "Å"]], ...] = (
    ({"y": "y_A", "x": "x_A"}, "Å"),
    ({"y": "y_px", "x": "x_px"}, "pixel"),
    ({"y": "Y-Coordinate", "x": "X-Coordinate"}, "pixel"),
)
"""Names of the columns with positions, and what they count."""

NUMBERS = ("psi_deg", "rot_deg", "tilt_deg", "score")
TEXTS = ("micrograph", "class", "template")
"""What is read besides positions, where it is there."""

OPTIONAL = replace(FINITE, absent="")
"""A number whose cell may be empty."""


def table_csv(table: Table, *, ndim: int = 2, separator: str = ",") -> str:
    """Return a table as CSV text: shortest decimals that read back exactly, booleans as 0 and 1.

    Parameters
    ----------
    table : Table
        What to write.
    ndim : int
        In one dimension the columns that mean nothing there are left out.
    separator : str
        Between cells.
    """
    names = [name for name in table.columns if ndim > 1 or name not in PLANAR]
    rare = RARE.get(type(table), frozenset())
    names = [name for name in names if name not in rare or not _is_blank(table, name)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(name + SUFFIX[table.columns[name].unit] for name in names)
    writer.writerows([cell(row[name], whole=name in COUNTED) for name in names] for row in table.rows())
    return text.getvalue()


def _is_blank(table: Table, name: str) -> bool:
    if table.columns[name].dtype is str:
        return table.labels(name).names in ((), ("",))
    return bool(np.isnan(table[name]).all())


def cell(value: str | float, *, whole: bool = False) -> str:
    """Write one value: nothing for NaN, 0 or 1 for a boolean, a whole number without decimals."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(round(value)) if whole else shortest(value)
    return str(value)


def write_tsv(raw: RawPoints) -> bytes:
    """Write positions in Å as TSV; they read back exactly."""
    return write_csv(raw, separator="\t")


def write_csv(raw: RawPoints, separator: str = ",") -> bytes:
    """Write positions in Å as CSV; they read back exactly."""
    columns: dict[str, Any] = {"y": raw.y, "x": raw.x, "psi": raw.psi, "rot": raw.rot, "tilt": raw.tilt}
    columns |= {"score": raw.score, "micrograph": raw.micrograph, "class": raw.class_}
    columns["template"] = raw.template
    columns |= raw.judged or {}
    table = Picks(**{name: value for name, value in columns.items() if value is not None})
    return table_csv(table, separator=separator).encode()


def read_csv(file: Path) -> RawPoints:
    """Read positions from CSV or TSV.

    Raises
    ------
    DataError
        If the positions' unit is open or a row is damaged.
    """
    header = read_header(file)
    place, unit = _positions(header.names, str(file))
    numbers = dict.fromkeys(place.values(), POSITION)
    numbers |= {
        name: OPTIONAL for name in ("psi_deg", "rot_deg", "tilt_deg", "score") if name in header.names
    }
    judged = {name: name + SUFFIX[Picks.columns[name].unit] for name in JUDGED}
    judged = {name: column for name, column in judged.items() if column in header.names}
    worded = [name for name in judged if Picks.columns[name].dtype is str]
    numbers |= {column: OPTIONAL for name, column in judged.items() if name not in worded}
    texts = [*(name for name in TEXTS if name in header.names), *worded]
    rows = read_columns(header, {**numbers, **dict.fromkeys(texts)})
    of = {name: rows.numbers(name) for name in numbers}
    said = {name: rows.labels(name) for name in texts}
    x = of[place["x"]]
    return RawPoints(
        y=of[place["y"]] if "y" in place else np.broadcast_to(np.nan, x.shape),
        x=x,
        psi=of.get("psi_deg"),
        rot=of.get("rot_deg"),
        tilt=of.get("tilt_deg"),
        score=of.get("score"),
        unit=unit,
        micrograph=said.get("micrograph"),
        class_=said.get("class"),
        template=said.get("template"),
        judged={name: said[name] if name in worded else of[column] for name, column in judged.items()}
        or None,
    )


def _positions(header: Sequence[str], file: str) -> tuple[dict[str, str], Literal["pixel", "Å"]]:
    """Return the column of every axis that there is, and what they count."""
    for names, unit in POSITIONS:
        columns = {axis: name for axis, name in names.items() if name in header}
        if "x" in columns:
            return columns, unit
    if {"x", "y"} <= set(header):
        raise DataError("the header does not say the unit of x and y; write x_px,y_px or x_A,y_A", file, 1)
    found = f"this has {', '.join(header)}" if any(header) else "this is empty"
    raise DataError(f"the first line must name the columns x_px,y_px or x_A,y_A; {found}", file, 1)
