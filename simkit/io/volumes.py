"""Density maps from outside: MRC and CCP4, and NPY and HDF5 whose voxel size is declared.

The axes of an MRC are brought into the order (z, y, x), whatever mapc, mapr, maps say. Where the map
lies in its cell (nxstart …, origin) is ignored: only the density counts, about its own middle. An image
stack by its header (space group 0) is taken for the map it is said to be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.paths import HDF5_SUFFIXES
from simkit.io.hdf5 import open_hdf5
from simkit.io.mrc import MRC_SUFFIXES, PACKED_SUFFIXES, open_mrc
from simkit.io.npy import open_npy
from simkit.io.stored import Opener, finite_values, open_stored


@dataclass(frozen=True)
class LoadedVolume:
    """A density map.

    Attributes
    ----------
    values : array, shape (nz, ny, nx)
        Finite; float64 where the file stores that or long integers, else float32.
    voxel_size : tuple of float
        Å along (z, y, x); they may differ.
    """

    values: FloatArray
    voxel_size: tuple[float, float, float]


def read_volume(path: str | Path, *, voxel_size: float | None = None) -> LoadedVolume:
    """Read a density map.

    Parameters
    ----------
    path : str or Path
        ``.mrc .map .ccp4 .rec`` (also ``.gz`` and ``.bz2`` of them), ``.npy``, or HDF5.
    voxel_size : float, optional
        Å along all three axes; it goes before what the header says.

    Raises
    ------
    DataError
        If the file is missing, damaged or not one three-dimensional array of finite numbers, the
        angles of its cell are not 90°, or nobody says how large a voxel is.
    """
    stored = open_stored(path, _OPENERS, "map")
    if len(stored.shape) != 3 or min(stored.shape) < 2:
        raise DataError(
            f"a map has three dimensions of two voxels or more; this has shape {stored.shape}", stored.name
        )
    z, y, x = stored.pixel_sizes if voxel_size is None else (voxel_size,) * 3
    if z is None or y is None or x is None:
        raise DataError(
            "its header does not say the size of a voxel (zero, negative or no length); declare it",
            stored.name,
        )
    if not all(math.isfinite(size) and size > 0 for size in (z, y, x)):
        raise DataError(f"a voxel of {z:g} Å is declared; it must be more than 0", stored.name)
    wide = stored.dtype.itemsize > 4 or (stored.dtype.kind in "iu" and stored.dtype.itemsize > 2)
    return LoadedVolume(finite_values(stored, np.float64 if wide else np.float32), (z, y, x))


_MAPS = [suffix for suffix in MRC_SUFFIXES + PACKED_SUFFIXES if not suffix.startswith(".mrcs")]

_OPENERS: dict[str, Opener] = {
    **dict.fromkeys(_MAPS, open_mrc),
    ".npy": open_npy,
    **dict.fromkeys(HDF5_SUFFIXES, open_hdf5),
}
