"""A position or displacement in a scenario file: `[y, x]` or `{y: …, x: …}`, in Å."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.quantity import Length
from simkit.core.spec import Spec

DIMENSIONS = "ndim"
"""Key of the validation context that holds how many dimensions the image has, where that is known."""


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
    def _from_list(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        ndim = (info.context or {}).get(DIMENSIONS)
        if len(value) not in ((1, 2) if ndim is None else (ndim,)):
            wanted = "`[x]` in a 1-D image" if ndim == 1 else "`[y, x]` in a 2-D image"
            raise PydanticCustomError(
                "vector", "a position is {wanted}; this has {n} entries", {"wanted": wanted, "n": len(value)}
            )
        return dict(zip(("y", "x")[-len(value) :], value, strict=True))

    def components(self, ndim: int) -> tuple[float, ...]:
        """Return (y, x) in two dimensions and (x,) in one."""
        return (self.y, self.x)[-ndim:]
