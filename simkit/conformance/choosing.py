"""From the words of a command line to a picker."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simkit.conformance.scene import ACROSS
from simkit.core.errors import ScenarioError
from simkit.core.paths import BASE_DIR
from simkit.core.quantity import LENGTH, UNITS_REQUIRED
from simkit.core.spec import Spec
from simkit.picker import FAMILY, AnyPicker
from simkit.picker.base import Picker
from simkit.scenario.messages import explained
from simkit.scenario.yamltree import read_tree

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

KIND, FILES = "kind:", "files:"

DEFAULTS: dict[str, Any] = {
    "threshold": {"kind": "expected_false_picks", "per_image": 1},
    "diameter": LENGTH.write(ACROSS),
    "contrast": "dark",
}
"""What a picker of simkit's is given where it needs it."""


class _Choice(Spec):
    """So that errors of a picker are told as those of a scenario."""

    picker: AnyPicker


def picker_of(text: str, *, format: str | None = None, options: Sequence[str] = ()) -> Picker:
    """Return the picker that a text names.

    Parameters
    ----------
    text : str
        A command with placeholders (``mypick {micrographs} --out {out}``), ``package.module:function``,
        ``kind:matched_filter``, or ``files:PATTERN`` of picks that were made of the kit's own micrographs.
    format : str, optional
        Of the files; needed for a command.
    options : sequence of str
        ``name=value`` of the picker, as YAML has it: ``threshold={kind: top, count: 25}``,
        ``per=micrograph``, ``output.binning=4``.

    Raises
    ------
    ScenarioError
        If that makes no picker.
    """
    written = _written(text, format)
    for option in options:
        _put(written, option)
    context = {BASE_DIR: Path.cwd(), **UNITS_REQUIRED}
    try:
        picker = _Choice.model_validate({"picker": written}, context=context).picker
    except ValidationError as error:
        told = [explained(details, {"picker": written}, _Choice) for details in error.errors()]
        raise ScenarioError("; ".join(map(str, told))) from None
    return usable(picker)


def usable(picker: Picker) -> Picker:
    """Refuse a picker that needs what the kit tells nobody.

    Raises
    ------
    ScenarioError
        If it needs the true noise.
    """
    if picker.oracle:
        raise ScenarioError("it is told the true noise, and the kit tells it to nobody; let it estimate it")
    return picker


def _written(text: str, format: str | None) -> dict[str, Any]:
    if text.startswith(KIND):
        return _ours(text.removeprefix(KIND))
    named = {} if format is None else {"format": format}
    if text.startswith(FILES):
        return {"kind": "file", "files": text.removeprefix(FILES), **named}
    if FUNCTION.fullmatch(text):
        return {"kind": "python", "call": text}
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise ScenarioError(f"{text!r} is no command: {error}") from None
    if format is None:
        raise ScenarioError(
            "say with --format what a command writes; `simkit list coordinates` has the names"
        )
    return {"kind": "command", "argv": [_found(word) for word in argv], "output": named}


def _found(word: str) -> str:
    """Return a file that is here by its whole path: the program is started elsewhere."""
    return str(Path(word).absolute()) if Path(word).is_file() else word


def _ours(kind: str) -> dict[str, Any]:
    try:
        fields = FAMILY.kind(kind).model_fields
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    needed = {name for name, field in fields.items() if field.is_required()}
    return {"kind": kind, **{name: value for name, value in DEFAULTS.items() if name in needed}}


def _put(written: dict[str, Any], option: str) -> None:
    path, equals, text = option.partition("=")
    tree = read_tree(text)
    if not equals or tree.faults:
        raise ScenarioError(f"{option!r} sets nothing; write name=value, for example per=micrograph")
    *way, last = path.split(".")
    place = written
    for name in way:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ScenarioError(f"{option!r}: {name} has no parts")
    place[last] = tree.data
