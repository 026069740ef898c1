"""STAR files in RELION's vocabulary.

Positions are ``rlnCoordinateX`` and ``rlnCoordinateY``: pixels of the micrograph, 0 at the centre of
the first one, row 0 the first row of the file. That is simkit's own frame, scaled.

The sign of the angle
---------------------
``rlnAnglePsi`` = −ψ. RELION's ``Euler_angles2matrix(0, 0, ψ_R)`` is A = [[c, s], [−s, c]] with
c = cos ψ_R, s = sin ψ_R acting on (x, y), and its projector draws image(r) = reference(A⁻¹ r). What
stands at r₀ in the reference therefore stands at A r₀ in the image: a feature on +x goes to
(c, −s), and as y points down, that is a turn of +x away from +y. simkit's ψ turns +x towards +y,
to (cos ψ, sin ψ). The two agree when ψ_R = −ψ.

RELION marks a value that does not exist with −999; it is read as NaN and written for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gemmi import cif

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.quantity import shortest, wrap_angle
from simkit.core.tables import Picks, Truth

ABSENT = -999.0
"""RELION's mark for a value that does not exist."""

PIXEL_SIZES = ("_rlnMicrographPixelSize", "_rlnMicrographOriginalPixelSize", "_rlnImagePixelSize")
"""Where an optics group says the size of the pixels that positions count, the best first.

The last is that of extracted particle images, which may have been scaled down since.
"""

OPTICS_GROUP = "opticsGroup1"

DECIMALS = 6
"""Decimals of positions (px) and angles (°): they read back within 1e-6."""


def points_star(table: Picks | Truth, *, pixel_size: float, classes: Sequence[str]) -> str:
    """Return positions as a STAR file: an optics table, then one row a particle.

    Parameters
    ----------
    table : Picks or Truth
        What to write; its `micrograph` becomes ``rlnMicrographName``.
    pixel_size : float
        Å of the micrographs.
    classes : sequence of str
        Species in the order of their ``rlnClassNumber``, from 1; any other class is number 0.
    """
    numbers = {name: str(i) for i, name in enumerate(classes, start=1)}
    columns = {
        "rlnMicrographName": [_word(name) for name in table["micrograph"]],
        "rlnCoordinateX": [_fixed(x) for x in table["x"] / pixel_size],
        "rlnCoordinateY": [_fixed(y) for y in table["y"] / pixel_size],
        "rlnAnglePsi": [_fixed(psi) for psi in wrap_angle(-table["psi"])],
        "rlnClassNumber": [numbers.get(name, "0") for name in table["class"].tolist()],
        "simkitClass": [_word(name) for name in table["class"]],
        "rlnOpticsGroup": ["1"] * len(table),
    }
    if isinstance(table, Truth):
        columns["simkitMirror"] = [str(int(mirror)) for mirror in table["mirror"]]
    else:
        columns["simkitTemplate"] = [_word(name) for name in table["template"]]
        columns["rlnAutopickFigureOfMerit"] = [_exact(score) for score in table["score"]]
    return _star(optics=_optics_group(pixel_size), particles=columns)


def micrographs_star(files: Sequence[str], *, pixel_size: float, voltage: float | None = None) -> str:
    """Return the list of micrographs as a RELION 3.1 STAR file.

    Parameters
    ----------
    files : sequence of str
        ``rlnMicrographName`` of each.
    pixel_size : float
        Å.
    voltage : float, optional
        kV.
    """
    optics = _optics_group(pixel_size)
    if voltage is not None:
        optics["rlnVoltage"] = [_exact(voltage)]
    micrographs = {"rlnMicrographName": [_word(f) for f in files], "rlnOpticsGroup": ["1"] * len(files)}
    return _star(optics=optics, micrographs=micrographs)


def _optics_group(pixel_size: float) -> dict[str, list[str]]:
    return {
        "rlnOpticsGroupName": [OPTICS_GROUP],
        "rlnOpticsGroup": ["1"],
        "rlnMicrographPixelSize": [_exact(pixel_size)],
    }


def _star(**tables: Mapping[str, Sequence[str]]) -> str:
    """Write tables by name; gemmi would leave out one without rows, header and all."""
    lines: list[str] = []
    for name, columns in tables.items():
        tags = [f"_{tag} #{i}" for i, tag in enumerate(columns, start=1)]
        rows = [" ".join(row) for row in zip(*columns.values(), strict=True)]
        lines += [f"data_{name}", "", "loop_", *tags, *rows, "", ""]
    return "\n".join(lines[:-1])


def _word(text: str) -> str:
    return cif.quote(str(text))


def _fixed(value: float) -> str:
    # Adding zero turns a rounded −0 into 0.
    return f"{(ABSENT if math.isnan(value) else round(float(value), DECIMALS)) + 0.0:.{DECIMALS}f}"


def _exact(value: float) -> str:
    return shortest(ABSENT if math.isnan(value) else value)


def read_star(file: Path, pixel_size: float | None) -> Picks:
    """Read positions from a STAR file.

    Parameters
    ----------
    file : Path
        The file; the first table with ``rlnCoordinateX`` counts.
    pixel_size : float or None
        Å; from the optics table if None.

    Raises
    ------
    DataError
        If there are no positions, the pixel size is unknown, or a value is no number.
    """
    document = _document(file)
    for block in document:
        for item in block:
            if item.loop is not None and "_rlnCoordinateX" in item.loop.tags:
                rows = _Rows(file, item.loop, item.line_number)
                return _as_picks(rows, _scale(document, rows) if pixel_size is None else pixel_size)
    raise DataError("no table in it has the column rlnCoordinateX; these are not coordinates", str(file))


def _document(file: Path) -> cif.Document:
    text = file.read_text(encoding="utf-8")
    try:
        return cif.read_string(text)
    except ValueError as error:
        found = re.match(r"string:(\d+):\S*\s*(.*)", str(error), re.DOTALL)
        line, reason = (int(found[1]), found[2]) if found else (None, str(error))
        raise DataError(f"not a STAR file ({reason})", str(file), line) from error


@dataclass(frozen=True)
class _Rows:
    """A loop of the file, by column."""

    file: Path
    loop: cif.Loop
    line: int

    def text(self, tag: str) -> list[str] | None:
        """Return a column as text; None where there is no such column."""
        if tag not in self.loop.tags:
            return None
        width, column = self.loop.width(), self.loop.tags.index(tag)
        return [cif.as_string(value) for value in self.loop.values[column::width]]

    def numbers(self, tag: str) -> FloatArray | None:
        """Return a column of finite numbers, NaN where RELION marks a value as absent."""
        texts = self.text(tag)
        if texts is None:
            return None
        values = np.array([self._number(tag, text, row) for row, text in enumerate(texts)], float)
        return np.where(values == ABSENT, np.nan, values)

    def _number(self, tag: str, text: str, row: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"{tag[1:]} is {text!r}, not a finite number", str(self.file), self.line_of(row))
        return value

    def line_of(self, row: int) -> int:
        """Return the line of a row: gemmi remembers only that of `loop_`, and every row has one line."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        filled = [
            number
            for number, line in enumerate(lines[self.line :], start=self.line + 1)
            if (bare := line.strip()) and not bare.startswith(("_", "#"))
        ]
        return filled[row]


def _as_picks(rows: _Rows, scale: FloatArray | float) -> Picks:
    columns: dict[str, Any] = {}
    for axis, tag in (("y", "_rlnCoordinateY"), ("x", "_rlnCoordinateX")):
        pixels = rows.numbers(tag)
        if pixels is None:
            raise DataError(f"the column {tag[1:]} is missing", str(rows.file), rows.line)
        if np.isnan(pixels).any():
            row = int(np.argmax(np.isnan(pixels)))
            raise DataError(f"{tag[1:]} is absent ({ABSENT:g})", str(rows.file), rows.line_of(row))
        columns[axis] = pixels * scale
    if (angles := rows.numbers("_rlnAnglePsi")) is not None:
        columns["psi"] = wrap_angle(-angles)
    if (scores := rows.numbers("_rlnAutopickFigureOfMerit")) is not None:
        columns["score"] = scores
    for name, tag in (("micrograph", "_rlnMicrographName"), ("template", "_simkitTemplate")):
        if (texts := rows.text(tag)) is not None:
            columns[name] = np.array(texts, str)
    if (classes := _classes(rows)) is not None:
        columns["class"] = np.array(classes, str)
    return Picks(**columns)


def _classes(rows: _Rows) -> list[str] | None:
    """Return the classes by name, or by number where a number is all there is (0 and below: none)."""
    named = rows.text("_simkitClass")
    numbers = rows.numbers("_rlnClassNumber")
    if named is not None or numbers is None:
        return named
    return [f"{number:.0f}" if number > 0 else "" for number in numbers]


def _scale(document: cif.Document, rows: _Rows) -> FloatArray | float:
    """Return Å per pixel: one number, or one a row where optics groups differ."""
    sizes = _optics_groups(document, rows.file)
    if len(set(sizes.values())) == 1:
        return next(iter(sizes.values()))
    groups = rows.text("_rlnOpticsGroup")
    if not sizes or groups is None:
        raise DataError(
            "positions are in pixels and the file does not say how large; give the pixel size in Å as well",
            str(rows.file),
        )
    for row, group in enumerate(groups):
        if group not in sizes:
            raise DataError(f"there is no optics group {group}", str(rows.file), rows.line_of(row))
    return np.array([sizes[group] for group in groups], float)


def _optics_groups(document: cif.Document, file: Path) -> dict[str, float]:
    """Return optics group → Å per pixel of its micrographs; empty where the file does not say."""
    for block in document:
        for item in block:
            if item.loop is None or "_rlnOpticsGroup" not in item.loop.tags:
                continue
            rows = _Rows(file, item.loop, item.line_number)
            for tag in PIXEL_SIZES:
                if (sizes := rows.numbers(tag)) is not None and (sizes > 0).all():
                    return dict(zip(rows.text("_rlnOpticsGroup") or [], sizes.tolist(), strict=True))
    return {}
