"""One number of a scenario that may be changed, by its dotted path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simkit.core.errors import Path, ScenarioError, dotted
from simkit.core.quantity import DIMENSIONS, shortest
from simkit.scenario.messages import suggestion
from simkit.scenario.spec import Scenario


@dataclass(frozen=True)
class Knob:
    """One number of a scenario that may be changed.

    Attributes
    ----------
    keys : tuple of str or int
        Its path from the scenario's root.
    value : float
        As it is now, in canonical units.
    unit : str
        Canonical; empty of a pure number.
    whole : bool
        Whether only whole numbers make sense.
    """

    keys: Path
    value: float
    unit: str
    whole: bool

    @property
    def path(self) -> str:
        """Its path as `--set` takes it."""
        return dotted(self.keys)

    def write(self, value: float) -> str:
        """Return a value as a file would hold it."""
        number = str(round(value)) if self.whole else shortest(float(f"{value:.6g}"))
        return f"{number} {self.unit}".rstrip()

    def parse(self, text: str) -> float:
        """Read a value with its unit.

        Raises
        ------
        ValueError
            Saying what would be right.
        """
        for dimension in DIMENSIONS:
            if dimension.unit == self.unit:
                return dimension.parse(text)
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{self.path} has no unit; write a number, not {text!r}") from None


def knob(scenario: Scenario, path: str) -> Knob:
    """Return the number at a dotted path of a scenario.

    Raises
    ------
    ScenarioError
        If nothing stands there, or no number; its text says what there is.
    """
    data: Any = scenario.model_dump(mode="json", by_alias=True)
    keys: list[str | int] = []
    for part in path.strip().split("."):
        names = [str(key) for key, _ in _items(data)]
        if part not in names:
            above = f"{dotted(tuple(keys))} has" if keys else "a scenario has"
            raise ScenarioError(
                f"there is no such value; {above} no {part!r}{_instead(part, names)}", (*keys, part)
            )
        keys.append(int(part) if isinstance(data, list) else part)
        data = data[keys[-1]]
    value, unit = _number(data)
    if value is None:
        raise ScenarioError(_no_number(data), tuple(keys))
    return Knob(tuple(keys), value, unit, whole=isinstance(data, int))


def _instead(part: str, names: list[str]) -> str:
    return suggestion(part, names) if names else ", it is a single value"


def _items(data: Any) -> list[tuple[str | int, Any]]:
    """Return what a mapping or a list holds, by key; nothing of a single value."""
    if isinstance(data, dict):
        return [(key, value) for key, value in data.items() if value not in (None, {}, [])]
    return list(enumerate(data)) if isinstance(data, list) else []


def _number(data: Any) -> tuple[float | None, str]:
    if isinstance(data, (bool, dict, list)) or data is None:
        return None, ""
    if isinstance(data, (int, float)):
        return float(data), ""
    # Written canonically: V alone would be a voltage as well as a potential.
    for dimension in DIMENSIONS:
        if data.endswith(f" {dimension.unit}"):
            return dimension.parse(data), dimension.unit
    return None, ""


def _no_number(data: Any) -> str:
    if not isinstance(data, (dict, list)):
        return f"is {data!r}, which is no number"
    inside = [
        str(key)
        for key, value in _items(data)
        if isinstance(value, (dict, list)) or _number(value)[0] is not None
    ]
    return f"is no single number; go on to {' or '.join(inside) or 'another one'}"
