"""The page of a case that failed: what was expected of it and what came of it, with its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simkit.engine.pipeline import run_scenario
from simkit.io.atomic import write_bytes_atomic
from simkit.reports import figures
from simkit.reports.html import filled
from simkit.reports.views import Check as Line
from simkit.reports.views import Report, Verdict, report_of
from simkit.reports.wording import plural
from simkit.scenario.loading import dump
from simkit.scenario.spec import Scenario
from simkit.suites.outcome import Outcome

PAGE = "report.html"
SCENARIO = "scenario.yaml"


def write_case(scenario: Scenario, outcomes: Sequence[Outcome], folder: Path, *, workers: int = 1) -> Path:
    """Run a case once more, with its images, and write its page; return the page's path.

    Parameters
    ----------
    scenario : Scenario
        The case as it was run.
    outcomes : sequence of Outcome
        Of all expectations of the case; at least one.
    folder : Path
        Where; made if it is not there. The scenario as it was run is written beside the page.
    workers : int
        Processes and threads.

    Raises
    ------
    SimkitError
        If it cannot be run or written.

    Notes
    -----
    What a suite keeps of a case are its counts, not its pixels: the same seed makes them again.
    """
    report = report_of(run_scenario(scenario, workers=workers), outcomes[0].reproduce)
    page = filled("report.html", report=_judged(report, outcomes), shared=figures.SHARED_MICROGRAPH)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(folder / SCENARIO, dump(scenario).encode())
    write_bytes_atomic(folder / PAGE, page.encode())
    return folder / PAGE


def _judged(report: Report, outcomes: Sequence[Outcome]) -> Report:
    """Return a report of a run with the verdict of a suite in place of the run's own, which has none."""
    first = outcomes[0]
    failed = sum(not outcome.passed for outcome in outcomes)
    sentence = f"{failed} of {plural(len(outcomes), 'expectation')} of the suite failed."
    return replace(
        report,
        title=f"{first.suite} · {first.case}: {report.title}",
        verdict=Verdict("failed", "✗", "Failed", sentence)
        if failed
        else Verdict("passed", "✓", "Passed", sentence),
        checks=[line for outcome in outcomes for line in _lines(outcome)],
        files=[(SCENARIO, "the case as it was run, for `simkit run`")],
    )


def _lines(outcome: Outcome) -> list[Line]:
    lines = []
    for check in outcome.checks:
        found, _, demanded = check.text.partition("; ")
        lines.append(Line(outcome.expectation, demanded or check.kind, found, check.passed))
    return lines
