"""topaz ``.txt``: ``image_name x_coord y_coord score`` under that header, separated by tabs.

Coordinates are indices of whole pixels, of the image that topaz was given times its ``-x``; the score is
the logit of a particle. Image names have no suffix.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.quantity import shortest
from simkit.io.csv_tables import read_rows
from simkit.io.names import stem
from simkit.io.raw import RawPoints, coordinate, finite

HEADER = ("image_name", "x_coord", "y_coord", "score")


def read_topaz(file: Path) -> RawPoints:
    """Read the points of any number of images.

    Raises
    ------
    DataError
        If the columns are others, or a row is damaged.
    """
    header, rows = read_rows(file)
    if missing := [name for name in HEADER[:3] if name not in header]:
        raise DataError(f"the header lacks {', '.join(missing)}; this is not from topaz", str(file), 1)
    if "z_coord" in header:
        raise DataError("these points are three-dimensional; simkit reads those of images", str(file), 1)
    columns = {
        name: np.array([coordinate(row[name], name, str(file), line) for line, row in rows], float)
        for name in HEADER[1:3]
    }
    scores = [
        finite(text, "score", str(file), line) if (text := row.get("score", "")) else math.nan
        for line, row in rows
    ]
    return RawPoints(
        y=columns["y_coord"],
        x=columns["x_coord"],
        score=np.array(scores, float),
        micrograph=[row["image_name"] for _, row in rows],
    )


def write_topaz(raw: RawPoints) -> bytes:
    """Write points as topaz does."""
    written = raw.micrograph or [""] * len(raw)
    names = {name: stem(name) for name in dict.fromkeys(written)}
    lines = ["\t".join(HEADER)]
    lines += [
        "\t".join(
            (names[name], shortest(x + 0.0), shortest(y + 0.0), "" if np.isnan(score) else shortest(score))
        )
        for name, x, y, score in zip(written, raw.x, raw.y, raw.scores, strict=True)
    ]
    return "".join(f"{line}\n" for line in lines).encode()
