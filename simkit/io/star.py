"""STAR files as tables of text and numbers; whose vocabulary they speak is for others to know."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gemmi import cif

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.io.raw import finite

ABSENT = -999.0
"""RELION's mark for a value that does not exist."""


def read_document(file: Path) -> cif.Document:
    """Read a STAR file.

    Raises
    ------
    DataError
        If it is none.
    """
    return parse_document(file.read_text(encoding="utf-8-sig"), file)


def parse_document(text: str, file: Path, line_of: Callable[[int], int] = lambda line: line) -> cif.Document:
    """Parse the text of a STAR file, whose lines are those of the file by `line_of`.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        return cif.read_string(text)
    except (ValueError, RuntimeError, IndexError) as error:
        found = re.match(r"string:(\d+):\S*\s*(.*)", str(error), re.DOTALL)
        line, reason = (line_of(int(found[1])), found[2]) if found else (None, str(error))
        raise DataError(f"not a STAR file ({reason})", str(file), line) from error


@dataclass(frozen=True)
class Loop:
    """A table of a file, by column; for ten million rows see `simkit.io.star_table`."""

    file: Path
    loop: cif.Loop
    line: int

    def __len__(self) -> int:
        return int(self.loop.length())

    def text(self, tag: str) -> list[str] | None:
        """Return a column as text; None where there is no such column."""
        if tag not in self.loop.tags:
            return None
        width, column = self.loop.width(), self.loop.tags.index(tag)
        return [cif.as_string(value) for value in self._values[column::width]]

    @functools.cached_property
    def _values(self) -> list[str]:
        """All cells, row by row: gemmi copies them anew every time they are asked for."""
        return list(self.loop.values)

    def numbers(self, tag: str) -> FloatArray | None:
        """Return a column of numbers, NaN where RELION marks a value as absent; None without the column."""
        texts = self.text(tag)
        if texts is None:
            return None
        values, name, file = np.empty(len(texts)), tag[1:], str(self.file)
        for row, text in enumerate(texts):
            try:
                values[row] = finite(text, name, file)
            except DataError as error:
                line = self.lines_in(self.file.read_text(encoding="utf-8-sig"))[row]
                raise DataError(error.message, file, line) from error
        return np.where(values == ABSENT, np.nan, values)

    def lines_in(self, text: str) -> list[int | None]:
        """Return the line of every row: gemmi remembers only that of `loop_`, and every row has one line."""
        lines = enumerate(text.split("\n")[self.line :], start=self.line + 1)
        filled = (n for n, line in lines if (bare := line.strip()) and not bare.startswith(("_", "#")))
        found: list[int | None] = list(itertools.islice(filled, len(self)))
        return found + [None] * (len(self) - len(found))


def find_loop(document: cif.Document, tag: str, file: Path) -> Loop | None:
    """Return the first table that has a column."""
    for block in document:
        for item in block:
            if item.loop is not None and tag in item.loop.tags:
                return Loop(file, item.loop, item.line_number)
    return None


def write_tables(**tables: Mapping[str, Sequence[str]]) -> str:
    """Write tables by name; gemmi would leave out one without rows, header and all."""
    lines: list[str] = []
    for name, columns in tables.items():
        tags = [f"_{tag} #{i}" for i, tag in enumerate(columns, start=1)]
        rows = [" ".join(row) for row in zip(*columns.values(), strict=True)]
        lines += [f"data_{name}", "", "loop_", *tags, *rows, "", ""]
    return "\n".join(lines[:-1])


def word(text: str) -> str:
    """Quote a text where STAR needs it."""
    return cif.quote(str(text))
