"""`simkit score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli.manners import AsJson, Debug, aligned, emit_json, friendly, length, number

if TYPE_CHECKING:
    from simkit.core.tables import Picks


@friendly
def score(
    picks: Annotated[Path, typer.Argument(metavar="PICKS", help="Coordinates to judge, .star or .csv.")],
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="Coordinates that are right, .star or .csv.")
    ],
    radius: Annotated[
        float,
        typer.Option(
            "--radius", parser=length, metavar="LENGTH", help="Farthest a pick may be from a truth: '80 Å'."
        ),
    ],
    pixel_size: Annotated[
        float | None,
        typer.Option(
            "--pixel-size",
            parser=length,
            metavar="LENGTH",
            help="For coordinates in pixels: '1.5 Å'. It goes before what the files say.",
        ),
    ] = None,
    micrograph: Annotated[
        str | None,
        typer.Option("--micrograph", metavar="NAME", help="Judge this micrograph alone."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Judge coordinates from any program against known ones.

    Pairs are one to one, within the radius, as many as possible and then as close as possible.

    Example: simkit score picks.star truth.csv --radius '80 Å' --pixel-size '1.5 Å'
    """
    from simkit.core.tables import Truth
    from simkit.engine.scoring import judge_points
    from simkit.io.coordinates import read_coordinates
    from simkit.scenario.spec import Score

    found = read_coordinates(picks, pixel_size=pixel_size)
    right = read_coordinates(truth, pixel_size=pixel_size)
    if micrograph is not None:
        found, right = _on(found, micrograph, picks), _on(right, micrograph, truth)
    found, right = _same_names(found, right, picks, truth)
    known = Truth(micrograph=right["micrograph"], y=right["y"], x=right["x"], psi=right["psi"])
    values = dict(judge_points(known, found, radius).values["all"])
    if as_json:
        emit_json({"radius": radius, **values})
    else:
        units = {
            name: unit for metric in Score(radius=radius).used_metrics for name, unit in metric.units.items()
        }
        typer.echo(aligned([[name, number(value), units[name]] for name, value in values.items()]))


def _on(table: Picks, micrograph: str, file: Path) -> Picks:
    """Return the rows on one micrograph; a table that names none is about that one."""
    from simkit.core.errors import DataError

    names = table["micrograph"].tolist()
    if not any(names):
        return table
    wanted = [micrograph in (name, Path(name).name, Path(name).stem) for name in names]
    if not any(wanted):
        there = ", ".join(sorted(set(names))[:5])
        raise DataError(f"nothing in it is on the micrograph {micrograph!r}; there are {there}", str(file))
    return table.take(wanted).replace(micrograph="")


def _same_names(found: Picks, right: Picks, picks: Path, truth: Path) -> tuple[Picks, Picks]:
    """Make both tables call a micrograph the same: by file name, or not at all if there is but one."""
    from simkit.core.errors import DataError

    names = [{Path(name).stem for name in table["micrograph"].tolist()} for table in (found, right)]
    if all(len(n) <= 1 for n in names) and (
        not all(names) or "" in names[0] | names[1] or names[0] == names[1]
    ):
        return found.replace(micrograph=""), right.replace(micrograph="")
    if names[0].isdisjoint(names[1]):
        raise DataError(
            f"no micrograph is also in {truth}; say which one is meant with --micrograph", str(picks)
        )
    stems = [[Path(name).stem for name in table["micrograph"].tolist()] for table in (found, right)]
    return found.replace(micrograph=stems[0]), right.replace(micrograph=stems[1])
