"""MRC, the image format of electron microscopy.

Row 0 of an array is the first row of the file, as RELION reads it.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import mrcfile
import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray

SQUARE = 1e-3
"""Largest relative difference between the two edges of a pixel that is still called square."""

LABEL = "written by simkit"


def read_mrc(file: Path) -> tuple[FloatArray, float | None]:
    """Read the array of an MRC file and its pixel size.

    Returns
    -------
    pixels : array, shape (ny, nx) or (nz, ny, nx)
        As stored.
    pixel_size : float or None
        Å; None where the header says nothing.

    Raises
    ------
    DataError
        If the file is damaged or its pixels are not square.
    """
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")  # permissive reading warns of what it forgives
        with mrcfile.open(file, permissive=True) as mrc:
            pixels, voxel = mrc.data, mrc.voxel_size
    if pixels is None or pixels.size == 0:
        reasons = "; ".join(str(c.message) for c in complaints) or "no pixels in it"
        raise DataError(f"not a readable MRC image ({reasons})", str(file))
    return pixels, _pixel_size(float(voxel.y), float(voxel.x), str(file))


def _pixel_size(y: float, x: float, file: str) -> float | None:
    if not (math.isfinite(x) and x > 0 and math.isfinite(y) and y > 0):
        return None
    if abs(x - y) > SQUARE * x:
        raise DataError(
            f"the header's pixels are {y:g} Å high and {x:g} Å wide; resample to square ones", file
        )
    # The header holds the cell in float32: rounding to its precision gives back 4.4 rather than 4.400000095.
    return float(f"{x:.6g}")


def write_mrc(file: Path, pixels: FloatArray, pixel_size: float) -> None:
    """Write an image as MRC of mode 2 (float32), the same bytes every time.

    Parameters
    ----------
    file : Path
        Where; an existing file is replaced.
    pixels : array, shape (ny, nx)
        Cast to float32.
    pixel_size : float
        Å.

    Raises
    ------
    ValueError
        If the image is not two-dimensional: MRC has no one-dimensional images.
    """
    if pixels.ndim != 2:
        raise ValueError(f"MRC holds two-dimensional images, not {pixels.ndim}-dimensional ones")
    with mrcfile.new(file, np.asarray(pixels, np.float32), overwrite=True) as mrc:
        mrc.voxel_size = pixel_size
        mrc.header.label[0] = LABEL  # in place of mrcfile's own, which holds the time of day
