"""A whole sweep: its cells planned, completed and gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simkit.core.errors import ScenarioError
from simkit.scenario.loading import Draft
from simkit.scenario.source import Problem, locating
from simkit.scenario.spec import Scenario
from simkit.scenario.sweep import Sweep, Until
from simkit.sweeps.cells import Cell, expand, validated
from simkit.sweeps.completion import Case, Manner, Progress, Tell, complete
from simkit.sweeps.crossing import ends, find
from simkit.sweeps.executors import Executor
from simkit.sweeps.gathering import gather
from simkit.sweeps.replication import replicate
from simkit.sweeps.results import SweepResult
from simkit.sweeps.store import Store


@dataclass(frozen=True)
class Plan:
    """What a sweep is going to do, every cell of it validated.

    Attributes
    ----------
    draft : Draft
        The scenario file.
    scenario : Scenario
        With its sweep.
    cells : tuple of Cell
        All combinations; of a search along an axis, those of both its ends.
    warnings : tuple of Problem
        What is doubtful in the scenario.
    """

    draft: Draft
    scenario: Scenario
    cells: tuple[Cell, ...]
    warnings: tuple[Problem, ...] = ()
    _first: dict[int | None, list[Case]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sweep(self) -> Sweep:
        """The sweep that is declared."""
        return sweep_of(self.scenario)

    def cases(self, cells: Sequence[Cell], *, replicates: int | None = None) -> list[Case]:
        """Return the scenarios of cells, with so many micrographs each.

        Raises
        ------
        InvalidScenarioError
            If one is wrong.
        """
        if cells is self.cells and replicates in self._first:
            return self._first[replicates]
        cases = [Case.of(loaded.scenario) for loaded in validated(self.draft, cells, replicates=replicates)]
        if cells is self.cells:
            self._first[replicates] = cases
        return cases


def sweep_of(scenario: Scenario) -> Sweep:
    """Return a scenario's sweep.

    Raises
    ------
    ScenarioError
        If it declares none, or nothing is scored.
    """
    if scenario.sweep is None:
        raise ScenarioError(
            "declares no sweep; add `sweep: {axes: {dose: {path: noise.shot.dose, values: […]}}}`"
        )
    if scenario.score is None or not scenario.pickers:
        raise ScenarioError("a sweep compares scores; the scenario needs `pickers:` and `score:`", ("sweep",))
    return scenario.sweep


def first_replicates(scenario: Scenario) -> int | None:
    """Return how many micrographs a cell has at first; None for the scenario's own number.

    Raises
    ------
    ScenarioError
        If there would be more real micrographs than files.
    """
    wanted = sweep_of(scenario).replicates
    if wanted is not None and scenario.micrographs is not None:
        raise ScenarioError(
            "real micrographs are as many as there are files; leave it out", ("sweep", "replicates")
        )
    return wanted.at_least if isinstance(wanted, Until) else wanted


def plan(draft: Draft) -> Plan:
    """Read what a sweep is to do, and find every error in it before anything is run.

    Raises
    ------
    InvalidScenarioError
        If the scenario, or any cell of it, is wrong.
    """
    loaded = draft.validated()
    with locating(loaded.source):
        sweep = sweep_of(loaded.scenario)
        replicates = first_replicates(loaded.scenario)
        cells = ends(sweep) if sweep.find else expand(sweep)
        made = Plan(draft, loaded.scenario, cells, loaded.warnings)
        made.cases(cells, replicates=replicates)
    return made


def run_sweep(
    made: Plan,
    store: Store,
    executor: Executor,
    *,
    manner: Manner | None = None,
    tell: Tell | None = None,
) -> SweepResult:
    """Run what is missing of a sweep, and return what all of it comes to.

    Parameters
    ----------
    made : Plan
        What to do.
    store : Store
        Where results are and go.
    executor : Executor
        Who does the work.
    manner : Manner, optional
        How.
    tell : callable, optional
        Told of progress.

    Raises
    ------
    StoppedError
        If something failed and the sweep was to end then.
    """
    manner, progress = manner or Manner(), Progress()

    def completed(cells: Sequence[Cell], replicates: int | None) -> list[Case]:
        cases = made.cases(cells, replicates=replicates)
        complete(cases, store, executor, manner=manner, progress=progress, tell=tell)
        return cases

    def settled(cells: Sequence[Cell]) -> list[Case]:
        if isinstance(wanted, Until):
            cases, told = replicate(cells, wanted, completed, store)
            answers.extend(told)
            return cases
        return completed(cells, first_replicates(made.scenario))

    store.tidy()
    wanted = made.sweep.replicates
    answers: list[dict[str, Any]] = []
    if made.sweep.find is None:
        cells: Sequence[Cell] = made.cells
        cases = settled(cells)
    else:
        cells, cases, found = find(made.sweep, settled, store)
        answers = found
    return gather(made.scenario, cells, cases, store, answers=answers, seconds=progress.seconds)
