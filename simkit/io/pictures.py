"""PNG and JPEG. They have no pixel size: what they call resolution is that of a printer or screen."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.io.stored import StoredArray

if TYPE_CHECKING:
    from PIL import Image

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

ORIENTATION = 0x0112
"""EXIF tag that says how the camera was held; from 5 on rows and columns are swapped."""


def open_picture(file: Path) -> StoredArray:
    """Open a PNG or JPEG; only its header is decoded.

    Raises
    ------
    DataError
        If it is an animation.
    """
    with _decoder(file) as stored:
        if stored.format == "PNG" and (frames := getattr(stored, "n_frames", 1)) > 1:
            raise DataError(f"an animation of {frames} frames is not one image; save one frame", str(file))
        width, height = stored.size
        turned = _has_exif(stored) and stored.getexif().get(ORIENTATION, 1) >= 5
    shape = (width, height) if turned else (height, width)
    return StoredArray(str(file), shape, np.dtype(float), (None, None), lambda: _decode(file))


def _decode(file: Path) -> FloatArray:
    from PIL import ImageOps

    with _decoder(file) as stored:
        picture = ImageOps.exif_transpose(stored) if _has_exif(stored) else stored.copy()
    if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    pixels = np.asarray(picture)
    return grey(pixels) if pixels.ndim == 3 else pixels


def _has_exif(stored: Image.Image) -> bool:
    """Tell whether EXIF comes before the pixels: Pillow would decode a whole PNG to look behind them."""
    return "exif" in stored.info


@contextmanager
def _decoder(file: Path) -> Iterator[Image.Image]:
    from PIL import Image

    with warnings.catch_warnings():
        # A micrograph is larger than the pictures that Pillow expects, and damage is noticed in decoding.
        warnings.simplefilter("ignore")
        with Image.open(file, formats=("PNG", "JPEG")) as stored:
            yield stored


def grey(colours: FloatArray) -> FloatArray:
    """Turn RGB(A), last axis, into luminance over black."""
    luminance = colours[..., :3] @ LUMINANCE
    if colours.shape[-1] == 4 and colours.dtype.kind == "u":
        luminance = luminance * (colours[..., 3] / np.iinfo(colours.dtype).max)
    return luminance
