"""The other version of a picker: a command in its command's place, or an environment that has another one."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from simkit.core.errors import DataError, OutsideError, SimkitError
from simkit.core.tables import Picks
from simkit.engine.picking import draw_banks, pick_batch
from simkit.engine.pipeline import own_micrographs
from simkit.picker._argv import placeholders
from simkit.picker.base import Picker, Plate
from simkit.picker.command import Command
from simkit.scenario.spec import Scenario
from simkit.suites.environment import run_there, version_of

WHOLE = frozenset({"micrographs", "micrograph", "micrograph_folder"})
"""A command that says where it has its micrographs from is a whole one."""

MODULE = ("-m", "simkit.cli.main")
"""What a Python runs as its simkit."""

_PYTHON = re.compile(r"python[\d.]*")


class Rival(Protocol):
    """Another version of a picker."""

    @property
    def text(self) -> str:
        """What it is asked for by, as it was written."""

    @property
    def name(self) -> str:
        """What a reader knows it by."""

    def plays(self, picker: Picker) -> bool:
        """Tell whether it has another version of a picker."""

    def require_ready(self, picker: Picker) -> None:
        """Ask whether all is there that its version of a picker needs.

        Raises
        ------
        SimkitError
            If it is not.
        """

    def picks(self, scenario: Scenario, picker: str, plates: Sequence[Plate], *, workers: int) -> Picks:
        """Return what it finds.

        Parameters
        ----------
        scenario : Scenario
            Has the picker that is compared.
        picker : str
            Its name.
        plates : sequence of Plate
            All micrographs.
        workers : int
            Processor cores to use.

        Raises
        ------
        SimkitError
            If it cannot be run, or leaves nothing that can be read.
        """


@dataclass(frozen=True)
class Replacement:
    """A command in place of that of a `kind: command` picker.

    Attributes
    ----------
    text : str
        As it was written.
    words : tuple of str
        Take the place of the first words of the picker's `argv`, or of all where they name the micrographs.
    """

    text: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """See `Rival.name`."""
        return self.text

    def plays(self, picker: Picker) -> bool:
        """See `Rival.plays`."""
        return isinstance(picker, Command)

    def require_ready(self, picker: Picker) -> None:
        """See `Rival.require_ready`."""
        self.of(picker).require_ready()

    def picks(self, scenario: Scenario, picker: str, plates: Sequence[Plate], *, workers: int) -> Picks:
        """See `Rival.picks`."""
        other = self.of(scenario.pickers[picker])
        replaced = scenario.model_copy(update={"pickers": {picker: other}})
        grid = plates[0].grid
        banks = draw_banks(replaced, grid, own_micrographs(replaced)) if other.needs_templates else {}
        found = pick_batch(replaced, picker, plates=plates, banks=banks, workers=workers)
        return Picks.concat([one.picks for one in found])

    def of(self, picker: Picker) -> Command:
        """Return a picker, which is a command, with the other command.

        Raises
        ------
        SimkitError
            If the words do not fit in.
        """
        if not isinstance(picker, Command):
            raise TypeError("a command stands for none but a command")
        words = tuple(_placed(word) for word in self.words)
        try:
            named = set().union(*map(placeholders, words))
            taken = picker.argv[: len(words)]
            if not named & WHOLE and (wrong := [word for word in taken if _is_argument(word)]):
                raise ValueError(
                    f"it would take the place of {shlex.join(wrong)} in {shlex.join(picker.argv)}; write the "
                    "whole command, with {micrographs} and {out}"
                )
            argv = words if named & WHOLE else (*words, *picker.argv[len(words) :])
            return Command.model_validate({**picker.model_dump(by_alias=True), "argv": argv})
        except ValidationError as error:
            raise SimkitError(f"--against {self.name}: {error.errors()[0]['msg']}") from None
        except ValueError as error:
            raise SimkitError(f"--against {self.name}: {error}") from None


@dataclass(frozen=True)
class Environment:
    """A simkit that is installed elsewhere, with whatever version of the pickers is installed beside it.

    Attributes
    ----------
    text : str
        As it was written.
    words : tuple of str
        Start it.
    version : str
        What it says of itself.
    """

    text: str
    words: tuple[str, ...]
    version: str

    @property
    def name(self) -> str:
        """See `Rival.name`."""
        return f"{self.text} ({self.version})"

    def plays(self, picker: Picker) -> bool:
        """See `Rival.plays`; an oracle is told what is in no file, and a list from a file has no version."""
        return picker.sees_pixels and not picker.oracle

    def require_ready(self, picker: Picker) -> None:
        """See `Rival.require_ready`; it has said its version, and it alone knows what it needs."""

    def picks(self, scenario: Scenario, picker: str, plates: Sequence[Plate], *, workers: int) -> Picks:
        """See `Rival.picks`."""
        return run_there(self.words, scenario, picker, plates, workers=workers)


def rival_of(text: str) -> Rival:
    """Return what is compared with.

    Parameters
    ----------
    text : str
        A virtual environment's folder, a Python, a `simkit` or ``'… -m simkit'``: an environment; anything
        else is a command.

    Raises
    ------
    SimkitError
        If it cannot be read, or there is no such program.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise SimkitError(f"--against {text!r}: {error}") from None
    if not words:
        raise SimkitError("--against is empty; name a command or an environment")
    environment = _environment(words)
    if environment is None:
        return Replacement(text, words)
    return Environment(text, environment, version_of(environment))


def _environment(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what starts the simkit of an environment; None where no environment is meant."""
    first = Path(words[0]).expanduser()
    alone = len(words) == 1
    if alone and first.is_dir():
        program = first / "bin" / "simkit"
        if not program.is_file():
            raise DataError("no simkit is installed in this environment (bin/simkit)", str(first))
        return (str(program.absolute()),)
    if words[-2:] == ("-m", "simkit"):
        return (str(_found(first)), *words[1:-2], *MODULE)
    if alone and first.name == "simkit":
        return (str(_found(first)),)
    if alone and _PYTHON.fullmatch(first.name):
        beside = _found(first).with_name("simkit")
        return (str(beside),) if beside.is_file() else (str(_found(first)), *MODULE)
    return None


def _found(program: Path) -> Path:
    """Return where a program is; not what its name links to, for the link says which environment is meant."""
    found = shutil.which(program)
    if found is None:
        raise OutsideError(f"there is no program '{program}' here; install it, or write where it is")
    return Path(found).absolute()


def _placed(word: str) -> str:
    """Return a word in which a file of this folder is named from anywhere."""
    if not Path(word).is_file():
        return word
    return str(Path(word).absolute()).replace("{", "{{").replace("}", "}}")


def _is_argument(word: str) -> bool:
    return word.startswith("-") or bool(placeholders(word) - {"python"})
