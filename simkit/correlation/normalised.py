"""Local normalisation: the correlation coefficient between a template and what lies under it."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.correlation.padding import Frame, clean

FLAT = 1e-12
"""Variance under the mask, relative to the image's largest, that counts as none: rounding leaves less."""

Mask = npt.NDArray[np.bool_]


def template_mask(
    shape: tuple[int, ...], kind: Literal["box", "circle"], radius: float | None = None
) -> Mask:
    """Return where a template is compared: its whole box, or a circle around the centre n // 2.

    Parameters
    ----------
    shape : tuple of int
        Of the template.
    kind : {"box", "circle"}
        What to compare.
    radius : float, optional
        Of the circle in pixels, inclusive; half the smallest side by default.
    """
    if kind == "box":
        return np.ones(shape, bool)
    limit = min(shape) / 2 if radius is None else radius
    squares = [x**2 for x in Grid(shape, 1.0).offsets()]
    return np.asarray(sum(squares) <= limit**2)


def masked_standard(templates: FloatArray, mask: Mask) -> FloatArray:
    """Make templates zero-mean and unit-energy under a mask and zero outside it.

    Parameters
    ----------
    templates : array, shape (n, *box)
        A template that is constant under the mask becomes zero.
    mask : array of bool, shape box
        Where they are compared.
    """
    under = templates[:, mask].astype(np.float64)
    under -= under.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(under, axis=1, keepdims=True)
    flat = norm <= 1e-7 * np.abs(templates[:, mask]).max(axis=1, keepdims=True)
    result = np.zeros(templates.shape)
    result[:, mask] = np.where(flat, 0.0, under / np.where(flat, 1.0, norm))
    return result


class LocalSums:
    """Sums of a periodic image, and of its squares, under masks put on every place.

    Parameters
    ----------
    padded : array, float64
        Zero-mean image: the sums then hold no large constant, and none is lost to rounding.
    workers : int
        Threads.
    """

    def __init__(self, padded: FloatArray, *, workers: int = 1) -> None:
        self._padded = padded
        self._workers = workers

    @functools.cached_property
    def _spectrum(self) -> ComplexArray:
        return fourier.forward(self._padded, workers=self._workers)

    @functools.cached_property
    def _square_spectrum(self) -> ComplexArray:
        return fourier.forward(self._padded**2, workers=self._workers)

    def sums(self, mask: Mask) -> FloatArray:
        """Return Σ f under a mask whose centre n // 2 is put on every place."""
        if mask.all():
            return ndimage.uniform_filter(self._padded, mask.shape, mode="wrap") * mask.size
        return self._correlated(self._spectrum, self._mask_spectrum(mask))

    def sums_and_norm(self, mask: Mask) -> tuple[FloatArray, FloatArray]:
        """Return Σ f and sqrt(Σ (f − f̄)²) under a mask; the latter is 0 where nothing varies."""
        probe = self._mask_spectrum(mask)
        sums = self._correlated(self._spectrum, probe)
        squares = self._correlated(self._square_spectrum, probe)
        variation = squares - sums**2 / mask.sum()
        return sums, np.sqrt(np.where(variation > FLAT * squares.max(), variation, 0.0))

    def _mask_spectrum(self, mask: Mask) -> ComplexArray:
        probe = np.zeros(self._padded.shape)
        probe[tuple(slice(n) for n in mask.shape)] = mask
        corner = np.roll(probe, [-(n // 2) for n in mask.shape], axis=tuple(range(mask.ndim)))
        return np.conj(fourier.forward(corner, workers=self._workers))

    def _correlated(self, spectrum: ComplexArray, probe: ComplexArray) -> FloatArray:
        return fourier.inverse(spectrum * probe, self._padded.shape, workers=self._workers)


def ratio(products: FloatArray, norm: FloatArray) -> FloatArray:
    """Divide products by the local norm: the coefficient in [−1, 1], 0 where nothing varies."""
    quotient = np.divide(products, norm, out=np.zeros_like(products), where=norm > 0)
    return np.clip(quotient, -1.0, 1.0)


def ncc_map(
    image: FloatArray,
    template: FloatArray,
    mask: Literal["box", "circle"] = "box",
    *,
    radius: float | None = None,
) -> FloatArray:
    """Return the locally normalised cross-correlation of an image with one template.

    γ(x) = Σ_t [f(x+t) − f̄(x)] [h(t) − h̄] / sqrt(Σ_t [f(x+t) − f̄(x)]² Σ_t [h(t) − h̄]²), all sums and means
    over the pixels t of the mask; f outside the image is the image's mean.

    Parameters
    ----------
    image : array
        Any real type; NaN pixels count as the mean.
    template : array
        Not larger than the image; its centre is the central pixel n // 2.
    mask : {"box", "circle"}
        Where template and image are compared.
    radius : float, optional
        Of the circle in pixels; half the template's smallest side by default.

    Returns
    -------
    array of the image's shape, float64, in [−1, 1]
        0 where the image is constant under the mask.

    References
    ----------
    .. [1] Lewis, Vision Interface (1995) 120: fast normalised cross-correlation.
    .. [2] Roseman, Ultramicroscopy 94 (2003) 225: the same under a circular mask.
    """
    values, _ = clean(image)
    frame = Frame.around(Grid(values.shape, 1.0), max(template.shape))
    padded = frame.pad(values)
    under = template_mask(template.shape, mask, radius)
    kernel = np.zeros(padded.shape)
    kernel[tuple(slice(n) for n in template.shape)] = masked_standard(template[None], under)[0]
    kernel = np.roll(kernel, [-(n // 2) for n in template.shape], axis=tuple(range(template.ndim)))
    products = fourier.inverse(fourier.forward(padded) * np.conj(fourier.forward(kernel)), frame.shape)
    _, norm = LocalSums(padded).sums_and_norm(under)
    return ratio(frame.cut(products), frame.cut(norm))
