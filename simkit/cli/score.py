"""`simkit score`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli import verdict
from simkit.cli.manners import AsJson, Debug, aligned, emit_json, friendly, length, note, point_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simkit.core.tables import Picks, Truth
    from simkit.engine.results import Value
    from simkit.io.coordinates import CoordinateFrame


class Frame(StrEnum):
    """What can have happened to an image before it was picked."""

    UPRIGHT = "upright"
    FLIPPED_Y = "flipped-y"
    FLIPPED_X = "flipped-x"
    TRANSPOSED = "transposed"


@friendly
def score(
    picks: Annotated[
        Path,
        typer.Argument(metavar="PICKS", help="Coordinates to judge: a file, a folder or a quoted pattern."),
    ],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="Coordinates that are right, likewise.")],
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
            help="Of the micrographs, unbinned: '1.5 Å'. It goes before what the files say.",
        ),
    ] = None,
    frame: Annotated[
        Frame, typer.Option("--frame", help="What happened to the image of PICKS.")
    ] = Frame.UPRIGHT,
    height: Annotated[
        int | None,
        typer.Option(
            "--height", min=1, metavar="PIXELS", help="Of the micrographs, unbinned; for flipped-y."
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option("--width", min=1, metavar="PIXELS", help="Of the micrographs, unbinned; for flipped-x."),
    ] = None,
    binning: Annotated[
        float, typer.Option("--binning", metavar="N", help="So many times coarser is the image of PICKS.")
    ] = 1.0,
    file_format: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Of PICKS, where it is not told by the files' names."),
    ] = None,
    truth_pixel_size: Annotated[
        float | None,
        typer.Option(
            "--truth-pixel-size", parser=length, metavar="LENGTH", help="Of TRUTH, if it is another."
        ),
    ] = None,
    truth_frame: Annotated[
        Frame, typer.Option("--truth-frame", help="What happened to the image of TRUTH.")
    ] = Frame.UPRIGHT,
    truth_binning: Annotated[
        float,
        typer.Option("--truth-binning", metavar="N", help="So many times coarser is the image of TRUTH."),
    ] = 1.0,
    truth_format: Annotated[
        str | None,
        typer.Option(
            "--truth-format", metavar="NAME", help="Of TRUTH, where it is not told by the files' names."
        ),
    ] = None,
    micrograph: Annotated[
        str | None,
        typer.Option("--micrograph", metavar="NAME", help="Judge this micrograph alone."),
    ] = None,
    symmetry: Annotated[
        str,
        typer.Option(
            "--symmetry",
            parser=point_group,
            metavar="GROUP",
            help="Of the particle, C1 to I: angles and views are judged modulo it.",
        ),
    ] = "C1",
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete",
            help="TRUTH may lack particles: other picks are unlabelled, precision is a lower bound.",
        ),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Judge coordinates from any program against known ones.

    Pairs are one to one, within the radius, as many as possible and then as close as possible. Classes are
    judged one by one where both sides name the same. `simkit list coordinates` tells what the formats mean.

    Example: simkit score 'picks/*.box' truth.csv --radius '80 Å' --pixel-size '1.5 Å'
    """
    from simkit.core.tables import Truth
    from simkit.engine.scoring import judge
    from simkit.matching.suspicion import likely_frame
    from simkit.scenario.spec import Score

    found = _read(picks, "PICKS", file_format, _frame(pixel_size, frame, height, width, binning))
    right = _read(
        truth,
        "TRUTH",
        truth_format,
        _frame(truth_pixel_size or pixel_size, truth_frame, height, width, truth_binning),
    )
    for side, name in ((found, "PICKS"), (right, "TRUTH")):
        _doubt_size(side, name, {"height": height, "width": width}, pixel_size, radius)
    if micrograph is not None:
        found, right = _on(found, micrograph), _on(right, micrograph)
    found, right = _paired(found, right)
    known = Truth(
        **{name: right.table[name] for name in ("micrograph", "class", "y", "x", "psi", "rot", "tilt")}
    )
    classes = _shared_classes(known, found.table)
    if not classes:
        known, found = (
            known.replace(**{"class": ""}),
            Side(found.path, found.table.replace(**{"class": ""}), ()),
        )
    if suspicion := likely_frame(known, found.table, radius=radius, pixel_size=pixel_size):
        note(suspicion.sentence)
    settings = Score(radius=radius)
    judged = judge(
        known,
        found.table,
        settings,
        classes=classes,
        symmetry=dict.fromkeys(("", *classes), symmetry),
        ndim=2,
        complete=not incomplete,
    )
    if as_json:
        emit_json({"knows": list(judged.knows), "oracle": judged.oracle, **judged.values})
    else:
        units = {name: unit for metric in settings.used_metrics for name, unit in metric.units.items()}
        typer.echo(_table(judged.values, units, complete=not incomplete))


@dataclass(frozen=True)
class Side:
    """One side of the comparison.

    Attributes
    ----------
    path : Path
        As it was named.
    table : Picks
        In Å; `micrograph` is "" throughout where nothing is said of it.
    micrographs : tuple of str
        All it knows of, those without a point too.
    """

    path: Path
    table: Picks
    micrographs: tuple[str, ...]


def _frame(
    pixel_size: float | None, orientation: Frame, height: int | None, width: int | None, binning: float
) -> CoordinateFrame:
    from simkit.io.coordinates import CoordinateFrame

    try:
        return CoordinateFrame(pixel_size, orientation.value, height, width, binning)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _doubt_size(
    side: Side, name: str, sides: Mapping[str, int | None], pixel: float | None, reach: float
) -> None:
    """Say how many points are farther off the micrograph than a pick may be from a particle."""
    for axis, option in (("y", "height"), ("x", "width")):
        if (pixels := sides[option]) is None:
            continue
        last = math.inf if pixel is None else pixels * pixel
        if off := int(((side.table[axis] < -reach) | (side.table[axis] > last + reach)).sum()):
            note(f"{name}: {off} of {len(side.table)} points are outside a micrograph of --{option} {pixels}")


def _read(path: Path, side: str, file_format: str | None, frame: CoordinateFrame) -> Side:
    """Read a side; where it is several files, those that name no micrograph are named after."""
    from simkit.core.tables import Picks
    from simkit.io.coordinates import coordinate_files, format_of, read_coordinate_set, read_coordinates
    from simkit.io.names import few

    files = coordinate_files(path, format=file_format)
    if len(files) == 1:
        tables = [read_coordinates(files[0], frame=frame, format=file_format)]
    else:
        tables = [read_coordinate_set(file, frame=frame, format=file_format) for file in files]
    form, _ = format_of(files[0], file_format)
    if form.pixels_of == "searched image" and frame.binning == 1:
        option = "--binning" if side == "PICKS" else "--truth-binning"
        note(f"{side}: {form.title} counts pixels of the searched image; if it was binned, add {option}")
    if empty := [file.name for file, table in zip(files, tables, strict=True) if not len(table)]:
        note(f"{side}: no points in {few(empty)}")
    named = [
        set(table["micrograph"].tolist()) or ({file.name} if len(files) > 1 else set())
        for file, table in zip(files, tables, strict=True)
    ]
    doubled = Counter(name for names in named for name in names)
    if twice := [name for name, count in doubled.items() if count > 1]:
        note(f"{side}: several files are about {few(twice)}; their points are taken together")
    return Side(path, Picks.concat(tables), tuple(sorted(set().union(*named))))


def _on(side: Side, micrograph: str) -> Side:
    """Return the points on one micrograph; a side that names none is about that one."""
    from simkit.core.errors import DataError
    from simkit.io.names import few, micrograph_of

    if not any(side.micrographs):
        return side
    wanted = {
        name
        for name in side.micrographs
        if micrograph_of(name, [micrograph]) or micrograph == Path(name).stem
    }
    if not wanted:
        raise DataError(
            f"nothing in it is on the micrograph {micrograph!r}; there are {few(side.micrographs)}",
            str(side.path),
        )
    rows = [name in wanted for name in side.table["micrograph"].tolist()]
    return Side(side.path, side.table.take(rows).replace(micrograph=""), ("",))


def _paired(found: Side, right: Side) -> tuple[Side, Side]:
    """Make both sides call a micrograph the same, and say which are on one side only.

    A truth without picks is missed; a pick on a micrograph without truth is not judged.
    """
    from simkit.core.errors import DataError
    from simkit.io.names import few, same_micrographs

    nameless = [not any(side.micrographs) for side in (found, right)]
    if any(nameless) and all(len(side.micrographs) <= 1 for side in (found, right)):
        return _renamed(found, {}), _renamed(right, {})
    truth_of = {} if any(nameless) else same_micrographs(found.micrographs, right.micrographs)
    if not truth_of and found.micrographs and right.micrographs:
        raise DataError(
            f"no micrograph is also in {right.path}; say which one is meant with --micrograph",
            str(found.path),
        )
    for known in dict.fromkeys(truth_of.values()):
        if len(alike := [name for name, other in truth_of.items() if other == known]) > 1:
            note(f"PICKS: {few(alike)} are all about {known}; their points are taken together")
    counts = Counter(right.table["micrograph"].tolist())
    if missed := [name for name in right.micrographs if name not in truth_of.values()]:
        lost = sum(counts[name] for name in missed)
        note(f"TRUTH alone knows {few(missed)}: the {lost} particles there are counted as missed")
    judged = [name in truth_of for name in found.table["micrograph"].tolist()]
    if strange := [name for name in found.micrographs if name not in truth_of]:
        note(f"PICKS alone knows {few(strange)}: the {judged.count(False)} picks there are not judged")
    return _renamed(replace(found, table=found.table.take(judged)), truth_of), right


def _renamed(side: Side, names: Mapping[str, str]) -> Side:
    called = [names.get(name, "") for name in side.table["micrograph"].tolist()]
    return replace(side, table=side.table.replace(micrograph=called))


def _shared_classes(truth: Truth, picks: Picks) -> tuple[str, ...]:
    """Return the classes of the truth where both sides speak of the same ones, and say where they do not."""
    from simkit.io.names import few
    from simkit.scenario.checks import RESERVED

    sides = [sorted(set(table["class"].tolist()) - {""}) for table in (truth, picks)]
    if set(sides[0]) & set(sides[1]):
        return tuple(name for name in sides[0] if name not in RESERVED)
    if all(sides):
        note(f"TRUTH has the classes {few(sides[0])} and PICKS {few(sides[1])}: judged blind to class")
    return ()


def _table(values: Mapping[str, Mapping[str, Value]], units: Mapping[str, str], *, complete: bool) -> str:
    from simkit.metric.detection import MEANINGLESS

    names = [name for name in values["all"] if name != MEANINGLESS[complete]]
    rows = [
        [name, *(verdict.score(name, of[name], complete=complete) for of in values.values()), units[name]]
        for name in names
    ]
    return aligned([["", *values, ""], *rows] if len(values) > 1 else rows)
