"""Correlation of an image with many kernels, tile by tile (overlap-save).

Memory does not grow with the number of kernels times the image. On the processor a tile and its
transforms fit the cache, and tiles are independent: threads share them out and the result is the
same bits however many there are.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.correlation.device import HOST, Array, Device
from simkit.correlation.padding import window
from simkit.correlation.steering import SteeredBank


def best_over_views(
    image: FloatArray,
    bank: SteeredBank,
    sums: FloatArray,
    *,
    start: Sequence[int],
    workers: int = 1,
    device: Device = HOST,
) -> FloatArray:
    """Correlate an image with the views of a bank and keep the best score at every place.

    Parameters
    ----------
    image : array, float32
        Samples of the prepared image, periodic.
    bank : SteeredBank
        On the same grid.
    sums : array, float32
        Sums of the image under the bank's mask, at the places searched.
    start : sequence of int
        Index in `image` of the first place searched.
    workers : int
        Threads of the processor.
    device : Device
        What computes; scores are those of the processor to the rounding of single precision.

    Returns
    -------
    array of the shape of `sums`, float32
        The largest score over all views that are searched.
    """
    sought = bank.search
    box, shape = sought.kernels.shape[1:], sums.shape
    edges = device.edges(box, len(sought.kernels))
    size = tuple(
        fourier.fast_length(min(edge, n + b - 1)) for edge, b, n in zip(edges, box, shape, strict=True)
    )
    step = [s - b + 1 for s, b in zip(size, box, strict=True)]
    spectra = device.xp.conj(device.forward(device.put(sought.kernels), size))
    mixing = None if sought.mixing is None else device.put(sought.mixing)
    best = np.empty_like(sums)

    def search(corner: tuple[int, ...]) -> None:
        region = tuple(slice(c, min(c + s, n)) for c, s, n in zip(corner, step, shape, strict=True))
        origin = [a + c - b // 2 for a, c, b in zip(start, corner, box, strict=True)]
        tile = device.forward(device.put(window(image, origin, size)), size)
        maps = _maps(tile, spectra, size, sums[region].shape, device)
        under = device.put(sums[region])
        best[region] = device.get(
            _largest(maps, sought.pedestals, under, device)
            if mixing is None
            else _steered(maps, mixing, under, device)
        )

    corners = itertools.product(*[range(0, n, s) for n, s in zip(shape, step, strict=True)])
    device.each(search, corners, workers=workers)
    return best


def _maps(
    tile: Array, spectra: Array, size: tuple[int, ...], inside: tuple[int, ...], device: Device
) -> Iterator[Array]:
    """Yield the correlation with each kernel, where it does not wrap."""
    cut = tuple(slice(n) for n in inside)
    for part in _parts(spectra.shape[0], device.batch):
        few = spectra[part, ...]
        maps = device.inverse(tile * few, size)
        for k in range(few.shape[0]):
            yield maps[(k, *cut)]


def _largest(maps: Iterator[Array], pedestals: FloatArray | None, sums: Array, device: Device) -> Array:
    if pedestals is not None:
        maps = (scores + float(p) * sums for scores, p in zip(maps, pedestals, strict=True))
    return functools.reduce(device.xp.maximum, maps)


def _steered(maps: Iterator[Array], mixing: Array, sums: Array, device: Device) -> Array:
    xp, (views, terms) = device.xp, mixing.shape
    stack = device.empty((terms, *sums.shape))
    for k, scores in enumerate(maps):
        stack[k, ...] = scores
    stack[-1, ...] = sums
    flat = xp.reshape(stack, (terms, -1))
    places = flat.shape[1]
    best = device.empty((places,))
    for block in _parts(places, device.block(views)):
        best[block] = xp.max(mixing @ flat[:, block], axis=0)
    return xp.reshape(best, sums.shape)


def _parts(count: int, at_once: int) -> list[slice]:
    return [slice(begin, min(begin + at_once, count)) for begin in range(0, count, at_once)]
