"""Tables as CSV: headers carry the units, a value that does not exist is an empty cell.

What is read: positions in ``x_px, y_px`` or ``x_A, y_A`` (pixels count from 0 at the centre of the
first one; ``x`` alone in one dimension), and where there are such columns ``micrograph``,
``class``, ``template``, ``psi_deg`` (+x turned towards +y) and ``score``. Other columns are passed over.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simkit.core.errors import DataError
from simkit.core.quantity import shortest
from simkit.core.tables import Picks, Table

SUFFIX = {"": "", "Å": "_A", "°": "_deg"}
"""What a column's unit adds to its header; ASCII, so that every program can name the column."""

COUNTED = frozenset({"h", "k"})
"""Columns of whole numbers that are stored as floats because they may not exist."""

PLANAR = frozenset({"y", "psi", "sigma_y", "sigma_psi"})
"""Columns that mean nothing in one dimension."""


def table_csv(table: Table, *, ndim: int = 2) -> str:
    """Return a table as CSV text: shortest decimals that read back exactly, booleans as 0 and 1.

    Parameters
    ----------
    table : Table
        What to write.
    ndim : int
        In one dimension the columns that mean nothing there are left out.
    """
    names = [name for name in table.columns if ndim > 1 or name not in PLANAR]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(name + SUFFIX[table.columns[name].unit] for name in names)
    writer.writerows([_cell(name, row[name]) for name in names] for row in table.rows())
    return text.getvalue()


def _cell(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(round(value)) if name in COUNTED else shortest(value)
    return str(value)


def read_csv(file: Path, pixel_size: float | None) -> Picks:
    """Read positions from CSV.

    Parameters
    ----------
    file : Path
        The file.
    pixel_size : float or None
        Å, for positions in pixels.

    Raises
    ------
    DataError
        If the positions' unit is open, a pixel size is needed and not given, or a row is damaged.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, skipinitialspace=True)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            positions, scale = _positions(header, pixel_size, str(file))
            rows = list(_rows(reader, header, str(file)))
        except csv.Error as error:
            raise DataError(f"not a CSV table ({error})", str(file), reader.line_num) from error
    columns: dict[str, Any] = {
        axis: np.array([_number(row, column, str(file), line) * scale for line, row in rows], float)
        for axis, column in positions.items()
    }
    for name, column in {"psi": "psi_deg", "score": "score"}.items():
        if column in header:
            columns[name] = np.array(
                [_number(row, column, str(file), line, optional=True) for line, row in rows], float
            )
    for name in ("micrograph", "class", "template"):
        if name in header:
            columns[name] = np.array([row[name] for _, row in rows], str)
    return Picks(**columns)


def _positions(header: list[str], pixel_size: float | None, file: str) -> tuple[dict[str, str], float]:
    """Return the column of every axis, and Å per unit of them."""
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(f"the header names {', '.join(doubled)} more than once", file, 1)
    for suffix in ("_A", "_px"):
        columns = {axis: axis + suffix for axis in ("y", "x") if axis + suffix in header}
        if "x" in columns:
            if suffix == "_px" and pixel_size is None:
                raise DataError("positions are in pixels; give the pixel size in Å as well", file)
            return columns, 1.0 if suffix == "_A" else float(pixel_size or 0)
    if {"x", "y"} <= set(header):
        raise DataError("the header does not say the unit of x and y; write x_px,y_px or x_A,y_A", file, 1)
    found = f"this has {', '.join(header)}" if any(header) else "this is empty"
    raise DataError(f"the first line must name the columns x_px,y_px or x_A,y_A; {found}", file, 1)


def _rows(reader: Any, header: list[str], file: str) -> Iterator[tuple[int, dict[str, str]]]:
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{len(cells)} cells under a header of {len(header)} columns", file, reader.line_num
            )
        yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _number(row: dict[str, str], column: str, file: str, line: int, *, optional: bool = False) -> float:
    text = row[column]
    if optional and not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{column} is {text!r}, not a finite number", file, line)
    return value
