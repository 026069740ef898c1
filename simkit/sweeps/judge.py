"""One cell before the judge: what was stored of its micrographs comes to its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from simkit.core.errors import DataError
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.archive import Archive, survey
from simkit.engine.ceiling import ceiling_of
from simkit.engine.judging import judge_all
from simkit.engine.micrographs import Stopwatch
from simkit.engine.operating import operating_point
from simkit.engine.results import Judgement, PickerRun
from simkit.engine.variants import without_particles
from simkit.engine.verdict import ceiling_entry, intervals_entry, picker_entry
from simkit.picker.base import Found
from simkit.scenario.spec import Scenario
from simkit.sweeps.errand import Done, Errand, scenario_of
from simkit.sweeps.keys import Keys
from simkit.sweeps.store import Store
from simkit.sweeps.work import failure_of, found_of, truth_of


def judge(errand: Errand) -> Done:
    """Score one cell, of whose micrographs all are searched, and store what it comes to."""
    store, watch = Store(Path(errand.store)), Stopwatch()
    scenario = scenario_of(errand.texts[0])
    keys = Keys(scenario)
    try:
        with threadpool_limits(1), watch.timing("scoring"):
            store.put_plain("scores", keys.scores, record(scenario, keys, store))
        store.remove("failures", keys.scores)
    except Exception as error:
        failure = failure_of(error, keys.scores, "scores")
        store.put_plain("failures", keys.scores, vars(failure))
        return Done((failure,), watch.seconds)
    return Done((), watch.seconds)


def record(scenario: Scenario, keys: Keys, store: Store) -> dict[str, Any]:
    """Return what a cell's micrographs come to, as plain data.

    Parameters
    ----------
    scenario : Scenario
        The cell's.
    keys : Keys
        Its keys.
    store : Store
        Holds the truth and the picks of all its micrographs.

    Returns
    -------
    dict
        `micrographs`: their number; `pickers`: name → what scores.json says of it; `intervals`: likewise;
        `counts`: name → class-blind tp, picks, truths of every micrograph; `comparisons`: of every two;
        `seconds`: stage → mean of a micrograph; `ceiling`: what physics allows, and the ideal observer
        at as many false picks as `score.equal_false_picks` says.

    Raises
    ------
    DataError
        If something is not there.
    """
    archive = _archive(scenario)
    numbers = range(scenario.replicates if archive is None else len(archive.names))
    found = {p: [_there(store, "picks", keys.picks(p, n)) for n in numbers] for p in scenario.pickers}
    runs = {picker: _run(parts) for picker, parts in found.items()}
    if archive is None:
        found["simulation"] = [_there(store, "truth", keys.micrograph(n)) for n in numbers]
        copies = [truth_of(parts) for parts in found["simulation"]]
        names, truth = [name for name, _ in copies], Truth.concat([table for _, table in copies])
    else:
        names, truth = list(archive.names), archive.truth
    judgements, comparisons = judge_all(scenario, truth, names, runs, archive, details=False)
    return {
        "micrographs": len(names),
        "pickers": {name: picker_entry(j) for name, j in judgements.items()},
        "intervals": {name: intervals_entry(j) for name, j in judgements.items()},
        "counts": {name: _counts(truth, runs[name].picks, names, j) for name, j in judgements.items()},
        "picked": {name: len(run.picks) for name, run in runs.items()},
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "seconds": {stage: float(np.mean([p["seconds"] for p in parts])) for stage, parts in found.items()},
        "ceiling": _ceiling(scenario, keys, store),
    }


def _archive(scenario: Scenario) -> Archive | None:
    if scenario.micrographs is None:
        return None
    archive = survey(scenario.micrographs, scenario.image.pixel_size)
    return without_particles(archive) if scenario.null else archive


def _run(found: Sequence[Mapping[str, Any]]) -> PickerRun:
    """Return what one picker did in all micrographs, of what was stored of each."""
    parts = [found_of(arrays) for arrays in found]
    candidates = [candidates for _, candidates, _ in parts if candidates is not None]
    return PickerRun(
        picks=Picks.concat([picks for picks, _, _ in parts]),
        first=Found(Picks(), np.zeros(0), Grid((1,), 1.0), float(found[0]["threshold"])),
        thresholds=tuple(float(arrays["threshold"]) for arrays in found),
        candidates=Picks.concat(candidates) if len(candidates) == len(parts) else None,
        noise_sds=tuple(np.nan if sd is None else sd for _, _, sd in parts),
    )


def _there(store: Store, stage: str, key: str) -> dict[str, Any]:
    arrays = store.arrays(stage, key)
    if arrays is None:
        raise DataError(
            "is missing or damaged; delete it, and run the sweep again", str(store.path(stage, key))
        )
    return arrays


def _counts(truth: Truth, picks: Picks, names: Sequence[str], judgement: Judgement) -> dict[str, list[int]]:
    """Return pairs, picks and particles that count in each micrograph, blind to class."""
    order = {name: i for i, name in enumerate(names)}

    def per_micrograph(table: Truth | Picks, rows: Any) -> list[int]:
        codes, texts = table.codes("micrograph")
        numbers = np.array([order.get(text, -1) for text in texts], int)[codes][rows]
        return np.bincount(numbers[numbers >= 0], minlength=len(names)).tolist()

    return {
        "tp": per_micrograph(truth, judgement.match.truth),
        "picks": per_micrograph(picks, ~judgement.ignored_picks),
        "truths": per_micrograph(truth, ~judgement.ignored_truth),
    }


def _ceiling(scenario: Scenario, keys: Keys, store: Store) -> dict[str, Any] | None:
    """Return what physics allows, worked out once for all cells that are imaged alike."""
    kept = store.plain("ceiling", keys.ceiling)
    if kept is None:
        kept = {"ceiling": _what_physics_allows(scenario)}
        store.put_plain("ceiling", keys.ceiling, kept)
    return kept["ceiling"]


def _what_physics_allows(scenario: Scenario) -> dict[str, Any] | None:
    ceiling = ceiling_of(scenario)
    if ceiling is None or scenario.score is None:
        return None
    allowed = scenario.score.equal_false_picks
    curves = {"all": ceiling.curve, **ceiling.curves}
    points = {name: asdict(operating_point(c, allowed)) for name, c in curves.items() if c is not None}
    return {**ceiling_entry(ceiling), "at_equal_false_picks": points}
