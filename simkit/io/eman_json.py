"""EMAN2 ``info/<micrograph>_info.json``: ``"boxes": [[x, y, "manual"], …]``.

x and y are the particle's centre in pixels. What stands fourth in a box, where something does, is its score.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from simkit.core.errors import DataError
from simkit.io.raw import RawPoints, coordinate, finite

MANNER = "manual"
"""What e2boxer calls boxes that it did not find itself."""


def read_eman_json(file: Path) -> RawPoints:
    """Read the boxes of one micrograph.

    Raises
    ------
    DataError
        If it is no JSON, or has no list of two-dimensional boxes.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON ({error.msg})", str(file), error.lineno) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"not JSON that can be read ({error})", str(file)) from error
    boxes = content.get("boxes") if isinstance(content, dict) else None
    if not isinstance(boxes, list):
        raise DataError('there is no list "boxes" in it; these are not coordinates of EMAN2', str(file))
    rows = np.array([_box(box, i, str(file)) for i, box in enumerate(boxes)], float).reshape(-1, 3)
    x, y, score = rows.T
    return RawPoints(y=y, x=x, score=score)


def _box(box: Any, i: int, file: str) -> tuple[float, float, float]:
    where = f"boxes[{i}]"
    if not isinstance(box, list) or len(box) < 2:
        raise DataError(f"{where} is not [x, y, …]", file)
    if len(box) > 2 and not isinstance(box[2], str):
        raise DataError(f"{where} has three coordinates; simkit reads boxes of images", file)
    x, y = (coordinate(value, f"{where}[{j}]", file) for j, value in enumerate(box[:2]))
    return x, y, finite(box[3], f"{where}[3]", file) if len(box) > 3 else np.nan


def write_eman_json(raw: RawPoints) -> bytes:
    """Write the boxes of one micrograph."""
    boxes = [
        [float(x), float(y), MANNER, *([] if np.isnan(score) else [float(score)])]
        for x, y, score in zip(raw.x, raw.y, raw.scores, strict=True)
    ]
    return (json.dumps({"boxes": boxes}, indent=1) + "\n").encode()
