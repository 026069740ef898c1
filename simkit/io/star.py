"""STAR files as tables of text and numbers; whose vocabulary they speak is for others to know."""

from __future__ import annotations

import functools
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
    text = file.read_text(encoding="utf-8-sig")
    try:
        return cif.read_string(text)
    except (ValueError, RuntimeError, IndexError) as error:
        found = re.match(r"string:(\d+):\S*\s*(.*)", str(error), re.DOTALL)
        line, reason = (int(found[1]), found[2]) if found else (None, str(error))
        raise DataError(f"not a STAR file ({reason})", str(file), line) from error


@dataclass(frozen=True)
class Loop:
    """A table of a file, by column."""

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

    def numbers(self, tag: str, parse: Callable[..., float] = finite) -> FloatArray | None:
        """Return a column of numbers, NaN where RELION marks a value as absent; None without the column."""
        values = self.parsed(tag, parse)
        return None if values is None else np.where(values == ABSENT, np.nan, values)

    def parsed(self, tag: str, parse: Callable[..., float]) -> FloatArray | None:
        """Read a column, each text as ``parse(text, name, file)`` does; None without the column."""
        texts = self.text(tag)
        if texts is None:
            return None
        values, row = np.empty(len(texts)), 0
        name, file = tag[1:], str(self.file)
        try:
            for row, text in enumerate(texts):
                values[row] = parse(text, name, file)
        except DataError as error:
            raise DataError(error.message, file, self.line_of(row)) from error
        return values

    def line_of(self, row: int) -> int | None:
        """Return the line of a row: gemmi remembers only that of `loop_`, and every row has one line."""
        lines = self.file.read_text(encoding="utf-8-sig").splitlines()
        filled = [
            number
            for number, line in enumerate(lines[self.line :], start=self.line + 1)
            if (bare := line.strip()) and not bare.startswith(("_", "#"))
        ]
        return filled[row] if row < len(filled) else None


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
