"""The values of a sweep's axes: what each is called, what it is as a number, and what it sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simkit.core.errors import Path
from simkit.core.quantity import shortest
from simkit.scenario.loading import Setting
from simkit.scenario.sweep import Axis, Sample, Span, measured


@dataclass(frozen=True)
class Level:
    """One value of one axis.

    Attributes
    ----------
    label : str
        As a person reads it: ``"5 e/Å²"``, ``"ncc"``.
    value : float or None
        In canonical units; None where it is no number.
    unit : str
        The canonical unit; empty where there is none.
    settings : tuple of Setting
        What it puts where.
    """

    label: str
    value: float | None
    unit: str
    settings: tuple[Setting, ...]


def levels(name: str, axis: Axis, place: Path) -> tuple[Level, ...]:
    """Return the values of an axis; none of one that is `between` two values.

    Parameters
    ----------
    name : str
        Of the axis.
    axis : Axis
        How it is declared.
    place : tuple of str or int
        Where in the file.
    """
    if axis.zip is not None:
        return _side_by_side(axis.zip, (*place, "zip"))
    if axis.cases is not None:
        return tuple(_case(axis, case, what, (*place, "cases", case)) for case, what in axis.cases.items())
    path = str(axis.path)
    if axis.values is not None:
        return tuple(
            _level(value, [Setting(path, value, (*place, "values", i))])
            for i, value in enumerate(axis.values)
        )
    for way, steps in (("linspace", axis.linspace), ("logspace", axis.logspace)):
        if steps is not None:
            shares = np.linspace(0, 1, steps.count)
            return tuple(
                at(axis, point(steps, share, log=way == "logspace"), (*place, way)) for share in shares
            )
    return ()


def point(span: Span, share: float, *, log: bool) -> float:
    """Return the value at a share, 0 to 1, of the way between two ends; of their logarithms if `log`.

    It is rounded to twelve digits, so that 0.1 + 0.2 is 0.3; the ends are kept as they are.
    """
    first, last = span.ends
    if share in (0, 1):
        return last if share else first
    value = first * (last / first) ** share if log else first + share * (last - first)
    return float(f"{value:.12g}")


def at(axis: Axis, value: float, place: Path) -> Level:
    """Return the level of an axis that is a stretch, at one value in canonical units."""
    span = axis.linspace or axis.logspace or axis.between
    if span is None:
        raise TypeError("the axis is no stretch of values")
    return _level(span.written(value), [Setting(str(axis.path), span.written(value), place)])


def drawn(axes: Mapping[str, Axis], sample: Sample, place: Path) -> list[dict[str, Level]]:
    """Return points of a sampler over axes that are `between` two values: axis → level.

    Parameters
    ----------
    axes : mapping
        Name → axis; only those that are sampled.
    sample : Sample
        How.
    place : tuple of str or int
        Where in the file the axes are.
    """
    shares = _cube(len(axes), sample)
    return [
        {
            name: at(axis, _between(axis, float(share)), (*place, name, "between"))
            for (name, axis), share in zip(axes.items(), row, strict=True)
        }
        for row in shares
    ]


def _between(axis: Axis, share: float) -> float:
    if axis.between is None:
        raise TypeError("the axis is not between two values")
    return point(axis.between, share, log=axis.scale == "log")


def _cube(dimensions: int, sample: Sample) -> np.ndarray[Any, Any]:
    from scipy.stats import qmc  # takes half a second to load

    if sample.kind == "random":
        return np.random.default_rng(sample.seed).random((sample.count, dimensions))
    if sample.kind == "latin_hypercube":
        return np.asarray(qmc.LatinHypercube(dimensions, rng=sample.seed).random(sample.count))
    spread = qmc.Sobol(dimensions, rng=sample.seed)
    exponent = (sample.count - 1).bit_length()
    return np.asarray(spread.random_base2(exponent)[: sample.count])


def _side_by_side(lists: Mapping[str, Sequence[Any]], place: Path) -> tuple[Level, ...]:
    count = len(next(iter(lists.values())))
    found = []
    for i in range(count):
        settings = [Setting(path, values[i], (*place, path, i)) for path, values in lists.items()]
        first = _level(settings[0].value, settings)
        # What goes to several paths alike is said once.
        label = ", ".join(dict.fromkeys(_label(setting.value) for setting in settings))
        found.append(Level(label, first.value, first.unit, tuple(settings)))
    return tuple(found)


def _case(axis: Axis, name: str, what: Any, place: Path) -> Level:
    if axis.path is not None:
        return Level(name, None, "", (Setting(axis.path, what, place),))
    return Level(name, None, "", tuple(Setting(path, value, (*place, path)) for path, value in what.items()))


def _level(value: Any, settings: Sequence[Setting]) -> Level:
    try:
        number, unit = measured(value)
    except (ValueError, AttributeError):
        return Level(_label(value), None, "", tuple(settings))
    label = f"{shortest(number)} {unit}".strip() if not isinstance(value, str) else value.strip()
    return Level(label, number, unit, tuple(settings))


def _label(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
