"""Every error simkit raises on purpose.

    SimkitError                  exit code
    ├── ScenarioError            2   the scenario is wrong: says where in the tree, and what would be right
    ├── DataError                2   an outside file is wrong: says which file and which line
    ├── ResourceError            2   the job needs more than this machine has
    └── OutsideError             3   a program that is not ours failed

A located error carries a `path`, the keys that lead to the offending value; whoever still has
the YAML text turns it into `file:line:col`.
"""

from __future__ import annotations

from collections.abc import Sequence

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """Write a path of keys and indices the way `--set` takes it: ``noise.shot.dose``."""
    return ".".join(str(part) for part in path)


class SimkitError(Exception):
    """Base of all errors meant for the user; its text alone must tell what to do."""

    exit_code = 2


class ScenarioError(SimkitError):
    """The scenario asks for something impossible.

    Parameters
    ----------
    message : str
        What is wrong and what would be right.
    path : tuple of str or int
        Keys from the root of the scenario to the value at fault.
    """

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = tuple(path)

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message

    def under(self, *prefix: str | int) -> ScenarioError:
        """Return the same error, of the same type, as seen from further up the tree."""
        moved = type(self)(self.message, (*prefix, *self.path))
        moved.__cause__ = self
        return moved


class DataError(SimkitError):
    """An image or coordinate file cannot be used.

    Parameters
    ----------
    message : str
        What is wrong and what would be right.
    file : str
        The file at fault.
    line : int, optional
        The line at fault, counted from 1.
    """

    def __init__(self, message: str, file: str, line: int | None = None) -> None:
        # All that it is made of, so that an error travels from one process to another.
        super().__init__(message, file, line)
        self.message = message
        self.file = file
        self.line = line

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


class ResourceError(SimkitError):
    """The job does not fit this machine; the text states what it needs and what there is."""


class OutsideError(SimkitError):
    """An outside program or plug-in failed."""

    exit_code = 3
