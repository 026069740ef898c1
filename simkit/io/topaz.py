"""topaz ``.txt``: ``image_name x_coord y_coord score`` under that header, separated by tabs.

Coordinates are indices of whole pixels, of the image that topaz was given times its ``-x``; the score is
the logit of a particle. Image names have no suffix.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.quantity import shortest
from simkit.io.csv_tables import OPTIONAL
from simkit.io.delimited import read_columns, read_header
from simkit.io.names import stem
from simkit.io.raw import POSITION, RawPoints

HEADER = ("image_name", "x_coord", "y_coord", "score")


def read_topaz(file: Path) -> RawPoints:
    """Read the points of any number of images.

    Raises
    ------
    DataError
        If the columns are others, or a row is damaged.
    """
    header = read_header(file)
    if missing := [name for name in HEADER[:3] if name not in header.names]:
        there = ", ".join(header.names)
        raise DataError(
            f"the header lacks {', '.join(missing)}; this is not from topaz, it has {there}", str(file), 1
        )
    if "z_coord" in header.names:
        raise DataError("these points are three-dimensional; simkit reads those of images", str(file), 1)
    scored = {"score": OPTIONAL} if "score" in header.names else {}
    rows = read_columns(header, {"image_name": None, **dict.fromkeys(HEADER[1:3], POSITION), **scored})
    return RawPoints(
        y=rows.numbers("y_coord"),
        x=rows.numbers("x_coord"),
        score=rows.numbers("score") if scored else None,
        micrograph=rows.labels("image_name"),
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
