"""`simkit lattice`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simkit.cli.manners import AsJson, Debug, aligned, emit_json, friendly, length, note

if TYPE_CHECKING:
    from simkit.core.grid import FloatArray
    from simkit.indexing.lattice import FoundLattice, NoLattice

NOT_FOUND = 1


@friendly
def lattice(
    image: Annotated[
        str,
        typer.Argument(metavar="IMAGE", help="An image file; FILE.hdf5:/DATASET names what is in it."),
    ],
    pixel_size: Annotated[
        float | None,
        typer.Option(
            "--pixel-size",
            parser=length,
            metavar="LENGTH",
            help="For example '0.93 Å'; in place of what the file says. Without any, lengths are in pixels.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write sites.csv, lattice.json and lattice.png to this directory."
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Find the lattice of an image: cell with standard errors, every site, vacancies, distortion.

    The exit code is 1 where there is no lattice.

    Example: simkit lattice crystal.mrc --pixel-size '0.0933 Å' --out crystal/
    """
    from simkit.core.errors import DataError
    from simkit.indexing.lattice import FoundLattice, find_lattice
    from simkit.indexing.output import lattice_data
    from simkit.io.atomic import refuse_foreign
    from simkit.io.images import read_image

    if out is not None:
        refuse_foreign(out)
    loaded = read_image(image)
    if loaded.pixels.ndim != 2:
        raise DataError("a lattice is looked for in two dimensions, and this image has one", image)
    scale = pixel_size if pixel_size is not None else loaded.pixel_size
    found = find_lattice(loaded.pixels)
    data = lattice_data(found, name=Path(image).name, shape=loaded.pixels.shape, pixel_size=scale)
    if scale is None:
        note(f"{image} does not say its pixel size; lengths are in pixels (give --pixel-size for Å)")
    if out is not None:
        _save(out, loaded.pixels, found, data)
        note(f"written to {out}/")
    if as_json:
        emit_json(data)
    else:
        typer.echo(_told(data))
    if not isinstance(found, FoundLattice):
        raise typer.Exit(NOT_FOUND)


def _save(out: Path, pixels: FloatArray, found: FoundLattice | NoLattice, data: dict[str, Any]) -> None:
    import hashlib

    from simkit.engine.output import software, write_json
    from simkit.indexing.lattice import FoundLattice
    from simkit.indexing.output import sites_csv
    from simkit.io.atomic import MARK, replace_directory
    from simkit.reports.lattice_picture import lattice_picture

    origin = {
        "schema_version": 1,
        **software(("numpy", "scipy", "finufft", "matplotlib")),
        "image": data["image"],
        "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
    }
    with replace_directory(out) as folder:
        for name, content in ((MARK, origin), ("lattice.json", data)):
            write_json(folder / name, content)
        if isinstance(found, FoundLattice):
            table = sites_csv(found.sites, pixel_size=data["pixel_size"])
            (folder / "sites.csv").write_text(table, encoding="utf-8")
            (folder / "lattice.png").write_bytes(lattice_picture(pixels, found, title=_title(data)))


def _title(data: dict[str, Any]) -> str:
    cell, judged = data["cell"], data["confidence"]
    a, b = (_measured(cell[name], data["unit"]) for name in "ab")
    text = f"{data['image']}: {data['net']}, a = {a}, b = {b}, γ = {_measured(cell['gamma'], '°')}"
    return "\n".join([text, f"confidence: {judged['level']}", *judged["reasons"]])


def _told(data: dict[str, Any]) -> str:
    if not data["found"]:
        return f"no lattice found: {data['reason']}"
    cell, sites, judged, unit = data["cell"], data["sites"], data["confidence"], data["unit"]
    bend = data["distortion"]
    strains = [bend[f"rms_{name}"] for name in ("exx", "eyy", "exy")]
    rows = [
        ["a", _measured(cell["a"], unit), f"{cell['direction_of_a']:.1f}° from +x towards +y"],
        ["b", _measured(cell["b"], unit), ""],
        ["γ", _measured(cell["gamma"], "°"), "from a to b, +x towards +y"],
        ["net", data["net"], _meant(data["net"])],
        [
            "sites",
            str(sites["total"]),
            f"{sites['fitted']} measured ones make the cell; for its errors they count as "
            f"{sites['independent']:.0f} independent ones",
        ],
        ["vacancies", *_vacancies(sites)],
        ["coverage", f"{judged['covered']:.0%}", f"{sites['outside']} sites are outside the crystal"],
        [
            "displacement",
            f"{bend['rms_displacement']:.2g} {unit}",
            f"rms; {bend['rms_smooth_displacement']:.2g} {unit} of it is shared by neighbours",
        ],
        ["strain", _strain(strains), "rms of xx, yy, xy over the image"],
        ["spots", f"{judged['explained_power']:.1%}", _spots(data["spots"])],
        ["confidence", judged["level"], ""],
    ]
    reasons = [f"  {reason}" for reason in judged["reasons"]]
    return "\n".join([aligned(rows), *reasons])


def _meant(net: str) -> str:
    if net == "oblique":
        return "no higher symmetry lies within 3 standard errors"
    return "the most symmetric net within 3 standard errors"


def _vacancies(sites: dict[str, Any]) -> tuple[str, str]:
    if sites["vacant"] is None:
        return "–", "the columns' heights scatter too much to tell a vacancy"
    return str(sites["vacant"]), f"{sites['edge']} sites are cut by the border and not judged"


def _strain(strains: list[float | None]) -> str:
    return "–" if None in strains else ", ".join(f"{s:.2%}" for s in strains if s is not None)


def _spots(spots: list[dict[str, Any]]) -> str:
    count = sum(spot["explained"] for spot in spots)
    return f"of the spots' power stands on the lattice: {count} of {len(spots)} spots"


def _measured(entry: dict[str, float], unit: str) -> str:
    """Write a value and its standard error to the error's second digit: 3.8982 ± 0.0021 Å."""
    value, error = entry["value"], entry["standard_error"]
    digits = 6 if error <= 0 else min(max(1 - math.floor(math.log10(error)), 0), 6)
    space = "" if unit == "°" else " "
    return f"{value:.{digits}f} ± {error:.{digits}f}{space}{unit}"
