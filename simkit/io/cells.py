"""Tables of text by the million rows: whole columns at once, a block of lines at a time.

A block of about a megabyte is parted by NumPy into cells, and a column of cells read in one go. That either
succeeds for the whole block or gives nothing, and then whoever asked looks at that block row by row: it may
hold what only a closer look understands, or an error, which is to be told by its line. Memory is that of the
columns and of one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray
from simkit.core.labels import Labels
from simkit.io.raw import Number

BLOCK = 1 << 20
"""Bytes of a block: its work arrays stay within a processor's cache."""

LONGEST = 1000
"""Bytes of a cell above which a column is not read at once: every cell would take as much."""

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]
Texts = npt.NDArray[np.bytes_]
_TAB, _NEWLINE, _SPACE, _DELETE = 9, 10, 32, 127


@dataclass(frozen=True)
class Block:
    """Whole lines of a file.

    Attributes
    ----------
    text : bytes
        Ends in a line feed; a carriage return before one is left out.
    line : int
        Number of its first line.
    """

    text: bytes
    line: int


def blocks(stream: BinaryIO, *, line: int = 1, quote: bytes = b"") -> Iterator[Block]:
    """Read a file from where it stands, in whole lines.

    Parameters
    ----------
    stream : binary file
        Closing it is left to the caller.
    line : int
        Number of the first line.
    quote : bytes
        A sign within two of which a line feed ends no line of the table: it stands in a block an even number
        of times, if the file is sound.
    """
    while text := stream.read(BLOCK) + stream.readline():
        while quote and text.count(quote) % 2 and (more := stream.read(len(text)) + stream.readline()):
            text += more
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        yield Block(text if text.endswith(b"\n") else text + b"\n", line)
        line += text.count(b"\n") + text.count(b"\r")


@dataclass(frozen=True)
class Cells:
    """Where the cells of a block are: `buffer[start[i, j]:end[i, j]]` is the cell of row i and column j."""

    buffer: Bytes
    start: Indices
    end: Indices

    def __len__(self) -> int:
        return len(self.start)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self.start.shape[1]

    def first(self, rows: int) -> Cells:
        """Return the first rows."""
        return Cells(self.buffer, self.start[:rows], self.end[:rows])

    def texts(self, j: int) -> list[str]:
        """Return a column, cell by cell."""
        data = self.buffer.tobytes()
        places = zip(self.start[:, j].tolist(), self.end[:, j].tolist(), strict=True)
        return [data[start:end].decode() for start, end in places]

    def column(self, j: int) -> Texts | None:
        """Return a column as it stands there, shape (n,); None where a cell is very long."""
        length = self.end[:, j] - self.start[:, j]
        width = max(1, int(length.max(initial=0)))
        if width > LONGEST:
            return None
        padded = np.concatenate([self.buffer, np.zeros(width, np.uint8)])
        # Every byte as the beginning of a cell of this width; what is beyond the cell's end is then erased.
        cells = np.ndarray(len(self.buffer), f"S{width}", padded, strides=(1,))[self.start[:, j]]
        letters = cells.view(np.uint8).reshape(-1, width)
        letters[np.arange(width) >= length[:, None]] = 0
        return cells


def delimited(text: bytes, separator: bytes, width: int) -> Cells | None:
    """Part lines into as many cells as the header has; None where some line has more or fewer."""
    buffer = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero((buffer == separator[0]) | (buffer == _NEWLINE))
    if len(ends) % width:
        return None
    end = ends.reshape(-1, width)
    signs = buffer[end]
    if (signs[:, -1] != _NEWLINE).any() or (signs[:, :-1] == _NEWLINE).any():
        return None
    return Cells(buffer, np.concatenate([[0], ends[:-1] + 1]).reshape(-1, width), end)


def spaced(text: bytes, width: int | None = None) -> tuple[Cells, int] | None:
    """Part lines into words.

    Parameters
    ----------
    text : bytes
        Whole lines.
    width : int, optional
        Words of a line; as many as the first one has by default.

    Returns
    -------
    cells : Cells
        Of the first lines that have so many.
    lines : int
        How many there are, others included.

    None stands for text that is not plain ASCII: what parts words there is for others to tell.
    """
    buffer = np.frombuffer(b"\n" + text, np.uint8)
    newline = np.flatnonzero(buffer == _NEWLINE)
    control = int((buffer < _SPACE).sum()) - len(newline) - int((buffer == _TAB).sum())
    if control or (buffer >= _DELETE).any():
        return None
    word = buffer > _SPACE
    start, end = (np.flatnonzero(word[1:] != word[:-1]) + 1).reshape(-1, 2).T
    until = np.searchsorted(start, newline)
    counts = np.diff(until)
    width = int(counts[0]) if width is None and len(counts) else width or 0
    odd = np.flatnonzero(counts != width)
    regular = int(odd[0]) if len(odd) else len(counts)
    words = slice(0, regular * width)
    return Cells(buffer, start[words].reshape(regular, width), end[words].reshape(regular, width)), len(
        counts
    )


@dataclass
class Columns:
    """Some columns of a table, as they come in.

    Parameters
    ----------
    wanted : mapping
        Name of a column → how its numbers are read, or None for text.
    spell : callable
        Bytes of a cell → text.
    """

    wanted: Mapping[str, Number | None]
    spell: Callable[[bytes], str]
    _parts: dict[str, list[npt.NDArray[Any]]] = field(init=False)
    _names: dict[str, dict[bytes | str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._parts = {name: [] for name in self.wanted}
        self._names = {name: {} for name, number in self.wanted.items() if number is None}

    def add(self, cells: Cells, place: Mapping[str, int]) -> bool:
        """Take all rows of a block, or none where some cell wants a closer look.

        Parameters
        ----------
        cells : Cells
            The block.
        place : mapping
            Name of a column → its number; the cells of one that has none are empty.
        """
        empty = np.zeros(len(cells), "S1")
        parts = {
            name: self._read(name, cells.column(place[name]) if name in place else empty)
            for name in self.wanted
        }
        read = {name: part for name, part in parts.items() if part is not None}
        if len(read) < len(parts):
            return False
        for name, part in read.items():
            self._parts[name].append(part)
        return True

    def _read(self, name: str, column: Texts | None) -> npt.NDArray[Any] | None:
        if column is None:
            return None
        if (number := self.wanted[name]) is not None:
            return number.all(column)
        known = self._names[name]
        # Rows of one micrograph mostly stand together, and are one look-up.
        first = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]]))
        codes = [known.setdefault(cell, len(known)) for cell in column[first].tolist()]
        return np.repeat(np.array(codes, np.int32), np.diff(first, append=len(column)))

    def add_rows(self, columns: Mapping[str, Sequence[str]], file: str, lines: Sequence[int | None]) -> None:
        """Take rows cell by cell.

        Parameters
        ----------
        columns : mapping
            Name of a column → its texts.
        file, lines : str, sequence of int
            Where they stand.

        Raises
        ------
        DataError
            If a number is none.
        """
        for name, number in self.wanted.items():
            cells = columns[name]
            if number is None:
                known = self._names[name]
                codes = [known.setdefault(cell, len(known)) for cell in cells]
                self._parts[name].append(np.array(codes, np.int32))
            else:
                pairs = zip(cells, lines, strict=True)
                values = [number.one(cell, name, file, line) for cell, line in pairs]
                self._parts[name].append(np.array(values, float))

    def numbers(self, name: str) -> FloatArray:
        """Return a column of numbers."""
        return np.concatenate([np.empty(0), *self._parts[name]])

    def labels(self, name: str) -> Labels:
        """Return a column of text."""
        names = [text if isinstance(text, str) else self.spell(text) for text in self._names[name]]
        return Labels.coded(np.concatenate([np.empty(0, np.int32), *self._parts[name]]), names)
