"""Two runs on disk: their picks are judged again, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.archive import Archive, survey
from simkit.engine.judging import judge_all
from simkit.engine.results import PickerRun
from simkit.engine.variants import without_particles
from simkit.io.coordinates import read_coordinates
from simkit.judging.comparison import METRICS, PairedComparison
from simkit.picker.base import Found
from simkit.scenario.loading import load
from simkit.scenario.spec import Scenario
from simkit.statistics.unpaired import difference_interval
from simkit.sweeps.change import Change, corrected

MARK = "scores.json"
"""The file by which a folder is known to hold a run."""


@dataclass(frozen=True)
class RunComparison:
    """Two runs compared.

    Attributes
    ----------
    changes : tuple of Change
        For every picker that both have, of the second less the first.
    only_before, only_after : tuple of str
        Pickers that only one of the two has.
    differing : str
        Why micrographs are not compared one by one; "" where they are.
    """

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differing: str


@dataclass(frozen=True)
class _Run:
    folder: Path
    scenario: Scenario
    scores: Mapping[str, Any]

    @property
    def pickers(self) -> tuple[str, ...]:
        return tuple(self.scores["pickers"])

    def truth(self, archive: Archive | None) -> Truth:
        if archive is not None:
            return archive.truth
        file = self.folder / "truth.csv"
        return _as_truth(read_coordinates(file)) if file.is_file() else Truth()

    def picks(self, picker: str) -> Picks:
        return read_coordinates(self.folder / "picks" / f"{picker}.csv")


def compare_runs(before: Path, after: Path) -> RunComparison:
    """Compare two runs.

    Parameters
    ----------
    before, after : Path
        Folders of `simkit run`.

    Returns
    -------
    RunComparison
        Class-blind, judged as the first run's scenario says. Where both saw the same particles, F1, recall
        and precision at the pickers' own thresholds and at equal false picks, compared cluster by cluster
        as pickers of one run are. Otherwise the scores of each as they stand, as independent values.

    Raises
    ------
    DataError
        If a folder holds no run with scores, or a file of it is damaged.
    ScenarioError
        If the runs have no picker in common.
    """
    first, second = _opened(before), _opened(after)
    shared = [name for name in first.pickers if name in second.pickers]
    if not shared:
        raise ScenarioError(
            f"the runs have no picker in common: {', '.join(first.pickers) or 'none'} and "
            f"{', '.join(second.pickers) or 'none'}"
        )
    archive = _archive(first.scenario)
    truth = first.truth(archive)
    differing = _differing(truth, second.truth(_archive(second.scenario)))
    changes = [
        change
        for picker in shared
        for change in (
            _independent(first, second, picker)
            if differing
            else _side_by_side(first, second, picker, truth, archive)
        )
    ]
    return RunComparison(
        changes=corrected(changes),
        only_before=tuple(name for name in first.pickers if name not in shared),
        only_after=tuple(name for name in second.pickers if name not in shared),
        differing=differing,
    )


def _opened(folder: Path) -> _Run:
    try:
        scores = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            "holds no run and no sweep; name a folder of `simkit run` or `simkit sweep`", str(folder)
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{MARK} is damaged: {error}; run it again", str(folder)) from None
    scenario = load(folder / "scenario.yaml").scenario
    if scenario.score is None:
        raise DataError("nothing of this run is scored; add a `score:` section and run it again", str(folder))
    return _Run(folder, scenario, scores)


def _as_truth(table: Picks) -> Truth:
    texts = {name: table.labels(name) for name in ("micrograph", "class")}
    return Truth(**texts, **{name: table[name] for name in ("y", "x", "psi", "rot", "tilt")})


def _archive(scenario: Scenario) -> Archive | None:
    if scenario.micrographs is None:
        return None
    archive = survey(scenario.micrographs, scenario.image.pixel_size)
    return without_particles(archive) if scenario.null else archive


def _differing(truth: Truth, other: Truth) -> str:
    same = len(truth) == len(other) and truth["micrograph"].tolist() == other["micrograph"].tolist()
    if same and all(np.array_equal(truth[name], other[name]) for name in ("y", "x")):
        return ""
    return "their particles are not the same"


def _side_by_side(
    first: _Run, second: _Run, picker: str, truth: Truth, archive: Archive | None
) -> list[Change]:
    """Judge one picker of both runs as if they were two pickers of one."""
    specs = {"after": second.scenario.pickers[picker], "before": first.scenario.pickers[picker]}
    templates = {**second.scenario.templates, **first.scenario.templates}
    scenario = first.scenario.model_copy(update={"pickers": specs, "templates": templates})
    names = [f"{i:04d}" for i in range(scenario.replicates)] if archive is None else list(archive.names)
    runs = {"after": _picker_run(second.picks(picker)), "before": _picker_run(first.picks(picker))}
    _, comparisons = judge_all(scenario, truth, names, runs, archive, details=False)
    return [_change(picker, comparison, len(names)) for comparison in comparisons]


def _picker_run(picks: Picks) -> PickerRun:
    """Return picks as a run; those that have scores may also be cut higher."""
    scored = picks if len(picks) and bool(np.isfinite(picks["score"]).all()) else None
    return PickerRun(
        picks, Found(Picks(), np.zeros(0), Grid((1,), 1.0), np.nan), thresholds=(), candidates=scored
    )


def _change(picker: str, c: PairedComparison, micrographs: int) -> Change:
    low, high = c.interval or (None, None)
    return Change(
        picker=picker,
        place={},
        metric=c.metric,
        basis=c.basis,
        before=c.value_b,
        after=c.value_a,
        difference=c.difference,
        low=low,
        high=high,
        p=c.p,
        paired=True,
        micrographs=(micrographs, micrographs),
        only_before=c.only_b,
        only_after=c.only_a,
    )


def _independent(first: _Run, second: _Run, picker: str) -> list[Change]:
    """Compare the scores of two runs as they stand."""
    return [_of_scores(first, second, picker, metric) for metric in METRICS]


def _of_scores(first: _Run, second: _Run, picker: str, metric: str) -> Change:
    before, after = (run.scores["pickers"][picker]["all"].get(metric) for run in (first, second))
    ends = [run.scores["intervals"].get(picker, {}).get("all", {}).get(metric) for run in (first, second)]
    low = high = None
    if before is not None and after is not None and all(ends):
        low, high = difference_interval(after, tuple(ends[1]), before, tuple(ends[0]))
    return Change(
        picker=picker,
        place={},
        metric=metric,
        basis="own thresholds",
        before=before,
        after=after,
        difference=None if before is None or after is None else after - before,
        low=low,
        high=high,
        p=None,
        paired=False,
        micrographs=(first.scenario.replicates, second.scenario.replicates),
    )
