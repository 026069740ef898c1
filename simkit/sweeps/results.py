"""What a sweep comes to: tables over its cells, and a Dataset over its axes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from simkit.scenario.spec import Scenario
from simkit.sweeps.cells import Cell

if TYPE_CHECKING:
    import xarray as xr

SPARSE = 4
"""Places of the grid of all axes for each cell, from which on the Dataset is a list of cells and no grid."""

LOW, HIGH = "_low", "_high"
"""What is added to a metric's name for the ends of its interval of 95 %."""


@dataclass(frozen=True)
class AxisInfo:
    """What an axis is, whichever way it was declared.

    Attributes
    ----------
    name : str
        Of the axis.
    paths : tuple of str
        What it varies.
    unit : str
        Canonical unit of its values; empty where there is none.
    numeric : bool
        Whether every value is a number of that unit.
    labels : tuple of str
        Every value as a person reads it, in order.
    values : tuple of float
        The same as numbers; NaN where one is none.
    scale : str
        "linear" or "log": how it is best drawn.
    """

    name: str
    paths: tuple[str, ...]
    unit: str
    numeric: bool
    labels: tuple[str, ...]
    values: tuple[float, ...]
    scale: str = "linear"


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep.

    Attributes
    ----------
    scenario : Scenario
        With its sweep.
    axes : tuple of AxisInfo
        In their order.
    cells : pyarrow.Table
        One row a cell: `cell`, the axes, `micrographs`, `key` (of its scores), `failed`.
    scores : pyarrow.Table
        One row a cell, picker and class ("all" is blind to class): `cell`, the axes, `picker`, `class`,
        `oracle`, every metric, and the ends of its interval of 95 % as `<metric>_low` and `<metric>_high`.
    comparisons : pyarrow.Table
        One row a cell, pair of pickers, basis and metric: see `PairedComparison`.
    counts : pyarrow.Table
        One row a cell, picker and micrograph: class-blind `tp`, `picks`, `truths`.
    ceilings : pyarrow.Table
        One row a cell and class: what physics allows; `recall`, `precision`, `f1` of the ideal observer at
        `false_picks`, `d_prime`, `sigma_y`, `sigma_x`, `sigma_psi`.
    costs : pyarrow.Table
        One row a cell and stage ("simulation" or a picker): mean `seconds` of one core for a micrograph.
    failures : tuple of mapping
        `cell`, `what`, `kind`, `message`, `trace`.
    units : mapping
        Metric → unit.
    answers : tuple of mapping
        What was found by a search along an axis, and why replicates ended.
    settings : tuple of tuple of (str, str)
        Of each cell: ``--set`` paths and values that make the scenario that cell.
    seconds : mapping
        Stage → seconds of work, of this run alone.
    """

    scenario: Scenario
    axes: tuple[AxisInfo, ...]
    cells: pa.Table
    scores: pa.Table
    comparisons: pa.Table
    counts: pa.Table
    ceilings: pa.Table
    costs: pa.Table
    failures: tuple[Mapping[str, Any], ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[Mapping[str, Any], ...] = ()
    settings: tuple[tuple[tuple[str, str], ...], ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all values, without the ends of their intervals."""
        fixed = {"cell", "picker", "class", "oracle", *(axis.name for axis in self.axes)}
        named = [name for name in self.scores.column_names if name not in fixed]
        return tuple(name for name in named if not name.endswith((LOW, HIGH)))

    @property
    def passed(self) -> bool:
        """Whether no cell failed."""
        return not self.failures

    @functools.cached_property
    def dataset(self) -> xr.Dataset:
        """Every value over the axes, pickers and classes; NaN where there is none.

        Axes that are drawn by a sampler, or otherwise leave most places of their grid empty, do not span it:
        then the first dimension is `cell`, and the axes are coordinates along it.
        """
        return _dataset(self)


def axes_of(scenario: Scenario, cells: Sequence[Cell]) -> tuple[AxisInfo, ...]:
    """Return what the axes of some cells are: every value that occurs, numbers in their order."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.levels))
    return tuple(_axis(scenario, name, cells) for name in names)


def _axis(scenario: Scenario, name: str, cells: Sequence[Cell]) -> AxisInfo:
    found = {cell.levels[name].label: cell.levels[name] for cell in cells if name in cell.levels}
    levels = list(found.values())
    declared = [b.axes[name] for b in scenario.sweep.blocks if name in b.axes] if scenario.sweep else []
    units = {level.unit for level in levels}
    # Of lists side by side the first is the number, if it tells the levels apart.
    apart = len({level.value for level in levels}) == len(levels)
    numeric = apart and len(units) == 1 and all(level.value is not None for level in levels)
    if numeric:
        levels.sort(key=lambda level: level.value or 0.0)
    log = any(axis.logspace is not None or axis.scale == "log" for axis in declared)
    values = tuple(float("nan") if level.value is None else level.value for level in levels)
    return AxisInfo(
        name=name,
        paths=tuple(dict.fromkeys(s.path for level in levels for s in level.settings)),
        unit=units.pop() if numeric else "",
        numeric=numeric,
        labels=tuple(level.label for level in levels),
        values=values,
        scale="log" if log or (numeric and _by_ratios(values)) else "linear",
    )


def _by_ratios(values: Sequence[float]) -> bool:
    """Tell whether positive numbers are spread by ratios rather than by steps."""
    if len(values) < 3 or values[0] <= 0:
        return False
    return values[-1] / values[0] > 8 and max(np.diff(values)) > 3 * min(np.diff(values))


def axis_columns(axes: Sequence[AxisInfo], cells: Sequence[Cell]) -> dict[str, list[Any]]:
    """Return axis → its value in each cell: a number in canonical units, or a label; None without one."""
    return {axis.name: [_of_cell(axis, cell) for cell in cells] for axis in axes}


def _of_cell(axis: AxisInfo, cell: Cell) -> float | str | None:
    level = cell.levels.get(axis.name)
    if level is None:
        return None
    return level.value if axis.numeric else level.label


def _dataset(result: SweepResult) -> xr.Dataset:
    import xarray as xr  # pandas, which it loads, takes half a second

    table, axes = result.scores, result.axes
    pickers = _texts(table, "picker")
    classes = _texts(table, "class")
    grid = _spans_grid(result)
    cells = result.cells.column("cell").to_numpy()
    shape = (
        *([len(axis.labels) for axis in axes] if grid else [len(cells)]),
        len(pickers),
        len(classes),
    )
    dims = (*([axis.name for axis in axes] if grid else ["cell"]), "picker", "class")
    where = _places(result, table, grid), _codes(table, "picker", pickers), _codes(table, "class", classes)
    index = (*where[0], where[1], where[2])
    variables: dict[str, Any] = {}
    for name in result.metrics:
        for column in (name, name + LOW, name + HIGH):
            if column in table.column_names:
                filled = np.full(shape, np.nan)
                filled[index] = table.column(column).to_numpy(zero_copy_only=False).astype(float)
                variables[column] = (dims, filled, {"units": result.units.get(name, "")})
    micrographs = np.zeros(shape[:-2], int)
    micrographs[_places(result, result.cells, grid)] = result.cells.column("micrographs").to_numpy()
    variables["micrographs"] = (dims[:-2], micrographs, {"units": ""})
    coords: dict[str, Any] = {"picker": pickers, "class": classes}
    for axis in axes:
        coords[axis.name] = _coordinate(axis, result, grid)
    if not grid:
        coords["cell"] = cells
    return xr.Dataset(variables, coords=coords, attrs={"title": result.scenario.title})


def _spans_grid(result: SweepResult) -> bool:
    places = int(np.prod([len(axis.labels) for axis in result.axes]))
    everywhere = all(result.cells.column(axis.name).null_count == 0 for axis in result.axes)
    return everywhere and places <= SPARSE * result.cells.num_rows


def _coordinate(axis: AxisInfo, result: SweepResult, grid: bool) -> Any:
    told = {"units": axis.unit, "path": ", ".join(axis.paths)}
    if grid:
        return (axis.name, list(_levels(axis)), told)
    column = result.cells.column(axis.name).to_pylist()
    empty: Any = float("nan") if axis.numeric else ""
    return ("cell", [empty if value is None else value for value in column], told)


def _places(result: SweepResult, table: pa.Table, grid: bool) -> tuple[Any, ...]:
    """Return where on the leading dimensions each row of a table belongs."""
    if not grid:
        order = {cell: i for i, cell in enumerate(result.cells.column("cell").to_pylist())}
        return (np.array([order[cell] for cell in table.column("cell").to_pylist()], int),)
    return tuple(
        _codes(table, axis.name, axis.values if axis.numeric else axis.labels) for axis in result.axes
    )


def _codes(table: pa.Table, column: str, values: Sequence[Any]) -> Any:
    order = {value: i for i, value in enumerate(values)}
    return np.array([order[value] for value in table.column(column).to_pylist()], int)


def _texts(table: pa.Table, column: str) -> list[str]:
    return list(dict.fromkeys(table.column(column).to_pylist()))


def _levels(axis: AxisInfo) -> Sequence[Any]:
    return axis.values if axis.numeric else axis.labels
