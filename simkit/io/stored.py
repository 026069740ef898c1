"""What a file says of an array before its values are read, and what is asked of any array from outside.

Pixel sizes
-----------
A size is known where a header gives a finite positive one in a unit of length (Å, nm, pm, µm, mm, m …)
that a pixel can have. Zero, nothing, no unit, or a unit such as 1/nm is "not known" (None), to be
declared by whoever uses the file. Two sources that disagree are an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.paths import split_dataset
from simkit.core.quantity import LENGTH

SAME = 1e-3
"""Relative difference up to which two sizes are the same: headers round to single precision or a ratio."""

SIZES = (1e-4, 1e8)
"""Å. What no pixel is smaller or larger than (1 cm): a size beyond is a default or in other units."""

MOST_PACKED = 100_000
"""Decoded over stored bytes, beyond which a header lies: a uniform image packs 1000-fold, at best 30,000."""

_WORDS = {"micro": 1e4, "nano": 10.0, "pico": 0.01, "milli": 1e7, "centi": 1e8, "": 1e10}
_UNITS = {
    **LENGTH.factors,
    "m": 1e10,
    "cm": 1e8,
    **dict.fromkeys(("angstrom", "angstroms", "ångström"), 1.0),
    **dict.fromkeys(("micron", "microns"), 1e4),
    **{f"{prefix}met{end}": size for prefix, size in _WORDS.items() for end in ("er", "re", "ers", "res")},
}


@dataclass(frozen=True)
class StoredArray:
    """An array in a file: its header, and how to get its values.

    Attributes
    ----------
    name : str
        The file, and the data set within it, as errors name it.
    shape : tuple of int
        Slowest axis first.
    dtype : numpy.dtype
        Of what is stored.
    pixel_sizes : tuple of (float or None)
        Å along every axis; None where the file does not say.
    load : callable
        Returns the values; a memory map where the format allows one.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pixel_sizes: tuple[float | None, ...]
    load: Callable[[], FloatArray]


Opener = Callable[[Path], StoredArray]


def open_stored(path: str | Path, openers: Mapping[str, Opener], what: str) -> StoredArray:
    """Open a file by its extension.

    Parameters
    ----------
    path : str or Path
        The file; a data set in an HDF5 file is written ``file.h5:/entry/data``.
    openers : mapping of str to callable
        Extension in lower case → what opens such a file.
    what : str
        What is read, for messages: "image".

    Raises
    ------
    DataError
        If the file is missing, of another format, damaged, empty, or does not hold real numbers.
    """
    name, file = str(path), Path(split_dataset(path)[0])
    opener = openers.get(_extension(file))
    if opener is None:
        formats = ", ".join(suffix for suffix in openers if suffix.count(".") == 1)
        raise DataError(f"{what}s are read from {formats}; convert it to one of them", name)
    if not file.is_file():
        raise DataError("there is no such file", name)
    if file.stat().st_size == 0:
        raise DataError("the file is empty", name)
    with refusing(name, f"not a readable {_format(file)}"):
        stored = opener(Path(path))
    if min(stored.shape, default=1) < 1:
        raise DataError(f"the {what} has no pixels", name)
    if stored.dtype.kind == "c":
        raise DataError("the pixels are complex numbers; save their real part or modulus", name)
    if stored.dtype.kind not in "fiub":
        raise DataError(f"the pixels are not numbers (dtype {stored.dtype})", name)
    return stored


def finite_values(stored: StoredArray, dtype: Any) -> FloatArray:
    """Return the values in memory, cast, in the machine's byte order.

    Raises
    ------
    DataError
        If they cannot be decoded, or one is not finite.
    """
    with refusing(stored.name, f"not a readable {_format(Path(split_dataset(stored.name)[0]))}"):
        values = np.array(stored.load(), dtype)
    if bad := values.size - np.count_nonzero(np.isfinite(values)):
        raise DataError(f"{bad} pixels are not finite; replace NaN and infinity before use", stored.name)
    return values


@contextmanager
def refusing(name: str, trouble: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file, which is nearly anything, into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{trouble} ({str(error) or type(error).__name__})", name) from error


def in_angstrom(size: float, unit: str) -> float | None:
    """Return a pixel size in Å; None where the unit is no length, or the size that of no pixel."""
    bare = unit.strip("[]() \0").replace("_", "").replace("μ", "µ").replace("\u212b", "Å")
    factor = _UNITS.get(bare) or _UNITS.get(bare.lower() if len(bare) > 2 else "")
    if factor is None or not math.isfinite(size):
        return None
    # Rounded so that 0.1 nm is 1 Å, and not 1.0000000000000002.
    angstrom = float(f"{abs(size) * factor:.12g}")
    return angstrom if SIZES[0] <= angstrom <= SIZES[1] else None


def agreed(claims: Mapping[str, float | None], name: str) -> float | None:
    """Return the size (Å) on which all that say one agree.

    Parameters
    ----------
    claims : mapping of str to (float or None)
        Source within the file → size.
    name : str
        The file.

    Raises
    ------
    DataError
        If two differ.
    """
    known = {source: size for source, size in claims.items() if size is not None}
    if not known:
        return None
    size = next(iter(known.values()))
    if any(abs(other - size) > SAME * size for other in known.values()):
        listed = " and ".join(f"{other:.6g} Å by its {source}" for source, other in known.items())
        raise DataError(f"the file contradicts itself: a pixel is {listed}; correct the wrong one", name)
    return size


def square_pixel_size(stored: StoredArray) -> float | None:
    """Return the edge (Å) of the pixels of an image.

    Raises
    ------
    DataError
        If they are not square.
    """
    if None in (sizes := stored.pixel_sizes[-2:]):
        return None
    y, x = (sizes[0] or 0.0), (sizes[-1] or 0.0)
    if abs(x - y) > SAME * x:
        raise DataError(
            f"the header's pixels are {y:g} Å high and {x:g} Å wide; resample to square ones", stored.name
        )
    return x


def _extension(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] in ([".gz"], [".bz2"]) else suffixes[-1:])


def _format(file: Path) -> str:
    return _extension(file).split(".")[1].upper()
