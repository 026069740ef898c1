"""The cells of a sweep: every combination of its axes' values that is wanted, each a scenario of its own."""

from __future__ import annotations

import itertools
import json
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simkit.core.errors import Path, ScenarioError
from simkit.scenario.loading import Draft, Loaded, Setting
from simkit.scenario.source import InvalidScenarioError, Problem
from simkit.scenario.spec import Scenario
from simkit.scenario.sweep import MOST_CELLS, Axis, Block, Sweep, measured
from simkit.scenario.yamltree import read_tree
from simkit.sweeps.axes import Level, drawn, levels

MOST_PROBLEMS = 20
"""Problems of different places that are told at once; there may be thousands of cells."""

_COMPARISON = re.compile(r"^\s*(<=|>=|!=|<|>)\s*(.+)$")
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class Cell:
    """One combination of values.

    Attributes
    ----------
    number : int
        Its place in the sweep, counted from 0.
    levels : mapping
        Axis → value.
    """

    number: int
    levels: Mapping[str, Level]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What it puts where, later axes last."""
        return tuple(setting for level in self.levels.values() for setting in level.settings)

    @property
    def written(self) -> tuple[tuple[str, str], ...]:
        """The same as `--set` takes it: path and text."""
        return tuple((setting.path, _written(setting.value)) for setting in self.settings)

    @property
    def label(self) -> str:
        """As a person reads it: ``"dose 5 e/Å², picker ncc"``."""
        return ", ".join(f"{axis} {level.label}" for axis, level in self.levels.items())


def _written(value: Any) -> str:
    """Return a value as YAML on one line, plain text where that is read back as itself."""
    if isinstance(value, str) and read_tree(value).data == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def expand(sweep: Sweep) -> tuple[Cell, ...]:
    """Return all cells of a sweep, in the order of its axes, the last one fastest.

    Blocks of a union come one after the other; a combination that an earlier one had is not repeated.

    Raises
    ------
    ScenarioError
        If there is none, or an entry of `exclude` cannot be understood; located from the scenario's root.
    """
    combinations: dict[tuple[Any, ...], Mapping[str, Level]] = {}
    for block, place in _blocks(sweep):
        for combination in _combinations(block, place):
            key = tuple((axis, level.label) for axis, level in combination.items())
            combinations.setdefault(key, combination)
            if len(combinations) > MOST_CELLS:
                raise ScenarioError(f"there are more than {MOST_CELLS} cells", (*place, "axes"))
    if not combinations:
        raise ScenarioError("every combination of the axes is excluded", ("sweep", "exclude"))
    return tuple(Cell(number, combination) for number, combination in enumerate(combinations.values()))


def _blocks(sweep: Sweep) -> Iterator[tuple[Block, Path]]:
    yield sweep, ("sweep",)
    for i, block in enumerate(sweep.union):
        yield block, ("sweep", "union", i)


def _combinations(block: Block, place: Path) -> Iterator[dict[str, Level]]:
    at = (*place, "axes")
    fixed = {name: levels(name, axis, (*at, name)) for name, axis in block.axes.items() if not _open(axis)}
    excluded = [_exclusion(entry, block, (*place, "exclude", i)) for i, entry in enumerate(block.exclude)]
    points: Sequence[dict[str, Level]] = [{}]
    if block.sample is not None:
        points = drawn({name: axis for name, axis in block.axes.items() if _open(axis)}, block.sample, at)
    for values in itertools.product(*fixed.values()):
        for drawn_point in points:
            chosen = dict(zip(fixed, values, strict=True)) | drawn_point
            combination = {name: chosen[name] for name in block.axes if name in chosen}
            if not any(all(fits(combination[axis]) for axis, fits in entry.items()) for entry in excluded):
                yield combination


def _open(axis: Axis) -> bool:
    return axis.between is not None


def _exclusion(entry: Mapping[str, Any], block: Block, place: Path) -> dict[str, _Condition]:
    unknown = [axis for axis in entry if axis not in block.axes]
    if unknown:
        raise ScenarioError(
            f"there is no axis {unknown[0]!r}; there are {', '.join(block.axes)}", (*place, unknown[0])
        )
    return {axis: _Condition.of(wanted, (*place, axis)) for axis, wanted in entry.items()}


@dataclass(frozen=True)
class _Condition:
    """What a value must be like for its combination to be left out."""

    sign: str
    wanted: tuple[Any, ...]

    @classmethod
    def of(cls, wanted: Any, place: Path) -> _Condition:
        found = _COMPARISON.match(wanted) if isinstance(wanted, str) else None
        if found is None:
            return cls("==", tuple(wanted) if isinstance(wanted, list) else (wanted,))
        if found[1] == "!=":
            return cls("!=", (found[2].strip(),))
        try:
            text = found[2].strip()
            return cls(found[1], measured(float(text) if re.fullmatch(r"[-+.\deE]+", text) else text))
        except ValueError as error:
            raise ScenarioError(str(error), place) from None

    def __call__(self, level: Level) -> bool:
        if self.sign in _ORDER:
            value, unit = self.wanted
            return level.value is not None and level.unit == unit and _ORDER[self.sign](level.value, value)
        among = any(_same(level, wanted) for wanted in self.wanted)
        return among if self.sign == "==" else not among


def _same(level: Level, wanted: Any) -> bool:
    if isinstance(wanted, (int, float, str)) and level.value is not None:
        try:
            return (level.value, level.unit) == measured(wanted)
        except ValueError:
            pass
    return level.label == str(wanted).strip()


def validated(draft: Draft, cells: Sequence[Cell], *, replicates: int | None = None) -> list[Loaded]:
    """Return the scenario of every cell.

    Parameters
    ----------
    draft : Draft
        The scenario with its sweep.
    cells : sequence of Cell
        All that are to be run.
    replicates : int, optional
        Micrographs of each, in place of the scenario's own.

    Raises
    ------
    InvalidScenarioError
        If any is wrong, before anything is run: what is wrong alike in many cells is told once, with how
        many there are.
    """
    loaded: list[Loaded] = []
    wrong: dict[tuple[str, str], tuple[Problem, list[Cell]]] = {}
    for cell in cells:
        settings = [*cell.settings]
        if replicates is not None:
            settings.append(Setting("replicates", replicates, ("sweep", "replicates")))
        try:
            loaded.append(draft.with_settings(settings).validated())
        except InvalidScenarioError as error:
            for problem in error.problems:
                wrong.setdefault((problem.where, problem.message), (problem, []))[1].append(cell)
    if wrong:
        told = list(wrong.values())[:MOST_PROBLEMS]
        raise InvalidScenarioError(_in_cells(problem, of, len(cells)) for problem, of in told)
    return loaded


def _in_cells(problem: Problem, cells: Sequence[Cell], total: int) -> Problem:
    if len(cells) == total:
        return problem
    others = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return Problem(
        f"{problem.message} (in the cell {cells[0].label}{others})",
        problem.path,
        problem.where,
        problem.snippet,
        problem.position,
        problem.warning,
    )


def scenarios(loaded: Sequence[Loaded]) -> list[Scenario]:
    """Return the scenarios alone."""
    return [one.scenario for one in loaded]
