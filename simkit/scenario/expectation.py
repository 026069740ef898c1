"""Expectations: what must hold for a run to pass. One model, wherever something is expected.

A scenario's own `expect:` states limits, for a run has nothing to be compared with. A case of a suite may
also hold a value to theory, to a baseline or to an earlier run time.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.quantity import DIMENSIONS, PositiveNumber, shortest
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


THEORY = "theory"

COMPARED = ("sigmas", "baseline", "run_time")
"""Fields that only a suite can judge."""


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

    statements: ClassVar[str] = "`at_least:`, `at_most:` or `within:`"
    """What may be stated."""

    @model_validator(mode="before")
    @classmethod
    def _stated_where_it_can_be_judged(cls, data: Any) -> Any:
        return cls._read(data) if isinstance(data, dict) else data

    @classmethod
    def _read(cls, data: dict[str, Any]) -> dict[str, Any]:
        compared = [name for name in COMPARED if name in data]
        compared += ["within: theory"] if data.get("within") == THEORY else []
        if compared:
            raise PydanticCustomError(
                "expectation",
                "`{name}` belongs in a suite (a `*.simkit.yaml` file, `simkit suite run`): a run alone is "
                "held to limits, `at_least:`, `at_most:` or `within: [low, high]`",
                {"name": compared[0]},
            )
        return data

    @model_validator(mode="after")
    def _complete(self) -> Expectation:
        if (self.picker is None) == (self.audit is None):
            raise PydanticCustomError("expectation", "an expectation names either a `picker:` or an `audit:`")
        if not self.stated:
            raise PydanticCustomError("expectation", "an expectation needs {what}", {"what": self.statements})
        return self

    @property
    def stated(self) -> bool:
        """Whether anything is demanded at all."""
        return bool(self.limits)

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


class Margin(Spec):
    """How much worse than its baseline a value may be."""

    margin: Bound
    """More than 0, in the unit of the metric: `0.02`, `0.5 Å`."""

    @model_validator(mode="after")
    def _positive(self) -> Margin:
        if self.margin.value <= 0:
            raise PydanticCustomError(
                "margin", "a margin is more than 0: no data show that two values are the same"
            )
        return self


class RunTime(Spec):
    """How much slower than its baseline a picker may be; more is told, and fails nothing."""

    at_most_ratio: PositiveNumber
    """New time over old, of one micrograph."""


class SuiteExpectation(Expectation):
    """What a case of a suite demands of a picker: limits, and what only a suite can compare with.

    `within: theory` holds the value to what theory says of it, up to `sigmas` standard deviations.
    """

    metric: str = ""
    """Name of the value; only `run_time` needs none."""

    sigmas: PositiveNumber | None = None
    """With `within: theory`: how far the value may be from theory; 4 by default."""

    baseline: Margin | None = None
    """How much worse than the accepted baseline it may be, on the same micrographs."""

    run_time: RunTime | None = None
    """How much slower; a warning."""

    statements: ClassVar[str] = (
        "`at_least:`, `at_most:`, `within: [low, high]`, `within: theory`, `baseline: {margin: …}` or "
        "`run_time: {at_most_ratio: …}`"
    )

    @classmethod
    def _read(cls, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("within") == THEORY:
            return {"sigmas": 4.0, **{name: value for name, value in data.items() if name != "within"}}
        if "sigmas" in data and "within" in data:
            raise PydanticCustomError("expectation", "`sigmas:` goes with `within: theory`")
        return data

    @model_validator(mode="after")
    def _of_a_picker(self) -> SuiteExpectation:
        if self.audit is not None:
            raise PydanticCustomError(
                "expectation", "a suite judges pickers; an audit is expected in the scenario itself"
            )
        if not self.metric and (self.limits or self.sigmas):
            raise PydanticCustomError("expectation", "is missing; write `metric: …`")
        if self.baseline and self.class_ != "all":
            raise PydanticCustomError(
                "expectation", "a baseline is blind to class; leave `class:` out or state limits"
            )
        return self

    @property
    def stated(self) -> bool:
        """See `Expectation.stated`."""
        return bool(self.limits or self.sigmas or self.run_time)

    @property
    def limits_by_field(self) -> dict[str, tuple[Bound, ...]]:
        """See `Expectation.limits_by_field`; a margin has the unit of a limit."""
        margin = {"baseline": (self.baseline.margin,)} if self.baseline else {}
        return {**super().limits_by_field, **margin}

    @property
    def absolute(self) -> bool:
        """Whether a limit is stated in numbers."""
        return bool(super().limits_by_field)

    @property
    def name(self) -> str:
        """What it is called in a list: ``"ncc.recall"``, with its class where it has one."""
        of = "" if self.class_ == "all" else f"[{self.class_}]"
        return f"{self.picker}.{self.metric or 'run_time'}{of}"
