"""`simkit new`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from simkit.cli.manners import Debug, friendly, note

if TYPE_CHECKING:
    from simkit.engine.results import Simulation


@friendly
def new(
    starter: Annotated[
        Literal["lecture", "cryoem", "crystal", "picker"],
        typer.Argument(
            help="lecture: two shapes in noise; cryoem: proteins in ice; crystal: a motif on a 2-D net; "
            "picker: a program that finds particles, and a micrograph to check its coordinates on."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Where to write; <starter>.yaml by default, and for a picker the folder mypicker.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    debug: Debug = False,
) -> None:
    """Write a commented scenario to start from, or a picker of one's own.

    Example: simkit new cryoem --out mine.yaml
    """
    if starter == "picker":
        folder = out or Path("mypicker")
        _write({folder / name: content for name, content in _picker_files().items()}, force=force)
        note(f"try it: cd {folder} && python picker.py && simkit convention picks.csv")
    else:
        target = out or Path(f"{starter}.yaml")
        _write({target: _starter(f"{starter}.yaml")}, force=force)
        note(f"run it with: simkit run {target}")


def _write(files: dict[Path, bytes], *, force: bool) -> None:
    """Write files, all of them or, where one exists already and may not be replaced, none."""
    from simkit.core.errors import DataError
    from simkit.io.atomic import write_bytes_atomic

    for target in files:
        if target.exists() and not force:
            raise DataError(
                "exists already; choose another name with --out, or replace it with --force", str(target)
            )
    for target, content in files.items():
        _make_folder(target.parent)
        write_bytes_atomic(target, content)
        typer.echo(str(target))


def _make_folder(folder: Path) -> None:
    from simkit.core.errors import DataError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot be made a folder ({error.strerror})", str(folder)) from error


def _starter(name: str) -> bytes:
    from importlib.resources import files

    return files("simkit.cli").joinpath("starters", name).read_bytes()


def _picker_files() -> dict[str, bytes]:
    from simkit.cli.convention import MICROGRAPH, known_micrograph

    alone = ("image.shape=[51, 51]", "specimen.L.lattice.at=[{y: 62.5 Å, x: 62.5 Å}]", "noise={}")
    return {
        "README.md": _starter("picker.md"),
        "picker.py": _starter("picker.py.txt"),
        "micrograph.yaml": _starter("convention.yaml"),
        MICROGRAPH: _mrc(known_micrograph()),
        "template.mrc": _mrc(known_micrograph(alone)),
    }


def _mrc(simulation: Simulation) -> bytes:
    from tempfile import TemporaryDirectory

    from simkit.core.tables import grid_of
    from simkit.io.mrc import write_mrc

    micrograph = simulation.micrograph
    with TemporaryDirectory() as folder:
        file = Path(folder, "image.mrc")
        write_mrc(file, micrograph.to_numpy(), grid_of(micrograph).pixel_size)
        return file.read_bytes()
