"""YAML 1.2 to plain data, with the place of every key and value and without anything executable.

The text is composed into a node tree once and turned into dicts, lists, strings, numbers, booleans
and None here, so that `1e-3` is a number and `on` a string, duplicate keys and tags are errors, and
neither recursive aliases nor alias bombs get through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from simkit.core.errors import Path

MAX_DEPTH = 40
MAX_VALUES = 100_000
"""Values a scenario may hold once its aliases are written out."""

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Fault:
    """Something wrong in the text itself."""

    index: int
    message: str
    path: Path = ()
    fatal: bool = False


@dataclass
class Tree:
    """Plain data and where it stands.

    Attributes
    ----------
    data : object
        What the text says; None where it cannot be read.
    keys, values : dict
        Path → index into the text.
    faults : list of Fault
        What is wrong; after a fatal one `data` means nothing.
    """

    data: Any = None
    keys: dict[Path, int] = field(default_factory=dict)
    values: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether `data` means anything."""
        return not any(fault.fatal for fault in self.faults)


class _FatalError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read_tree(text: str) -> Tree:
    """Read one YAML document; whatever is wrong with it becomes a fault, never an exception."""
    builder = _Builder()
    try:
        root = builder.yaml.compose(text)
        if root is not None:
            builder.tree.data = builder.build(root, ())
    except _FatalError as error:
        builder.tree.faults.append(error.fault)
    except RecursionError:
        builder.tree.faults.append(Fault(0, "the file is nested too deeply", fatal=True))
    except (YAMLError, ValueError) as error:
        builder.tree.faults.append(_syntax_fault(error))
    return builder.tree


def _syntax_fault(error: Exception) -> Fault:
    if isinstance(error, ReaderError):
        character = f"U+{error.character:04X}" if isinstance(error.character, int) else error.character
        return Fault(error.position, f"the character {character} cannot stand in YAML", fatal=True)
    if not isinstance(error, MarkedYAMLError):
        return Fault(0, f"this is not YAML: {error}", fatal=True)
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or ""
    if "'\\t'" in problem:
        problem = "a tab cannot indent or separate; use spaces"
    elif error.problem and error.context:
        problem = f"{error.problem}, {error.context}"
    return Fault(mark.index if mark else 0, f"this is not YAML: {problem}", fatal=True)


class _Builder:
    def __init__(self) -> None:
        self.yaml = YAML(typ="safe", pure=True)
        self.tree = Tree()
        self._open: list[int] = []
        self._count = 0

    def build(self, node: Node, path: Path) -> Any:
        """Return the plain data of a node and note where it stands."""
        start = node.start_mark.index
        self._guard(node, start, path)
        self.tree.values[path] = start
        self._open.append(id(node))
        try:
            if isinstance(node, ScalarNode):
                return self._scalar(node, path)
            if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
                self._fault(start, f"tags such as {node.tag} are not allowed; write plain values", path)
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            return self._sequence(node, path)
        finally:
            self._open.pop()

    def _guard(self, node: Node, start: int, path: Path) -> None:
        self._count += 1
        if id(node) in self._open:
            raise _FatalError(Fault(start, "this anchor contains itself", path, fatal=True))
        if len(self._open) >= MAX_DEPTH:
            raise _FatalError(Fault(start, f"nested deeper than {MAX_DEPTH} levels", path, fatal=True))
        if self._count > MAX_VALUES:
            message = f"more than {MAX_VALUES} values once aliases are written out; put long lists into files"
            raise _FatalError(Fault(start, message, path, fatal=True))

    def _fault(self, index: int, message: str, path: Path) -> None:
        self.tree.faults.append(Fault(index, message, path))

    def _sequence(self, node: Node, path: Path) -> list[Any]:
        for i, item in enumerate(node.value):
            self.tree.keys[*path, i] = item.start_mark.index
        return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for merged in self._merged(node, path):
            result = self._mapping(merged, path) | result
        own: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                continue
            key, index = self._key(key_node, path), key_node.start_mark.index
            if key in own:
                self._fault(index, f"the key `{key}` is written twice; keep one of the two", (*path, key))
                continue
            own.add(key)
            self.tree.keys[*path, key] = index
            result[key] = self.build(value_node, (*path, key))
        return result

    def _merged(self, node: MappingNode, path: Path) -> Iterator[MappingNode]:
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                sources = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                for source in sources:
                    start = source.start_mark.index
                    self._guard(source, start, path)
                    if isinstance(source, MappingNode):
                        yield source
                    else:
                        self._fault(start, "`<<:` merges mappings; write an alias of one: `<<: *name`", path)

    def _key(self, node: Node, path: Path) -> str:
        if isinstance(node, ScalarNode) and node.tag == f"{_TAG}str":
            return str(node.value)
        shown = str(node.value)[:40] if isinstance(node, ScalarNode) else "a list or mapping"
        self._fault(node.start_mark.index, f"a key is a name, not {shown or 'nothing'}", path)
        return shown

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        start = node.start_mark.index
        constructor = self.yaml.constructor
        readers: dict[str, Callable[[ScalarNode], Any]] = {
            "int": constructor.construct_yaml_int,
            "float": constructor.construct_yaml_float,
            "bool": constructor.construct_yaml_bool,
            "null": constructor.construct_yaml_null,
            "timestamp": lambda n: n.value,
            "value": lambda n: n.value,
            "str": lambda n: n.value,
        }
        read = readers.get(str(node.tag).removeprefix(_TAG))
        if read is None:
            self._fault(start, f"tags such as {node.tag} are not allowed; write plain values", path)
            return None
        try:
            value = read(node)
        except (ValueError, KeyError, IndexError, YAMLError):
            self._fault(start, f"{node.value[:40]!r} cannot be read as a value", path)
            return None
        if isinstance(value, str) and not _is_text(value):
            self._fault(start, "the text holds a control character or half a character", path)
        return value


def _is_text(text: str) -> bool:
    return all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") for c in text)
