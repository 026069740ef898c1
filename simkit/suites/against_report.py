"""The page on base against head: what a suite found, as the page is told it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from simkit.core.grid import FloatArray
from simkit.io.atomic import write_bytes_atomic
from simkit.reports.against_page import render
from simkit.reports.contest import Contest, Gain
from simkit.suites.against import Against
from simkit.suites.change import Change, particle_ids
from simkit.suites.evidence import pixels_of
from simkit.suites.noninferiority import not_worse
from simkit.suites.outcome import Outcome
from simkit.suites.spec import LoadedSuite

PAGE = "against.html"

UNITS = {"rmse": "Å"}
"""Of metrics that are no pure numbers."""

RADII = 2.5
"""Radii of matching that a box shows either way at least."""

SUPPORTS = 1.4
"""Radii of the largest particle likewise, where it is known."""


def write_against(
    against: Against, changes: Sequence[Change], outcomes: Sequence[Outcome], folder: Path, *, command: str
) -> Path:
    """Write the page of one suite, or of a part of it; return its path.

    Parameters
    ----------
    against : Against
        The comparison.
    changes : sequence of Change
        What is shown of it; at least one.
    outcomes : sequence of Outcome
        Of the expectations that were judged.
    folder : Path
        Where; made if it is not there.
    command : str
        What repeats it.
    """
    page = render(
        [_contest(against, change, outcomes) for change in changes],
        suite=str(against.suite.place),
        other=against.rival.name,
        failed=sum(not outcome.passed for outcome in outcomes),
        expectations=len(outcomes),
        command=command,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(folder / PAGE, page.encode())
    return folder / PAGE


def _contest(against: Against, change: Change, outcomes: Sequence[Outcome]) -> Contest:
    scenario = change.run.scenario
    radius = scenario.score.radius if scenario.score else 0.0
    largest = max((species.unit_cell.support for species in scenario.specimen.values()), default=0.0)
    mine = [o for o in outcomes if (o.case, o.expectation.partition(".")[0]) == (change.case, change.picker)]
    return Contest(
        case=change.case,
        picker=change.picker,
        failures=[f"{o.expectation}: {check.text}" for o in mine for check in o.checks if not check.passed],
        gains=list(_gains(against.suite, change, against.alpha)),
        particles=change.particles,
        truth=change.scene.truth,
        new=change.new.picks,
        other=change.old.picks,
        ids=particle_ids(change.scene.truth),
        lost=change.lost,
        found=change.found,
        appeared=change.appeared,
        gone=change.gone,
        radius=radius,
        reach=max(RADII * radius, SUPPORTS * largest),
        pixel_size=scenario.image.pixel_size,
        pixels=_reader(against, change),
    )


def _gains(suite: LoadedSuite, change: Change, alpha: float) -> Iterator[Gain]:
    """Yield every gain; of one that several expectations are about with the strictest margin."""
    margins: dict[str, float] = {}
    for expectation in suite.suite.cases[change.case].expect:
        if expectation.picker == change.picker and expectation.baseline is not None:
            margin = expectation.baseline.margin.value
            margins[expectation.metric] = min(margin, margins.get(expectation.metric, margin))
    for metric, gain in change.gains.items():
        margin_ = margins.get(metric)
        low, high = gain.limits(alpha, margin_ or 0.0)
        passed = None if margin_ is None else not_worse(gain, margin=margin_, alpha=alpha)
        unit = UNITS.get(metric, "")
        yield Gain(metric, unit, gain.new, gain.old, gain.gain, low, high, margin_, passed)


def _reader(against: Against, change: Change) -> Callable[[str], FloatArray]:
    """Return what gives the pixels of a micrograph by its name."""
    numbers = {name: number for number, name in enumerate(change.scene.names)}

    @functools.lru_cache(maxsize=8)
    def read(micrograph: str) -> FloatArray:
        return pixels_of(change.run, numbers[micrograph], against.store)

    return read
