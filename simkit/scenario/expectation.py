"""Expectations: what must hold for a run to pass. One model, wherever something is expected."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import ConfigDict, Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.quantity import DIMENSIONS, shortest
from simkit.core.spec import Spec


def _as_written(schema: dict[str, Any]) -> None:
    """Make the JSON Schema of a limit that of its text, not of the model."""
    description = schema["description"]
    schema.clear()
    schema.update({"type": ["number", "string"], "description": description})


class Bound(Spec):
    """A limit with its unit: `0.95`, or `2 Å` where the metric has a dimension."""

    model_config = ConfigDict(json_schema_extra=_as_written)

    value: float
    unit: str = ""

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticCustomError("bound", "a limit is a number, with a unit where the metric has one")
        if isinstance(value, (int, float)):
            return {"value": value}
        if isinstance(value, str):
            return _with_unit(value)
        return value

    @model_serializer(when_used="json")
    def _write(self) -> float | str:
        return self.written

    @property
    def written(self) -> float | str:
        """The limit as it is written in a file."""
        return f"{shortest(self.value)} {self.unit}" if self.unit else self.value


def _with_unit(text: str) -> dict[str, Any]:
    unit = re.sub(r"^[-+0-9.eE\s]*", "", text).strip()
    for dimension in DIMENSIONS:
        if unit in dimension.factors:
            return {"value": dimension.parse(text), "unit": dimension.unit}
    raise PydanticCustomError(
        "bound",
        "{text} is not a limit; write a number, with a unit where the metric has one: `2 Å`",
        {"text": repr(text)},
    )


class Expectation(Spec):
    """A value of the run and the limits it must keep (inclusive).

    A value comes from a picker (`picker`, `metric`, optionally `class`) or from an audit
    (`audit`, `metric`). A value that does not exist fails.
    """

    picker: str | None = None
    """Name of the picker that is judged."""

    class_: str = Field(default="all", alias="class")
    """Species to judge on; `all` is blind to class."""

    audit: str | None = None
    """Name of the audit that measures."""

    metric: str
    """Name of the value."""

    at_least: Bound | None = None
    at_most: Bound | None = None
    within: tuple[Bound, Bound] | None = None
    """Lower and upper limit."""

    @model_validator(mode="after")
    def _complete(self) -> Expectation:
        if (self.picker is None) == (self.audit is None):
            raise PydanticCustomError("expectation", "an expectation names either a `picker:` or an `audit:`")
        if not self.limits:
            raise PydanticCustomError(
                "expectation", "an expectation needs `at_least:`, `at_most:` or `within:`"
            )
        return self

    @property
    def limits_by_field(self) -> dict[str, tuple[Bound, ...]]:
        """Every limit that is set, under the field that sets it."""
        single = {"at_least": self.at_least, "at_most": self.at_most}
        fields: dict[str, tuple[Bound, ...]] = {
            n: (bound,) for n, bound in single.items() if bound is not None
        }
        return {**fields, "within": self.within} if self.within else fields

    @property
    def limits(self) -> tuple[Bound, ...]:
        """Every limit that is set."""
        return tuple(bound for bounds in self.limits_by_field.values() for bound in bounds)

    @property
    def empty(self) -> bool:
        """Whether no value could hold."""
        low, high = self._sides()
        return max(low, default=-math.inf) > min(high, default=math.inf)

    def holds(self, value: float | None) -> bool:
        """Tell whether a value keeps every limit; one that does not exist never does."""
        if value is None:
            return False
        low, high = self._sides()
        return all(value >= bound for bound in low) and all(value <= bound for bound in high)

    def _sides(self) -> tuple[list[float], list[float]]:
        pair = self.within or (None, None)
        lower, upper = (self.at_least, pair[0]), (self.at_most, pair[1])
        return [b.value for b in lower if b is not None], [b.value for b in upper if b is not None]
