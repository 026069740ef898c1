"""Rings of spatial frequency: a power spectrum as a function of |k|, from periodograms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray, Grid

MEMBERS = 24
"""Frequencies in a ring at least."""

WIDTH = 0.15
"""Width of a ring relative to its radius, until that is a quarter of what a template resolves."""

CLIP = 4.0
"""Powers beyond this multiple of the noise are spots and lines; of noise itself, 2 % are."""

ROUNDS = 3
"""How often a level is worked out from what it leaves unclipped: a spot's effect soon dies."""

BAND = 0.4
"""Half-width of the smoothing in ln|k|, until that is half of what a template resolves."""


@dataclass(frozen=True)
class Rings:
    """The frequencies of a grid in rings, fine enough for a template and full enough for a sample.

    Attributes
    ----------
    index : array of int, real-FFT layout
        Ring of every frequency. The first and the zero frequency, where a window's own spectrum stands, have
        none, -1, and of a frequency and its opposite only one has.
    radius : array, shape (n,)
        Mean |k| of each ring, in 1/Å.
    count : array, shape (n,)
        Frequencies in it.
    side : float
        Edge of a template's box in Å: it sees no finer detail than one over that.
    """

    index: npt.NDArray[np.intp]
    radius: FloatArray
    count: FloatArray
    side: float

    @classmethod
    def of(cls, grid: Grid, *, side: float, periodograms: int = 1) -> Rings:
        """Return the rings of a grid on which so many periodograms are known; none of few pixels."""
        radius = grid.frequency_radius()
        step = 1 / min(grid.extent)
        fine = np.floor(radius / step + 0.5).astype(np.intp) - 2
        fine[_twice_there(grid.shape)] = -1
        number = _joined(np.bincount(fine[fine >= 0]) * periodograms, most=0.25 / (side * step))
        index = np.where(fine >= 0, number[fine] if len(number) else -1, -1)
        held = index >= 0
        count = np.bincount(index[held]).astype(float)
        return cls(index, np.bincount(index[held], radius[held]) / count, count, side)

    def levels(self, power: FloatArray) -> FloatArray:
        """Return the mean power of the noise in each ring, whatever spots and lines there are beside it.

        Parameters
        ----------
        power : array, shape (n, *real-FFT layout)
            Periodograms. Those of noise are exponentially distributed: the median is ln 2 of the mean, and
            the mean of what is below c times the mean is 1 − c / (eᶜ − 1) of it.
        """
        order, starts = self._sorted
        rings = np.split(power.reshape(len(power), -1)[:, order], starts, axis=1)[1:]
        return np.array([_unclipped_mean(ring) for ring in rings])

    @functools.cached_property
    def _sorted(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return the frequencies ring by ring, and where each ring begins."""
        order = np.argsort(self.index, axis=None, kind="stable")
        return order, np.searchsorted(self.index.ravel()[order], np.arange(len(self.radius)))

    def smoothed(self, levels: FloatArray) -> FloatArray:
        """Smooth positive levels: a power law, straight in ln|k|, stays as it is.

        A local straight line through their logarithms. What the mean of logarithms lacks is made good,
        so that the scatter of the levels lowers none.
        """
        x, y = np.log(self.radius), np.log(levels)
        reach = np.minimum(BAND, 0.5 / (self.side * self.radius))
        apart = x - x[:, None]
        weight = self.count * np.maximum(1 - (apart / reach[:, None]) ** 2, 0)
        weight /= weight.sum(axis=1, keepdims=True)
        middle = (weight * apart).sum(axis=1)
        about = apart - middle[:, None]
        spread = (weight * about**2).sum(axis=1)
        slope = (weight * about) @ y / np.where(spread > 0, spread, 1.0)
        line = weight @ y - slope * middle
        return np.exp(line) * (weight @ np.exp(y - line))

    def spectrum(self, levels: FloatArray) -> Callable[[Grid], FloatArray]:
        """Return levels > 0 as a function on any grid, straight between rings in ln|k|, flat beyond them."""
        x, y = np.log(self.radius), np.log(levels)

        def on(grid: Grid) -> FloatArray:
            *lead, last = grid.frequencies()
            # Along all axes but the last, which has none, negative frequencies are as positive ones.
            half = grid.shape[0] // 2 + 1
            radius = np.sqrt(sum((k[:half] ** 2 for k in lead), last**2))
            # In place, for it may be as large as an image.
            np.log(np.maximum(radius, self.radius[0], out=radius), out=radius)
            power = np.interp(radius, x, y)
            np.exp(power, out=power)
            del radius
            return np.concatenate([power, power[grid.shape[0] - half : 0 : -1]]) if lead else power

        return on


def _twice_there(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Tell which frequencies of the real-FFT layout are the opposites of others in it."""
    twice = np.zeros((*shape[:-1], shape[-1] // 2 + 1), bool)
    if len(shape) == 2:
        twice[shape[0] // 2 + 1 :, 0] = True
        if shape[-1] % 2 == 0:
            twice[shape[0] // 2 + 1 :, -1] = True
    return twice


def _joined(count: npt.NDArray[np.intp], most: float) -> npt.NDArray[np.intp]:
    """Give rings one step wide numbers that thin neighbours, or those with few members, share."""
    number = np.zeros(len(count), np.intp)
    ring, first, held = 0, 0, 0
    for i, members in enumerate(count):
        number[i] = ring
        held += members
        if held >= MEMBERS and i + 1 - first >= min(most, WIDTH * (first + 2)):
            ring, first, held = ring + 1, i + 1, 0
    # Too few at the end join the ring before them.
    return np.minimum(number, max(ring - 1, 0)) if held < MEMBERS else number


def _unclipped_mean(values: FloatArray) -> float:
    values = np.sort(values, axis=None)
    upto, n = np.cumsum(values, dtype=float), len(values)
    level = float(values[(n - 1) // 2] + values[n // 2]) / 2 / math.log(2)
    for _ in range(ROUNDS if level > 0 else 0):
        below = int(np.searchsorted(values, CLIP * level))
        level = float(upto[below - 1]) / below / (1 - CLIP / math.expm1(CLIP))
    return level
