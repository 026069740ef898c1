"""Sums of an image under a mask: directly at a few pixels, tile by tile on a grid of many.

Neither way needs a map of the whole image: what is not asked for is not worked out.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray
from simkit.core.products import products
from simkit.correlation.padding import window

FLAT = 1e-12
"""Variance under the mask, relative to the largest nearby, that counts as none: rounding leaves less."""

SINGLE = 1e-3
"""Variance under the mask, relative to the largest nearby, from which on single precision tells it to 1 %."""

FEW = 64
"""Up to so many pixels near each other, direct sums are quicker than transforms, and they are exact."""

TILE = 700
"""Pixels along a tile's edge at least; more if that is less than four masks."""

REMEMBERED = 4096
"""Answers that an array on demand keeps: a climb asks again and again about one place."""

Mask = npt.NDArray[np.bool_]
Pixels = Sequence[npt.NDArray[np.intp]]
Index = tuple[slice | int | npt.NDArray[np.intp], ...]


class OnDemand:
    """An array that is worked out where it is asked for, by pixels, slices or an open mesh.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    at : callable
        ``at(pixels)`` → the values at every combination of pixels, given increasing on each axis.
    """

    def __init__(self, shape: tuple[int, ...], at: Callable[[Pixels], FloatArray]) -> None:
        self._shape, self._at = shape, at

    def __getitem__(self, index: Index) -> FloatArray:
        """Return what a NumPy array would; no negative steps."""
        chosen = [np.arange(n)[i] for n, i in zip(self._shape, index, strict=True)]
        shape = tuple(pixels.size for pixels in chosen if pixels.ndim)
        return self._at([pixels.ravel() for pixels in chosen]).reshape(shape)


def remembered(at: Callable[[Pixels], FloatArray]) -> Callable[[Pixels], FloatArray]:
    """Return the same function of pixels that remembers its last answers."""

    @functools.lru_cache(REMEMBERED)
    def answer(*axes: bytes) -> FloatArray:
        return at([np.frombuffer(axis, np.intp) for axis in axes])

    return lambda pixels: answer(*[np.asarray(axis, np.intp).tobytes() for axis in pixels])


def moments_under(
    values: FloatArray, mask: Mask, pixels: Pixels, *, squares: bool, rough: bool = False, workers: int = 1
) -> FloatArray:
    """Return Σ f and, if asked, Σ (f − f̄)² under a mask whose centre n // 2 is put on pixels.

    Parameters
    ----------
    values : array
        Periodic image.
    mask : array of bool
        Where to sum.
    pixels : sequence of arrays of int
        Increasing along each axis; every combination of them is a place.
    squares : bool
        Whether Σ (f − f̄)² is wanted too. It is 0 where nothing varies.
    rough : bool
        Whether single precision will do for more than `FEW` pixels: wherever the variance is no less than
        `SINGLE` of the largest nearby.
    workers : int
        Threads; the result does not depend on it.

    Returns
    -------
    array, shape (1 or 2, *number of pixels along each axis)
        float32 if rough and for more than `FEW` pixels, else float64.
    """
    if few(mask, pixels):
        return _directly(values, mask, pixels, squares)
    return moments_in_tiles(values, [mask], pixels, squares=squares, rough=rough, workers=workers)[0]


def few(mask: Mask, pixels: Pixels) -> bool:
    """Tell whether sums under a mask are made directly: at few pixels, no further apart than two masks."""
    near = all(axis[-1] - axis[0] <= 2 * n for axis, n in zip(pixels, mask.shape, strict=True))
    return near and bool(np.prod([len(axis) for axis in pixels]) <= FEW)


def _directly(values: FloatArray, mask: Mask, pixels: Pixels, squares: bool) -> FloatArray:
    origin = [axis[0] - n // 2 for axis, n in zip(pixels, mask.shape, strict=True)]
    size = [axis[-1] - axis[0] + n for axis, n in zip(pixels, mask.shape, strict=True)]
    steps = tuple(tuple((axis - axis[0]).tolist()) for axis in pixels)
    shared, rim, under = _shared(mask.shape, mask.tobytes(), steps)
    near = window(values, origin, size)
    mean = float(near.mean(dtype=np.float64))
    centred = np.subtract(near, mean, dtype=np.float64).ravel()
    inside, outer = shared * centred, centred[rim]
    sums = products(np.stack([outer, np.square(outer)][: 1 + squares]), under.T)
    sums[0] += inside.sum()
    if squares:
        sums[1] += np.dot(inside, centred)
    return _about_the_mean(sums.reshape(-1, *map(len, steps)), mean, int(mask.sum()))


@functools.lru_cache(16)
def _shared(
    shape: tuple[int, ...], mask: bytes, steps: tuple[tuple[int, ...], ...]
) -> tuple[FloatArray, npt.NDArray[np.intp], FloatArray]:
    """Split what a mask moved by steps covers: where it always does, and where it does not.

    Returns
    -------
    shared : array, shape (n_pixels,)
        1 where all places of the mask are, 0 elsewhere.
    rim : array of int, shape (n_rim,)
        Pixels that only some of its places cover.
    under : array, shape (n_rim, n_places)
        1 where they do.
    """
    size = [n + moved[-1] for n, moved in zip(shape, steps, strict=True)]
    covered = np.zeros((*map(len, steps), *size), bool)
    for place in np.ndindex(*map(len, steps)):
        corner = [moved[i] for moved, i in zip(steps, place, strict=True)]
        cut = tuple(slice(c, c + n) for c, n in zip(corner, shape, strict=True))
        covered[place][cut] = np.frombuffer(mask, bool).reshape(shape)
    covered = covered.reshape(-1, np.prod(size))
    always = np.all(covered, axis=0)
    rim = np.flatnonzero(np.any(covered, axis=0) & ~always)
    return always.astype(np.float64), rim, covered[:, rim].T.astype(np.float64, order="C")


def moments_in_tiles(
    values: FloatArray,
    masks: Sequence[Mask],
    pixels: Pixels,
    *,
    squares: bool,
    rough: bool = False,
    workers: int = 1,
) -> FloatArray:
    """Return the moments under several masks at many pixels, for which the image is transformed only once.

    Parameters
    ----------
    values, pixels, squares, rough, workers
        As for `moments_under`.
    masks : sequence of arrays of bool
        Boxes may differ; their centres n // 2 are put on the same pixels.

    Returns
    -------
    array, shape (n_masks, 1 or 2, *number of pixels along each axis)
        float32 if rough, else float64.
    """
    box = tuple(np.max([mask.shape for mask in masks], axis=0).tolist())
    stride = _stride(pixels[0]) if len(box) > 1 else 1
    least = [min(max(TILE, 4 * b), int(axis[-1] - axis[0]) + b) for axis, b in zip(pixels, box, strict=True)]
    size = (stride * fourier.fast_length(-(-least[0] // stride)), *map(fourier.fast_length, least[1:]))
    rows = (size[0] // stride, *size[1:])

    @functools.cache
    def probe(i: int, precision: np.dtype[Any]) -> ComplexArray:
        spectrum = np.conj(fourier.forward_stack(_boxed(masks[i], box), size)) / stride
        return spectrum.astype(np.result_type(precision, np.complex64))

    moments = np.empty((len(masks), 1 + squares, *map(len, pixels)), np.float32 if rough else np.float64)

    def search(region: tuple[slice, ...]) -> None:
        here = [axis[part] for axis, part in zip(pixels, region, strict=True)]
        origin = [axis[0] - b // 2 for axis, b in zip(here, box, strict=True)]
        steps = [(axis - axis[0]) // s for axis, s in zip(here, [stride] + [1] * len(box), strict=False)]
        tile = window(values, origin, size)

        def slide(which: Sequence[int], precision: np.dtype[Any]) -> None:
            powers, mean = _powers(tile, squares, precision)
            image = fourier.forward_stack(powers, size)
            for i in which:
                spectra = image * probe(i, precision)
                # Folding a spectrum on itself samples its inverse: rows between the wanted ones cost nothing.
                folded = spectra.reshape(len(powers), stride, -1, *spectra.shape[2:]).sum(axis=1)
                maps = fourier.inverse(folded, rows)
                found = maps[(slice(None), *np.ix_(*steps))].astype(np.float64)
                moments[i][(slice(None), *region)] = _about_the_mean(found, mean, int(masks[i].sum()))

        uncertain = list(range(len(masks)))
        if rough:
            slide(uncertain, np.dtype(np.float32))
            uncertain = [i for i in uncertain if squares and _uncertain(moments[i, 1][region])]
        if uncertain:
            slide(uncertain, np.dtype(np.float64))

    regions = itertools.product(
        *[_parts(axis, s - b + 1) for axis, s, b in zip(pixels, size, box, strict=True)]
    )
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(search, regions))
    return moments


def _uncertain(variation: FloatArray) -> bool:
    """Tell whether single precision did not do."""
    return bool(variation.min() < SINGLE * variation.max())


def _boxed(mask: Mask, box: tuple[int, ...]) -> FloatArray:
    """Return a mask in a larger box whose centre n // 2 is its own."""
    boxed = np.zeros(box)
    first = [b // 2 - n // 2 for b, n in zip(box, mask.shape, strict=True)]
    boxed[tuple(slice(f, f + n) for f, n in zip(first, mask.shape, strict=True))] = mask
    return boxed


def _stride(axis: npt.NDArray[np.intp]) -> int:
    """Return the distance of neighbouring pixels, 1 where they are not evenly spaced."""
    gaps = np.unique(np.diff(axis))
    return int(gaps[0]) if len(gaps) == 1 else 1


def _parts(axis: npt.NDArray[np.intp], reach: int) -> list[slice]:
    """Cut increasing pixels into runs that span less than `reach`."""
    parts, begin = [], 0
    while begin < len(axis):
        end = int(np.searchsorted(axis, axis[begin] + reach))
        parts.append(slice(begin, end))
        begin = end
    return parts


def _powers(values: FloatArray, squares: bool, precision: npt.DTypeLike) -> tuple[FloatArray, float]:
    """Return f less its mean, and its square: a large constant would cost the square its precision."""
    mean = float(values.mean(dtype=np.float64))
    powers = np.empty((1 + squares, *values.shape), precision)
    np.subtract(values, np.float64(mean), out=powers[0], casting="same_kind")
    if squares:
        np.square(powers[0], out=powers[1])
    return powers, mean


def _about_the_mean(sums: FloatArray, mean: float, count: int) -> FloatArray:
    if len(sums) > 1:
        variation = sums[1] - sums[0] ** 2 / count
        largest = sums[1].max() + count * mean**2
        sums[1] = np.where(variation > FLAT * largest, variation, 0.0)
    sums[0] += count * mean
    return sums
