"""`simkit new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from simkit.cli.manners import Debug, friendly, note


@friendly
def new(
    starter: Annotated[
        Literal["lecture", "cryoem", "crystal"],
        typer.Argument(
            help="lecture: two shapes in noise; cryoem: proteins in ice; crystal: a motif on a 2-D net."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; <starter>.yaml by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    debug: Debug = False,
) -> None:
    """Write a commented scenario to start from.

    Example: simkit new cryoem --out mine.yaml
    """
    from importlib.resources import files

    from simkit.core.errors import DataError
    from simkit.io.atomic import write_bytes_atomic

    target = out or Path(f"{starter}.yaml")
    if target.exists() and not force:
        raise DataError(
            "exists already; choose another name with --out, or replace it with --force", str(target)
        )
    write_bytes_atomic(target, files("simkit.cli").joinpath("starters", f"{starter}.yaml").read_bytes())
    typer.echo(str(target))
    note(f"run it with: simkit run {target}")
