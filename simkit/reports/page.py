"""A finished run → one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from simkit.engine.results import RunResult
from simkit.reports import figures
from simkit.reports.views import report_of

_FOLDER = Path(__file__).parent


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
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html").render(
        report=report_of(result, command), style=style, shared=figures.SHARED_MICROGRAPH
    )
