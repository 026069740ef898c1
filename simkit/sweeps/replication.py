"""Replicates added until the answer is known: cell by cell, and no more than it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from simkit.judging.comparison import Tally, difference_interval
from simkit.scenario.sweep import Until
from simkit.sweeps.cells import Cell
from simkit.sweeps.completion import Case, scores_of
from simkit.sweeps.store import Store

GROWTH = 1.5
"""By how much the micrographs of an open cell are multiplied from one look to the next: few looks, and
little waste."""

LEVEL = 0.95

Completed = Callable[[Sequence[Cell], int | None], list[Case]]


def looks(until: Until) -> list[int]:
    """Return how many micrographs there are at each look, from `at_least` to `at_most`."""
    counts = [until.at_least]
    while counts[-1] < until.at_most:
        counts.append(min(until.at_most, math.ceil(GROWTH * counts[-1])))
    return counts


def replicate(
    cells: Sequence[Cell], until: Until, completed: Completed, store: Store
) -> tuple[list[Case], list[dict[str, Any]]]:
    """Complete cells with as many micrographs as each needs.

    Parameters
    ----------
    cells : sequence of Cell
        All start with `at_least` micrographs.
    until : Until
        When a cell has enough.
    completed : callable
        ``completed(cells, micrographs)`` → their cases, run or failed.
    store : Store
        Holds their records.

    Returns
    -------
    cases : list of Case
        Of every cell with as many micrographs as it had in the end.
    answers : list of dict
        Of every cell how many it took and whether the answer is known; a summary with a `text` first.

    Notes
    -----
    Who looks often at growing data sees by chance what is not there. Where the question is on which side of
    −margin a difference lies, the interval of each of k looks therefore holds at 1 − 0.05 / k (Bonferroni),
    so that a wrong answer has at most a chance of 5 % in a cell. An interval's width is hardly any news
    of where it lies, and there all looks are at 95 %.
    """
    counts = looks(until)
    level = 1 - (1 - LEVEL) / len(counts) if until.margin is not None else LEVEL
    final: dict[int, Case] = {}
    known: dict[int, bool] = {}
    open_cells = list(cells)
    for count in counts:
        cases = completed(open_cells, count)
        final |= {cell.number: case for cell, case in zip(open_cells, cases, strict=True)}
        records = [scores_of(case, store) for case in cases]
        known |= {
            cell.number: record is not None and enough(record, until, level=level)
            for cell, record in zip(open_cells, records, strict=True)
        }
        # A cell that failed would fail again.
        open_cells = [
            cell
            for cell, record in zip(open_cells, records, strict=True)
            if record is not None and not known[cell.number]
        ]
        if not open_cells:
            break
    answers = [
        {"kind": "until", "cell": n, "micrographs": len(case.numbers), "known": known[n]}
        for n, case in final.items()
    ]
    return [final[cell.number] for cell in cells], [_summary(answers, until), *answers]


def enough(record: Mapping[str, Any], until: Until, *, level: float) -> bool:
    """Tell whether the scores of a cell answer what is asked.

    Parameters
    ----------
    record : mapping
        What the cell's micrographs come to.
    until : Until
        What is asked.
    level : float
        How often an interval of a difference should hold the true one.
    """
    ends = _interval(record, until, level)
    if ends is None:
        return False
    low, high = ends
    if until.half_width is not None:
        return (high - low) / 2 <= until.half_width
    margin = until.margin or 0.0
    return low > -margin or high < -margin


def _interval(record: Mapping[str, Any], until: Until, level: float) -> tuple[float, float] | None:
    if until.against is None:
        ends = record["intervals"].get(until.picker, {}).get(until.class_, {}).get(until.metric)
        return None if ends is None else (ends[0], ends[1])
    a, b = (tally_of(name, record["counts"][name]) for name in (until.picker, until.against))
    return difference_interval(a, b, level=level, seed=0).get(until.metric)


def tally_of(name: str, counts: Mapping[str, Sequence[int]]) -> Tally:
    """Return what a picker did in the micrographs of a cell, as it is compared; its hits are not known."""
    tp, picks, truths = (np.array(counts[key], float) for key in ("tp", "picks", "truths"))
    return Tally(name, tp, picks, truths, hits=np.zeros(0, bool))


def _summary(answers: Sequence[Mapping[str, Any]], until: Until) -> dict[str, Any]:
    settled = [answer["micrographs"] for answer in answers if answer["known"]]
    what = f"{until.metric} of {until.picker}"
    what += f" less that of {until.against}" if until.against else ""
    aim = f"known to ±{until.half_width:g}" if until.half_width else f"on one side of −{until.margin:g}"
    text = f"{what}: {aim} in {len(settled)} of {len(answers)} cells"
    if settled:
        fewest, most = min(settled), max(settled)
        span = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        text += f", with {span} micrographs"
    if len(settled) < len(answers):
        text += f"; not in the others, with up to {until.at_most}"
    return {"kind": "replicates", "text": text}
