"""Two sets of coordinates brought together: what each side holds, and what is said of what does not fit.

Nothing is passed over in silence: what is counted on one side only, doubled, empty, off the image or of
negative position comes back as notes, a sentence each, beside the data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.tables import Picks, Truth
from simkit.io.coordinates import (
    CoordinateFrame,
    coordinate_files,
    format_of,
    read_coordinate_set,
    read_coordinates,
)
from simkit.io.names import few, micrograph_of, same_micrographs

MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)
"""Odd numbers that spread the bits of a row's values over its key; any others would do."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

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


def read_side(path: Path, *, side: str, frame: CoordinateFrame, format: str | None) -> tuple[Side, list[str]]:
    """Read a side; where it is several files, those that name no micrograph are named after.

    Parameters
    ----------
    path : Path
        A file, a folder or a pattern.
    side : str
        ``PICKS`` or ``TRUTH``: what the notes call it.
    frame : CoordinateFrame
        How its numbers relate to the micrographs.
    format : str or None
        Of its files, where their names do not tell.

    Returns
    -------
    side : Side
    notes : list of str
        Whose pixels a format counts; files without points, or about the same micrograph; points of
        negative position, and those that repeat another.

    Raises
    ------
    DataError
        If a file is missing or damaged, or has positions along one axis only.
    """
    files = coordinate_files(path, format=format)
    read = read_coordinates if len(files) == 1 else read_coordinate_set
    tables = [read(file, frame=frame, format=format) for file in files]
    for file, table in zip(files, tables, strict=True):
        _refuse_one_dimension(file, table)
    form, _ = format_of(files[0], format)
    notes = []
    if form.pixels_of == "searched image" and frame.binning == 1:
        option = "--binning" if side == "PICKS" else "--truth-binning"
        notes.append(f"{form.title} counts pixels of the searched image; if it was binned, add {option}")
    if empty := [file.name for file, table in zip(files, tables, strict=True) if not len(table)]:
        notes.append(f"no points in {few(empty)}")
    named = [
        table.codes("micrograph")[1] or ((file.name,) if len(files) > 1 else ())
        for file, table in zip(files, tables, strict=True)
    ]
    doubled = Counter(name for names in named for name in names)
    if twice := [name for name, count in doubled.items() if count > 1]:
        notes.append(f"several files are about {few(twice)}; their points are taken together")
    found = Side(path, Picks.concat(tables), tuple(sorted(doubled)))
    return found, [f"{side}: {note}" for note in notes + _oddities(found.table)]


def _refuse_one_dimension(file: Path, table: Picks) -> None:
    """Refuse what has no y: it would be at no distance from anything."""
    if np.isnan(table["y"]).any():
        raise DataError(
            "it has positions along x alone; a column y_px beside x_px, or y_A beside x_A, is missing",
            str(file),
            1,
        )


def _oddities(table: Picks) -> list[str]:
    """Say how many points are what few points should be."""
    notes, n = [], len(table)
    if negative := int(((table["y"] < 0) | (table["x"] < 0)).sum()):
        notes.append(f"{negative} of {n} points have a negative coordinate; they are judged like the others")
    if repeated := count_repeated(table):
        notes.append(
            f"{repeated} of {n} points repeat another: same micrograph, class and place; all are judged"
        )
    return notes


def count_repeated(table: Picks) -> int:
    """Count the points that have the micrograph, class, y and x of one before them."""
    if not len(table):
        return 0
    columns = [table[axis] + 0.0 for axis in "yx"]  # −0 becomes 0
    columns += [table.codes(name)[0].astype(float) for name in ("micrograph", "class")]
    key = np.zeros(len(table), np.uint64)
    for column, mixer in zip(columns, MIXERS, strict=True):
        key = (key ^ column.view(np.uint64)) * mixer
        key ^= key >> np.uint64(29)
    ordered = np.sort(key)
    suspects = np.isin(key, ordered[1:][ordered[1:] == ordered[:-1]])
    # Rows of equal key are nearly always equal rows; whether they are is told by their values.
    rows = np.stack([column[suspects] for column in columns], axis=1)
    return len(rows) - len(np.unique(rows, axis=0))


def off_image(
    side: Side,
    name: str,
    *,
    height: int | None,
    width: int | None,
    pixel_size: float | None,
    radius: float,
) -> list[str]:
    """Say how many points are farther off the micrograph than a pick may be from a particle.

    Parameters
    ----------
    side, name : Side, str
        Points in Å, and what the notes call them.
    height, width : int or None
        Pixels of the micrographs, where they are known.
    pixel_size : float or None
        Å.
    radius : float
        Å.
    """
    notes = []
    for axis, option, pixels in (("y", "height", height), ("x", "width", width)):
        if pixels is None:
            continue
        last = math.inf if pixel_size is None else pixels * pixel_size
        if off := int(((side.table[axis] < -radius) | (side.table[axis] > last + radius)).sum()):
            n = len(side.table)
            notes.append(f"{name}: {off} of {n} points are outside a micrograph of --{option} {pixels}")
    return notes


def on_micrograph(side: Side, micrograph: str) -> Side:
    """Return the points on one micrograph; a side that names none is about that one.

    Raises
    ------
    DataError
        If it names others only.
    """
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
    rows = side.table.labels("micrograph").among(wanted)
    return Side(side.path, side.table.take(rows).replace(micrograph=""), ("",))


def paired(found: Side, right: Side) -> tuple[Side, Side, list[str]]:
    """Make both sides call a micrograph the same, and say which are on one side only.

    A truth without picks is missed; a pick on a micrograph without truth is not judged.

    Returns
    -------
    found, right : Side
        Picks on the micrographs of the truth, and the truth, by the truth's names.
    notes : list of str

    Raises
    ------
    DataError
        If they share no micrograph.
    """
    nameless = [not any(side.micrographs) for side in (found, right)]
    if any(nameless) and all(len(side.micrographs) <= 1 for side in (found, right)):
        return _renamed(found, {}), _renamed(right, {}), []
    truth_of = {} if any(nameless) else same_micrographs(found.micrographs, right.micrographs)
    if not truth_of and found.micrographs and right.micrographs:
        raise DataError(
            f"no micrograph is also in {right.path}; say which one is meant with --micrograph",
            str(found.path),
        )
    picks_of: dict[str, list[str]] = {}
    for name, known in truth_of.items():
        picks_of.setdefault(known, []).append(name)
    notes = [
        f"PICKS: {few(alike)} are all about {known}; their points are taken together"
        for known, alike in picks_of.items()
        if len(alike) > 1
    ]
    if missed := [name for name in right.micrographs if name not in picks_of]:
        lost = int(right.table.labels("micrograph").among(missed).sum())
        notes.append(f"TRUTH alone knows {few(missed)}: the {lost} particles there are counted as missed")
    judged = found.table.labels("micrograph").among(truth_of)
    if strange := [name for name in found.micrographs if name not in truth_of]:
        unjudged = len(judged) - int(judged.sum())
        notes.append(f"PICKS alone knows {few(strange)}: the {unjudged} picks there are not judged")
    kept = found if judged.all() else replace(found, table=found.table.take(judged))
    return _renamed(kept, truth_of), right, notes


def _renamed(side: Side, names: Mapping[str, str]) -> Side:
    labels = side.table.labels("micrograph").renamed(lambda name: names.get(name, ""))
    return replace(side, table=side.table.replace(micrograph=labels))


def shared_classes(found: Side, right: Side) -> tuple[tuple[str, ...], list[str]]:
    """Return the classes of the truth where both sides speak of the same ones, and say where they do not."""
    mine, theirs = (tuple(name for name in side.table.codes("class")[1] if name) for side in (found, right))
    if set(mine) & set(theirs):
        return theirs, []
    if mine and theirs:
        return (), [f"TRUTH has the classes {few(theirs)} and PICKS {few(mine)}: judged blind to class"]
    return (), []


def as_truth(side: Side) -> Truth:
    """Return the points as particles that are known."""
    texts = {name: side.table.labels(name) for name in ("micrograph", "class")}
    return Truth(**texts, **{name: side.table[name] for name in ("y", "x", "psi", "rot", "tilt")})
