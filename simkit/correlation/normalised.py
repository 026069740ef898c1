"""Local normalisation: the correlation coefficient between a template and what lies under it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.local import (
    Mask,
    OnDemand,
    Pixels,
    few,
    moments_in_tiles,
    moments_under,
    remembered,
)
from simkit.correlation.padding import Frame, clean

ENOUGH = 1_000_000
"""Differences of neighbours that tell the variance of noise to 0.3 %."""


Moments = Callable[[Pixels], FloatArray]
"""``moments(pixels)`` → what there is under a mask at every combination of pixels, one kind after another."""


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


def holding_radius(templates: FloatArray, lost: float) -> float:
    """Return the radius of the smallest circle that holds templates, their mean under it taken away.

    What is alike under all of a circle is lost with the mean: a disk in a circle of its own radius looks like
    an empty place. With the ground around it, and with the fringes of the optics, it can be told.

    Parameters
    ----------
    templates : array, shape (n, *box)
        Views of one particle, the centre n // 2 of the box their own.
    lost : float
        Share of the energy that all views together have in the box, less their means, that may be lost.

    Returns
    -------
    float
        Pixels; a circle that the box cuts has what is left of it.
    """
    squares = sum(x**2 for x in Grid(templates.shape[1:], 1.0).offsets())
    rings, ring = np.unique(squares, return_inverse=True)
    count = np.bincount(ring.ravel()).cumsum()
    energy = np.zeros(len(rings))
    for view in templates:
        centred = (view - view.mean()).ravel()
        sums, powers = (np.bincount(ring.ravel(), centred**n).cumsum() for n in (1, 2))
        energy += powers - sums**2 / count
    enough = np.searchsorted(energy, (1 - lost) * energy[-1], side="right")
    # Between this ring of pixels and the next, so that rounding leaves none of it out.
    return float(np.sqrt(rings[min(enough, len(rings) - 1)] + 0.5))


def around(mask: Mask) -> tuple[slice, ...]:
    """Return the smallest part of a box that holds a mask and has the centre n // 2 of the box as its own."""
    parts = []
    for axis, n in enumerate(mask.shape):
        taken = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        half = int(np.abs(taken - n // 2).max(initial=0))
        # An even box reaches one pixel further on one side.
        parts.append(slice(n // 2 - half, n // 2 + half + 1) if half < (n + 1) // 2 else slice(n))
    return tuple(parts)


def masked_standard(templates: FloatArray, mask: Mask) -> FloatArray:
    """Make templates zero-mean and unit-energy under a mask and zero outside it.

    Parameters
    ----------
    templates : array, shape (n, *box)
        A template that is constant under the mask becomes zero.
    mask : array of bool, shape box
        Where they are compared.
    """
    inside = mask.astype(np.float64)
    result = np.empty(templates.shape)
    # One by one, which the cache holds from one step to the next.
    for template, standard in zip(templates, result, strict=True):
        np.multiply(template, inside, out=standard)
        largest = np.abs(standard).max()
        standard -= standard.sum() / inside.sum() * inside
        norm = np.sqrt(np.square(standard).sum())
        standard *= 1 / norm if norm > 1e-7 * largest else 0.0
    return result


def pixels_beyond(mask: Mask, frame: Frame, places: Pixels) -> FloatArray:
    """Return how many pixels under a mask are not of the image.

    Parameters
    ----------
    mask : array of bool
        Its centre n // 2 is put on every place.
    frame : Frame
        In which the image is set.
    places : sequence of arrays of int
        Increasing along each axis of the frame; every combination of them is a place.

    Returns
    -------
    array, shape (number of places along each axis)
    """
    # Where the image begins and ends, counted from where the mask does.
    begins = [frame.before - place + m // 2 for place, m in zip(places, mask.shape, strict=True)]
    spans = [(first, first + n) for first, n in zip(begins, frame.image.shape, strict=True)]
    if all(a[0] <= 0 and b[-1] >= m for (a, b), m in zip(spans, mask.shape, strict=True)):
        return np.zeros([len(place) for place in places])
    count = mask.astype(np.float64)
    for axis, span in enumerate(spans):
        sums = np.insert(count.cumsum(axis), 0, 0.0, axis)
        begin, end = (sums.take(np.clip(i, 0, mask.shape[axis]), axis) for i in span)
        count = end - begin
    return np.asarray(mask.sum() - count)


class LocalSums:
    """Sums of a periodic image, and of its squares, under masks put on every place.

    Parameters
    ----------
    padded : array
        Zero-mean image.
    frame : Frame, optional
        In which the image is set: of the norm what is beyond it then counts as noise of the image's, and not
        as constant. Templates hardly look at their ground, and where that alone is cut off, noise would reach
        higher coefficients than elsewhere.
    rough : bool
        Whether single precision will do where many are asked for at once, see `moments_under`.
    workers : int
        Threads; no sum depends on it.
    """

    def __init__(
        self, padded: FloatArray, *, frame: Frame | None = None, rough: bool = False, workers: int = 1
    ) -> None:
        self._padded, self._frame, self._rough, self._workers = padded, frame, rough, workers

    def sums(self, mask: Mask) -> OnDemand:
        """Return Σ f under a mask whose centre n // 2 is put on every place."""
        (moments,) = self._moments([mask], squares=False)
        return OnDemand(self._padded.shape, _part(moments, 0))

    def sums_and_norm(self, mask: Mask) -> tuple[OnDemand, OnDemand]:
        """Return Σ f and sqrt(Σ (f − f̄)²) under a mask; the latter is 0 where nothing varies."""
        (both,) = self.sums_and_norms([mask])
        return both

    def sums_and_norms(self, masks: Sequence[Mask]) -> list[tuple[OnDemand, OnDemand]]:
        """Return the same for several masks: asked for one at many places, all are worked out at once."""
        shape = self._padded.shape
        return [
            (OnDemand(shape, _part(both, 0)), OnDemand(shape, _part(both, 1)))
            for both in self._moments(masks, squares=True)
        ]

    @functools.cached_property
    def _noise(self) -> float:
        """Variance of the noise in the image."""
        return _noise_variance(self._padded if self._frame is None else self._frame.cut(self._padded))

    def _moments(self, masks: Sequence[Mask], *, squares: bool) -> list[Moments]:
        """Return for each mask how to work out sums and, if asked, the norm."""
        rough, workers = self._rough, self._workers

        @remembered
        def everywhere(pixels: Pixels) -> FloatArray:
            moments = moments_in_tiles(
                self._padded, masks, pixels, squares=squares, rough=rough, workers=workers
            )
            for mask, own in zip(masks, moments, strict=True):
                self._to_norm(own, mask, pixels)
            return moments

        def under(i: int) -> Moments:
            @remembered
            def at_few(pixels: Pixels) -> FloatArray:
                moments = moments_under(self._padded, masks[i], pixels, squares=squares)
                self._to_norm(moments, masks[i], pixels)
                return moments

            return lambda pixels: at_few(pixels) if few(masks[i], pixels) else everywhere(pixels)[i]

        return [under(i) for i in range(len(masks))]

    def _to_norm(self, moments: FloatArray, mask: Mask, pixels: Pixels) -> None:
        """Make the norm, in place, of sums of squares, if there are any."""
        for squares in moments[1:]:
            if self._frame is not None:
                squares += self._noise * pixels_beyond(mask, self._frame, pixels)
            np.sqrt(squares, out=squares)


def _part(moments: Moments, which: int) -> Moments:
    return lambda pixels: moments(pixels)[which]


def _noise_variance(values: FloatArray) -> float:
    """Return the variance of white noise, from what most neighbours differ by, whatever slope there is."""
    rows = values.reshape(-1, values.shape[-1])
    steps = np.diff(rows[:: max(values.size // ENOUGH, 1)])
    return float((1.4826 * np.median(np.abs(steps))) ** 2 / 2)


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
        Any real type; NaN and dead pixels count as the level around them.
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
    inside = tuple(slice(frame.before, frame.before + n) for n in frame.image.shape)
    return ratio(products[inside], norm[inside])
