"""A family is a folder of kinds; this finds the kinds and turns `kind: ring` into the right spec.

Built-in kinds are the modules of the family's folder, one kind a file. An installed package adds
more through the entry-point group ``simkit.<family>``, the entry's name being the kind; it is
imported only when a scenario names it, so a broken plug-in fails nobody else.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from simkit.core.spec import Spec


@dataclass(frozen=True)
class Family:
    """All kinds of one family, usable as a pydantic annotation.

    Parameters
    ----------
    name : str
        Name of the family and of its folder under ``simkit/``.
    base : type
        The abstract spec that every member subclasses.

    Examples
    --------
    >>> AnyShape = Annotated[Shape, Family("shape", Shape)]
    """

    name: str
    base: type[Spec]

    @property
    def builtins(self) -> Mapping[str, type[Spec]]:
        """Kind → spec class, for the kinds that come with simkit, sorted by kind."""
        return _builtins(self.name, self.base)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that can be named: built-in ones, then installed plug-ins."""
        plugins = sorted(set(self._plugins) - set(self.builtins))
        return (*self.builtins, *plugins)

    def kind(self, kind: str) -> type[Spec]:
        """Return the spec class of a kind.

        Raises
        ------
        ValueError
            If there is no such kind, or its plug-in cannot be imported.
        """
        if kind in self.builtins:
            return self.builtins[kind]
        if kind in self._plugins:
            return self._load_plugin(kind)
        near = difflib.get_close_matches(kind, self.kinds, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise ValueError(f"no {self.name} is of kind {kind!r}; there are {', '.join(self.kinds)}{hint}")

    @property
    def _plugins(self) -> dict[str, Any]:
        return {entry.name: entry for entry in entry_points(group=f"simkit.{self.name}")}

    def _load_plugin(self, kind: str) -> type[Spec]:
        try:
            loaded = self._plugins[kind].load()
        except Exception as error:
            raise ValueError(
                f"the plug-in that provides {self.name} {kind!r} cannot be imported: {error!r}"
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, self.base)):
            raise ValueError(f"the plug-in for {self.name} {kind!r} is not a {self.base.__name__}")
        return loaded

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda spec, info: spec.model_dump(mode=info.mode), info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        members = {kind: handler(cls.__pydantic_core_schema__) for kind, cls in self.builtins.items()}
        return {
            "oneOf": list(members.values()),
            "discriminator": {
                "propertyName": "kind",
                "mapping": {k: m.get("$ref", k) for k, m in members.items()},
            },
        }

    def _validate(self, value: Any, info: core_schema.ValidationInfo) -> Spec:
        if isinstance(value, self.base):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "family", "a {family} is a mapping with a `kind:`, one of {kinds}", self._names()
            )
        if not isinstance(value.get("kind"), str):
            raise PydanticCustomError(
                "family", "`kind:` is missing; a {family} is one of {kinds}", self._names()
            )
        try:
            spec = self.kind(value["kind"])
        except ValueError as error:
            raise PydanticCustomError("kind", "{message}", {"message": str(error)}) from error
        return spec.model_validate(value, context=info.context)

    def _names(self) -> dict[str, str]:
        return {"family": self.name.replace("_", " "), "kinds": ", ".join(self.kinds)}


@functools.cache
def _builtins(name: str, base: type[Spec]) -> Mapping[str, type[Spec]]:
    package = importlib.import_module(f"simkit.{name}")
    found: dict[str, type[Spec]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name == "base" or module.name.startswith("_"):
            continue
        for value in vars(importlib.import_module(f"simkit.{name}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, base) and "kind" in value.model_fields:
                found[get_args(value.model_fields["kind"].annotation)[0]] = value
    return MappingProxyType(dict(sorted(found.items())))
