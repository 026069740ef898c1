"""NPY: one array, memory-mapped; nothing in it is unpickled. It has no pixel size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np

from simkit.core.errors import DataError
from simkit.io.stored import StoredArray

ZIP = b"PK\x03\x04"


def open_npy(file: Path) -> StoredArray:
    """Open an NPY file.

    Raises
    ------
    DataError
        If it is an archive of several arrays, or longer or shorter than its header says.
    """
    with file.open("rb") as stream:
        if stream.read(len(ZIP)) == ZIP:
            raise DataError("an NPZ archive is not one image; save one array with numpy.save", str(file))
        stream.seek(0)
        read_header = _HEADERS.get(np.lib.format.read_magic(stream))
        if read_header is None:
            raise DataError("an NPY file of this version holds no numbers; save it anew", str(file))
        shape, fortran, dtype = read_header(stream)
        start = stream.tell()
    promised, size = start + math.prod(shape) * dtype.itemsize, file.stat().st_size
    if promised != size and not dtype.hasobject:
        raise DataError(
            f"not a readable NPY (its header promises {promised} bytes, the file has {size}); "
            "copy or save it anew",
            str(file),
        )
    order: Literal["F", "C"] = "F" if fortran else "C"
    return StoredArray(
        str(file),
        shape,
        dtype,
        (None,) * len(shape),
        lambda: np.memmap(file, dtype, "r", start, shape, order),
    )


_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
