"""Numbers with units: ``"1.5 µm"`` in a file, a plain float in canonical units everywhere inside.

Canonical units are Å, degrees, kV, V, e/Å², Å², kDa, 1/Å and s. In YAML (validation context
``{"units": "required"}``) a bare number is an error that shows the fix; from Python a float is
taken as canonical. Written back, a quantity is the shortest exact decimal and its canonical unit.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from simkit.core.symmetry import is_cyclic, is_point_group

UNITS_REQUIRED = {"units": "required"}
"""Validation context under which a bare number is refused."""

LARGEST = 1e12
SMALLEST = 1e-12
"""Largest number and smallest positive quantity, in canonical units: 100 m and far below an atom. What is
beyond them is a slip of the pen, and would overflow somewhere far from where it was written."""

_PATTERN = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*$")


@dataclass(frozen=True)
class Dimension:
    """A physical dimension: its name, canonical unit, and the factor of every accepted unit."""

    name: str
    unit: str
    factors: Mapping[str, float] = field(hash=False)

    def parse(self, text: str) -> float:
        """Turn ``"1.5 µm"`` into canonical units.

        Raises
        ------
        ValueError
            If the text is no number with one of this dimension's units; the message says which
            units there are.
        """
        found = _PATTERN.match(text)
        if found is None:
            raise ValueError(f"{text!r} is not {self._article}; write for example `1.5 {self.unit}`")
        number, unit = float(found[1]), found[2]
        if unit is None:
            raise ValueError(f"{text!r} has no unit; write `{found[1]} {self.unit}`")
        factor = self.factors.get(unit.replace("μ", "µ").replace("\u212b", "Å"))
        if factor is None:
            raise ValueError(f"{text!r} is not {self._article}; its units are {', '.join(self.factors)}")
        return number * factor

    def write(self, value: float) -> str:
        """Return the shortest text that reads back as exactly `value`."""
        return f"{shortest(value)} {self.unit}"

    @property
    def _article(self) -> str:
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


def shortest(value: float) -> str:
    """Return the shortest decimal that reads back as exactly `value` (``4`` rather than ``4.0``)."""
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else text


LENGTH = Dimension(
    "length", "Å", {"Å": 1.0, "A": 1.0, "pm": 0.01, "nm": 10.0, "µm": 1e4, "um": 1e4, "mm": 1e7}
)
ANGLE = Dimension("angle", "°", {"°": 1.0, "deg": 1.0, "rad": 180.0 / math.pi, "mrad": 0.18 / math.pi})
VOLTAGE = Dimension("voltage", "kV", {"kV": 1.0, "V": 1e-3, "MV": 1e3})
POTENTIAL = Dimension("potential", "V", {"V": 1.0, "mV": 1e-3})
DOSE = Dimension(
    "dose", "e/Å²", {"e/Å²": 1.0, "e/Å^2": 1.0, "e/A²": 1.0, "e/A^2": 1.0, "e/nm²": 0.01, "e/nm^2": 0.01}
)
AREA = Dimension("area", "Å²", {"Å²": 1.0, "Å^2": 1.0, "A²": 1.0, "A^2": 1.0, "nm²": 100.0, "nm^2": 100.0})
MASS = Dimension("mass", "kDa", {"kDa": 1.0, "Da": 1e-3, "MDa": 1e3})
FREQUENCY = Dimension(
    "spatial frequency", "1/Å", {"1/Å": 1.0, "1/A": 1.0, "1/nm": 0.1, "1/µm": 1e-4, "1/um": 1e-4}
)
TIME = Dimension("duration", "s", {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0})

DIMENSIONS = (LENGTH, ANGLE, VOLTAGE, POTENTIAL, DOSE, AREA, MASS, FREQUENCY, TIME)


@dataclass(frozen=True)
class Quantity:
    """Pydantic annotation: a float of one dimension, within bounds given in canonical units."""

    dimension: Dimension
    gt: float | None = None
    ge: float | None = None
    le: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.dimension.write, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        units = "|".join(re.escape(unit) for unit in self.dimension.factors)
        return {
            "type": "string",
            "pattern": rf"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*({units})\s*$",
            "description": f"{self.dimension.name} with its unit, for example `1.5 {self.dimension.unit}`",
        }

    def _validate(self, value: Any, info: core_schema.ValidationInfo) -> float:
        number = self._number(value, bare_allowed=not _units_required(info))
        if not math.isfinite(number):
            raise _wrong(f"must be finite, not {value}")
        if abs(number) > LARGEST or (self.gt == 0 and 0 < number < SMALLEST):
            raise _wrong(f"{value} is beyond anything this program is for; check number and unit")
        for bound, holds, text in (
            (self.gt, operator.gt, "more than"),
            (self.ge, operator.ge, "at least"),
            (self.le, operator.le, "at most"),
        ):
            if bound is not None and not holds(number, bound):
                raise _wrong(f"must be {text} {self.dimension.write(bound)}, not {value}")
        return number

    def _number(self, value: Any, *, bare_allowed: bool) -> float:
        if isinstance(value, str):
            try:
                return self.dimension.parse(value)
            except ValueError as error:
                raise _wrong(str(error)) from error
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong(
                f"{value!r} is not {self.dimension._article}; write for example `1.5 {self.dimension.unit}`"
            )
        if not bare_allowed:
            raise _wrong(f"{value} has no unit; write `{value} {self.dimension.unit}`")
        return float(value)


def _units_required(info: core_schema.ValidationInfo) -> bool:
    return (info.context or {}).get("units") == UNITS_REQUIRED["units"]


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("quantity", "{message}", {"message": message})


Length = Annotated[float, Quantity(LENGTH)]
PositiveLength = Annotated[float, Quantity(LENGTH, gt=0)]
NonNegativeLength = Annotated[float, Quantity(LENGTH, ge=0)]
Angle = Annotated[float, Quantity(ANGLE)]
PositiveAngle = Annotated[float, Quantity(ANGLE, gt=0)]
Voltage = Annotated[float, Quantity(VOLTAGE, gt=0)]
Potential = Annotated[float, Quantity(POTENTIAL)]
Dose = Annotated[float, Quantity(DOSE, gt=0)]
NonNegativeArea = Annotated[float, Quantity(AREA, ge=0)]
Mass = Annotated[float, Quantity(MASS, gt=0)]
PositiveFrequency = Annotated[float, Quantity(FREQUENCY, gt=0)]
PositiveDuration = Annotated[float, Quantity(TIME, gt=0)]

Number = Annotated[float, Strict(), Field(ge=-LARGEST, le=LARGEST)]
PositiveNumber = Annotated[float, Strict(), Field(gt=0, le=LARGEST)]
NonNegativeNumber = Annotated[float, Strict(), Field(ge=0, le=LARGEST)]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1)]
Count = Annotated[int, Strict(), Field(ge=1)]
Index = Annotated[int, Strict(), Field(ge=0)]


def _point_group(symmetry: str) -> str:
    if not is_point_group(symmetry):
        raise PydanticCustomError(
            "symmetry", "{text} is not a point group; write C1, C5, D7, T, O or I", {"text": repr(symmetry)}
        )
    return symmetry


Symmetry = Annotated[str, AfterValidator(_point_group)]


def fold(symmetry: str) -> int:
    """Return n of Cn, how often a flat particle repeats in one turn; 1 of a group that only solids have."""
    return int(symmetry[1:]) if is_cyclic(symmetry) else 1


def wrap_angle(angle: Any, period: Any = 360.0) -> Any:
    """Fold an angle or array of angles (degrees) into [−period/2, period/2); periods may differ."""
    return (angle + period / 2) % period - period / 2
