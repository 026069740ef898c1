"""Images from outside, whatever program wrote them, each read as grey float64 pixels.

Row 0 is the first row of the image as its format orders them; nothing else is flipped. Colour becomes
luminance, and transparency lets black show through. Where each format's pixel size comes from stands
in its own module: `mrc`, `tiff`, `hdf5`, `vendor`; PNG, JPEG and NPY have none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from simkit.core.errors import DataError
from simkit.core.grid import FloatArray
from simkit.core.paths import HDF5_SUFFIXES
from simkit.io.hdf5 import open_hdf5
from simkit.io.mrc import MRC_SUFFIXES, PACKED_SUFFIXES, open_mrc
from simkit.io.npy import open_npy
from simkit.io.pictures import open_picture
from simkit.io.stored import Opener, StoredArray, finite_values, open_stored, square_pixel_size
from simkit.io.tiff import open_tiff
from simkit.io.vendor import open_dm, open_ser


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


@dataclass(frozen=True)
class ImageFile:
    """An image whose header has been read and whose pixels have not.

    Attributes
    ----------
    name : str
        The file, and the data set within it.
    shape : tuple of int
        (ny, nx) or (nx,).
    pixel_size : float or None
        Å; None where the file does not say.
    """

    name: str
    shape: tuple[int, ...]
    pixel_size: float | None
    _stored: StoredArray = field(repr=False)

    def pixels(self) -> FloatArray:
        """Read the pixels: float64, finite, of `shape`.

        Raises
        ------
        DataError
            If they cannot be decoded, or one is not finite.
        """
        return finite_values(self._stored, np.float64)[(0,) * (len(self._stored.shape) - len(self.shape))]


def open_image(path: str | Path) -> ImageFile:
    """Open one image; the extension names the format.

    Only the header is read, but from SER. A header that promises another number of bytes than an
    uncompressed file has is refused here.

    Parameters
    ----------
    path : str or Path
        ``.mrc .mrcs .map .rec .ccp4`` (also ``.gz`` and ``.bz2`` of them), ``.tif .tiff .png .jpg
        .jpeg .npy``, HDF5 (``.h5 .hdf5 .hspy .nxs .emd …``; one of several data sets is written
        ``file.h5:/entry/data``), ``.dm3 .dm4 .ser`` (with ``pip install 'simkit[formats]'``). Only
        NPY and HDF5 hold one-dimensional images.

    Raises
    ------
    DataError
        If the file is missing, of another format, damaged, contradicts itself, or is not one real image.
    """
    stored = open_stored(path, _OPENERS, "image")
    shape = stored.shape
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) not in (1, 2):
        raise DataError(
            f"an image is needed, and this holds {len(shape)}-dimensional data of shape {shape}; "
            "save one section of it",
            stored.name,
        )
    return ImageFile(stored.name, shape, square_pixel_size(stored), stored)


def read_image(path: str | Path) -> LoadedImage:
    """Read one image; see `open_image` for the formats.

    Raises
    ------
    DataError
        If the file is missing, of another format, damaged, or not one real, finite image.
    """
    image = open_image(path)
    return LoadedImage(image.pixels(), image.pixel_size)


_OPENERS: dict[str, Opener] = {
    **dict.fromkeys(MRC_SUFFIXES + PACKED_SUFFIXES, open_mrc),
    **dict.fromkeys((".tif", ".tiff"), open_tiff),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), open_picture),
    ".npy": open_npy,
    **dict.fromkeys(HDF5_SUFFIXES, open_hdf5),
    **dict.fromkeys((".dm3", ".dm4"), open_dm),
    ".ser": open_ser,
}
