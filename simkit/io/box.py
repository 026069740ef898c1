"""EMAN1 ``.box``: a box a line, ``x y width height``, no header; programs of today add a score.

The corner is that of the smallest indices. It is called the lower left one where row 0 is drawn at the
bottom, but it counts from the first row of the file all the same. The centre is ``corner + n // 2``, the
central pixel of an n-pixel box, as RELION and topaz read it.

There is no header, so a program that found nothing writes a file without a byte: zero picks.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.quantity import shortest
from simkit.io.cells import Block, Columns, blocks, spaced
from simkit.io.raw import EXTENT, FINITE, POSITION, RawPoints, stated

FILAMENT = frozenset({-1.0, -2.0})
"""Fifth columns by which EMAN1 marks start and end of a filament."""

FEWEST = 4
"""Words without which a line is no box."""


COLUMNS = {
    "x": POSITION,
    "y": POSITION,
    "width": EXTENT,
    "height": EXTENT,
    "the score": replace(FINITE, absent=""),
}
"""What the words of a line are, of which the last may be missing; more are passed over."""


def read_box(file: Path) -> RawPoints:
    """Read boxes; a fifth column is the score.

    Raises
    ------
    DataError
        If a line is no box, or the lines are ends of filaments.
    """
    boxes = Columns(COLUMNS, bytes.decode)
    with file.open("rb") as stream:
        if stream.read(len(BOM_UTF8)) != BOM_UTF8:
            stream.seek(0)
        for block in blocks(stream):
            if not _add_at_once(boxes, block):
                _add_lines(boxes, block, str(file))
    x, y, width, height, score = (boxes.numbers(name) for name in COLUMNS)
    if set(np.unique(score)) == FILAMENT:
        raise DataError("its lines are starts and ends of filaments (-1 and -2), not boxes", str(file))
    return RawPoints(y=y, x=x, box=(height, width), score=score)


def _add_at_once(boxes: Columns, block: Block) -> bool:
    """Read a block whose lines all have as many words; tell whether it was one."""
    parted = spaced(block.text)
    if parted is None:
        return False
    cells, lines = parted
    place = dict(zip(COLUMNS, range(cells.width), strict=False))
    return len(cells) == lines and cells.width >= FEWEST and boxes.add(cells, place)


def _add_lines(boxes: Columns, block: Block, file: str) -> None:
    """Read a block line by line; an empty one is none."""
    rows, lines = [], []
    for line, text in enumerate(block.text.decode().splitlines(), start=block.line):
        if words := text.split():
            if len(words) < FEWEST:
                raise DataError(
                    f"a box is x, y, width and height, and here are {len(words)} words", file, line
                )
            rows.append([*words, ""][: len(COLUMNS)])
            lines.append(line)
    by_column = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    boxes.add_rows(dict(zip(COLUMNS, by_column, strict=True)), file, lines)


def write_box(raw: RawPoints) -> bytes:
    """Write boxes; the score is left out where there is none."""
    height, width = stated(raw.box, "boxes")
    lines = [
        "\t".join(shortest(value + 0.0) for value in row if not np.isnan(value))
        for row in zip(raw.x, raw.y, width, height, raw.scores, strict=True)
    ]
    return "".join(f"{line}\n" for line in lines).encode()
