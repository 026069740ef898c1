"""What code a picker runs, as a key: results of earlier code are never taken for those of the new."""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from simkit.picker._argv import placeholders
from simkit.picker.base import Picker
from simkit.picker.command import Command
from simkit.picker.python import Python
from simkit.scenario.spec import Scenario
from simkit.suites.python_code import OWN, PythonCode, code_of, hash_of

PARTS = ("numpy", "scipy", "finufft")
"""Libraries whose version decides digits."""


def fingerprint(scenarios: Iterable[Scenario]) -> str:
    """Return a key of all code that the pickers of some scenarios run, as far as it can be seen.

    That is simkit itself and the versions of what it computes with; of a command the program and every file
    that its arguments name. Where that is a Python program (a script or an installed launcher whose first
    line names a Python, ``python script``, ``python -m module``) and where it is a Python function, it is
    also what is installed for that Python and the sources that are imported, see `PythonCode.facts`. What a
    shell script starts, what a compiled program loads and data that code reads are not seen: a picker names
    such files under `depends:`.
    """
    digest = hashlib.sha256(_own_code().encode())
    for fact in (fact for s in scenarios for p in s.pickers.values() for fact in _facts(p)):
        digest.update(fact.encode())
    return digest.hexdigest()[:16]


@functools.cache
def _own_code() -> str:
    digest = hashlib.sha256(f"{sys.version_info} {[version(part) for part in PARTS]}".encode())
    for file in sorted(OWN.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _facts(picker: Picker) -> Iterator[str]:
    if isinstance(picker, Python):
        module = picker.call.split(":")[0].split(".")[0]
        yield from PythonCode(sys.executable, modules=(module,), path=tuple(sys.path)).facts()
    if isinstance(picker, Command):
        yield from _facts_of_command(picker)


def _facts_of_command(picker: Command) -> Iterator[str]:
    name, *arguments = (_filled(word) for word in picker.argv)
    found = shutil.which(name)
    for file in (*([found] if found else []), *arguments):
        if Path(file).is_file():
            yield hash_of(Path(file))
    code = code_of(Path(found), arguments) if found else None
    if code is not None:
        yield from code.facts()


def _filled(word: str) -> str:
    """Return a word of a command as the program gets it, if that can be said beforehand."""
    return word.format_map({"python": sys.executable}) if placeholders(word) <= {"python"} else word
