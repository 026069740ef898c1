"""`simkit pick`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli.manners import (
    AsJson,
    Debug,
    Overrides,
    ScenarioFile,
    Workers,
    aligned,
    emit_json,
    friendly,
    load,
    locating,
    note,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simkit.core.tables import Picks
    from simkit.engine.picking import Searched
    from simkit.scenario.spec import Scenario

FORMATS = (".star", ".csv")


def _table(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"{str(path)!r} is neither .star nor .csv; end the name in one of them")
    return path


@friendly
def pick(
    scenario: ScenarioFile,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="MRC, TIFF, PNG or NPY files.")],
    picker: Annotated[
        str | None,
        typer.Option(
            "--picker", metavar="NAME", help="Which of the scenario's pickers, if there are several."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            callback=_table,
            help="picks.star or picks.csv; CSV on stdout by default.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="FOLDER",
            file_okay=False,
            help="Write a PNG of every image with its picks drawn on it.",
        ),
    ] = None,
    overrides: Overrides = None,
    workers: Workers = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Find particles in real micrographs with a scenario's templates and picker.

    The pixel size is the scenario's `image.pixel_size`.

    Example: simkit pick scenarios/apoferritin.yaml micrographs/*.png --picker shell --out picks.star
    """
    import os

    from simkit.engine.picking import pick_files

    loaded = load(scenario, overrides)
    with locating(loaded.source):
        chosen = picker or _only_picker(loaded.scenario)
        picks, found = pick_files(loaded.scenario, images, chosen, workers=workers or os.cpu_count() or 1)
    counts = {image.name: int((picks["micrograph"] == image.name).sum()) for image in images}
    if out is not None:
        _save(picks, out, loaded.scenario)
        note(f"{len(picks)} picks written to {out}")
    if pictures is not None:
        _draw(images, found, pictures, f"{loaded.scenario.title}: {chosen}")
        note(f"pictures written to {pictures}/")
    if as_json:
        emit_json({"picker": chosen, "picks": counts, "file": None if out is None else str(out)})
    elif out is not None:
        typer.echo(aligned([["micrograph", "picks"], *([name, str(n)] for name, n in counts.items())]))
    else:
        typer.echo(_csv(picks), nl=False)


def _draw(images: list[Path], found: Mapping[str, Searched], folder: Path, title: str) -> None:
    from simkit.io.atomic import write_bytes_atomic
    from simkit.io.images import read_image
    from simkit.reports.picture import picks_picture

    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        search = found[image.name]
        picture = picks_picture(
            read_image(image).pixels,
            search.grid,
            search.found.picks,
            supports=search.supports,
            title=f"{image.name}: {title}",
        )
        write_bytes_atomic(folder / f"{image.name}.png", picture)


def _only_picker(scenario: Scenario) -> str:
    from simkit.core.errors import ScenarioError

    if len(scenario.pickers) == 1:
        return next(iter(scenario.pickers))
    choice = f"there are {', '.join(scenario.pickers)}" if scenario.pickers else "the scenario has none"
    raise ScenarioError(f"choose one with --picker; {choice}", ("pickers",))


def _save(picks: Picks, out: Path, scenario: Scenario) -> None:
    from simkit.io.atomic import write_bytes_atomic
    from simkit.io.star import points_star

    if out.suffix.lower() == ".csv":
        text = _csv(picks)
    else:
        classes = sorted(set(picks["class"].tolist()))
        text = points_star(picks, pixel_size=scenario.image.pixel_size, classes=classes)
    write_bytes_atomic(out, text.encode())


def _csv(picks: Picks) -> str:
    from simkit.io.csv_tables import table_csv

    return table_csv(picks)
