"""Tables with a header, cells parted by commas, semicolons or tabs."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simkit.core.errors import DataError
from simkit.io.cells import Block, Columns, blocks, delimited
from simkit.io.raw import Number

SEPARATORS = ",;\t"
"""What may part cells: the one that the first line has most of."""

QUOTE = b'"'


@dataclass(frozen=True)
class Header:
    """What the first line of a table says.

    Attributes
    ----------
    file : Path
        Where it stands.
    names : tuple of str
        Of the columns.
    separator : str
        Between cells.
    offset, line : int
        Byte and line at which the rows begin.
    """

    file: Path
    names: tuple[str, ...]
    separator: str
    offset: int
    line: int


def read_header(file: Path) -> Header:
    """Read the names of the columns.

    Raises
    ------
    DataError
        If a column is named twice.
    """
    with file.open("rb") as stream:
        first = stream.readline()
        while first.count(QUOTE) % 2 and (more := stream.readline()):
            first += more
    text = first.decode("utf-8-sig")
    lines = io.StringIO(text, newline="").readlines()
    separator = max(SEPARATORS, key="".join(lines[:1]).count)
    reader = _reader(text, separator)
    try:
        names = tuple(cell.strip() for cell in next(reader, []))
    except csv.Error as error:
        raise _no_table(error, file, reader.line_num) from error
    if doubled := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError(f"the header names {', '.join(doubled)} more than once", str(file), 1)
    marked = len(codecs.BOM_UTF8) if first.startswith(codecs.BOM_UTF8) else 0
    offset = marked + len("".join(lines[: reader.line_num]).encode())
    return Header(file, names, separator, offset, reader.line_num + 1)


def read_columns(header: Header, wanted: Mapping[str, Number | None]) -> Columns:
    """Read some columns of a table.

    Parameters
    ----------
    header : Header
        Of the table; it has all that is wanted.
    wanted : mapping
        Name of a column → how its numbers are read, or None for text.

    Raises
    ------
    DataError
        If a row has more or fewer cells than the header, or a number is none.
    """
    columns = Columns(wanted, spell=lambda cell: cell.decode().strip())
    place = {name: header.names.index(name) for name in wanted}
    with header.file.open("rb") as stream:
        stream.seek(header.offset)
        for block in blocks(stream, line=header.line, quote=QUOTE):
            text = block.text.decode()  # what is no UTF-8 is refused even in a column that nobody wants
            plain = not any(sign in block.text for sign in (QUOTE, b"\r", b"\0"))
            cells = delimited(block.text, header.separator.encode(), len(header.names)) if plain else None
            if cells is None or not columns.add(cells, place):
                _add_rows(columns, header, text, block)
    return columns


def _add_rows(columns: Columns, header: Header, text: str, block: Block) -> None:
    """Read a block row by row; a row of empty cells is none."""
    file, lines, rows = str(header.file), [], []
    reader = _reader(text, header.separator)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = block.line - 1 + reader.line_num
            if len(cells) != len(header.names):
                raise DataError(
                    f"{len(cells)} cells under a header of {len(header.names)} columns", file, line
                )
            rows.append([cell.strip() for cell in cells])
            lines.append(line)
    except csv.Error as error:
        raise _no_table(error, header.file, block.line - 1 + reader.line_num) from error
    by_column = zip(*rows, strict=True) if rows else [()] * len(header.names)
    columns.add_rows(dict(zip(header.names, by_column, strict=True)), file, lines)


def _reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator != "\t")


def _no_table(error: csv.Error, file: Path, line: int) -> DataError:
    return DataError(f"not a CSV table ({error})", str(file), line)
