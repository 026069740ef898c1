"""A position or displacement in a scenario file: `[y, x]` or `{y: …, x: …}`, in Å."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.quantity import Length
from simkit.core.spec import Spec


def _or_list(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of a position accept the list that the model accepts."""
    mapping = dict(schema)
    listed = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}
    schema.clear()
    schema["anyOf"] = [listed, mapping]


class Vector(Spec):
    """A point of the plane in Å, rows first; in one dimension only `x` exists.

    Written `[y, x]` (`[x]` in one dimension) or `{y: …, x: …}`; y points down the screen.
    """

    model_config = ConfigDict(json_schema_extra=_or_list)

    y: Length = 0.0
    x: Length = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        if len(value) not in (1, 2):
            raise PydanticCustomError(
                "vector",
                "a position is `[y, x]`, or `[x]` in one dimension; this has {n} entries",
                {"n": len(value)},
            )
        return dict(zip(("y", "x")[-len(value) :], value, strict=True))

    def components(self, ndim: int) -> tuple[float, ...]:
        """Return (y, x) in two dimensions and (x,) in one."""
        return (self.y, self.x)[-ndim:]
