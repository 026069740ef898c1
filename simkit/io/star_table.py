"""The one large table of a STAR file, read without taking the file apart cell by cell.

Rows such as programs write them, a line each, are read a block at a time (`simkit.io.cells`). For the rest,
which is what stands before the table and everything from the first line on that is not such a row, gemmi
reads the file without those rows: it alone decides what STAR is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from gemmi import cif

from simkit.core.grid import FloatArray
from simkit.core.labels import Labels
from simkit.io.cells import Cells, Columns, blocks, spaced
from simkit.io.raw import Number
from simkit.io.star import find_loop, parse_document

MARKS = np.frombuffer(b"_#$;", np.uint8)
"""First signs of what is no value of a row."""

QUOTES = np.frombuffer(b"'\"", np.uint8)

RESERVED = (b"data_", b"save_", b"loop_", b"stop_", b"global_")
"""First letters, large or small, of words that are no values."""

CASE = 0x20
"""The bit in which ASCII's small letters differ from its large ones."""


@dataclass(frozen=True)
class StarTable:
    """Some columns of a table, and the file around it.

    Attributes
    ----------
    file : Path
        Where it stands.
    tags : tuple of str
        All columns that it has, without the underscore.
    line : int
        Of its ``loop_``.
    document : gemmi.cif.Document
        The file; of this table it may lack rows.
    """

    file: Path
    tags: tuple[str, ...]
    line: int
    document: cif.Document
    _columns: Columns
    _plain: range
    _others: Sequence[int | None]

    def __len__(self) -> int:
        return len(self._plain) + len(self._others)

    def numbers(self, tag: str) -> FloatArray | None:
        """Return a column of numbers; None without the column."""
        return self._columns.numbers(tag) if tag in self._columns.wanted else None

    def labels(self, tag: str) -> Labels | None:
        """Return a column of text; None without the column."""
        return self._columns.labels(tag) if tag in self._columns.wanted else None

    def line_of(self, row: int) -> int | None:
        """Return the line of a row, where it is known."""
        return self._plain[row] if row < len(self._plain) else self._others[row - len(self._plain)]


def read_table(file: Path, tag: str, wanted: Mapping[str, Number | None]) -> StarTable | None:
    """Read the first table that has a column; None where there is none.

    Parameters
    ----------
    file : Path
        A STAR file.
    tag : str
        The column, without the underscore.
    wanted : mapping
        Tag → how its numbers are read, or None for text; what the table lacks is left out.

    Raises
    ------
    DataError
        If it is no STAR file, or a number is none.
    """
    with file.open("rb") as stream:
        head, tags = _head(stream, tag)
        columns = _columns(wanted, tags)
        first = head.count(b"\n") + 1
        plain, rest = _plain_rows(stream, columns, tags, file, first) if tags else (0, b"")
    text = (head + rest).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    document = parse_document(text, file, lambda line: line if line < first else line + plain)
    loop = find_loop(document, f"_{tag}", file)
    if loop is None:
        return None
    if not tags:
        tags = tuple(name.removeprefix("_") for name in loop.loop.tags)
        columns = _columns(wanted, tags)
    others = [line if line is None or line < first else line + plain for line in loop.lines_in(text)]
    columns.add_rows({t: loop.text(f"_{t}") or [] for t in columns.wanted}, str(file), others)
    return StarTable(file, tags, loop.line, document, columns, range(first, first + plain), others)


def _columns(wanted: Mapping[str, Number | None], tags: Sequence[str]) -> Columns:
    there = {tag: number for tag, number in wanted.items() if tag in tags}
    return Columns(there, lambda cell: cif.as_string(cell.decode()))


def _head(stream: BinaryIO, tag: str) -> tuple[bytes, tuple[str, ...]]:
    """Read as far as the rows of the table begin, and return that and its columns.

    Where there is no such table, or it does not begin as programs write it, all is read and there are none.
    """
    lines: list[bytes] = []
    tags: list[str] | None = None
    while line := stream.readline():
        words = line.split(b"#", 1)[0].split()
        if tags is not None and len(words) == 1 and words[0].startswith(b"_"):
            tags.append(words[0][1:].decode("ascii", "replace"))
        elif words:
            if tags and tag in tags and not any(other.startswith(b";") for other in lines):
                stream.seek(-len(line), 1)
                break
            tags = [] if [word.lower() for word in words] == [b"loop_"] else None
        lines.append(line)
    return b"".join(lines), tuple(tags) if tags and tag in tags else ()


def _plain_rows(
    stream: BinaryIO, columns: Columns, tags: Sequence[str], file: Path, line: int
) -> tuple[int, bytes]:
    """Read rows for as long as they are a line each; return how many there were, and what follows."""
    place = {tag: tags.index(tag) for tag in columns.wanted}
    plain = 0
    for block in blocks(stream, line=line):
        parted = spaced(block.text, len(tags))
        if parted is None:
            return plain, block.text + stream.read()
        cells, lines = parted
        cells = cells.first(_first_odd(cells))
        if len(cells) and not columns.add(cells, place):
            texts = {tag: [cif.as_string(text) for text in cells.texts(j)] for tag, j in place.items()}
            columns.add_rows(texts, str(file), range(block.line, block.line + len(cells)))
        plain += len(cells)
        if len(cells) < lines:
            return plain, b"\n".join(block.text.split(b"\n")[len(cells) :]) + stream.read()
    return plain, b""


def _first_odd(cells: Cells) -> int:
    """Return the first row with a word that may be no value, or an unclosed quotation."""
    sign = cells.buffer[cells.start]
    odd = np.isin(sign, MARKS)
    quoted = np.isin(sign, QUOTES)
    if quoted.any():
        closed = (cells.buffer[cells.end - 1] == sign) & (cells.end - cells.start > 1)
        odd |= quoted & ~closed
    for word in RESERVED:
        odd |= _begins(cells, sign, word)
    rows = np.flatnonzero(odd.any(axis=1))
    return int(rows[0]) if len(rows) else len(cells)


def _begins(cells: Cells, sign: npt.NDArray[np.uint8], word: bytes) -> npt.NDArray[np.bool_]:
    """Tell of every cell whether it begins with a word, in large letters or small."""
    begins = (sign | CASE) == word[0]
    rows, columns = np.nonzero(begins)
    for i, letter in enumerate(word):
        at = np.minimum(cells.start[rows, columns] + i, len(cells.buffer) - 1)
        same = (cells.buffer[at] | CASE) == (letter | CASE)
        begins[rows[~same], columns[~same]] = False
        rows, columns = rows[same], columns[same]
    return begins
