"""TIFF of one page, with the pixel size that microscopy programs put in it.

Where the size comes from: OME-XML (``PhysicalSizeX``); ImageJ (its `unit` and the resolution tags); else
the resolution tags alone, pixels per cm or inch. The last count only where they make a pixel of at most
1 µm: what is coarser is the dot of a printer or screen (72 dpi is 353 µm), which says nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.io.pictures import grey
from simkit.io.stored import MOST_PACKED, StoredArray, agreed, in_angstrom

if TYPE_CHECKING:
    import tifffile

FINEST_DOT = 1e4
"""Å. No printer's dot is as small, and no electron micrograph's pixel larger."""

RESOLUTION_UNITS = {2: "inch", 3: "cm"}
INCH_IN_CM = 2.54


def open_tiff(file: Path) -> StoredArray:
    """Open a TIFF; only its tags are read.

    Raises
    ------
    DataError
        If it holds several pages or palette colours, is cut short, or contradicts itself.
    """
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page = _only_page(tiff, file)
        _refuse_lies(page, file)
        planar = _pixel_sizes(tiff, page, str(file))
        colour = page.photometric == tifffile.PHOTOMETRIC.RGB
        shape = (page.imagelength, page.imagewidth) if colour else page.shape
        dtype = np.dtype(page.dtype)
    sizes = (*(None,) * (len(shape) - 2), *planar)
    return StoredArray(str(file), shape, dtype, sizes, lambda: _decode(file, colour))


def _decode(file: Path, colour: bool) -> FloatArray:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        pixels = tiff.pages.first.asarray()
    if not colour:
        return pixels
    return grey(pixels if pixels.shape[-1] in (3, 4) else np.moveaxis(pixels, 0, -1))


def _only_page(tiff: tifffile.TiffFile, file: Path) -> Any:
    import tifffile

    pages = max(len(tiff.pages), int((tiff.imagej_metadata or {}).get("images", 1)))
    if pages > 1:
        raise DataError(f"a stack of {pages} pages is not one image; save one page", str(file))
    page = tiff.pages.first
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        raise DataError("the pixels are palette indices; save it as grey or RGB", str(file))
    if page.dtype is None:
        raise DataError(f"pixels of {page.bitspersample} bits are not understood", str(file))
    return page


def _refuse_lies(page: Any, file: Path) -> None:
    size, stored = file.stat().st_size, sum(page.databytecounts)
    end = max((a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
    if end > size:
        raise DataError(
            f"not a readable TIFF (its pixels end at byte {end}, the file at {size}); copy it anew", str(file)
        )
    if (page.compression == 1 and stored < page.nbytes) or page.nbytes > MOST_PACKED * stored:
        raise DataError(
            f"not a readable TIFF (its header promises {page.nbytes} bytes of pixels, and has {stored})",
            str(file),
        )


def _pixel_sizes(tiff: tifffile.TiffFile, page: Any, name: str) -> tuple[float | None, float | None]:
    y, x = (_claims(tiff, page, axis) for axis in "YX")
    return agreed(y, name), agreed(x, name)


def _claims(tiff: tifffile.TiffFile, page: Any, axis: str) -> dict[str, float | None]:
    tag = page.tags.get(f"{axis}Resolution")
    numerator, denominator = (0, 0) if tag is None else tag.value
    per_pixel = denominator / numerator if numerator else 0.0
    unit = (tiff.imagej_metadata or {}).get("unit")
    if isinstance(unit, str):
        # ImageJ writes µ and Å as \u00B5 and \u00C5, in letters.
        unit = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), unit)
        by_tags = {"ImageJ unit and resolution": _size(per_pixel, unit)}
    else:
        dot = _size(per_pixel, RESOLUTION_UNITS.get(getattr(page, "resolutionunit", 1), ""))
        by_tags = {"resolution tag": dot if dot is not None and dot <= FINEST_DOT else None}
    return {**_ome_claims(tiff.ome_metadata, axis), **by_tags}


def _ome_claims(xml: str | None, axis: str) -> dict[str, float | None]:
    claims = {}
    for number, pixels in enumerate(ElementTree.fromstring(xml).findall(".//{*}Pixels") if xml else ()):
        size = float(pixels.get(f"PhysicalSize{axis}", "nan"))
        claims[f"OME image {number}"] = _size(size, pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    return claims


def _size(per_pixel: float, unit: str) -> float | None:
    return in_angstrom(per_pixel * INCH_IN_CM, "cm") if unit == "inch" else in_angstrom(per_pixel, unit)
