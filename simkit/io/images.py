"""Images from outside: MRC, TIFF, PNG, JPEG and NPY, each read as grey float64 pixels.

Row 0 is the first row stored in the file; nothing is flipped. Colour becomes luminance, and
transparency lets black show through.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.io.mrc import read_mrc

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


@dataclass(frozen=True)
class LoadedImage:
    """An image and what its file says of its scale.

    Attributes
    ----------
    pixels : array, shape (ny, nx) or (nx,)
        float64, finite.
    pixel_size : float or None
        Å; None where the file does not say.
    """

    pixels: FloatArray
    pixel_size: float | None


def read_image(path: str | Path) -> LoadedImage:
    """Read one image; the extension names the format.

    Parameters
    ----------
    path : str or Path
        ``.mrc .mrcs .map .tif .tiff .png .jpg .jpeg .npy``. Only NPY holds one-dimensional images.

    Raises
    ------
    DataError
        If the file is missing, of another format, damaged, or not one real, finite image.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise DataError(f"images are read from {', '.join(_READERS)}; convert it to one of them", str(file))
    if not file.is_file():
        raise DataError("there is no such file", str(file))
    try:
        pixels, pixel_size = reader(file)
    except DataError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise DataError(
            f"not a readable {file.suffix[1:].upper()} image ({error or type(error).__name__})", str(file)
        ) from error
    return LoadedImage(_as_image(pixels, str(file)), pixel_size)


def _as_image(pixels: FloatArray, file: str) -> FloatArray:
    while pixels.ndim > 2 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim not in (1, 2):
        raise DataError(
            f"an image is needed, and this holds {pixels.ndim}-dimensional data of shape {pixels.shape}; "
            "save one section of it",
            file,
        )
    if pixels.size == 0:
        raise DataError("the image has no pixels", file)
    if pixels.dtype.kind == "c":
        raise DataError("the pixels are complex numbers; save their real part or modulus", file)
    if pixels.dtype.kind not in "fiub":
        raise DataError(f"the pixels are not numbers (dtype {pixels.dtype})", file)
    result = pixels.astype(np.float64)
    if bad := np.count_nonzero(~np.isfinite(result)):
        raise DataError(f"{bad} pixels are not finite; replace NaN and infinity before use", file)
    return result


def _read_tiff(file: Path) -> tuple[FloatArray, None]:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        if len(tiff.pages) > 1:
            raise DataError(f"a stack of {len(tiff.pages)} pages is not one image; save one page", str(file))
        page = tiff.pages.first
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            raise DataError("the pixels are palette indices; save it as grey or RGB", str(file))
        pixels = page.asarray()
    if page.photometric == tifffile.PHOTOMETRIC.RGB:
        pixels = _grey(pixels if pixels.shape[-1] in (3, 4) else np.moveaxis(pixels, 0, -1))
    return pixels, None


def _read_picture(file: Path) -> tuple[FloatArray, None]:
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        # A micrograph is larger than the pictures that Pillow expects.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file, formats=("PNG", "JPEG", "MPO")) as stored:
            picture = ImageOps.exif_transpose(stored)
    if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    pixels = np.asarray(picture)
    return (_grey(pixels) if pixels.ndim == 3 else pixels), None


def _grey(colours: FloatArray) -> FloatArray:
    """Turn RGB(A), last axis, into luminance over black."""
    grey = colours[..., :3] @ LUMINANCE
    if colours.shape[-1] == 4 and colours.dtype.kind == "u":
        grey = grey * (colours[..., 3] / np.iinfo(colours.dtype).max)
    return grey


def _read_npy(file: Path) -> tuple[FloatArray, None]:
    with file.open("rb") as stream:
        pixels = np.load(stream, allow_pickle=False)
    if not isinstance(pixels, np.ndarray):
        raise DataError("an NPZ archive is not one image; save one array with numpy.save", str(file))
    return pixels, None


_READERS: dict[str, Callable[[Path], tuple[FloatArray, float | None]]] = {
    ".mrc": read_mrc,
    ".mrcs": read_mrc,
    ".map": read_mrc,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".png": _read_picture,
    ".jpg": _read_picture,
    ".jpeg": _read_picture,
    ".npy": _read_npy,
}
