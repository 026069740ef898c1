"""`simkit new`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from simkit.cli.manners import Debug, friendly, length, load, note, point_group
from simkit.cli.manners import dose as parsed_dose

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
    density: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="cryoem: a density map of your own particle."),
    ] = None,
    dose: Annotated[
        float | None, typer.Option(parser=parsed_dose, metavar="DOSE", help="With --map: '40 e/Å²'.")
    ] = None,
    defocus: Annotated[
        float | None, typer.Option(parser=length, metavar="LENGTH", help="With --map: '1.5 µm'.")
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option(
            parser=length, metavar="LENGTH", help="With --map: of the micrographs; chosen if left out."
        ),
    ] = None,
    voxel_size: Annotated[
        float | None,
        typer.Option(parser=length, metavar="LENGTH", help="With --map: where its header does not say it."),
    ] = None,
    contour: Annotated[
        float | None, typer.Option(metavar="LEVEL", help="With --map: density below which there is solvent.")
    ] = None,
    symmetry: Annotated[
        str,
        typer.Option(
            parser=point_group, metavar="GROUP", help="With --map: C1, C5, D7, T, O or I, axes as in RELION."
        ),
    ] = "C1",
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    debug: Debug = False,
) -> None:
    """Write a commented scenario to start from, or a picker of one's own.

    Example: simkit new cryoem --map M.mrc --dose '40 e/Å²' --defocus '1.5 µm' --out mine.yaml
    """
    options = {"dose": dose, "defocus": defocus, "pixel_size": pixel_size, "symmetry": symmetry}
    _refuse_unused(starter, density, options | {"voxel_size": voxel_size, "contour": contour})
    if density is not None:
        target = out or Path(f"{density.name.split('.')[0]}.yaml")
        about_map = {"file": str(density), "voxel_size": voxel_size, "contour": contour}
        _write({target: _map_starter(target, about_map, options)}, force=force)
        load(target)
        note(f"what it means: simkit explain {target}\nrun it with: simkit run {target}")
    elif starter == "picker":
        folder = out or Path("mypicker")
        _write({folder / name: content for name, content in _picker_files().items()}, force=force)
        note(f"try it: cd {folder} && python picker.py && simkit convention picks.csv")
    else:
        target = out or Path(f"{starter}.yaml")
        _write({target: _starter(f"{starter}.yaml")}, force=force)
        note(f"run it with: simkit run {target}")


def _refuse_unused(starter: str, density: Path | None, options: dict[str, Any]) -> None:
    """Refuse options that would say nothing, and a map without what only its owner knows."""
    if density is not None and starter != "cryoem":
        raise typer.BadParameter(f"a map is for `simkit new cryoem`, not `{starter}`", param_hint="--map")
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if density is None and value not in (None, "C1"):
            raise typer.BadParameter("describes a map; give one with --map", param_hint=option)
        if density is not None and value is None and name in ("dose", "defocus"):
            example = {"dose": "40 e/Å²", "defocus": "1.5 µm"}[name]
            raise typer.BadParameter(f"is needed with --map, for example '{example}'", param_hint=option)


def _map_starter(target: Path, about_map: dict[str, Any], options: dict[str, Any]) -> bytes:
    from pydantic import ValidationError

    from simkit.cli.map_starter import Microscopy, map_scenario
    from simkit.core.errors import DataError, ScenarioError
    from simkit.view.map_file import MapFile

    try:
        density = MapFile.model_validate(about_map)
        text = map_scenario(
            _starter("cryoem_map.yaml").decode(), target=target, density=density, seen=Microscopy(**options)
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][-1]).replace("_", "-").replace("file", "map")
        raise DataError(f"{option}: {first['msg']}", about_map["file"]) from None
    except ScenarioError as error:
        message = error.__cause__.message if isinstance(error.__cause__, DataError) else error.message
        hint = "; see --voxel-size" if "size of a voxel" in message else ""
        raise DataError(f"{message}{hint}", about_map["file"]) from error
    return text.encode()


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
