"""RELION's files: STAR in RELION's vocabulary.

Positions are ``rlnCoordinateX`` and ``rlnCoordinateY``: pixels of the micrograph, 0 at the centre of
the first one, row 0 the first row of the file. That is simkit's own frame, scaled.

The sign of the angle
---------------------
``rlnAnglePsi`` = −ψ. RELION's ``Euler_angles2matrix(0, 0, ψ_R)`` is A = [[c, s], [−s, c]] with
c = cos ψ_R, s = sin ψ_R acting on (x, y), and its projector draws image(r) = reference(A⁻¹ r). What
stands at r₀ in the reference therefore stands at A r₀ in the image: a feature on +x goes to
(c, −s), and as y points down, that is a turn of +x away from +y. simkit's ψ turns +x towards +y,
to (cos ψ, sin ψ). The two agree when ψ_R = −ψ. ``rlnAngleRot`` and ``rlnAngleTilt`` are simkit's own.

What a file leaves open
-----------------------
Pixel sizes come from the optics group of a particle: that of the micrograph before the original one. RELION
leaves the former out of extracted particles, so where movies were binned the latter is too small, and the
pixel size must be given. ``rlnImagePixelSize`` and, before RELION 3.1, ``rlnDetectorPixelSize`` ÷
``rlnMagnification`` of rows with an ``rlnImageName`` are those of extracted images, which may have been
scaled; positions still count pixels of the micrograph, so these say nothing of them. ``rlnOriginX`` and
``rlnOriginXAngst`` are how far alignment moved an image, not where the particle was picked; they are not
applied.

RELION marks a value that does not exist with −999; it is read as NaN and written for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.quantity import shortest
from simkit.io.raw import FINITE, POSITION, Number, RawPoints
from simkit.io.star import ABSENT, find_loop, read_document, word, write_tables
from simkit.io.star_table import StarTable, read_table

PIXEL_SIZES = ("_rlnMicrographPixelSize", "_rlnMicrographOriginalPixelSize")
"""Where an optics group says the size of the pixels that positions count, the best first."""

DECIMALS = 6
"""Decimals of positions (px) and angles (°): they read back within 1e-6."""


WANTED: dict[str, Number | None] = {
    "rlnCoordinateX": POSITION,
    "rlnCoordinateY": POSITION,
    **dict.fromkeys(
        (
            "rlnCoordinateZ",
            "rlnAnglePsi",
            "rlnAngleRot",
            "rlnAngleTilt",
            "rlnAutopickFigureOfMerit",
            "rlnClassNumber",
            "rlnDetectorPixelSize",
            "rlnMagnification",
        ),
        FINITE,
    ),
    **dict.fromkeys(("rlnMicrographName", "rlnOpticsGroup", "simkitClass", "simkitTemplate")),
}
"""Columns that are read, where they are there: numbers, or text."""


def read_star(file: Path) -> RawPoints:
    """Read positions; the first table with ``rlnCoordinateX`` counts.

    Raises
    ------
    DataError
        If there are no positions, or a value is no number.
    """
    rows = read_table(file, "rlnCoordinateX", WANTED)
    if rows is None:
        raise DataError(
            "no table in it has the columns rlnCoordinateX and rlnCoordinateY; these are not coordinates",
            str(file),
        )
    if (depth := _numbers(rows, "rlnCoordinateZ")) is not None and depth.any():
        raise DataError(
            "these points are three-dimensional; simkit reads those of images", str(file), rows.line
        )
    return RawPoints(
        y=_position(rows, "rlnCoordinateY"),
        x=_position(rows, "rlnCoordinateX"),
        psi=_numbers(rows, "rlnAnglePsi"),
        rot=_numbers(rows, "rlnAngleRot"),
        tilt=_numbers(rows, "rlnAngleTilt"),
        score=_numbers(rows, "rlnAutopickFigureOfMerit"),
        number=_numbers(rows, "rlnClassNumber"),
        class_=rows.labels("simkitClass"),
        template=rows.labels("simkitTemplate"),
        micrograph=rows.labels("rlnMicrographName"),
        pixel_size=_pixel_size(rows),
    )


def listed_files(file: Path) -> dict[str, str]:
    """Return micrograph → coordinate file of a list such as RELION's ``autopick.star``.

    Raises
    ------
    DataError
        If it is none.
    """
    rows = find_loop(read_document(file), "_rlnMicrographCoordinates", file)
    names, files = (
        rows.text(tag) if rows else None for tag in ("_rlnMicrographName", "_rlnMicrographCoordinates")
    )
    if names is None or files is None:
        raise DataError("it has no columns rlnMicrographName and rlnMicrographCoordinates", str(file))
    return dict(zip(names, files, strict=True))


def listed_micrographs(file: Path) -> list[Path]:
    """Return the images of a list such as RELION's ``micrographs.star``.

    Raises
    ------
    DataError
        If it is none, or an image is not there.
    """
    rows = find_loop(read_document(file), "_rlnMicrographName", file)
    names = rows.text("_rlnMicrographName") if rows else None
    if not names:
        raise DataError("it lists no micrographs: there is no column rlnMicrographName", str(file))
    return [in_project(file, name) for name in dict.fromkeys(names)]


def in_project(file: Path, name: str) -> Path:
    """Return a file that another one names as seen from RELION's project directory, which is above it.

    Raises
    ------
    DataError
        If it is in no folder above.
    """
    here = file.absolute()
    places = [folder / name for folder in here.parents]
    found = next((place for place in places if place.is_file() and place != here), None)
    if found is None:
        raise DataError(f"it lists {name}, which is in no folder above it", str(file))
    return found


def _numbers(rows: StarTable, tag: str) -> FloatArray | None:
    """Return a column, NaN where RELION marks a value as absent; None without the column."""
    values = rows.numbers(tag)
    return None if values is None else np.where(values == ABSENT, np.nan, values)


def _position(rows: StarTable, tag: str) -> FloatArray:
    pixels = _numbers(rows, tag)
    if pixels is None:
        there = f"it has {', '.join(rows.tags)}"
        raise DataError(f"the column {tag} is missing; {there}", str(rows.file), rows.line)
    if (absent := np.isnan(pixels)).any():
        line = rows.line_of(int(np.argmax(absent)))
        raise DataError(f"{tag} is absent ({ABSENT:g})", str(rows.file), line)
    return pixels


def _pixel_size(rows: StarTable) -> FloatArray | float | None:
    """Return Å per pixel of the micrographs: one number, one a row where groups differ, or None."""
    sizes = _optics_groups(rows)
    if len(set(sizes.values())) == 1:
        return next(iter(sizes.values()))
    groups = rows.labels("rlnOpticsGroup")
    if not sizes or groups is None:
        return _detector_pixel_size(rows)
    if strange := [group for group in groups.names if group not in sizes]:
        row = int(np.argmax(groups.among(strange)))
        raise DataError(f"there is no optics group {groups[row]}", str(rows.file), rows.line_of(row))
    return np.array([sizes[group] for group in groups.names], float)[groups.codes]


def _optics_groups(rows: StarTable) -> dict[str, float]:
    """Return optics group → Å per pixel of its micrographs; empty where the file does not say."""
    for tag in PIXEL_SIZES:
        optics = find_loop(rows.document, tag, rows.file)
        if optics is None or (sizes := optics.numbers(tag)) is None or not (sizes > 0).all():
            continue
        if (groups := optics.text("_rlnOpticsGroup")) is not None:
            return dict(zip(groups, sizes.tolist(), strict=True))
    return {}


def _detector_pixel_size(rows: StarTable) -> FloatArray | None:
    """Return Å per pixel as RELION had it before 3.1: µm on the detector ÷ magnification."""
    if "rlnImageName" in rows.tags:
        return None
    detector, magnification = _numbers(rows, "rlnDetectorPixelSize"), _numbers(rows, "rlnMagnification")
    if detector is None or magnification is None or not ((detector > 0) & (magnification > 0)).all():
        return None
    return 1e4 * detector / magnification


@dataclass(frozen=True)
class Optics:
    """What micrographs have in common; RELION calls it an optics group.

    Attributes
    ----------
    pixel_size : float
        Å of the micrographs, which were not binned.
    voltage : float or None
        kV.
    spherical_aberration : float or None
        Å.
    amplitude_contrast : float or None
        A share.
    """

    pixel_size: float
    voltage: float | None = None
    spherical_aberration: float | None = None
    amplitude_contrast: float | None = None

    @property
    def columns(self) -> dict[str, list[str]]:
        """RELION's columns; what is not known is left out, and RELION will ask for it."""
        mm = None if self.spherical_aberration is None else self.spherical_aberration / 1e7
        numbers = {
            "rlnMicrographOriginalPixelSize": self.pixel_size,
            "rlnMicrographPixelSize": self.pixel_size,
            "rlnVoltage": self.voltage,
            "rlnSphericalAberration": mm,
            "rlnAmplitudeContrast": self.amplitude_contrast,
        }
        known = {tag: [exact(value)] for tag, value in numbers.items() if value is not None}
        return {"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": ["1"], **known}


def write_star(raw: RawPoints, optics: Optics | None = None) -> bytes:
    """Write positions on any number of micrographs: an optics table, then one row a particle.

    Parameters
    ----------
    raw : RawPoints
        What to write; one pixel size.
    optics : Optics, optional
        Of the micrographs; the pixel size alone by default.
    """
    blank = [""] * len(raw)
    columns = {
        "rlnMicrographName": [word(name) for name in raw.micrograph or blank],
        **_picked(raw),
        "simkitClass": [word(name) for name in raw.class_ or blank],
        "rlnOpticsGroup": ["1"] * len(raw),
    }
    if raw.mirror is not None:
        columns["simkitMirror"] = [str(int(mirror)) for mirror in raw.mirror]
    else:
        columns["simkitTemplate"] = [word(name) for name in raw.template or blank]
    group = optics or Optics(float(np.max(raw.pixel_size or math.nan)))
    return write_tables(optics=group.columns, particles=columns).encode()


def write_autopick_star(raw: RawPoints) -> bytes:
    """Write positions on one micrograph as RELION's autopicking does.

    RELION reads the first table of such a file, whatever its name, and takes an optics group in it for that
    of particles extracted before: there must be neither.
    """
    return write_tables(**{"": _picked(raw)}).encode()


def _picked(raw: RawPoints) -> dict[str, list[str]]:
    numbers = np.zeros(len(raw)) if raw.number is None else raw.number
    columns = {"rlnCoordinateX": _fixed(raw.x), "rlnCoordinateY": _fixed(raw.y)}
    for tag, angles in {"rlnAngleRot": raw.rot, "rlnAngleTilt": raw.tilt}.items():
        if angles is not None and np.isfinite(angles).any():
            columns[tag] = _fixed(angles)
    columns["rlnAnglePsi"] = _fixed(np.full(len(raw), np.nan) if raw.psi is None else raw.psi)
    columns["rlnClassNumber"] = [f"{number:.0f}" for number in numbers]
    if raw.score is not None:
        columns["rlnAutopickFigureOfMerit"] = [exact(score) for score in raw.score]
    return columns


def micrographs_star(
    files: Sequence[str], optics: Optics, ctf: Mapping[str, Sequence[float]] | None = None
) -> str:
    """Return the list of micrographs as a RELION 3.1 STAR file.

    Parameters
    ----------
    files : sequence of str
        ``rlnMicrographName`` of each.
    optics : Optics
        Of all.
    ctf : mapping, optional
        Further columns, ``rlnDefocusU`` (Å) and the like, with a value a micrograph.
    """
    columns = {"rlnMicrographName": [word(file) for file in files], "rlnOpticsGroup": ["1"] * len(files)}
    columns |= {tag: [exact(value) for value in values] for tag, values in (ctf or {}).items()}
    return write_tables(optics=optics.columns, micrographs=columns)


def coordinate_files_star(files: Mapping[str, str]) -> str:
    """Return micrograph → coordinate file as RELION's ``autopick.star`` since 3.1 lists them."""
    columns = {"rlnMicrographName": list(map(word, files))}
    columns["rlnMicrographCoordinates"] = list(map(word, files.values()))
    return write_tables(coordinate_files=columns)


def _fixed(values: FloatArray) -> list[str]:
    # Adding zero turns a rounded −0 into 0.
    present = np.where(np.isnan(values), ABSENT, values).round(DECIMALS) + 0.0
    return [f"{value:.{DECIMALS}f}" for value in present]


def exact(value: float) -> str:
    """Write the shortest decimal that reads back exactly."""
    return shortest(ABSENT if math.isnan(value) else value)
