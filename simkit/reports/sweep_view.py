"""A sweep as the page tells it: every sentence, figure and table, in order, before any HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from simkit.reports import sweep_answer, sweep_cells, sweep_cost, sweep_curves, sweep_forest, sweep_maps
from simkit.reports.elements import Illustration, Table
from simkit.reports.sweep_layout import Layout, layouts
from simkit.reports.sweep_looks import Look, looks
from simkit.reports.sweep_standing import Standing, standing_table, standings
from simkit.reports.sweep_table import Scores
from simkit.reports.views import Verdict
from simkit.reports.wording import plural
from simkit.scenario.loading import dump
from simkit.sweeps.duels import OWN, Duel, duels, level_duels, pooled
from simkit.sweeps.results import SweepResult

MOST_ROWS = 200
"""Rows of a table; the files beside the page have all."""

MOST_FORESTS = 6
"""Pairs of methods that have a forest plot; the table has all."""

MOST_UNFOLDED = 6
"""Panels of a figure up to which every metric has one."""


@dataclass(frozen=True)
class SweepReport:
    """The whole page."""

    title: str
    description: str
    verdict: Verdict
    answers: Sequence[sweep_answer.Answer]
    remarks: Sequence[str]
    wide: bool
    charts: Sequence[Illustration]
    more_charts: Sequence[Illustration]
    maps: Sequence[Illustration]
    win_map: Illustration | None
    forests: Sequence[Illustration]
    standing: Table | None
    duels: Table | None
    cost: Table | None
    cost_charts: Sequence[Illustration]
    failures: Sequence[sweep_cells.FailureLine]
    failed: int
    columns: Sequence[str]
    cells: Sequence[sweep_cells.CellLine]
    total: int
    scenario: str
    command: str
    seed: int
    version: str
    files: Sequence[tuple[str, str]]

    @property
    def sections(self) -> dict[str, str]:
        """The sections that this page has after its answer: id → title."""
        all_of_them = {
            "course": (bool(self.charts), "Scores over the axes"),
            "comparison": (bool(self.duels), "Which is better, where, and how surely"),
            "cost": (self.cost is not None, "What it costs"),
            "failures": (bool(self.failures), "What failed"),
            "cells": (True, "Every cell, and how to run it alone"),
            "reproduce": (True, "How to reproduce this"),
        }
        return {name: title for name, (there, title) in all_of_them.items() if there}


def sweep_report(result: SweepResult, command: str) -> SweepReport:
    """Say everything that the page says about a sweep."""
    scores = Scores.of(result)
    between, levels = duels(result), level_duels(result)
    styles = looks(scores.pickers, [p for p in scores.pickers if scores.oracle(p)])
    stood = standings(scores, between)
    both = [*between, *levels]
    everything = layouts(scores)
    maps = [m for metric in scores.metrics if (m := sweep_maps.score_map(scores, metric)) is not None]
    charts, more = _charts(scores, everything, styles, mapped=bool(maps))
    cost_charts = [sweep_cost.trade_off(scores, styles)]
    cost_charts += [sweep_cost.cost_chart(scores, layout, styles) for layout in everything]
    return SweepReport(
        title=result.scenario.title or "Untitled sweep",
        description=result.scenario.description,
        verdict=_verdict(result),
        answers=sweep_answer.answers(scores, between, levels, stood),
        remarks=_remarks(scores, between),
        wide=any(len(layout.panels) > 1 for layout in everything),
        charts=charts,
        more_charts=more,
        maps=maps,
        win_map=_win_map(scores, stood, styles),
        forests=_forests(scores, between, levels),
        standing=standing_table(scores, stood, MOST_ROWS),
        duels=sweep_forest.duel_table(scores, both, MOST_ROWS) if both else None,
        cost=sweep_cost.cost_table(scores),
        cost_charts=[chart for chart in cost_charts if chart is not None],
        failures=sweep_cells.failure_lines(scores),
        failed=len({failure["cell"] for failure in result.failures}),
        columns=sweep_cells.columns(scores),
        cells=sweep_cells.cell_lines(scores),
        total=len(scores.cells),
        scenario=dump(result.scenario),
        command=command,
        seed=result.scenario.seed,
        version=version("simkit"),
        files=FILES,
    )


def _charts(
    scores: Scores, everything: Sequence[Layout], styles: Mapping[str, Look], *, mapped: bool
) -> tuple[list[Illustration], list[Illustration]]:
    """Return the figures that everybody sees, and those that are folded away.

    Of one axis, every metric; of several, F1 with the rest folded away, or left to the maps where there are
    many panels.
    """
    alone = len(scores.axes) == 1
    crowded = mapped and max(len(layout.panels) for layout in everything) > MOST_UNFOLDED
    metrics = scores.metrics[:1] if crowded else scores.metrics
    drawn = [
        sweep_curves.chart(scores, layout, metric, styles) for metric in metrics for layout in everything
    ]
    first = len(drawn) if alone else len(everything)
    return drawn[:first], drawn[first:]


def _win_map(
    scores: Scores, stood: Mapping[int, Standing], styles: Mapping[str, Look]
) -> Illustration | None:
    found = sweep_maps.win_map(scores, stood, styles)
    scattered = all(layout.scattered for layout in layouts(scores))
    return found or (sweep_maps.win_scatter(scores, stood, styles) if scattered else None)


def _forests(scores: Scores, between: Sequence[Duel], levels: Sequence[Duel]) -> list[Illustration]:
    found = []
    for a, b in sweep_answer.pairs(between)[:MOST_FORESTS]:
        sides = {side: sweep_answer.of(between, (a, b), *side) for side in sweep_forest.TOLD}
        whole = next(iter(pooled(scores.result, a, b)), None) if len(sides[OWN, "f1"]) > 1 else None
        found.append(sweep_forest.forest(scores, f"{a} − {b}", sides, whole))
    own = [duel for duel in levels if duel.metric == "f1"]
    found += [_level_forest(scores, there) for there in sweep_answer.by_place(own)[:MOST_FORESTS]]
    return [figure for figure in found if figure is not None]


def _level_forest(scores: Scores, there: Sequence[Duel]) -> Illustration | None:
    """Draw the best of the values of an axis of the search against every other."""
    best = sweep_answer.best_of(there)
    against = [duel if duel.a == best else duel.turned for duel in there if best in (duel.a, duel.b)]
    where = f" at {scores.place(there[0].place)}" if there[0].place else ""
    return sweep_forest.forest(
        scores, f"{there[0].picker}, {best} − others{where}", {(OWN, "f1"): against}, None
    )


def _verdict(result: SweepResult) -> Verdict:
    cells = plural(result.cells.num_rows, "cell")
    failed = len({failure["cell"] for failure in result.failures})
    if failed:
        return Verdict("failed", "✗", f"{failed} of {cells} failed.", "The answer is that of the others.")
    varied = ", ".join(axis.name for axis in result.axes)
    return Verdict("passed", "✓", cells, f"over {varied}.")


def _remarks(scores: Scores, between: Sequence[Duel]) -> list[str]:
    """Say what was searched for and found, and what a reader must know of the answers."""
    said = [str(answer["text"]) for answer in scores.result.answers if "text" in answer]
    few = sweep_answer.few_micrographs(scores, between)
    waiting = sum(not cell["failed"] and not cell["micrographs"] for cell in scores.cells)
    if waiting:
        said.append(f"{plural(waiting, 'cell')} not run yet.")
    return [*said, *([few] if few else [])]


FILES = (
    ("sweep.yaml", "the resolved scenario with its sweep"),
    ("sweep.nc", "every score over the axes, as a netCDF Dataset (xarray)"),
    ("scores.csv, .parquet", "one row a cell, picker and class, with intervals"),
    ("comparisons.csv, .parquet", "one row a cell, pair of pickers and metric"),
    ("counts.csv, .parquet", "pairs, picks and particles of every micrograph"),
    ("ceilings.csv, costs.csv, cells.csv, .parquet", "what theory allows, what it took, and the cells"),
    ("provenance.json", "versions, seed, hash of the scenario"),
)
"""What a sweep leaves beside the page."""
