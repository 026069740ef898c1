"""MRC and CCP4 maps, the format of electron microscopy, as the MRC2014 standard [1]_ and its elders have it.

Row 0 of an array is the first row of the file, as RELION reads it. A header is believed where it agrees
with itself:

byte order
    the one in which mode and sizes make sense, whatever the machine stamp (old ones are zero or wrong)
    and with or without the word MAP.
mode 0
    signed bytes; unsigned where IMOD's flag says so, or where the header's largest value is above 127.
pixel size
    cell / m along each axis of the cell (mx, not nx: a part cut from a map keeps both). Where either is
    not positive, not known.
axes
    mapc, mapr, maps say which of x, y, z runs along columns, rows and sections. Sections are permuted to
    (z, y, x); one single image must have them in order.
ignored
    nxstart … and the origin (where the map lies in its cell), statistics, symmetry, extended headers.

References
----------
.. [1] A. Cheng et al., "MRC2014: extensions to the MRC format header for electron cryo-microscopy and
   tomography", J. Struct. Biol. 192 (2015) 146-150.
"""

from __future__ import annotations

import bz2
import gzip
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import byte_order_from_machine_stamp, dtype_from_mode

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.io.stored import StoredArray, in_angstrom

MRC_SUFFIXES = (".mrc", ".mrcs", ".map", ".rec", ".ccp4")
PACKED_SUFFIXES = tuple(f"{suffix}{packed}" for suffix in MRC_SUFFIXES for packed in (".gz", ".bz2"))

LABEL = "written by simkit"

MODES = (0, 1, 2, 6, 12)
REFUSED_MODES = {
    3: "complex numbers (mode 3); save their real part or modulus",
    4: "complex numbers (mode 4); save their real part or modulus",
    16: "colours (mode 16); save them as grey",
    101: "packed four bits each (mode 101); unpack them, for example with IMOD's `newstack -mode 6`",
}

IMOD_STAMP = 1146047817
SIGNED_BYTES, HALF_BYTES = 1, 16
"""Bits of the flags that follow IMOD's stamp."""

VOLUME_STACKS = range(401, 631)
"""Space groups 401 … 630: nz/mz volumes of mz sections each."""

IN_ORDER = (3, 2, 1)
"""maps, mapr, mapc of sections along z, rows along y, columns along x."""

RIGHT_ANGLE = 0.01
"""Degrees by which a right angle may be off, for rounding."""

CHUNK = 2**24

_UNPACKERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}


@dataclass(frozen=True)
class _Header:
    """What matters of the header; triples are in the order x, y, z of the cell."""

    order: str
    mode: int
    shape: tuple[int, int, int]
    cell: tuple[float, ...]
    samples: tuple[int, ...]
    angles: tuple[float, ...]
    axes: tuple[int, ...]
    largest: float
    space_group: int
    extension: int
    imod_flags: int | None

    @classmethod
    def parse(cls, raw: bytes, order: str) -> _Header:
        fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
        stamp, flags = np.frombuffer(raw[152:160], f"{order}i4").tolist()
        return cls(
            order=order,
            mode=int(fields["mode"]),
            shape=(int(fields["nz"]), int(fields["ny"]), int(fields["nx"])),
            cell=tuple(fields["cella"].item()),
            samples=tuple(int(fields[m]) for m in ("mx", "my", "mz")),
            angles=tuple(fields["cellb"].item()),
            axes=tuple(int(fields[m]) for m in ("maps", "mapr", "mapc")),
            largest=float(fields["dmax"]),
            space_group=int(fields["ispg"]),
            extension=int(fields["nsymbt"]),
            imod_flags=flags if stamp == IMOD_STAMP else None,
        )

    @property
    def makes_sense(self) -> bool:
        """Whether this can be a header at all."""
        return self.mode in (*MODES, *REFUSED_MODES) and min(self.shape) > 0 <= self.extension

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored pixels."""
        if self.mode == 0:
            signed = not self.largest > 127 if self.imod_flags is None else self.imod_flags & SIGNED_BYTES
            return np.dtype(np.int8 if signed else np.uint8)
        return dtype_from_mode(self.mode).newbyteorder(self.order)

    @property
    def start(self) -> int:
        """Byte of the first pixel."""
        return HEADER_DTYPE.itemsize + self.extension

    @property
    def promised(self) -> int:
        """Bytes that the file must have."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    @property
    def sizes(self) -> tuple[float | None, ...]:
        """Å between samples along x, y, z of the cell."""
        return tuple(
            # The header holds the cell in float32: rounding to that gives back 4.4 rather than 4.400000095.
            in_angstrom(float(f"{a / m:.6g}"), "Å") if a > 0 and m > 0 else None
            for a, m in zip(self.cell, self.samples, strict=True)
        )


def open_mrc(file: Path) -> StoredArray:
    """Open an MRC file; only its header is read, and of a packed one (gzip, bzip2) unpacked.

    Returns
    -------
    StoredArray
        Of shape (z, y, x), sections first; (volumes, z, y, x) for a stack of volumes.

    Raises
    ------
    DataError
        If the header makes no sense, promises another number of bytes than there are (of a packed file
        that shows when it is loaded), or the pixels are complex, colours or half bytes.
    """
    with file.open("rb") as plain:
        unpack = _UNPACKERS.get(plain.read(2))
    with file.open("rb") if unpack is None else unpack(file) as stream:
        header = _believable(stream.read(HEADER_DTYPE.itemsize), str(file))
    if unpack is None:
        _refuse_other_size(header, file.stat().st_size, str(file))

    def load() -> FloatArray:
        if unpack is None:
            return np.memmap(file, header.dtype, "r", header.start, header.shape)
        with unpack(file) as stream:
            content = _read_up_to(stream, header.promised + 1)
        _refuse_other_size(header, "more" if len(content) > header.promised else len(content), str(file))
        return np.frombuffer(content, header.dtype, offset=header.start).reshape(header.shape)

    return _arranged(header, str(file), load)


def _refuse_other_size(header: _Header, size: int | str, name: str) -> None:
    if size != header.promised:
        raise DataError(
            f"not a readable MRC (its header promises {header.promised} bytes, the file has {size}); "
            "copy it anew, or convert it again",
            name,
        )


def _believable(raw: bytes, name: str) -> _Header:
    """Return the header in the byte order in which it makes sense."""
    if len(raw) < HEADER_DTYPE.itemsize:
        raise DataError(
            f"not a readable MRC (a header has {HEADER_DTYPE.itemsize} bytes, the file {len(raw)})", name
        )
    headers = [_Header.parse(raw, order) for order in _byte_orders(raw)]
    sensible = [header for header in headers if header.makes_sense]
    if not sensible:
        nz, ny, nx = headers[0].shape
        raise DataError(
            f"not a readable MRC (its header says {nx} × {ny} × {nz} pixels of mode {headers[0].mode}); "
            f"read are modes {', '.join(map(str, MODES))}",
            name,
        )
    # Mode 0 is the same in both byte orders, but a size below 65536 is far larger in the wrong one.
    header = min(sensible, key=lambda one: math.prod(one.shape))
    if header.mode in REFUSED_MODES:
        raise DataError(f"the pixels are {REFUSED_MODES[header.mode]}", name)
    if header.mode == 0 and (header.imod_flags or 0) & HALF_BYTES:
        raise DataError(f"the pixels are {REFUSED_MODES[101]}", name)
    return header


def _byte_orders(raw: bytes) -> tuple[str, str]:
    """Return both byte orders, first the one that the machine stamp names."""
    try:
        big = byte_order_from_machine_stamp(raw[212:216]) == ">"
    except ValueError:
        big = False
    return (">", "<") if big else ("<", ">")


def _read_up_to(stream: BinaryIO, limit: int) -> bytes:
    """Read at most so much, in pieces, so that no header makes us ask for all of it at once."""
    pieces = []
    while limit > 0 and (piece := stream.read(min(CHUNK, limit))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _arranged(header: _Header, name: str, load: Callable[[], FloatArray]) -> StoredArray:
    """Bring sections, rows and columns into the order (z, y, x)."""
    axes = header.axes if any(header.axes) else IN_ORDER
    if sorted(axes) != sorted(IN_ORDER):
        raise DataError(
            f"its mapc, mapr, maps are {axes[2]}, {axes[1]}, {axes[0]}; they must be 1, 2, 3 in some order",
            name,
        )
    nz, ny, nx = header.shape
    if nz == 1 and axes != IN_ORDER:
        raise DataError(
            f"the columns and rows of this image run along {'xyz'[axes[2] - 1]} and {'xyz'[axes[1] - 1]} "
            "by its header, which some programs heed and others do not; set mapc, mapr, maps to 1, 2, 3",
            name,
        )
    if nz > 1 and any(header.angles) and max(abs(a - 90) for a in header.angles) > RIGHT_ANGLE:
        raise DataError(
            f"the angles of its cell are {', '.join(f'{a:g}°' for a in header.angles)}; resample it to 90°",
            name,
        )
    sizes = tuple(header.sizes[axis - 1] for axis in IN_ORDER)
    mz = header.samples[2]
    if header.space_group in VOLUME_STACKS and 0 < mz < nz:
        stack = (nz // mz, mz, ny, nx)
        return StoredArray(name, stack, header.dtype, (None, *sizes), lambda: load().reshape(stack))
    order = tuple(axes.index(axis) for axis in IN_ORDER)
    shape = tuple(header.shape[i] for i in order)
    return StoredArray(name, shape, header.dtype, sizes, lambda: load().transpose(order))


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
    _write(file, pixels, pixel_size)


def write_mrc_stack(file: Path, images: FloatArray, pixel_size: float) -> None:
    """Write images of one size as an MRC stack of mode 2 (space group 0), the same bytes every time.

    Parameters
    ----------
    file : Path
        Where; an existing file is replaced.
    images : array, shape (n, ny, nx)
        Cast to float32.
    pixel_size : float
        Å.
    """
    _write(file, images, pixel_size)


def _write(file: Path, values: FloatArray, pixel_size: float) -> None:
    with mrcfile.new(file, np.asarray(values, np.float32), overwrite=True) as mrc:
        if values.ndim == 3:
            mrc.set_image_stack()
        mrc.voxel_size = pixel_size
        mrc.header.label[0] = LABEL  # in place of mrcfile's own, which holds the time of day
