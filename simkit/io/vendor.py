"""What microscope makers' programs write: DM3 and DM4 (Gatan), SER (TIA). The extra `formats` reads them.

The reader is ncempy. Of it only the modules under ``io/`` are MIT; the rest is GPL, and importing any
module by its full name runs all of it. The two files are therefore loaded by where they are.
(EMD of both kinds is HDF5: `simkit.io.hdf5`.)

Rows run from the top as the program shows them: first to last in DM, last to first in SER.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from simkit.core.errors import DataError
from simkit.io.stored import StoredArray, in_angstrom

DM_TYPES = {
    1: "<i2",
    2: "<f4",
    3: "<c8",
    6: "<u1",
    7: "<i4",
    9: "<i1",
    10: "<u2",
    11: "<u4",
    12: "<f8",
    13: "<c16",
    14: "<u1",
}
"""Number of a pixel type in DM → how it is stored."""

DM_THUMBNAIL = 23
"""Pixel type of the coloured miniature that comes before the image."""

TIA_IMAGES = 0x4122
"""Kind of SER file that holds images, not spectra."""


def open_dm(file: Path) -> StoredArray:
    """Open the image of a DM3 or DM4 file; its tags are read, its pixels mapped.

    Raises
    ------
    DataError
        If the extra is missing, the file is damaged, or it holds no image or several.
    """
    dm = _module("dm", file)
    with _quiet(), file.open("rb") as stream:
        tags = dm.fileDM(stream).allTags
    numbers = sorted(
        {tag.split(".")[2] for tag in tags if tag.startswith(".ImageList.") and ".ImageData." in tag}
    )
    images = [i for i in numbers if tags.get(f".ImageList.{i}.ImageData.DataType") != DM_THUMBNAIL]
    if len(images) != 1:
        raise DataError(f"it holds {len(images)} images; save the one that is meant", str(file))
    return _dm_image(tags, f".ImageList.{images[0]}.ImageData", file)


def _dm_image(tags: Mapping[str, Any], image: str, file: Path) -> StoredArray:
    kind = int(tags[f"{image}.DataType"])
    if kind not in DM_TYPES:
        raise DataError(f"pixels of DM's type {kind} are no grey values; save it as a grey image", str(file))
    dtype, start = np.dtype(DM_TYPES[kind]), int(tags[f"{image}.Data.arrayOffset"])
    axes = range(sum(tag.startswith(f"{image}.Dimensions.") for tag in tags), 0, -1)  # x is the first
    shape = tuple(int(tags[f"{image}.Dimensions.{axis}"]) for axis in axes)
    promised, stored = math.prod(shape) * dtype.itemsize, int(tags[f"{image}.Data.arraySize"])
    if promised != stored or start + stored > file.stat().st_size:
        raise DataError(
            f"not a readable {file.suffix[1:].upper()} (its tags promise {promised} bytes of pixels, with "
            f"{stored} from byte {start} on; the file has {file.stat().st_size} in all); copy it anew",
            str(file),
        )
    sizes = tuple(
        in_angstrom(
            # Single precision: through its shortest decimal, 0.1 nm is 1 Å and not 1.0000000149.
            float(str(tags.get(f"{image}.Calibrations.Dimension.{axis}.Scale", math.nan))),
            str(tags.get(f"{image}.Calibrations.Dimension.{axis}.Units", "")),
        )
        for axis in axes
    )
    return StoredArray(str(file), shape, dtype, sizes, lambda: np.memmap(file, dtype, "r", start, shape))


def open_ser(file: Path) -> StoredArray:
    """Read the image of a SER file, in whose header lengths are metres.

    Raises
    ------
    DataError
        If the extra is missing, the file is damaged, or it holds spectra, no image or several.
    """
    ser = _module("ser", file)

    class Series(ser.fileSER):  # type: ignore[misc,name-defined]
        # One of its names of types begins with a space, which numpy does not understand.
        _dictDataType = {n: kind.strip() for n, kind in ser.fileSER._dictDataType.items()}  # noqa: N815

        def _read_emi(self) -> None:
            """Leave alone the .emi beside it: nothing in it is needed, and it may be damaged."""

    with _quiet(), file.open("rb") as stream, Series(stream) as series:
        head = series.head
        if head["DataTypeID"] != TIA_IMAGES:
            raise DataError("it holds spectra, not an image", str(file))
        if head["ValidNumberElements"] != 1:
            raise DataError(
                f"it holds {head['ValidNumberElements']} images; save the one that is meant", str(file)
            )
        pixels, meta = series.getDataset(0)
    x, y = (float(calibration["CalibrationDelta"]) for calibration in meta["Calibration"])
    # In a diffraction pattern the number is in 1/m, and large: no pixel size.
    sizes = (in_angstrom(y, "m"), in_angstrom(x, "m"))
    return StoredArray(str(file), pixels.shape, pixels.dtype, sizes, lambda: pixels)


def _module(name: str, file: Path) -> ModuleType:
    """Load one file of ncempy's ``io``, and nothing else of it."""
    package = importlib.util.find_spec("ncempy")
    if package is None or not package.submodule_search_locations:
        raise DataError(f"{file.suffix} files need an extra reader: pip install 'simkit[formats]'", str(file))
    source = Path(package.submodule_search_locations[0], "io", f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"simkit_ncempy_{name}", source)
    if spec is None or spec.loader is None:
        raise DataError("the extra reader is damaged: pip install --force-reinstall ncempy", str(file))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the reader from printing, and from warning of overflows in what it counts."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
