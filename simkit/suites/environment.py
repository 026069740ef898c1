"""A simkit of another environment, asked to pick micrographs that this one has written."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simkit.core.errors import DataError, OutsideError, ScenarioError
from simkit.core.spec import Spec
from simkit.core.tables import Picks
from simkit.io.coordinates import read_coordinates
from simkit.io.mrc import write_mrc
from simkit.io.placing import called, homes
from simkit.io.programs import Ended, Start, run_programs
from simkit.picker.base import Plate
from simkit.scenario.spec import Scenario

LAST_LINES = 8
"""Lines of what it said last that an error repeats."""

SEARCHED = ("schema_version", "seed", "null", "image", "specimen", "background", "psf", "noise", "templates")
"""Sections that a picker may depend on."""


def version_of(words: Sequence[str]) -> str:
    """Return what a simkit says of its version.

    Raises
    ------
    OutsideError
        If it does not start.
    """
    with TemporaryDirectory(prefix="simkit-") as root:
        return _run((*words, "--version"), Path(root)).out.strip()


def run_there(
    words: Sequence[str], scenario: Scenario, picker: str, plates: Sequence[Plate], *, workers: int
) -> Picks:
    """Return what a picker of another environment finds in micrographs.

    Parameters
    ----------
    words : sequence of str
        Start its simkit.
    scenario : Scenario
        Has the picker. What it leaves to defaults, the other decides by its own.
    picker : str
        Its name.
    plates : sequence of Plate
        All micrographs, in their order, which names the picker's random streams.
    workers : int
        Processor cores to use.

    Raises
    ------
    OutsideError
        If it does not start, fails, or leaves nothing that can be read.
    ScenarioError
        If the micrographs have one dimension, which no file that it reads has.
    """
    if scenario.image.ndim != 2:
        raise ScenarioError("images of one dimension cannot be handed to another environment", ("image",))
    with TemporaryDirectory(prefix="simkit-") as folder:
        root, names = Path(folder), [plate.name for plate in plates]
        asked, out = root / "scenario.yaml", root / "picks.csv"
        asked.write_text(_asked(scenario, picker), encoding="utf-8")
        for plate in plates:
            write_mrc(root / f"{plate.name}.mrc", plate.pixels(), plate.grid.pixel_size)
        options = ("--picker", picker, "--out", str(out), "--workers", str(workers))
        files = [f"{name}.mrc" for name in names]
        ended = _run((*words, "pick", str(asked), *options, "--", *files), root)
        if not out.is_file():
            raise _failed(words, "ended well and wrote no picks", ended)
        try:
            picks = read_coordinates(out, pixel_size=scenario.image.pixel_size)
        except DataError as error:
            raise _failed(words, f"wrote what cannot be used: {error.message}", ended) from error
    home = homes(picks["micrograph"].tolist(), (), names)
    if strangers := [name for name, there in home.items() if there is None]:
        raise _failed(words, f"gave picks on {called(strangers)}, which are none of its micrographs", ended)
    return picks.replace(micrograph=[str(home[name]) for name in picks["micrograph"].tolist()])


def _asked(scenario: Scenario, picker: str) -> str:
    """Return what is to be searched for and how, as far as the scenario's file says it."""
    plain = _said(scenario, None)
    said = {name: plain[name] for name in SEARCHED if plain.get(name) is not None}
    return json.dumps({**said, "pickers": {picker: plain["pickers"][picker]}}, ensure_ascii=False)


def _said(value: Any, plain: Any) -> Any:
    """Return a value as plain data without its defaults, those of a family's members too.

    Parameters
    ----------
    value : object
        A spec, or what a field of one holds.
    plain : object
        The same as plain data, of what is no spec.
    """
    if isinstance(value, Spec):
        plain = value.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if not isinstance(plain, Mapping):
            return plain
        keys = {name: field.alias or name for name, field in type(value).model_fields.items()}
        return {
            key: _said(getattr(value, name), plain[key])
            for name, key in keys.items()
            if name in value.model_fields_set
        }
    if isinstance(value, Mapping):
        return {key: _said(item, plain[key]) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_said(item, other) for item, other in zip(value, plain, strict=True)]
    return plain


def _run(argv: tuple[str, ...], folder: Path) -> Ended:
    """Run a program in a folder: what stands beside it comes first, and none of this simkit's own code."""
    env = shutil.which("env")
    if env is None:
        raise OutsideError("there is no program 'env' here, by which another environment is started")
    path = f"PATH={Path(argv[0]).parent}:{os.environ.get('PATH', '')}"
    done: list[Ended] = []
    run_programs(
        [Start((env, "-u", "PYTHONPATH", path, *argv), folder, folder / "log")],
        at_once=1,
        timeout=math.inf,
        ended=lambda _, how: done.append(how),
    )
    if done[0].code:
        raise _failed(argv, f"ended with exit code {done[0].code}", done[0])
    return done[0]


def _failed(argv: Sequence[str], how: str, ended: Ended) -> OutsideError:
    said = (ended.err.strip() or ended.out.strip()).splitlines()[-LAST_LINES:]
    last = "".join(f"\n  {line}" for line in said) or " nothing"
    return OutsideError(f"{argv[0]} {how}; the last it said:{last}")
