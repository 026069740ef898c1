"""A position or displacement in a scenario file: `[y, x]` or `{y: …, x: …}`, in Å."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from simkit.core.quantity import Length
from simkit.core.spec import Spec


class Vector(Spec):
    """A point of the plane in Å, rows first; in one dimension only `x` exists.

    Written `[y, x]` (`[x]` in one dimension) or `{y: …, x: …}`; y points down the screen.
    """

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
