"""cryoSPARC ``.cs``: an NPY file of a structured array, a particle a row.

Positions are ``location/center_x_frac`` and ``location/center_y_frac``, fractions of
``location/micrograph_shape`` (rows, columns), y from the bottom. ``location/micrograph_psize_A`` is Å of the
micrograph's pixel; ``blob/psize_A`` is that of extracted images and is not used.

What is known of half a pixel: the fractions in cryosparc-tools' documentation are whole multiples of 1/n of
the image that was searched (0.41896552 = 243/580), so a fraction is an index divided by a length and no half
is added. pyem takes x = f·n and y = (1 − f)·n, the inverse of how cryoSPARC imports RELION's, and so does
simkit. What is not known: whether index i of the searched image is pixel b·i of the micrograph or the centre
of its b × b pixels, so there may be a constant offset of up to half a pixel of the searched image, which is
some 600 pixels wide; a flip about n rather than n − 1 is part of the same doubt.

``pick_stats/angle_rad`` is not read: in which sense it turns is nowhere said.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.labels import Labels
from simkit.io.names import few
from simkit.io.raw import LARGEST, RawPoints, stated

Rows = npt.NDArray[Any]

STREAM = b"\x95CSDAT"
"""First bytes of the compressed form in which cryosparc-tools can save a dataset."""

PLACE = ("location/center_y_frac", "location/center_x_frac", "location/micrograph_shape")


def read_cs(file: Path) -> RawPoints:
    """Read particle positions; objects are never unpickled.

    Raises
    ------
    DataError
        If it is no such array, or has no positions.
    """
    rows = _rows(file)
    names = rows.dtype.names or ()
    if missing := [name for name in PLACE if name not in names]:
        raise DataError(
            f"there is no {missing[0]} in it; positions are in the .cs of the picking or extraction job, "
            f"and in the ..._passthrough_particles.cs beside this one. It has {few(names)}",
            str(file),
        )
    y, x = (_numbers(rows, name, file) for name in PLACE[:2])
    sides = _numbers(rows, PLACE[2], file, columns=2)
    if (sides <= 0).any():
        raise DataError(f"{PLACE[2]} of particle {int(np.argmin(sides.min(1)))} is not positive", str(file))
    return RawPoints(
        y=y,
        x=x,
        shape=(sides[:, 0], sides[:, 1]),
        pixel_size=_pixel_size(rows, file),
        micrograph=_names(rows),
        score=_numbers(rows, "pick_stats/ncc_score", file) if "pick_stats/ncc_score" in names else None,
        number=_numbers(rows, "pick_stats/template_idx", file)
        if "pick_stats/template_idx" in names
        else None,
    )


def _rows(file: Path) -> Rows:
    with file.open("rb") as stream:
        if stream.read(len(STREAM)) == STREAM:
            raise DataError(
                "a compressed cryoSPARC dataset; save it as NPY (Dataset.save, format 1)", str(file)
            )
        stream.seek(0)
        try:
            rows = np.lib.format.read_array(stream, allow_pickle=False)
        except Exception as error:  # damaged headers raise nearly anything
            raise DataError(
                f"not a cryoSPARC dataset that can be read ({error or type(error).__name__})", str(file)
            ) from error
    if rows.dtype.names is None or rows.ndim != 1:
        raise DataError("not a cryoSPARC dataset: its columns have no names", str(file))
    return rows


def _numbers(rows: Rows, name: str, file: Path, *, columns: int | None = None) -> FloatArray:
    values = rows[name]
    wanted = (len(rows),) if columns is None else (len(rows), columns)
    if values.dtype.kind not in "fiu" or values.shape != wanted:
        raise DataError(f"{name} is {values.dtype} of shape {values.shape}, not numbers", str(file))
    numbers = values.astype(float)
    usable = np.isfinite(numbers) & (np.abs(numbers) <= LARGEST)
    if not usable.all():
        row = int(np.argmin(usable.reshape(len(rows), -1).all(1)))
        raise DataError(f"{name} of particle {row} is {values[row]}, not a usable number", str(file))
    return numbers


def _pixel_size(rows: Rows, file: Path) -> FloatArray | None:
    if "location/micrograph_psize_A" not in (rows.dtype.names or ()):
        return None
    sizes = _numbers(rows, "location/micrograph_psize_A", file)
    return sizes if (sizes > 0).all() else None


def _names(rows: Rows) -> Labels | None:
    if "location/micrograph_path" not in (rows.dtype.names or ()):
        return None
    paths = rows["location/micrograph_path"].tolist()
    return Labels.of(
        path.decode("utf-8", "replace") if isinstance(path, bytes) else str(path) for path in paths
    )


def write_cs(raw: RawPoints) -> bytes:
    """Write positions and scores as a dataset with the columns of a picking job."""
    paths = np.array([name.encode() for name in raw.micrograph or [""] * len(raw)], bytes)
    places: dict[str, int] = {}
    micrographs = [places.setdefault(path, len(places) + 1) for path in paths.tolist()]
    columns = {
        "uid": np.arange(1, len(raw) + 1, dtype="<u8"),
        "location/micrograph_uid": np.array(micrographs, "<u8"),
        "location/micrograph_path": paths,
        "location/micrograph_shape": np.stack(stated(raw.shape, "micrographs' shapes"), axis=1).astype("<u4"),
        "location/center_x_frac": raw.x.astype("<f4"),
        "location/center_y_frac": raw.y.astype("<f4"),
        "location/micrograph_psize_A": np.full(len(raw), raw.pixel_size, "<f4"),
    }
    if raw.score is not None and np.isfinite(raw.score).all():
        columns["pick_stats/ncc_score"] = raw.score.astype("<f4")
    if raw.number is not None and (raw.number >= 0).all():
        columns["pick_stats/template_idx"] = raw.number.astype("<u4")
    rows = np.zeros(len(raw), [(name, v.dtype, v.shape[1:]) for name, v in columns.items()])
    for name, values in columns.items():
        rows[name] = values
    stream = io.BytesIO()
    np.lib.format.write_array(stream, rows, allow_pickle=False)
    return stream.getvalue()
