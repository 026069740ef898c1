"""What the pickers of a case did, from the store: scores, and counts micrograph by micrograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.archive import Archive, survey
from simkit.engine.judging import judge_all
from simkit.engine.micrographs import micrograph_of
from simkit.engine.results import Judgement, Mask, PickerRun
from simkit.engine.variants import without_particles
from simkit.picker.base import Found
from simkit.scenario.spec import Scenario
from simkit.suites.noninferiority import Vectors
from simkit.sweeps.completion import Case, scores_of
from simkit.sweeps.store import Arrays, Store
from simkit.sweeps.work import found_of, truth_of


@dataclass(frozen=True)
class Scene:
    """What is known of the micrographs of a case.

    Attributes
    ----------
    names : tuple of str
        Of the micrographs, in their order.
    truth : Truth
        All particles.
    archive : Archive or None
        Of real micrographs.
    """

    names: tuple[str, ...]
    truth: Truth
    archive: Archive | None = None


@dataclass(frozen=True)
class Deed:
    """What one picker did in all micrographs.

    Attributes
    ----------
    vectors : Vectors
        Its counts.
    picks : Picks
        All of them.
    found, missed : array of bool, shape (particles,)
        Whether each particle was found, and whether it counts as missed; neither is what is ignored.
    false : Picks
        Picks without a particle.
    seconds : float
        Mean of a micrograph.
    expected_false : float or None
        False picks that it expects in all micrographs without particles.
    """

    vectors: Vectors
    picks: Picks
    found: Mask
    missed: Mask
    false: Picks
    seconds: float = np.nan
    expected_false: float | None = None


@dataclass(frozen=True)
class Evidence:
    """A case that was run.

    Attributes
    ----------
    case : Case
        Its scenario.
    record : mapping
        Its scores, see `simkit.sweeps.judge.record`.
    scene : Scene
        What is in its micrographs.
    deeds : mapping
        Picker → what it did.
    """

    case: Case
    record: Mapping[str, Any]
    scene: Scene
    deeds: Mapping[str, Deed]


def collect(case: Case, store: Store) -> Evidence | None:
    """Return what is in the store of a case; None where it has no scores."""
    record = scores_of(case, store)
    if record is None:
        return None
    searched = {
        picker: [_there(store, "picks", case.keys.picks(picker, n)) for n in case.numbers]
        for picker in case.scenario.pickers
    }
    scene = _scene(case, store)
    judged = judge(case.scenario, scene, {p: _picks(searches) for p, searches in searched.items()})
    deeds = {
        picker: replace(
            deed,
            seconds=float(np.mean([a["seconds"] for a in searched[picker]])),
            expected_false=_total([float(a["expected_false"]) for a in searched[picker]]),
        )
        for picker, deed in judged.items()
    }
    return Evidence(case, record, scene, deeds)


def judge(scenario: Scenario, scene: Scene, picks: Mapping[str, Picks]) -> dict[str, Deed]:
    """Return what pickers did, by their picks alone.

    Parameters
    ----------
    scenario : Scenario
        Has them, and says how they are scored.
    scene : Scene
        What is in the micrographs.
    picks : mapping
        Picker → its picks in all micrographs.
    """
    runs = {picker: _run(table) for picker, table in picks.items()}
    judgements, _ = judge_all(scenario, scene.truth, scene.names, runs, scene.archive, details=False)
    return {p: _deed(scene, table, judgements[p]) for p, table in picks.items()}


def pixels_of(case: Case, number: int, store: Store) -> FloatArray:
    """Return a micrograph as the pickers of its case saw it: kept, read, or simulated once more."""
    kept = store.arrays("images", case.keys.micrograph(number))
    return micrograph_of(case.scenario, number)[2] if kept is None else kept["pixels"]


def _run(picks: Picks) -> PickerRun:
    """Return picks as the run of a picker of which nothing else is known."""
    return PickerRun(picks, Found(Picks(), np.zeros(0), Grid((1,), 1.0), np.nan), thresholds=())


def _scene(case: Case, store: Store) -> Scene:
    scenario = case.scenario
    if scenario.micrographs is not None:
        archive = survey(scenario.micrographs, scenario.image.pixel_size)
        archive = without_particles(archive) if scenario.null else archive
        return Scene(archive.names, archive.truth, archive)
    seen = [truth_of(_there(store, "truth", case.keys.micrograph(n))) for n in case.numbers]
    return Scene(tuple(name for name, _ in seen), Truth.concat([part for _, part in seen]))


def _picks(searches: Sequence[Arrays]) -> Picks:
    return Picks.concat([found_of(arrays)[0] for arrays in searches])


def _deed(scene: Scene, picks: Picks, judgement: Judgement) -> Deed:
    """Count what a picker did, micrograph by micrograph."""
    match, truths, counted = judgement.match, ~judgement.ignored_truth, ~judgement.ignored_picks
    found, paired = np.zeros(len(scene.truth), bool), np.zeros(len(picks), bool)
    found[match.truth] = True
    paired[match.pick] = True
    vectors = Vectors(
        tp=_per_micrograph(scene, scene.truth, match.truth),
        picks=_per_micrograph(scene, picks, np.flatnonzero(counted)),
        truths=_per_micrograph(scene, scene.truth, np.flatnonzero(truths)),
        squares=_per_micrograph(scene, scene.truth, match.truth, match.distance**2),
    )
    return Deed(vectors, picks, found, truths & ~found, picks.take(counted & ~paired))


def _per_micrograph(
    scene: Scene, table: Truth | Picks, rows: npt.NDArray[np.intp], weights: FloatArray | None = None
) -> FloatArray:
    """Return the sum of weights, 1 each by default, of some rows of a table in each micrograph."""
    order = {name: i for i, name in enumerate(scene.names)}
    codes, texts = table.codes("micrograph")
    numbers = np.array([order.get(text, -1) for text in texts], int)[codes][rows]
    known = numbers >= 0
    weights = np.ones(len(numbers)) if weights is None else weights
    return np.bincount(numbers[known], weights=weights[known], minlength=len(scene.names))


def _total(values: Sequence[float]) -> float | None:
    total = float(np.sum(values))
    return total if np.isfinite(total) else None


def _there(store: Store, stage: str, key: str) -> Arrays:
    arrays = store.arrays(stage, key)
    if arrays is None:
        raise DataError("is missing or damaged; delete it, and run again", str(store.path(stage, key)))
    return arrays
