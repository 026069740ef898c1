"""What a sweep will cost, before it is run: one micrograph is timed, the rest is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.engine.memory import MemoryEstimate, estimate
from simkit.engine.realisation import simulation_grid
from simkit.scenario.spec import Scenario
from simkit.sweeps.completion import Case, complete
from simkit.sweeps.executors import Here
from simkit.sweeps.store import Store

STORED_PER_PIXEL = 4
"""Bytes: noise does not compress, and counts of electrons hardly."""


@dataclass(frozen=True)
class Cost:
    """What a sweep needs.

    Attributes
    ----------
    cells, simulated, searched : int
        Cells; micrographs to simulate or read, those that cells share once; searches of one micrograph by
        one picker.
    there : int
        Searches whose results are in the store already.
    seconds : float or None
        Work of one core for what is missing; None where nothing was timed.
    memory : MemoryEstimate
        At the most demanding moment.
    disk : int
        Bytes of all micrographs that are kept.
    """

    cells: int
    simulated: int
    searched: int
    there: int
    seconds: float | None
    memory: MemoryEstimate
    disk: int


def cost(cases: Sequence[Case], store: Store, *, workers: int, images: bool, timed: bool = True) -> Cost:
    """Estimate what a sweep needs.

    Parameters
    ----------
    cases : sequence of Case
        Its cells.
    store : Store
        What is there already; a micrograph that is timed goes there too, and is no work wasted.
    workers : int
        Processes.
    images : bool
        Whether pixels are kept.
    timed : bool
        Whether one micrograph may be run.

    Notes
    -----
    The first micrograph of the first cell is run with all its pickers, and its time taken for every
    micrograph in proportion to pixels. Cells whose templates have more views take longer than that.
    """
    micrographs = {case.keys.micrograph(n): case for case in cases for n in case.numbers}
    searches = {
        case.keys.picks(picker, n): case
        for case in cases
        for n in case.numbers
        for picker in case.scenario.pickers
    }
    missing = {key: case for key, case in searches.items() if not store.has("picks", key)}
    unmade = {
        key: case
        for key, case in micrographs.items()
        if case.scenario.micrographs is None and not store.has("truth", key)
    }
    peak = max((_memory(case.scenario, workers) for case in cases), key=lambda m: m.needed)
    disk = sum(_pixels(case.scenario) for case in micrographs.values() if case.scenario.micrographs is None)
    return Cost(
        cells=len(cases),
        simulated=len(micrographs),
        searched=len(searches),
        there=len(searches) - len(missing),
        seconds=_seconds(cases[0], list(unmade.values()), list(missing.values()), store) if timed else None,
        memory=peak,
        disk=STORED_PER_PIXEL * disk if images else 0,
    )


def _memory(scenario: Scenario, workers: int) -> MemoryEstimate:
    one = estimate(scenario.model_copy(update={"replicates": 1, "score": None}), 1)
    return MemoryEstimate(workers * one.needed, one.available)


def _pixels(scenario: Scenario) -> int:
    return math.prod(scenario.image.shape or (0,))


def _seconds(first: Case, unmade: Sequence[Case], missing: Sequence[Case], store: Store) -> float:
    """Return the seconds of one core that what is missing takes, by the time of one micrograph."""
    if not missing and not unmade:
        return 0.0
    alone = Case.of(first.scenario.model_copy(update={"replicates": 1}))
    complete([alone], store, Here())
    spent = _spent("truth", [alone.keys.micrograph(0)], store)
    search = _spent("picks", [alone.keys.picks(picker, 0) for picker in alone.scenario.pickers], store)
    scale = _size(first.scenario)
    made = sum(_size(case.scenario) / scale for case in unmade) * spent
    return made + sum(_size(case.scenario) / scale for case in missing) * search


def _spent(stage: str, keys: Sequence[str], store: Store) -> float:
    """Return the mean seconds of what is there."""
    found = [arrays for key in keys if (arrays := store.arrays(stage, key)) is not None]
    return float(np.mean([arrays["seconds"] for arrays in found])) if found else 0.0


def _size(scenario: Scenario) -> int:
    return math.prod(simulation_grid(scenario).shape) if scenario.simulates else 1
