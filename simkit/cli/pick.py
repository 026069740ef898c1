"""`simkit pick`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli.manners import (
    AsJson,
    Debug,
    Device,
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


def _table(path: Path | None) -> Path | None:
    from simkit.core.errors import DataError
    from simkit.io.coordinates import writable_format

    if path is not None:
        try:
            writable_format(path)
        except DataError as error:
            raise typer.BadParameter(str(error)) from None
    return path


@friendly
def pick(
    scenario: ScenarioFile,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE…", help="Images; HDF5 as file.h5:/entry/data.")
    ],
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
            help="picks.star, or as `simkit list coordinates` has it; '*.box': a file for each. "
            "CSV on stdout by default.",
        ),
    ] = None,
    box: Annotated[
        int | None,
        typer.Option("--box", min=1, metavar="PIXELS", help="Side of the boxes, for formats of boxes."),
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
    device: Device = "cpu",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Find particles in real micrographs with a scenario's templates and picker.

    The pixel size is the scenario's: `image.pixel_size`, `micrographs.pixel_size`, or that in the headers of
    its own micrographs. An image whose header says another is refused.

    Example: simkit pick scenarios/apoferritin.yaml micrographs/*.png --picker shell --out picks.star
    """
    import os

    from simkit.engine.picking import pick_files

    loaded = load(scenario, overrides, search_only=True)
    if out is not None:
        _require_target(out, images, box)
    with locating(loaded.source):
        chosen = picker or _only_picker(loaded.scenario)
        threads = workers or os.cpu_count() or 1
        picks, found = pick_files(loaded.scenario, images, chosen, workers=threads, device=device)
    on = Counter(picks["micrograph"].tolist())
    counts = {name: on[name] for name in found}
    if out is not None:
        _save(picks, out, loaded.scenario, box, {name: search.grid.shape for name, search in found.items()})
        note(f"{len(picks)} picks written to {out}")
    if pictures is not None:
        _draw(images, found, pictures, f"{loaded.scenario.title}: {chosen}")
        note(f"pictures written to {pictures}/")
    if as_json:
        emit_json({"picker": chosen, "picks": counts, "file": None if out is None else str(out)})
    elif out is not None:
        typer.echo(aligned([["micrograph", "picks"], *([name, str(n)] for name, n in counts.items())]))
    else:
        if empty := [name for name, count in counts.items() if not count]:
            note(f"no picks in {', '.join(empty)}")
        typer.echo(_csv(picks), nl=False)


def _draw(images: list[Path], found: Mapping[str, Searched], folder: Path, title: str) -> None:
    from simkit.io.atomic import write_bytes_atomic
    from simkit.io.images import read_image
    from simkit.reports.picture import picks_picture

    folder.mkdir(parents=True, exist_ok=True)
    for image, (name, search) in zip(images, found.items(), strict=True):
        picture = picks_picture(
            read_image(image).pixels,
            search.grid,
            search.found.picks,
            supports=search.supports,
            title=f"{name}: {title}",
        )
        write_bytes_atomic(folder / f"{name}.png", picture)


def _only_picker(scenario: Scenario) -> str:
    from simkit.core.errors import ScenarioError

    if len(scenario.pickers) == 1:
        return next(iter(scenario.pickers))
    choice = f"there are {', '.join(scenario.pickers)}" if scenario.pickers else "the scenario has none"
    raise ScenarioError(f"choose one with --picker; {choice}", ("pickers",))


def _require_target(out: Path, images: list[Path], box: int | None) -> None:
    """Find out before the search, which may take hours, that its result could not be written."""
    from simkit.core.errors import DataError
    from simkit.core.tables import Picks
    from simkit.engine.files import name_of
    from simkit.io.coordinates import encode_coordinates, target_files, writable_format

    target_files(out, list(dict.fromkeys(map(name_of, images))))
    if not out.parent.is_dir():
        raise DataError("there is no such folder to write to; make it first", str(out.parent))
    try:
        encode_coordinates(Picks(), format=writable_format(out).name, pixel_size=1.0, shape=(1, 1), box=box)
    except ValueError as error:
        raise DataError(f"{error} (--box)", str(out)) from error


def _save(
    picks: Picks, out: Path, scenario: Scenario, box: int | None, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    from simkit.io.coordinates import write_coordinates

    write_coordinates(
        out,
        picks,
        pixel_size=scenario.image.pixel_size,
        shape={name: (shape[0], shape[-1]) for name, shape in shapes.items()},
        box=box,
        classes=sorted(set(picks["class"].tolist())),
        micrographs=list(shapes),
    )


def _csv(picks: Picks) -> str:
    from simkit.io.csv_tables import table_csv

    return table_csv(picks)
