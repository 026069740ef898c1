"""Pydantic's findings in words that say what would be right."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic_core import ErrorDetails

from simkit.core.errors import Path, ScenarioError
from simkit.core.family import Family
from simkit.core.spec import Spec


def explained(details: ErrorDetails, data: Any, root: type[Spec]) -> ScenarioError:
    """Turn one finding of pydantic into an error whose text says what would be right.

    Parameters
    ----------
    details : ErrorDetails
        One entry of ``ValidationError.errors()``.
    data : object
        The raw data that was validated.
    root : type
        The model it was validated against.
    """
    path: Path = tuple(details["loc"])
    if path and path[-1] == "[key]":
        return ScenarioError(f"{path[-2]!r} is no name; {_NAME}", path[:-1])
    if details["type"] == "missing":
        return ScenarioError(_missing(path, spec_at(root, data, path[:-1])), path)
    if details["type"] == "extra_forbidden":
        return ScenarioError(_unknown(path, spec_at(root, data, path[:-1])), path)
    if details["type"] == "kind":
        return ScenarioError(details["msg"], (*path, "kind"))
    text = _TEXTS.get(details["type"])
    if text is None:
        return ScenarioError(details["msg"].removeprefix("Value error, "), path)
    return ScenarioError(text.format(value=shown(details["input"]), **details.get("ctx", {})), path)


def is_echo(details: ErrorDetails) -> bool:
    """Tell whether the finding only repeats another: a list is "too short" once its entries are wrong."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def is_unknown_key(details: ErrorDetails) -> bool:
    """Tell whether the finding is about a key rather than its value."""
    return details["type"] == "extra_forbidden" or details["loc"][-1:] == ("[key]",)


def shown(value: Any) -> str:
    """Describe a raw value in a few characters."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean …?` for the nearest known word, else a list of all."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}"


def spec_at(annotation: Any, data: Any, path: Path) -> type[Spec] | None:
    """Return the model that the value at `path` should be, following the `kind:` of raw data."""
    spec = _spec_class(annotation, data)
    if not path:
        return spec
    part, below = path[0], _child(data, path[0])
    if spec is not None:
        inner = _field_annotation(spec, str(part))
        return None if inner is None else spec_at(inner, below, path[1:])
    container = _without_none(annotation)
    arguments = get_args(container)
    if get_origin(container) is dict:
        return spec_at(arguments[1], below, path[1:])
    return spec_at(arguments[0], below, path[1:]) if get_origin(container) in (tuple, list) else None


def _spec_class(annotation: Any, data: Any) -> type[Spec] | None:
    family = next((m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Family)), None)
    if family is not None:
        try:
            return family.kind(data["kind"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
    bare = _without_none(annotation)
    if bare is not annotation:
        return _spec_class(bare, data)
    return annotation if isinstance(annotation, type) and issubclass(annotation, Spec) else None


def _without_none(annotation: Any) -> Any:
    """Strip `| None` and every annotation that says nothing about the type."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(a for a in get_args(annotation) if a is not type(None))
    return _without_none(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _field_annotation(spec: type[Spec], key: str) -> Any:
    for name, info in spec.model_fields.items():
        if key in (name, info.alias):
            return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    return None


def _child(data: Any, part: str | int) -> Any:
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return None


def _missing(path: Path, spec: type[Spec] | None) -> str:
    if isinstance(path[-1], int):
        return f"the list is too short: entry {path[-1] + 1} is missing"
    info = spec.model_fields.get(path[-1]) if spec else None
    meaning = f" ({info.description.rstrip('.')})" if info and info.description else ""
    return f"is missing; write `{path[-1]}: …`{meaning}"


def _unknown(path: Path, spec: type[Spec] | None) -> str:
    known = [info.alias or name for name, info in spec.model_fields.items()] if spec else []
    return f"no such key{suggestion(str(path[-1]), known)}"


_NAME = "a name begins with a letter and has letters, digits, _ and - only"
_WHOLE = "must be a whole number, not {value}"
_NUMBER = "must be a number, not {value}"
_BOOLEAN = "must be true or false, not {value}"
_LIST = "must be a list, not {value}"
_MAPPING = "must be a mapping of keys to values, not {value}"
_TEXTS = {
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "string_type": "must be text, not {value}",
    "literal_error": "must be {expected}, not {value}",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "too_short": "the list needs at least {min_length} entries and has {actual_length}",
    "too_long": "the list holds at most {max_length} entries",
    "finite_number": "must be finite, not {value}",
    "greater_than": "must be more than {gt}, not {value}",
    "greater_than_equal": "must be at least {ge}, not {value}",
    "less_than": "must be less than {lt}, not {value}",
    "less_than_equal": "must be at most {le}, not {value}",
    "string_pattern_mismatch": f"{{value}} is no name; {_NAME}",
}
