"""What code a picker runs, as a key: results of earlier code are never taken for those of the new."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from simkit.picker.base import Picker
from simkit.picker.command import Command
from simkit.picker.python import Python
from simkit.scenario.spec import Scenario

PARTS = ("numpy", "scipy", "finufft")
"""Libraries whose version decides digits."""


def fingerprint(scenarios: Iterable[Scenario]) -> str:
    """Return a key of all code that the pickers of some scenarios run, as far as it can be seen.

    That is simkit itself and the versions of what it computes with; of a Python function all modules of its
    package; of a command the program and every file that its arguments name. What a program loads beyond
    that is not seen: who changes only that gives `--store` another folder.
    """
    digest = hashlib.sha256(_own_code().encode())
    for file in sorted({file for s in scenarios for p in s.pickers.values() for file in _files(p)}):
        digest.update(_hashed(file).encode())
    return digest.hexdigest()[:16]


@functools.cache
def _own_code() -> str:
    digest = hashlib.sha256(f"{sys.version_info} {[version(part) for part in PARTS]}".encode())
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _hashed(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(picker: Picker) -> Iterator[Path]:
    if isinstance(picker, Python):
        yield from _of_module(picker.call.split(":")[0])
    if isinstance(picker, Command):
        program = shutil.which(picker.argv[0])
        for name in (*([program] if program else []), *picker.argv[1:]):
            if "{" not in name and Path(name).is_file():
                yield Path(name)


def _of_module(module: str) -> Iterator[Path]:
    """Yield the modules of a function's package."""
    top = module.split(".")[0]
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return
    if found is None or top == "simkit":
        return
    if found.submodule_search_locations:
        for folder in found.submodule_search_locations:
            yield from sorted(Path(folder).rglob("*.py"))
    elif found.origin and Path(found.origin).is_file():
        yield Path(found.origin)
