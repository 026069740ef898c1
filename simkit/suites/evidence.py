"""What the pickers of a case did, from the store: scores, and counts micrograph by micrograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.archive import survey
from simkit.engine.judging import judge_all
from simkit.engine.results import Judgement, PickerRun
from simkit.engine.variants import without_particles
from simkit.picker.base import Found
from simkit.suites.noninferiority import Vectors
from simkit.sweeps.completion import Case, scores_of
from simkit.sweeps.store import Arrays, Store
from simkit.sweeps.work import found_of, truth_of


@dataclass(frozen=True)
class Deed:
    """What one picker did in all micrographs.

    Attributes
    ----------
    vectors : Vectors
        Its counts.
    found : array of bool, shape (particles,)
        Whether each particle was found.
    false : Picks
        Picks without a particle.
    seconds : float
        Mean of a micrograph.
    expected_false : float or None
        False picks that it expects in all micrographs without particles.
    """

    vectors: Vectors
    found: npt.NDArray[np.bool_]
    false: Picks
    seconds: float
    expected_false: float | None


@dataclass(frozen=True)
class Evidence:
    """A case that was run.

    Attributes
    ----------
    case : Case
        Its scenario.
    record : mapping
        Its scores, see `simkit.sweeps.judge.record`.
    truth : Truth
        All particles.
    deeds : mapping
        Picker → what it did.
    """

    case: Case
    record: Mapping[str, Any]
    truth: Truth
    deeds: Mapping[str, Deed]


def collect(case: Case, store: Store) -> Evidence | None:
    """Return what is in the store of a case; None where it has no scores."""
    record = scores_of(case, store)
    if record is None:
        return None
    scenario = case.scenario
    archive = None
    if scenario.micrographs is not None:
        archive = survey(scenario.micrographs, scenario.image.pixel_size)
        archive = without_particles(archive) if scenario.null else archive
    if archive is None:
        seen = [truth_of(_there(store, "truth", case.keys.micrograph(n))) for n in case.numbers]
        names, truth = [name for name, _ in seen], Truth.concat([part for _, part in seen])
    else:
        names, truth = list(archive.names), archive.truth
    searched = {
        picker: [_there(store, "picks", case.keys.picks(picker, n)) for n in case.numbers]
        for picker in scenario.pickers
    }
    runs = {picker: picker_run(Picks.concat([found_of(a)[0] for a in s])) for picker, s in searched.items()}
    judgements, _ = judge_all(scenario, truth, names, runs, archive, details=False)
    deeds = {
        picker: deed(
            truth,
            runs[picker].picks,
            names,
            judgements[picker],
            seconds=float(np.mean([a["seconds"] for a in searches])),
            expected_false=_total([float(a["expected_false"]) for a in searches]),
        )
        for picker, searches in searched.items()
    }
    return Evidence(case, record, truth, deeds)


def picker_run(picks: Picks) -> PickerRun:
    """Return picks as the run of a picker of which nothing else is known."""
    return PickerRun(picks, Found(Picks(), np.zeros(0), Grid((1,), 1.0), np.nan), thresholds=())


def deed(
    truth: Truth,
    picks: Picks,
    names: Sequence[str],
    judgement: Judgement,
    *,
    seconds: float = np.nan,
    expected_false: float | None = None,
) -> Deed:
    """Return what a picker did, micrograph by micrograph.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of all micrographs.
    names : sequence of str
        Of the micrographs.
    judgement : Judgement
        Of the picks.
    seconds : float
        Mean of a micrograph.
    expected_false : float, optional
        See `Deed`.
    """
    order = {name: i for i, name in enumerate(names)}
    match = judgement.match
    truths, picked = ~judgement.ignored_truth, ~judgement.ignored_picks
    ones = np.ones(max(len(truth), len(picks)))

    def per(table: Truth | Picks, rows: Any, values: FloatArray) -> FloatArray:
        codes, texts = table.codes("micrograph")
        numbers = np.array([order.get(text, -1) for text in texts], int)[codes][rows]
        known = numbers >= 0
        return np.bincount(numbers[known], weights=values[known], minlength=len(names))

    found = np.zeros(len(truth), bool)
    found[match.truth] = True
    picked_up = np.zeros(len(picks), bool)
    picked_up[match.pick] = True
    vectors = Vectors(
        tp=per(truth, match.truth, ones[: len(match.truth)]),
        picks=per(picks, picked, ones[: int(picked.sum())]),
        truths=per(truth, truths, ones[: int(truths.sum())]),
        squares=per(truth, match.truth, match.distance**2),
    )
    return Deed(vectors, found, picks.take(np.flatnonzero(picked & ~picked_up)), seconds, expected_false)


def _total(values: Sequence[float]) -> float | None:
    total = float(np.sum(values))
    return total if np.isfinite(total) else None


def _there(store: Store, stage: str, key: str) -> Arrays:
    arrays = store.arrays(stage, key)
    if arrays is None:
        raise DataError("is missing or damaged; delete it, and run again", str(store.path(stage, key)))
    return arrays
