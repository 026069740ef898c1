"""HDF5: one array of a file that may hold many.

``scan.h5:/entry/data`` names a data set, or a group laid out in one of the ways of
`simkit.io.hdf5_layouts`. Without a name the file's own layout says which array is the signal; where it
says nothing, the only image-like array is taken, and several are listed rather than guessed from.
"""

from __future__ import annotations

import math
import posixpath
from pathlib import Path

import h5py
import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.paths import split_dataset
from simkit.io.hdf5_layouts import LAYOUTS, Velox
from simkit.io.stored import MOST_PACKED, StoredArray

LISTED = 12
"""Most data sets that a message lists."""


def open_hdf5(path: Path) -> StoredArray:
    """Open a data set; only its description and its axes are read.

    Parameters
    ----------
    path : Path
        The file, and after a colon the data set or group: ``scan.h5:/entry/data``.

    Raises
    ------
    DataError
        If there is no such data set, the file leaves open which one is meant, no values were ever
        written to it, or its axes contradict its shape.
    """
    file, named = split_dataset(path)
    with h5py.File(file, "r") as opened:
        place = _chosen(opened, named, str(path))
        dataset = opened[place]
        name = f"{file}:{place}"
        _refuse_lies(dataset, name)
        sizes = next(
            (found for layout in LAYOUTS if (found := layout.pixel_sizes(opened, place, name)) is not None),
            (None,) * dataset.ndim,
        )
        shape, dtype = dataset.shape, dataset.dtype
        frames_last = Velox.holds(opened, place)

    def load() -> FloatArray:
        with h5py.File(file, "r") as opened:
            values = opened[place][()]
        return np.moveaxis(values, -1, 0) if frames_last else values

    return StoredArray(name, (*shape[-1:], *shape[:-1]) if frames_last else shape, dtype, sizes, load)


def _chosen(opened: h5py.File, named: str | None, path: str) -> str:
    """Return the full name of the data set that is meant."""
    place = "/" + (named or "").strip("/")
    found = opened.get(place)
    if isinstance(found, h5py.Dataset):
        return place
    if not isinstance(found, h5py.Group):
        raise DataError(f"there is no {place} in it; {_listing(opened, path)}", path)
    for layout in LAYOUTS:
        signals = [signal for signal in layout.signals(found) if isinstance(found.get(signal), h5py.Dataset)]
        if len(signals) == 1:
            return posixpath.join(place, signals[0])
        if signals:
            raise DataError(f"it holds {len(signals)} images; {_listing(opened, path)}", path)
    images = _image_like(found)
    if len(images) == 1:
        return posixpath.join(place, images[0])
    raise DataError(f"it does not say which of its data is the image; {_listing(opened, path)}", path)


def _image_like(group: h5py.Group) -> list[str]:
    """Return the names of the arrays that could be an image: numbers in two or more dimensions."""
    found: list[str] = []

    def note(name: str, item: h5py.HLObject) -> None:
        if (
            isinstance(item, h5py.Dataset)
            and item.dtype.kind in "fiub"
            and sum(n > 1 for n in item.shape) > 1
        ):
            found.append(name)

    group.visititems(note)
    return found


def _listing(opened: h5py.File, path: str) -> str:
    images = _image_like(opened)
    if not images:
        return "no array of two or more dimensions is in it"
    listed = ", ".join(f"/{name} {opened[name].shape}" for name in images[:LISTED])
    more = f" and {len(images) - LISTED} more" if len(images) > LISTED else ""
    return f"write for example {split_dataset(path)[0]}:/{images[0]}; there are {listed}{more}"


def _refuse_lies(dataset: h5py.Dataset, name: str) -> None:
    if dataset.shape is None:
        raise DataError("the data set is empty", name)
    promised, stored = math.prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
    # What is elsewhere (virtual, external) or within the header (compact) has no storage of its own to count.
    elsewhere = dataset.is_virtual or dataset.external
    if promised and not elsewhere and promised > MOST_PACKED * stored:
        raise DataError(
            f"its description promises {promised} bytes of pixels, of which {stored} were ever written", name
        )
