"""What a result depends on, as a key: the same content gives the same key, wherever and whenever it is made.

A key is a hash of the part of the resolved scenario that a stage sees, of the content of the files named
there, and of the stage's own version. So a new picker does not simulate anew, a new metric does not search
anew, and a renamed axis changes nothing. The code itself is not hashed: who changes what a stage computes
raises its version.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simkit.core.paths import split_dataset
from simkit.scenario.spec import Scenario

VERSIONS = {"simulation": 1, "picks": 1, "scores": 1, "ceiling": 1}
"""Stage → version of what it computes."""

SIMULATED = ("seed", "null", "image", "specimen", "background", "psf", "noise")
"""Sections that a simulated micrograph depends on."""

JUDGED = (*SIMULATED, "micrographs", "templates", "pickers", "score", "replicates")
"""Sections that scores depend on."""


class Keys:
    """The keys of one scenario's results.

    Parameters
    ----------
    scenario : Scenario
        As it is run, without a sweep.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._plain: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
        self._of_pickers: dict[str, str] = {}

    @functools.cached_property
    def micrographs(self) -> str:
        """Of all that a micrograph depends on but its number; cells that share it share their micrographs."""
        if self._scenario.micrographs is None:
            return self._hash("simulation", *SIMULATED)
        real = {"files": self._plain["micrographs"]["files"], "pixel_size": self._plain["image"]}
        return _digest(["micrographs", real, *self._sections("seed", "null")])

    def micrograph(self, number: int) -> str:
        """Return the key of one micrograph; of a real one also of its file's content."""
        real = self._scenario.micrographs
        of_file = None if real is None else _content(real.files[number])
        return _digest([self.micrographs if real is None else "", number, of_file])

    @functools.cached_property
    def banks(self) -> str:
        """Of all that the templates depend on."""
        return self._hash("picks", *SIMULATED, "templates")

    def picks(self, picker: str, number: int) -> str:
        """Return the key of what a picker found in one micrograph."""
        return _digest([self._picker(picker), self.micrograph(number), number])

    def _picker(self, picker: str) -> str:
        if picker not in self._of_pickers:
            self._of_pickers[picker] = self._hash_of_picker(picker)
        return self._of_pickers[picker]

    def _hash_of_picker(self, picker: str) -> str:
        spec = self._plain["pickers"][picker]
        named = spec.get("templates")
        templates = {
            name: template
            for name, template in self._plain.get("templates", {}).items()
            if named is None or name in named
        }
        return _digest([VERSIONS["picks"], *self._sections(*SIMULATED), templates, picker, spec])

    @functools.cached_property
    def scores(self) -> str:
        """Of the scores of all its micrographs."""
        return _digest([VERSIONS, *self._sections(*JUDGED)])

    @functools.cached_property
    def ceiling(self) -> str:
        """Of what physics allows."""
        return self._hash("ceiling", *SIMULATED, "templates", "score")

    def _hash(self, stage: str, *sections: str) -> str:
        return _digest([stage, VERSIONS[stage], *self._sections(*sections)])

    def _sections(self, *names: str) -> list[Any]:
        return [[name, self._plain.get(name)] for name in names]


def _digest(content: Any) -> str:
    # Not sorted: which species comes first decides what later ones find occupied.
    text = json.dumps(_with_contents(content), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _with_contents(value: Any) -> Any:
    """Replace every file that is named by what is in it."""
    if isinstance(value, Mapping):
        return {key: _with_contents(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_contents(item) for item in value]
    if isinstance(value, str) and os.path.isabs(value) and Path(split_dataset(value)[0]).is_file():
        return [_content(value), split_dataset(value)[1]]
    return value


def _content(file: str) -> str:
    path = split_dataset(file)[0]
    status = os.stat(path)
    return _hashed(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=100_000)
def _hashed(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
