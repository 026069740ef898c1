"""`simkit list` and `simkit schema`: what a scenario may say."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from simkit.cli.manners import AsJson, Debug, aligned, emit_json, friendly

FAMILIES = (
    "unit_cell",
    "view",
    "lattice",
    "shape",
    "background",
    "psf",
    "noise",
    "template",
    "picker",
    "threshold",
    "metric",
    "audit",
)


COORDINATES = "coordinates"
"""Listed beside the families: the formats of coordinate files."""


def _family(name: str | None) -> str | None:
    from simkit.scenario.messages import suggestion

    if name is not None and name not in (known := (*FAMILIES, COORDINATES)):
        raise typer.BadParameter(f"no family {name!r}{suggestion(name, known)}")
    return name


@friendly
def list_kinds(
    family: Annotated[
        str | None,
        typer.Argument(
            metavar="FAMILY",
            callback=_family,
            help=f"One of {', '.join(FAMILIES)}; all by default. Or {COORDINATES}: the formats of files.",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the kinds of a family: what may be written after `kind:`; or the formats of coordinates.

    Example: simkit list picker
    """
    kinds = {name: _kinds(name) for name in ([family] if family else FAMILIES)}
    if as_json:
        emit_json(kinds)
        return
    blocks = [f"{name}\n{_indented(lines)}" for name, lines in kinds.items() if lines]
    typer.echo("\n\n".join(blocks))


@friendly
def schema(debug: Debug = False) -> None:
    """Print the JSON Schema of a scenario, for editors that complete and check YAML.

    Kinds from plug-ins are not in it.

    Example: simkit schema > scenario.schema.json
    """
    from simkit.scenario.schema import json_schema

    emit_json(json_schema())


def _kinds(family: str) -> dict[str, str]:
    import importlib

    if family == COORDINATES:
        from simkit.io.formats import describe_formats

        return describe_formats()

    found = importlib.import_module(f"simkit.{family}").FAMILY
    lines = {}
    for kind in found.kinds:
        try:
            lines[kind] = (inspect.getdoc(found.kind(kind)) or "").split("\n", 1)[0]
        except ValueError as error:
            lines[kind] = str(error)
    return lines


def _indented(lines: dict[str, str]) -> str:
    return "\n".join(f"  {line}" for line in aligned(list(lines.items())).split("\n"))
