"""A scenario file to a `Scenario` and back: every error at once, each with its place."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from simkit.core import errors
from simkit.core.errors import DataError, ScenarioError, dotted
from simkit.core.paths import BASE_DIR
from simkit.core.quantity import UNITS_REQUIRED
from simkit.core.vector import DIMENSIONS
from simkit.scenario.checks import check, doubts
from simkit.scenario.messages import explained, is_echo, is_unknown_key, shown
from simkit.scenario.source import InvalidScenarioError, Problem, SourceMap
from simkit.scenario.spec import Scenario
from simkit.scenario.yamltree import Tree, read_tree

MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Loaded:
    """A valid scenario and the text it came from.

    Attributes
    ----------
    scenario : Scenario
        The experiment.
    source : SourceMap
        Turns the path of a later error into its place in the file.
    warnings : tuple of Problem
        What is doubtful but not wrong.
    """

    scenario: Scenario
    source: SourceMap
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Setting:
    """A value that takes the place of one in a scenario.

    Attributes
    ----------
    path : str
        With dots between, as for ``--set``.
    value : object
        As YAML would have it.
    place : tuple of str or int
        Where in the file it is written.
    """

    path: str
    value: Any
    place: errors.Path


@dataclass(frozen=True)
class Draft:
    """A scenario file that was read and not yet validated: what the cells of a sweep are made of.

    Attributes
    ----------
    data : dict
        What the file and the overrides say.
    source : SourceMap
        Where they say it.
    folder : Path
        Of the file; the files that it names are relative to it.
    problems : tuple of Problem
        What is wrong with the text itself or with an override.
    known : frozenset
        Paths that the problems are about.
    """

    data: dict[str, Any]
    source: SourceMap
    folder: Path
    problems: tuple[Problem, ...] = ()
    known: frozenset[errors.Path] = frozenset()

    def validated(self) -> Loaded:
        """Return the scenario.

        Raises
        ------
        InvalidScenarioError
            If anything in it is wrong; lists all of it.
        """
        return _validated(self.data, self.source, self.folder, list(self.problems), set(self.known))

    def with_settings(self, settings: Sequence[Setting]) -> Draft:
        """Return a draft without a sweep, in which some values are replaced; errors point at theirs."""
        data = copy.deepcopy({key: value for key, value in self.data.items() if key != "sweep"})
        moved: dict[errors.Path, errors.Path] = {}
        refused: list[Problem] = []
        for setting in settings:
            try:
                moved[_set(data, setting.path, copy.deepcopy(setting.value))] = setting.place
            except ScenarioError as error:
                refused.append(self.source.problem(ScenarioError(error.message, setting.place)))
        source = replace(self.source, moved=moved)
        return replace(self, data=data, source=source, problems=(*self.problems, *refused))


def load(
    path: str | Path, *, overrides: Sequence[str] = (), seed: int | None = None, search_only: bool = False
) -> Loaded:
    """Read a scenario file.

    Parameters
    ----------
    path : str or Path
        A YAML 1.2 file.
    overrides : sequence of str
        ``"noise.shot.dose=5 e/Å²"``: dotted paths (list entries by number) and YAML values that
        replace or add to what the file says.
    seed : int, optional
        Replaces the file's seed.
    search_only : bool
        Take what says how to search other images: micrographs of the scenario's own, scores and
        expectations are passed over, so that their files need not be there, unless their headers alone
        say how large a pixel is.

    Raises
    ------
    InvalidScenarioError
        If anything in the file or in an override is wrong; lists all of it.
    DataError
        If the file cannot be read.
    """
    draft = read_draft(path, overrides=overrides, seed=seed)
    if search_only:
        _leave_judging_out(draft.data)
    return draft.validated()


def read_draft(path: str | Path, *, overrides: Sequence[str] = (), seed: int | None = None) -> Draft:
    """Read a scenario file without validating what it says; for the parameters see `load`.

    Raises
    ------
    InvalidScenarioError
        If the file is no mapping of sections.
    DataError
        If it cannot be read.
    """
    name, text = str(path), _text(path)
    tree = read_tree(text)
    source = SourceMap(name, text, tree.keys, tree.values)
    faults = [source.at(fault.index, fault.message, fault.path) for fault in tree.faults]
    if not tree.readable:
        raise InvalidScenarioError(faults)
    if not isinstance(tree.data, dict):
        raise InvalidScenarioError([*faults, source.at(0, _not_a_mapping(tree.data))])
    source, refused = _override(tree, source, overrides, seed)
    known = frozenset(fault.path for fault in tree.faults)
    return Draft(tree.data, source, Path(path).parent, (*faults, *refused), known)


def _leave_judging_out(data: dict[str, Any]) -> None:
    real = data.pop("micrographs", None)
    image = data.get("image", {})
    if isinstance(real, dict) and isinstance(image, dict) and "pixel_size" not in image:
        if "pixel_size" in real:
            data["image"] = {**image, "pixel_size": real["pixel_size"]}
        else:  # their headers alone say how large a pixel is
            data["micrographs"] = {name: value for name, value in real.items() if name != "truth"}
    for section in ("score", "expect", "sweep"):
        data.pop(section, None)


def dump(scenario: Scenario) -> str:
    """Write a scenario as YAML: canonical units, every default spelled out, the same text every time.

    Loading the text gives an equal scenario.
    """
    plain = _tidy(scenario.model_dump(mode="json", by_alias=True))
    data = {key: value for key, value in plain.items() if value not in ({}, [], "")}
    writer: Any = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.allow_unicode = True
    writer.width = 1 << 20
    writer.sort_base_mapping_type_on_output = False
    writer.representer.ignore_aliases = lambda *_: True
    stream = io.StringIO()
    writer.dump(data, stream)
    return stream.getvalue()


def _tidy(value: Any) -> Any:
    """Leave out what is None and put `kind` first."""
    if isinstance(value, dict):
        first = {"kind": value["kind"]} if "kind" in value else {}
        return first | {key: _tidy(item) for key, item in value.items() if item is not None}
    return [_tidy(item) for item in value] if isinstance(value, list) else value


def _text(path: str | Path) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError("there is no such file", str(path)) from None
    except IsADirectoryError:
        raise DataError("this is a folder; name the scenario file in it", str(path)) from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", str(path)) from None
    if len(content) > MAX_BYTES:
        raise DataError("larger than 1 MiB, which no scenario needs; put long lists into files", str(path))
    return _decoded(content, str(path))


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8-sig")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8 text"
        raise InvalidScenarioError([SourceMap(name, readable).at(len(readable), message)]) from None


def _not_a_mapping(data: Any) -> str:
    if data is None:
        return "the file says nothing; `simkit new lecture` writes a scenario to start from"
    return f"a scenario is a mapping of sections (schema_version, image, specimen, …), not {shown(data)}"


def _override(
    tree: Tree, source: SourceMap, overrides: Sequence[str], seed: int | None
) -> tuple[SourceMap, list[Problem]]:
    refused: list[Problem] = []
    placed: dict[errors.Path, str] = {}
    for text in overrides:
        written = text.partition("=")[0]
        option = f"--set {written.strip()}"
        try:
            placed[_set(tree.data, written, _value(text))] = option
        except ScenarioError as error:
            refused.append(Problem(error.message, error.path, option))
    if seed is not None:
        tree.data["seed"] = seed
        placed[("seed",)] = "--seed"
    return replace(source, overrides=placed), refused


def _value(text: str) -> Any:
    _, equals, value = text.partition("=")
    if not equals:
        raise ScenarioError(f"{text!r} sets nothing; write `--set noise.shot.dose='5 e/Å²'`")
    tree = read_tree(value)
    if tree.faults:
        raise ScenarioError(tree.faults[0].message)
    return tree.data


def _set(data: Any, written: str, value: Any) -> errors.Path:
    """Put a value at a dotted path, making the mappings that lead to it; return the path."""
    parts = written.strip().split(".")
    if not all(parts):
        raise ScenarioError(f"{written!r} is no path; write names with dots between: noise.shot.dose")
    path: errors.Path = ()
    for i, part in enumerate(parts):
        key = _key(data, part, path)
        path = (*path, key)
        if i == len(parts) - 1:
            data[key] = value
        elif isinstance(data, dict):
            data = data.setdefault(key, {})
        else:
            data = data[key]
    return path


def _key(data: Any, part: str, path: errors.Path) -> str | int:
    if isinstance(data, dict):
        return part
    if not isinstance(data, list):
        raise ScenarioError(f"{dotted(path)} is {shown(data)}, so there is no {part!r} in it")
    if not re.fullmatch(r"\d{1,9}", part) or int(part) >= len(data):
        raise ScenarioError(f"{dotted(path)} is a list; its entries are 0 to {len(data) - 1}, not {part}")
    return int(part)


def _dimensions(data: dict[str, Any]) -> int | None:
    """Return how many dimensions the image has, if the file says so understandably."""
    image = data.get("image")
    shape = image.get("shape") if isinstance(image, dict) else None
    return len(shape) if isinstance(shape, list) and len(shape) in (1, 2) else None


def _validated(
    data: dict[str, Any], source: SourceMap, folder: Path, problems: list[Problem], known: set[errors.Path]
) -> Loaded:
    context = UNITS_REQUIRED | {BASE_DIR: str(folder), DIMENSIONS: _dimensions(data)}
    try:
        scenario = Scenario.model_validate(data, context=context)
    except ValidationError as error:
        for details in error.errors():
            found = explained(details, data, Scenario)
            if not is_echo(details) and not any(found.path[: len(path)] == path for path in known):
                problems.append(source.problem(found, at_key=is_unknown_key(details)))
        raise InvalidScenarioError(problems) from None
    problems += [source.problem(error) for error in check(scenario)]
    if problems:
        raise InvalidScenarioError(problems)
    return Loaded(scenario, source, tuple(source.problem(e, warning=True) for e in doubts(scenario)))
