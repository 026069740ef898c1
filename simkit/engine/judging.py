"""A run's pickers before the judge: how they are judged, what each gave and what it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Truth
from simkit.engine.archive import Archive
from simkit.engine.contest import contest
from simkit.engine.court import Answer, Court, Setting
from simkit.engine.results import Judgement, PickerRun
from simkit.engine.scoring import sentence
from simkit.io.images import read_image
from simkit.judging.comparison import PairedComparison
from simkit.scenario.spec import Scenario, Score


def judge_all(
    scenario: Scenario,
    truth: Truth,
    names: Sequence[str],
    pickers: Mapping[str, PickerRun],
    archive: Archive | None,
    *,
    details: bool = True,
) -> tuple[dict[str, Judgement], tuple[PairedComparison, ...]]:
    """Judge every picker of a run, alone and against the others.

    Parameters
    ----------
    scenario : Scenario
        Declares the pickers and how they are scored; nothing is judged without a `score` section.
    truth : Truth
        All micrographs.
    names : sequence of str
        Of the micrographs.
    pickers : mapping
        Picker name → what it did.
    archive : Archive or None
        Of real micrographs, what is known of them.
    details : bool
        See `Setting`.

    Raises
    ------
    ScenarioError
        If the mask of what is judged does not fit the micrographs; located from the scenario's root.
    """
    if scenario.score is None:
        return {}, ()
    setting = replace(_setting(scenario, scenario.score, truth, names, archive), details=details)
    courts = {name: Court(truth, _answer(scenario, name, run), setting) for name, run in pickers.items()}
    return {name: sentence(court) for name, court in courts.items()}, contest(courts)


def _setting(
    scenario: Scenario, score: Score, truth: Truth, names: Sequence[str], archive: Archive | None
) -> Setting:
    """Say how the pickers of a run are judged."""
    if archive is None:
        symmetry = {name: species.symmetry for name, species in scenario.specimen.items()}
        grids = dict.fromkeys(names, scenario.image.grid)
    else:
        declared = {t.found_class(name): t.symmetry or "C1" for name, t in scenario.templates.items()}
        symmetry = {name: declared.get(name, "C1") for name in truth.codes("class")[1] if name}
        grids = dict(zip(archive.names, archive.grids, strict=True))
    unjudged = archive.unjudged if archive else frozenset()
    return Setting(
        score=score,
        classes=tuple(symmetry),
        symmetry=symmetry,
        micrographs=tuple(name for name in names if name not in unjudged),
        grids=grids,
        ndim=scenario.image.ndim,
        complete=scenario.truth_is_complete,
        unjudged=unjudged,
        mask=_mask(score, grids),
        seed=scenario.seed,
    )


def _mask(score: Score, grids: Mapping[str, Grid]) -> npt.NDArray[np.bool_] | None:
    """Read where nothing is judged.

    Raises
    ------
    ScenarioError
        If the mask is of another shape than the micrographs.
    """
    if score.ignore.mask is None:
        return None
    mask = read_image(score.ignore.mask).pixels != 0
    for name, grid in grids.items():
        if grid.shape != mask.shape:
            raise ScenarioError(
                f"the mask is {' × '.join(map(str, mask.shape))} px and micrograph {name} "
                f"{' × '.join(map(str, grid.shape))}; they must be alike",
                ("score", "ignore", "mask"),
            )
    return mask


def _answer(scenario: Scenario, name: str, run: PickerRun) -> Answer:
    """Say what a picker found and what it was given."""
    picker = scenario.pickers[name]
    finds = {template: spec.found_class(template) for template, spec in scenario.templates.items()}
    known = [sd for sd in run.noise_sds if np.isfinite(sd)]
    return Answer(
        picks=run.picks,
        candidates=run.candidates,
        sought=picker.sought(finds),
        knows=tuple(told for told in picker.knows if told != "templates" or finds),
        oracle=picker.oracle,
        threshold=picker.cut,
        score_sd=float(np.mean(known)) if known else None,
    )
