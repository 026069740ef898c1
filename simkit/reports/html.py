"""A page's template filled in, with the one style sheet of all pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent


def filled(template: str, **values: Any) -> str:
    """Return a template with values in it: text is escaped, and a value that is missing is an error.

    Parameters
    ----------
    template : str
        Name of a file beside this one. It also gets the style sheet, as `style`.
    **values
        What it asks for.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **values)
