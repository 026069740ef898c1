"""`simkit score`."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli import score_tables
from simkit.cli.manners import AsJson, Debug, emit_json, friendly, length, note, point_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simkit.core.grid import Grid
    from simkit.core.tables import Picks, Truth
    from simkit.engine.court import Answer, Setting
    from simkit.io.coordinates import CoordinateFrame
    from simkit.io.sides import Side


class Frame(StrEnum):
    """What can have happened to an image before it was picked."""

    UPRIGHT = "upright"
    FLIPPED_Y = "flipped-y"
    FLIPPED_X = "flipped-x"
    TRANSPOSED = "transposed"


class Rule(StrEnum):
    """How picks are matched with truths."""

    OPTIMAL = "optimal"
    SCORE_GREEDY = "score_greedy"
    CLOSEST_GREEDY = "closest_greedy"
    STABLE = "stable"


@friendly
def score(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="PICKS... TRUTH",
            help="Coordinates to judge, each a file, folder or quoted pattern; last those that are right.",
        ),
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
            help="Of the micrographs, unbinned: '1.5 Å'. It goes before what the files say.",
        ),
    ] = None,
    frame: Annotated[
        Frame, typer.Option("--frame", help="What happened to the image of PICKS.")
    ] = Frame.UPRIGHT,
    height: Annotated[
        int | None,
        typer.Option(
            "--height",
            min=1,
            metavar="PIXELS",
            help="Of the micrographs, unbinned; for flipped-y, and with --width for rates per area.",
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
    rule: Annotated[
        Rule, typer.Option("--rule", help="How picks are matched; one to one always.")
    ] = Rule.OPTIMAL,
    ignore_border: Annotated[
        float | None,
        typer.Option(
            "--ignore-border",
            parser=length,
            metavar="LENGTH",
            help="Judge nothing this close to the border; needs --height and --width.",
        ),
    ] = None,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="Also say what other programs' published rules make of the same picks."),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Judge coordinates from any program against known ones, and several programs against each other.

    Pairs are one to one, within the radius, as many as possible and then as close as possible. Every share
    has its interval; several PICKS are compared on the same particles. Classes are judged one by one where
    all sides name the same. `simkit list coordinates` tells what the formats mean.

    Example: simkit score 'mine/*.box' 'theirs/*.star' truth.csv --radius '80 Å' --pixel-size '1.5 Å'
    """
    from simkit.engine.contest import contest
    from simkit.engine.court import Court
    from simkit.engine.notices import by_chance
    from simkit.engine.scoring import sentence

    if len(files) < 2:
        raise typer.BadParameter("name the coordinates to judge, then those that are right")
    *picked, known = files
    _require_size(ignore_border, height, width, pixel_size)
    right = _read(
        known,
        "TRUTH",
        truth_format,
        _frame(truth_pixel_size or pixel_size, truth_frame, height, width, truth_binning),
    )
    frame_of_picks = _frame(pixel_size, frame, height, width, binning)
    several = len(picked) > 1
    sides = {
        name: _read(path, "PICKS", file_format, frame_of_picks, about=name if several else "")
        for name, path in zip(score_tables.labels(picked), picked, strict=True)
    }
    for side, name in (*((s, "PICKS") for s in sides.values()), (right, "TRUTH")):
        _doubt_place(side, name, height, width, pixel_size, radius)
    truth, answers, setting = _case(
        sides,
        right,
        micrograph,
        radius=radius,
        rule=rule,
        border=ignore_border or 0.0,
        complete=not incomplete,
    )
    setting = replace(
        setting,
        symmetry=dict.fromkeys(("", *setting.classes), symmetry),
        grids=_grids(setting.micrographs, height, width, pixel_size),
        details=rules,
    )
    for name, answer in answers.items():
        _doubt_frame(truth, answer, radius, pixel_size, name if several else "")
    courts = {name: Court(truth, answer, setting) for name, answer in answers.items()}
    judgements = {name: sentence(court) for name, court in courts.items()}
    comparisons = contest(courts)
    for text in by_chance(judgements, radius):
        note(f"note: {text}")
    if as_json:
        emit_json(score_tables.as_json(judgements, comparisons, rules=rules))
    else:
        typer.echo(score_tables.text(judgements, comparisons, setting, rules=rules))


def _frame(
    pixel_size: float | None, orientation: Frame, height: int | None, width: int | None, binning: float
) -> CoordinateFrame:
    from simkit.io.coordinates import CoordinateFrame

    try:
        return CoordinateFrame(pixel_size, orientation.value, height, width, binning)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _require_size(
    border: float | None, height: int | None, width: int | None, pixel_size: float | None
) -> None:
    if border is not None and None in (height, width, pixel_size):
        raise typer.BadParameter("--ignore-border needs --height, --width and --pixel-size")


def _read(path: Path, side: str, file_format: str | None, frame: CoordinateFrame, *, about: str = "") -> Side:
    from simkit.io.sides import read_side

    found, notes = read_side(path, side=side, frame=frame, format=file_format)
    _tell(notes, about)
    return found


def _tell(notes: Sequence[str], about: str = "") -> None:
    """Say notes; of one of several files, which one they are about."""
    for text in notes:
        note(f"{about}: {text}" if about else text)


def _doubt_place(
    side: Side, name: str, height: int | None, width: int | None, pixel_size: float | None, radius: float
) -> None:
    from simkit.io.sides import off_image

    _tell(off_image(side, name, height=height, width=width, pixel_size=pixel_size, radius=radius))


def _doubt_frame(truth: Truth, answer: Answer, radius: float, pixel_size: float | None, name: str) -> None:
    from simkit.matching.suspicion import likely_frame

    if suspicion := likely_frame(truth, answer.picks, radius=radius, pixel_size=pixel_size):
        note(f"{name}: {suspicion.sentence}" if name else suspicion.sentence)


def _grids(
    micrographs: Sequence[str], height: int | None, width: int | None, pixel_size: float | None
) -> dict[str, Grid]:
    from simkit.core.grid import Grid

    if height is None or width is None or pixel_size is None:
        return {}
    return dict.fromkeys(micrographs, Grid((height, width), pixel_size))


def _case(
    sides: Mapping[str, Side],
    right: Side,
    micrograph: str | None,
    *,
    radius: float,
    rule: Rule,
    border: float,
    complete: bool,
) -> tuple[Truth, dict[str, Answer], Setting]:
    """Bring the sides together: one truth, every picker's answer to it, and how they are judged."""
    from simkit.engine.court import Answer, Setting
    from simkit.io.sides import as_truth, on_micrograph, paired
    from simkit.scenario.spec import Ignore, Score

    if micrograph is not None:
        sides = {name: on_micrograph(side, micrograph) for name, side in sides.items()}
        right = on_micrograph(right, micrograph)
    pairs = {}
    for name, side in sides.items():
        found, known, notes = paired(side, right)
        pairs[name] = found, known
        _tell(notes, name if len(sides) > 1 else "")
    # Where one side names no micrograph there is only one, whatever the others call it.
    nameless = not any(name for _, known in pairs.values() for name in known.table.codes("micrograph")[1])
    known = next(known for _, known in pairs.values())
    tables = {name: found.table for name, (found, _) in pairs.items()}
    truth = as_truth(known)
    if nameless:
        tables = {name: found.replace(micrograph="") for name, found in tables.items()}
        truth = truth.replace(micrograph="")
    classes = _classes([found for found, _ in pairs.values()], known)
    if not classes:
        tables = {name: found.replace(**{"class": ""}) for name, found in tables.items()}
        truth = truth.replace(**{"class": ""})
    setting = Setting(
        score=Score(radius=radius, rule=rule.value, ignore=Ignore(border=border)),
        classes=classes,
        micrographs=("",) if nameless else known.micrographs,
        complete=complete,
    )
    answers = {name: Answer(found, _candidates(found)) for name, found in tables.items()}
    return truth, answers, setting


def _classes(found: Sequence[Side], known: Side) -> tuple[str, ...]:
    """Return the classes that every side speaks of, in the truth's order."""
    from simkit.io.sides import shared_classes

    shared = []
    for side in found:
        classes, notes = shared_classes(side, known)
        _tell(notes)
        shared.append(classes)
    return tuple(name for name in shared[0] if all(name in classes for classes in shared))


def _candidates(picks: Picks) -> Picks | None:
    """Return the picks as a list to be cut, if they have scores."""
    import numpy as np

    return picks if len(picks) and bool(np.isfinite(picks["score"]).all()) else None
