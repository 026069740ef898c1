"""How the cells of a sweep are laid out: along one axis, in a panel for all values of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from simkit.reports.sweep_table import Row, Scores
from simkit.sweeps.places import place_text
from simkit.sweeps.results import AxisInfo

T = TypeVar("T")

MOST_PANELS = 12
"""Panels of a figure."""

FEWEST_IN_A_PANEL = 1.5
"""Cells that a panel must hold on average; those of a sampler are alone in theirs."""


@dataclass(frozen=True)
class Panel:
    """Cells that are drawn side by side.

    Attributes
    ----------
    title : str
        Where on the other axes; "" without any.
    cells : tuple of mapping
        In the order of the axis that is drawn across.
    """

    title: str
    cells: tuple[Row, ...]


@dataclass(frozen=True)
class Layout:
    """An axis across, and panels for the others.

    Attributes
    ----------
    across : AxisInfo
    panels : tuple of Panel
    scattered : bool
        Whether the cells lie anywhere, so that nothing joins them.
    """

    across: AxisInfo
    panels: tuple[Panel, ...]
    scattered: bool = False


def layouts(scores: Scores) -> tuple[Layout, ...]:
    """Return how a sweep is drawn: one layout, or one for each axis if its cells are no grid."""
    across = _across(scores)
    panels = panels_of(scores.cells, scores.axes, (across,))
    drawn = sum(len(panel.cells) for panel in panels)
    alone = len(scores.axes) > 1 and drawn < FEWEST_IN_A_PANEL * len(panels)
    if not alone and drawn == len(scores.cells):
        return (Layout(across, panels),)
    return tuple(_scattered(scores.cells, axis) for axis in scores.axes)


def _across(scores: Scores) -> AxisInfo:
    """Return the axis that is searched along, or else the numeric one of most values."""
    sweep = scores.result.scenario.sweep
    if sweep is not None and sweep.find is not None:
        return next(axis for axis in scores.axes if axis.name == sweep.find.along)
    return max(scores.axes, key=lambda axis: (axis.numeric, len(axis.labels)))


def _scattered(cells: Sequence[Row], axis: AxisInfo) -> Layout:
    there = tuple(cell for cell in cells if cell[axis.name] is not None)
    return Layout(axis, (Panel("", there),), scattered=True)


def panels_of(cells: Sequence[Row], axes: Sequence[AxisInfo], drawn: Sequence[AxisInfo]) -> tuple[Panel, ...]:
    """Return a panel for every combination of the axes that are not drawn in it, in the axes' order.

    Cells without a value on a drawn axis are in none.
    """
    others = [axis for axis in axes if axis not in drawn]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for cell in cells:
        if all(cell[axis.name] is not None for axis in drawn):
            groups.setdefault(tuple(cell[axis.name] for axis in others), []).append(cell)
    ordered = sorted(
        groups.items(), key=lambda group: [rank(*pair) for pair in zip(others, group[0], strict=True)]
    )
    return tuple(
        Panel(
            title=place_text(others, members[0]) if others else "",
            cells=tuple(sorted(members, key=lambda row: [rank(axis, row[axis.name]) for axis in drawn])),
        )
        for _, members in ordered
    )


def spread(things: Sequence[T], most: int) -> Sequence[T]:
    """Return at most so many of the things, evenly spread, the first and the last among them."""
    if len(things) <= most:
        return things
    return [things[i * (len(things) - 1) // (most - 1)] for i in range(most)]


def rank(axis: AxisInfo, value: Any) -> float:
    """Return the turn of a value on its axis; before all where there is none."""
    if value is None:
        return -1.0
    return float(axis.values.index(value) if axis.numeric else axis.labels.index(value))
