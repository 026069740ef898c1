"""A finished sweep → one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

from simkit.reports.html import filled
from simkit.reports.sweep_view import sweep_report
from simkit.sweeps.results import SweepResult


def render(result: SweepResult, *, command: str) -> str:
    """Return the report of a sweep as one self-contained HTML page.

    Parameters
    ----------
    result : SweepResult
        The sweep.
    command : str
        What repeats it, shown to the reader.

    Returns
    -------
    str
        The same tables give the same text. Text from the scenario is escaped, and the page's own security
        policy allows neither scripts nor network.
    """
    return filled("sweep.html", report=sweep_report(result, command))
