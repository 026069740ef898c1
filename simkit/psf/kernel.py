"""A measured point spread function, read from an image."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from simkit.core import fourier
from simkit.core.errors import DataError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.paths import DataFile
from simkit.core.quantity import PositiveLength
from simkit.io.images import LoadedImage, read_image
from simkit.psf.base import Psf

FAINT = 1e-4
"""Share of the largest pixel below which a pixel does not count for the support."""


def kernel_transfer(kernel: FloatArray, *, pixel_size: float, grid: Grid) -> ComplexArray:
    """Return the transform of a sampled PSF at the frequencies of another grid.

    Parameters
    ----------
    kernel : array, shape (ny, nx)
        The PSF; its centre is the central pixel n // 2.
    pixel_size : float
        Å of the kernel.
    grid : Grid
        Where it is used, with a pixel size of its own.

    Returns
    -------
    array in real-FFT layout; the sum of the kernel at k = 0, zero from the kernel's Nyquist frequency on
    """
    return fourier.spectrum_at(kernel, pixel_size, grid.frequencies())


class Kernel(Psf):
    """A PSF from an image file: measured, or made by another program; resampled in Fourier space."""

    kind: Literal["kernel"] = "kernel"

    file: DataFile
    """Image of the PSF; its centre is the central pixel n // 2."""

    pixel_size: PositiveLength | None = None
    """Pixel size of the image; from the file's header by default."""

    normalise: bool = True
    """Divide by the sum, so that intensity is conserved."""

    def transfer(self, grid: Grid) -> ComplexArray:
        """See `Psf.transfer`.

        Raises
        ------
        DataError
            If the file cannot be used as a PSF.
        """
        pixels, pixel_size = self._load()
        return kernel_transfer(pixels, pixel_size=pixel_size, grid=grid)

    def support(self, grid: Grid) -> float:
        """Radius that holds every pixel above 1e-4 of the largest."""
        pixels, pixel_size = self._load()
        distance = np.hypot(*Grid(pixels.shape, pixel_size).offsets())
        bright = np.abs(pixels) > FAINT * np.abs(pixels).max()
        return float(distance[bright].max(initial=0.0))

    def _load(self) -> tuple[FloatArray, float]:
        image = _read(self.file)
        if image.pixels.ndim != 2:
            raise DataError(
                f"a PSF is a two-dimensional image; this has shape {image.pixels.shape}", self.file
            )
        pixel_size = self.pixel_size or image.pixel_size
        if pixel_size is None:
            raise DataError("the file does not say its pixel size; write `pixel_size:`", self.file)
        total = image.pixels.sum()
        if not self.normalise:
            return image.pixels, pixel_size
        if abs(total) <= 1e-12 * np.abs(image.pixels).sum():
            raise DataError(
                "the PSF sums to zero and cannot be normalised; write `normalise: false`", self.file
            )
        return image.pixels / total, pixel_size


@lru_cache(maxsize=8)
def _read(file: str) -> LoadedImage:
    return read_image(file)
