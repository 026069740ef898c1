"""EMAN1 ``.box``: a box a line, ``x y width height``, no header; programs of today add a score.

The corner is that of the smallest indices. It is called the lower left one where row 0 is drawn at the
bottom, but it counts from the first row of the file all the same. The centre is ``corner + n // 2``, the
central pixel of an n-pixel box, as RELION and topaz read it.

There is no header, so a program that found nothing writes a file without a byte: zero picks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.quantity import shortest
from simkit.io.raw import RawPoints, coordinate, extent, finite, stated

FILAMENT = frozenset({-1.0, -2.0})
"""Fifth columns by which EMAN1 marks start and end of a filament."""


def read_box(file: Path) -> RawPoints:
    """Read boxes; a fifth column is the score.

    Raises
    ------
    DataError
        If a line is no box, or the lines are ends of filaments.
    """
    rows = np.array(list(_boxes(file)), float).reshape(-1, 5)
    x, y, width, height, score = rows.T
    if len(rows) and set(score) == FILAMENT:
        raise DataError("its lines are starts and ends of filaments (-1 and -2), not boxes", str(file))
    return RawPoints(y=y, x=x, box=(height, width), score=score)


def _boxes(file: Path) -> Iterator[tuple[float, ...]]:
    name = str(file)
    for line, text in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        words = text.split()
        if not words:
            continue
        if len(words) < 4:
            raise DataError(f"a box is x, y, width and height, and here are {len(words)} words", name, line)
        place = [coordinate(words[i], axis, name, line) for i, axis in enumerate("xy")]
        sides = [extent(words[2 + i], side, name, line) for i, side in enumerate(("width", "height"))]
        score = finite(words[4], "the score", name, line) if len(words) > 4 else np.nan
        yield (*place, *sides, score)


def write_box(raw: RawPoints) -> bytes:
    """Write boxes; the score is left out where there is none."""
    height, width = stated(raw.box, "boxes")
    lines = [
        "\t".join(shortest(value + 0.0) for value in row if not np.isnan(value))
        for row in zip(raw.x, raw.y, width, height, raw.scores, strict=True)
    ]
    return "".join(f"{line}\n" for line in lines).encode()
