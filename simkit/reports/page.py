"""A finished run → one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

from simkit.engine.results import RunResult
from simkit.reports import figures
from simkit.reports.html import filled
from simkit.reports.views import report_of


def render(result: RunResult, *, command: str) -> str:
    """Return the report of a run as one self-contained HTML page.

    Parameters
    ----------
    result : RunResult
        The run. Of a run of several micrographs the pictures show the first one; tables and charts
        count all.
    command : str
        What repeats the run, shown to the reader.

    Returns
    -------
    str
        The same run gives the same text: no dates, no durations. Text from the scenario is escaped,
        and the page's own security policy allows neither scripts nor network.
    """
    return filled("report.html", report=report_of(result, command), shared=figures.SHARED_MICROGRAPH)
