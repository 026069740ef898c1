"""The `simkit` command: what it is made of."""

from __future__ import annotations

from typing import Annotated

import typer

from simkit.cli.catalogue import list_kinds, schema
from simkit.cli.ceiling import ceiling
from simkit.cli.check import check, explain
from simkit.cli.compare import compare
from simkit.cli.conformance import conformance
from simkit.cli.convention import convention
from simkit.cli.lattice import lattice
from simkit.cli.new import new
from simkit.cli.pick import pick
from simkit.cli.run import report, run
from simkit.cli.score import score
from simkit.cli.suite import suite
from simkit.cli.sweep import sweep

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(check)
app.command()(explain)
app.command()(sweep)
app.add_typer(suite, name="suite")
app.command()(compare)
app.command()(ceiling)
app.command()(pick)
app.command()(score)
app.command()(lattice)
app.command()(new)
app.command()(convention)
app.command()(conformance)
app.command("list")(list_kinds)
app.command()(schema)
app.command()(report)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"simkit {version('simkit')}")
        raise typer.Exit


@app.callback()
def simkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """One YAML file describes a microscopy experiment; simkit simulates it, picks it and judges it.

    Start with: simkit new lecture && simkit run lecture.yaml
    """
