"""Which expectations are run: files, and `-k` as pytest has it."""

from __future__ import annotations

import re
from pathlib import Path

from simkit.core.errors import DataError
from simkit.suites.spec import SUFFIX, LoadedSuite

_WORD = re.compile(r"\s*(\(|\)|[^\s()]+)")


def files_of(paths: list[Path]) -> list[Path]:
    """Return the suites among files and folders.

    Raises
    ------
    DataError
        If a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"there is no suite (*{SUFFIX}) in this folder", str(path))
        found += inside
    return found


def chosen(suite: LoadedSuite, expression: str | None) -> list[tuple[str, int]]:
    """Return (case, number) of the expectations whose names fit an expression.

    Parameters
    ----------
    suite : LoadedSuite
        The suite.
    expression : str or None
        Parts of names with `and`, `or`, `not` and brackets between; a name is the case, the expectation and
        the markers of the case. None for all.

    Raises
    ------
    ValueError
        If the expression cannot be read.
    """
    picked = []
    for case, number, expectation in suite.expectations():
        names = " ".join((suite.name, case, expectation.name, *suite.suite.cases[case].markers)).lower()
        if expression is None or _Expression(expression, names).holds():
            picked.append((case, number))
    return picked


class _Expression:
    """or ← and ← not ← word or brackets."""

    def __init__(self, text: str, names: str) -> None:
        self._words = _WORD.findall(text)
        self._names = names
        self._text = text

    def holds(self) -> bool:
        value = self._any()
        if self._words:
            raise ValueError(f"{self._text!r} cannot be read at {self._words[0]!r}")
        return value

    def _any(self) -> bool:
        value = self._all()
        while self._take("or"):
            value = self._all() or value
        return value

    def _all(self) -> bool:
        value = self._one()
        while self._take("and"):
            value = self._one() and value
        return value

    def _one(self) -> bool:
        if self._take("not"):
            return not self._one()
        if self._take("("):
            value = self._any()
            if not self._take(")"):
                raise ValueError(f"a bracket is not closed in {self._text!r}")
            return value
        if not self._words or self._words[0] in ("and", "or", ")"):
            raise ValueError(f"a name is missing in {self._text!r}")
        return self._words.pop(0).lower() in self._names

    def _take(self, word: str) -> bool:
        if self._words[:1] == [word]:
            self._words.pop(0)
            return True
        return False
