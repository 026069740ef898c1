"""Where everything stands in a scenario file, so that every error can point at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simkit.core.errors import Path, ScenarioError, SimkitError, dotted

WIDTH = 100
"""Characters of a source line that are shown around the place of an error."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong (or doubtful) in a scenario, and where.

    Attributes
    ----------
    message : str
        What is wrong, what would be right.
    path : tuple of str or int
        Keys from the root to the value at fault.
    where : str
        ``file:line:col``, or the option on the command line that is at fault.
    snippet : str
        The source line with a caret below; empty for a command-line option.
    position : int
        Index into the text; problems are told in this order.
    warning : bool
        Doubtful rather than wrong.
    """

    message: str
    path: Path
    where: str
    snippet: str = ""
    position: int = -1
    warning: bool = False

    def __str__(self) -> str:
        parts = [self.where, *(["warning"] if self.warning else []), dotted(self.path), self.message]
        if self.where in (f"--set {dotted(self.path)}", f"--{dotted(self.path)}"):
            parts.remove(dotted(self.path))
        head = ": ".join(part for part in parts if part)
        return f"{head}\n{self.snippet}" if self.snippet else head

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as plain data for JSON."""
        return {
            "severity": "warning" if self.warning else "error",
            "where": self.where,
            "path": dotted(self.path),
            "message": self.message,
        }


class InvalidScenarioError(SimkitError):
    """All that is wrong with one scenario, each with its place.

    Parameters
    ----------
    problems : iterable of Problem
        In any order; kept in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class SourceMap:
    """The text of a scenario file and the position of every key and value in it.

    Attributes
    ----------
    name : str
        The file, as the user wrote it.
    text : str
        Its content.
    keys, values : mapping
        Path → index into `text` of the key and of its value.
    overrides : mapping
        Path → the command-line option that set it; what lies below is no longer in the file.
    moved : mapping
        Path → where in the file its value is written instead, such as under an axis of a sweep.
    """

    name: str
    text: str
    keys: Mapping[Path, int] = field(default_factory=dict)
    values: Mapping[Path, int] = field(default_factory=dict)
    overrides: Mapping[Path, str] = field(default_factory=dict)
    moved: Mapping[Path, Path] = field(default_factory=dict)

    def problem(self, error: ScenarioError, *, warning: bool = False, at_key: bool = False) -> Problem:
        """Return an error with its place: that of its value, or of the nearest key above."""
        option = self._option(error.path)
        if option is not None:
            return Problem(error.message, error.path, option, warning=warning)
        return self.at(self._index(error.path, at_key), error.message, error.path, warning=warning)

    def at(self, index: int, message: str, path: Path = (), *, warning: bool = False) -> Problem:
        """Return a problem at an index into the text."""
        start = self.text.rfind("\n", 0, index) + 1
        line, column = self.text.count("\n", 0, index) + 1, index - start + 1
        where = f"{self.name}:{line}:{column}"
        return Problem(message, path, where, self._snippet(start, index), index, warning)

    def _option(self, path: Path) -> str | None:
        above = (path[:n] for n in range(len(path), 0, -1))
        return next((self.overrides[p] for p in above if p in self.overrides), None)

    def _index(self, path: Path, at_key: bool) -> int:
        path = self._listed(self._written_at(path))
        if path in self.values:
            return self.keys.get(path, self.values[path]) if at_key else self.values[path]
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path, 0)

    def _written_at(self, path: Path) -> Path:
        above = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.moved), ())
        if above:
            return (*self.moved[above], *path[len(above) :])
        # A mapping that is not in the file was made to hold what is written elsewhere.
        made = [at for inside, at in self.moved.items() if inside[: len(path)] == path]
        return made[0] if made and path not in self.keys else path

    def _listed(self, path: Path) -> Path:
        """Turn the `y` and `x` of a position that is written as a list into its indices."""
        if path in self.values or not path or path[-1] not in ("y", "x"):
            return path
        parent = path[:-1]
        length = next(n for n in range(len(self.values) + 1) if (*parent, n) not in self.values)
        return (*parent, length - 1 - ("x", "y").index(str(path[-1])))

    def _snippet(self, start: int, index: int) -> str:
        end = self.text.find("\n", index)
        line = self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")
        first = max(0, index - start - WIDTH * 3 // 4) if len(line) > WIDTH else 0
        shown = "".join(c if c.isprintable() else " " for c in line[first : first + WIDTH])
        return f"    {shown}\n    {' ' * (index - start - first)}^"


@contextmanager
def locating(source: SourceMap) -> Iterator[None]:
    """Give a scenario error that a later stage raises its place in the file."""
    try:
        yield
    except ScenarioError as error:
        raise InvalidScenarioError([source.problem(error)]) from error
