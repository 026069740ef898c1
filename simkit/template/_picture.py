"""What templates made from pixels share: reading, turning and resampling a picture."""

from __future__ import annotations

import numpy as np

from simkit.core import fourier
from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.io.images import read_image
from simkit.shape.base import turn_frequencies
from simkit.template._views import middle, odd_within, refuse_larger

RIM = 3.0
"""Width in pixels over which a picture that is turned fades out at its circular edge."""


def read_picture(file: str, pixel_size: float | None) -> tuple[FloatArray, float]:
    """Read a picture and its pixel size in Å; the declared one goes before the header's.

    Raises
    ------
    ScenarioError
        If the file is no image, or nobody says its pixel size.
    """
    try:
        image = read_image(file)
    except DataError as error:
        raise ScenarioError(str(error), ("file",)) from error
    scale = pixel_size or image.pixel_size
    if scale is None:
        raise ScenarioError(
            f"{file} does not say the size of its pixels; add for example `pixel_size: 1.5 Å`",
            ("pixel_size",),
        )
    return image.pixels, scale


def picture_views(
    pixels: FloatArray, pixel_size: float, *, angles: FloatArray, image: Grid, radius: float | None
) -> FloatArray:
    """Resample a picture to an image's pixels, at each angle, in Fourier space.

    Parameters
    ----------
    pixels : array, shape (ny, nx) or (nx,)
        The picture; its centre is the central pixel n // 2.
    pixel_size : float
        Of the picture, in Å.
    angles : array, shape (n,)
        Degrees, +x turned towards +y.
    image : Grid
        The image to search.
    radius : float or None
        Å. Only what is within it is kept, faded out softly, so that views at all angles show the
        same; None keeps the whole picture, which then cannot be turned.

    Returns
    -------
    array, shape (n, odd, odd) or (n, odd)

    Raises
    ------
    ScenarioError
        If the picture has another number of dimensions than the image, or is larger.
    """
    if pixels.ndim != image.ndim:
        raise ScenarioError(f"the picture is {pixels.ndim}-D and the image {image.ndim}-D", ("file",))
    size = [n * pixel_size for n in pixels.shape] if radius is None else [2 * radius] * image.ndim
    refuse_larger(size, image)
    kept = pixels if radius is None else faded(pixels, radius / pixel_size)
    shape = [odd_within(length, image.pixel_size) for length in size]
    # An odd axis has no Nyquist term, so a view at the picture's own pixel size has its very pixels.
    grid = Grid(tuple(_odd_fast_length(n + 2 * round(RIM)) for n in shape), image.pixel_size)
    return np.array([middle(_spectrum(kept, pixel_size, grid, angle), grid, shape) for angle in angles])


def _spectrum(pixels: FloatArray, pixel_size: float, grid: Grid, angle: float) -> ComplexArray:
    turned = turn_frequencies(grid.frequencies(), angle=angle, mirror=False)
    return fourier.spectrum_at(pixels, pixel_size, turned) * (pixel_size / grid.pixel_size) ** grid.ndim


def _odd_fast_length(n: int) -> int:
    while (n := fourier.fast_length(n)) % 2 == 0:
        n += 1
    return n


def faded(pixels: FloatArray, radius: float) -> FloatArray:
    """Keep what is within a radius (pixels): the grey of its rim becomes 0, and fades into the 0 outside.

    The edge is a raised cosine inside the radius, so that nothing beyond it is left.
    """
    distance = np.sqrt(sum(x * x for x in Grid(pixels.shape, 1.0).offsets()))
    weight = 0.5 - 0.5 * np.cos(np.pi * np.clip((radius - distance) / min(RIM, radius), 0.0, 1.0))
    rim = weight * (1 - weight)
    level = (rim * pixels).sum() / rim.sum() if rim.any() else 0.0
    return weight * (pixels - level)
