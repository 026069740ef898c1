"""`simkit convention`: judge the coordinates of a picker on a micrograph that is known exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli.manners import AsJson, Debug, aligned, emit_json, friendly, length, note, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simkit.core.tables import Picks
    from simkit.engine.results import Simulation
    from simkit.matching.diagnosis import Diagnosis

MICROGRAPH = "micrograph.mrc"
"""What `simkit new picker` calls the test micrograph."""


@friendly
def convention(
    picks: Annotated[
        Path, typer.Argument(metavar="PICKS", help="Picks of the test micrograph, a file of any picker.")
    ],
    pixel_size: Annotated[
        float | None,
        typer.Option(
            "--pixel-size",
            parser=length,
            metavar="LENGTH",
            help="What the picker took for the edge of a pixel; the micrograph's own, 2.5 Å, by default.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Format of the file, where its name does not tell."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say in a sentence what is wrong with a picker's coordinates.

    The picks are those of the micrograph that `simkit new picker` writes. The exit code is 1 if a
    convention is wrong.

    Example: simkit convention picks.csv
    """
    from simkit.core.tables import grid_of
    from simkit.io.coordinates import read_coordinates
    from simkit.matching.diagnosis import diagnose

    known = known_micrograph()
    grid = grid_of(known.micrograph)
    table = read_coordinates(picks, pixel_size=pixel_size or grid.pixel_size, format=format)
    found = diagnose(
        known.truth,
        _of_micrograph(table, picks),
        pixel_size=grid.pixel_size,
        shape=(grid.shape[0], grid.shape[1]),
    )
    if as_json:
        emit_json(_plain(found))
    else:
        typer.echo(_told(found))
    if not found.right:
        raise typer.Exit(1)


def known_micrograph(overrides: Sequence[str] = ()) -> Simulation:
    """Simulate the test micrograph, the same every time."""
    from importlib.resources import as_file, files

    from simkit.engine.simulation import simulate_one
    from simkit.scenario.loading import load

    with as_file(files("simkit.cli").joinpath("starters", "convention.yaml")) as scenario:
        return simulate_one(load(scenario, overrides=overrides).scenario)


def _of_micrograph(table: Picks, file: Path) -> Picks:
    """Return the rows on the test micrograph, where a file is about several."""
    from simkit.core.errors import DataError

    names = table["micrograph"].tolist()
    if len(set(names)) <= 1:
        return table
    wanted = [Path(name).stem == Path(MICROGRAPH).stem for name in names]
    if not any(wanted):
        raise DataError(f"is about several micrographs, none of them {MICROGRAPH}", str(file))
    note(f"{sum(wanted)} of {len(names)} picks are on {MICROGRAPH}")
    return table.take(wanted)


def _plain(found: Diagnosis) -> dict[str, object]:
    from dataclasses import asdict

    return {"right": found.right, **asdict(found), "recall": found.recall}


def _told(found: Diagnosis) -> str:
    parts = [found.sentence]
    parts += [f"to correct it, {found.remedy}"] if found.remedy else []
    parts += [f"note: {remark}" for remark in found.remarks]
    rows = [["picks that are particles", f"{found.matched} of {found.picks}"]]
    rows.append(["particles found", f"{found.matched} of {found.truths} (recall {number(found.recall)})"])
    if found.bias is not None and found.bias_error is not None:
        for axis, bias, error in zip("yx", found.bias, found.bias_error, strict=True):
            rows.append([f"mean error in {axis}", f"{bias:+.3f} ± {error:.3f} px"])
        rows.append(["rmse", f"{number(found.rmse)} px"])
        rows.append(["median angle error", f"{number(found.angle_error)}°"])
        heading = "measured" if found.right else "measured once corrected"
        parts.append(f"\n{heading}\n" + "\n".join(f"  {line}" for line in aligned(rows).split("\n")))
    return "\n".join(parts)
