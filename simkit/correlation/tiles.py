"""Correlation of an image with many kernels, tile by tile (overlap-save).

A tile and its transforms fit the processor's cache, memory does not grow with the number of
kernels times the image, and tiles are independent: threads share them out and the result is the
same bits however many there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray
from simkit.correlation.padding import window
from simkit.correlation.steering import SteeredBank

TILE = 512
"""Samples along a tile's edge at least; more if that is less than eight kernels."""

BLOCK = 8192
"""Places that are steered to all angles at once: their scores stay in the cache."""


def best_over_views(
    image: FloatArray, bank: SteeredBank, sums: FloatArray, *, start: Sequence[int], workers: int = 1
) -> tuple[FloatArray, FloatArray]:
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
        Threads.

    Returns
    -------
    best : array of the shape of `sums`, float32
        The largest score over all views that are searched.
    first : array of the shape of `sums`, float32
        The score of the first view alone.
    """
    box, shape = bank.basis.shape[1:], sums.shape
    size = tuple(
        fourier.fast_length(min(max(TILE, 8 * b), n + b - 1)) for b, n in zip(box, shape, strict=True)
    )
    step = [s - b + 1 for s, b in zip(size, box, strict=True)]
    spectra = np.conj(fourier.forward_stack(bank.basis, size))
    best, first = np.empty_like(sums), np.empty_like(sums)

    def search(corner: tuple[int, ...]) -> None:
        region = tuple(slice(c, min(c + s, n)) for c, s, n in zip(corner, step, shape, strict=True))
        origin = [a + c - b // 2 for a, c, b in zip(start, corner, box, strict=True)]
        tile = fourier.forward(window(image, origin, size))
        maps = _maps(tile, spectra, size, sums[region].shape)
        best[region], first[region] = (
            _largest(maps) if bank.searched is None else _steered(maps, bank.searched, sums[region])
        )

    corners = itertools.product(*[range(0, n, s) for n, s in zip(shape, step, strict=True)])
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(search, corners))
    return best, first


def _maps(
    tile: ComplexArray, spectra: ComplexArray, size: tuple[int, ...], inside: tuple[int, ...]
) -> Iterator[FloatArray]:
    """Yield the correlation with each kernel, where it does not wrap."""
    cut = tuple(slice(n) for n in inside)
    for kernel in spectra:
        yield fourier.inverse(tile * kernel, size)[cut]


def _largest(maps: Iterator[FloatArray]) -> tuple[FloatArray, FloatArray]:
    first = best = next(maps)
    for scores in maps:
        best = np.maximum(best, scores)
    return best, first


def _steered(
    maps: Iterator[FloatArray], mixing: FloatArray, sums: FloatArray
) -> tuple[FloatArray, FloatArray]:
    stack = np.empty((mixing.shape[1], *sums.shape), np.float32)
    for k, scores in enumerate(maps):
        stack[k] = scores
    stack[-1] = sums
    flat = stack.reshape(len(stack), -1)
    best, first = np.empty(sums.size, np.float32), np.empty(sums.size, np.float32)
    for begin in range(0, sums.size, BLOCK):
        block = slice(begin, begin + BLOCK)
        scores = mixing @ flat[:, block]
        best[block], first[block] = scores.max(axis=0), scores[0]
    return best.reshape(sums.shape), first.reshape(sums.shape)
