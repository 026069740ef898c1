"""The pixels of real micrographs, one file at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.paths import split_dataset
from simkit.io.images import ImageFile, open_image

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative difference between a header's and the scenario's pixel size that is still the same."""


def name_of(file: str | Path) -> str:
    """Return the name of an image's file, without folders and without the data set within it."""
    return Path(split_dataset(file)[0]).name


def open_matching(file: str | Path, pixel_size: float) -> ImageFile:
    """Open an image whose header says this pixel size (Å), or none.

    Raises
    ------
    DataError
        If it cannot be read, or its header contradicts.
    """
    image = open_image(file)
    declared = image.pixel_size
    if declared is not None and abs(declared / pixel_size - 1) > PIXEL_SIZE_TOLERANCE:
        raise DataError(
            f"the header says {declared:.4g} Å per pixel, the scenario {pixel_size:.4g} Å; "
            f"correct the scenario's pixel_size (or --set image.pixel_size='{declared:.4g} Å')",
            str(file),
        )
    return image


@contextmanager
def naming(file: str | Path) -> Iterator[None]:
    """Say in a scenario's error which of many images it is about."""
    try:
        yield
    except ScenarioError as error:
        raise type(error)(f"{error.message} ({file})", error.path) from error


def read_pixels(file: str | Path, pixel_size: float) -> FloatArray:
    """Return an image's pixels in single precision; see `open_matching`."""
    return open_matching(file, pixel_size).pixels().astype(np.float32)


def require_readable(
    files: Sequence[str | Path], pixel_size: float, progress: Callable[[str, int, int], None] | None = None
) -> None:
    """Decode every image once, which is soon done, before hours are spent on searching the first ones.

    Raises
    ------
    DataError
        If one cannot be read, such as a file that was cut off, or a pixel of it is not finite.
    """
    for number, file in enumerate(files if len(files) > 1 else (), start=1):
        read_pixels(file, pixel_size)
        if progress:
            progress("reading", number, len(files))
