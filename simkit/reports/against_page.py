"""Two versions of pickers on the same micrographs → one HTML page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simkit.reports.against_chart import gains_chart
from simkit.reports.against_view import Section, overview, section
from simkit.reports.boxes import LEGEND
from simkit.reports.contest import Contest
from simkit.reports.elements import Illustration, Layer, Table
from simkit.reports.html import filled
from simkit.reports.wording import plural


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    title: str
    other: str
    passed: bool
    verdict: str
    sentence: str
    overview: Table
    chart: Illustration | None
    legend: Sequence[Layer]
    sections: Sequence[Section]
    command: str


def render(
    contests: Sequence[Contest], *, suite: str, other: str, failed: int, expectations: int, command: str
) -> str:
    """Return what two versions came to as one self-contained HTML page.

    Parameters
    ----------
    contests : sequence of Contest
        At least one.
    suite, other : str
        Name of the suite, and what the new version was compared with.
    failed, expectations : int
        How many expectations of the suite failed, of how many.
    command : str
        What repeats it, shown to the reader.

    Returns
    -------
    str
        Text from outside is escaped, and the page's own security policy allows neither scripts nor network.
    """
    ordered = sorted(contests, key=lambda contest: (not contest.failures, -len(contest.lost)))
    particles = sum(contest.particles for contest in ordered)
    lost, found = (
        sum(len(rows) for rows in side) for side in ([c.lost for c in ordered], [c.found for c in ordered])
    )
    report = Report(
        title=f"{suite}: new against other",
        other=other,
        passed=not failed,
        verdict=f"{failed} of {plural(expectations, 'expectation')} failed" if failed else "Passed",
        sentence=(
            f"Of {plural(particles, 'particle')} the new version lost {lost} that the other finds, and found "
            f"{found} that the other misses."
        ),
        overview=overview(ordered),
        chart=gains_chart(ordered),
        legend=LEGEND,
        sections=[section(place, contest) for place, contest in enumerate(ordered)],
        command=command,
    )
    return filled("against.html", report=report)
