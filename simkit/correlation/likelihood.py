"""Where peaks are by maximum likelihood, and how surely: a second pass between pixels and between views.

In noise of the metric's spectrum the top of the score is the maximum-likelihood place. Gauss–Newton steps
Λ⁻¹∇S / S climb to it (`simkit.correlation.curvature`), those of several peaks at once: two threads share the
work well only if there is much of it in each call.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.core.products import products
from simkit.correlation.curvature import Fit, Gram, covariance, flat, gram_under, unrest
from simkit.correlation.local import Mask
from simkit.correlation.padding import window
from simkit.correlation.peaks import Indices, Peak
from simkit.correlation.refinement import Field, Probe, Summit, fitted
from simkit.correlation.subpixel import with_derivatives
from simkit.correlation.whitening import NoiseSpectrum, white

STEPS = 8
"""Most steps from the quadratic's top: two or three do where there is a top."""

ROUND = 1e-3
"""Curvature along the angle (1/rad²) below which turning a template changes nothing that could be seen."""


class Likelihood:
    """Moves the peaks of one field from the top of a quadratic to that of the likelihood.

    Parameters
    ----------
    field : Field
        The prepared image.
    noise : callable, optional
        Power spectrum of the noise in its values, in their own units. Without it no peak has a covariance.
    """

    def __init__(self, field: Field, noise: NoiseSpectrum | None = None) -> None:
        self._field = field
        self._pixel = field.frame.image.pixel_size
        self._metric = gram_under(field.weight, self._pixel)
        # Of one grid for every peak of a template.
        self._weight = functools.cache(field.weight)
        self._variance = noise and functools.cache(lambda grid: _variance(noise, grid))
        same = noise is field.weight
        self._noise = self._metric if same else noise and gram_under(noise, self._pixel)

    def at_tops(self, probe: Probe, summits: Sequence[Summit], peaks: Sequence[Peak]) -> list[Peak]:
        """Return peaks of one template at the tops of the likelihood, with their covariances.

        Parameters
        ----------
        summits : sequence of Summit
            The pixels and views whose neighbours quadratics went through.
        peaks : sequence of Peak
            The tops of those. One is returned as it is where the likelihood has no top within a pixel and a
            view of its summit.
        """
        group = _Group(self._field, probe, summits, peaks)
        result, moving = list(peaks), np.arange(len(peaks))
        for _ in range(STEPS):
            images, found = group.fit(moving, self._metric)
            sound = found.sound
            moving, images, found = moving[sound], images[sound], found.of(sound)
            inside = group.move(moving, found.step)
            ended = inside & ~found.far
            moved = self._ended(group, moving[ended], images[ended], found.of(ended))
            for i, peak in zip(moving[ended].tolist(), moved, strict=True):
                result[i] = peak
            moving = moving[inside & found.far]
            if not len(moving):
                break
        return result

    def _ended(self, group: _Group, rows: Indices, images: FloatArray, found: Fit) -> list[Peak]:
        """Return peaks where the last step has brought them."""
        if not len(rows):
            return []
        tops = (found.height + (found.slope * found.step).sum(axis=-1) / 2) / group.norms(rows)
        covariances, unrest = self._errors(group, rows, images, found)
        return [
            replace(
                group.peaks[row],
                position=place * self._pixel,
                psi=float(angle),
                score=float(top) if group.probe.norm is None else min(float(top), 1.0),
                covariance=covariance,
                unrest=left,
            )
            for row, place, angle, top, covariance, left in zip(
                rows.tolist(), group.places(rows), group.psi(rows), tops, covariances, unrest, strict=True
            )
        ]

    def _errors(
        self, group: _Group, rows: Indices, images: FloatArray, found: Fit
    ) -> tuple[Sequence[FloatArray | None], Sequence[float | None]]:
        if self._noise is None or self._variance is None:
            return [None] * len(rows), [None] * len(rows)
        noise = group.held(rows, found.gram if self._noise is self._metric else self._noise(images), 0.0)
        n, ndim = images.shape[1] - 1, images.ndim - 2
        scale = np.array([self._pixel] * ndim + [1.0])
        covariances = np.full((len(rows), ndim + 1, ndim + 1), np.nan)
        covariances[:, :n, :n] = covariance(found, noise)
        covariances *= np.multiply.outer(scale, scale)
        covariances[group.still[rows], -1] = covariances[group.still[rows], :, -1] = np.nan
        patches = group.compared(rows)
        grid, seen = Grid(patches.shape[1:], self._pixel), images[:, 0]
        if self._field.weight is not white:
            seen = fourier.inverse(fourier.forward_stack(seen, grid.shape) * self._weight(grid), grid.shape)
        amplitude = found.products[:, 0] / found.gram[:, 0, 0]
        left = patches - amplitude.reshape(-1, *[1] * ndim) * seen
        return list(covariances), (unrest(found, images, left) / self._variance(grid)).tolist()


class _Group:
    """Peaks of one template on their way to the tops of the likelihood; θ is counted from their summits.

    Attributes
    ----------
    still : array of bool, shape (n,)
        Whether the angle stays as it is: it was not searched, or a turn changes nothing.
    """

    def __init__(self, field: Field, probe: Probe, summits: Sequence[Summit], peaks: Sequence[Peak]) -> None:
        bank, views = probe.bank, [summit.view for summit in summits]
        self.probe, self.peaks, self._before = probe, peaks, field.frame.before
        self._at, self._angles = np.array([summit.place for summit in summits]), bank.angles[views]
        turns = np.array([peak.psi for peak in peaks]) - self._angles + bank.period / 2
        positions = np.array([peak.position for peak in peaks]) / field.frame.image.pixel_size
        turns = np.radians(turns % bank.period - bank.period / 2)
        self._theta = np.column_stack([positions + self._before - self._at, turns])
        self._reach = np.array([1.0] * probe.mask.ndim + [math.radians(bank.step or 0.0)])
        # Without a mask's rim, which could not be moved; single precision tells a view well enough.
        patterns = probe.kernels if probe.mask.all() else bank.images
        self._patterns = patterns[views].astype(np.float32)
        self._patches = self._around(field.values)
        self._grams: FloatArray | None = None
        self.still = np.full(len(peaks), len(fitted(bank, views[0])) < 3)

    def _around(self, values: FloatArray) -> FloatArray:
        """Return the field around every summit: zero beyond the mask, of zero mean under it."""
        patches, mask = np.zeros(self._patterns.shape), self.probe.mask
        corners = self._at - np.array(mask.shape) // 2
        for corner, patch in zip(corners, _within(patches, mask.shape), strict=True):
            patch[...] = _under(window(values, corner, mask.shape), mask)
        return patches

    def fit(self, rows: Indices, metric: Gram) -> tuple[FloatArray, Fit]:
        """Return template and gradient at θ, shape (n_rows, p + 1, *box), and what they say."""
        mask, theta = self.probe.mask, self._theta[rows]
        gradient, bends = with_derivatives(self._patterns[rows], theta[:, : mask.ndim], theta[:, -1])
        images = _under(gradient.astype(np.float64), mask)
        gram = metric(images) if self._grams is None else self._grams[rows]
        if mask.ndim > 1:
            self.still[rows] |= gram[:, -1, -1] <= ROUND * gram[:, 0, 0]
            images[self.still[rows], -1] = 0
        # What no mask cuts keeps its products with itself wherever it is moved.
        self._grams = gram if mask.all() and self._grams is None else self._grams
        # The mean under the mask is off the patch: it need not be taken off second derivatives.
        met = products(flat(images), self.compared(rows).reshape(len(rows), 1, -1))[..., 0]
        bent = bends(self._patches[rows])
        return images, Fit(met, self.held(rows, bent, -met[:, 0]), self.held(rows, gram, gram[:, 0, 0]))

    def held(self, rows: Indices, matrices: FloatArray, unit: FloatArray | float) -> FloatArray:
        """Return matrices in which an angle that stays as it is has to do with nothing but itself."""
        if self.probe.mask.ndim == 1:
            return matrices
        still, held = self.still[rows], matrices.copy()
        held[still, -1] = held[still, :, -1] = 0
        held[:, -1, -1] = np.where(still, unit, held[:, -1, -1])
        return held

    def move(self, rows: Indices, steps: FloatArray) -> npt.NDArray[np.bool_]:
        """Take a step; return which peaks are still within a pixel and a view of their summits."""
        self._theta[rows, : steps.shape[1]] += steps
        return (np.abs(self._theta[rows]) <= self._reach).all(axis=1)

    def compared(self, rows: Indices) -> FloatArray:
        """Return the field under the mask's box around summits."""
        return _within(self._patches[rows], self.probe.mask.shape)

    def places(self, rows: Indices) -> FloatArray:
        """Return where peaks are in the image, in pixels."""
        return np.asarray(self._theta[rows, :-1] + self._at[rows] - self._before)

    def psi(self, rows: Indices) -> FloatArray:
        """Return the angles of peaks in degrees."""
        turned = (self._angles[rows] + np.degrees(self._theta[rows, -1])) % self.probe.bank.period
        before = np.array([self.peaks[row].psi for row in rows])
        return np.where(self.still[rows] | (self.probe.mask.ndim == 1), before, turned)

    def norms(self, rows: Indices) -> FloatArray:
        """Return what products are divided by at the summits."""
        norm, places = self.probe.norm, self._at[rows].tolist()
        return np.array([1.0 if norm is None else float(norm[tuple(place)]) for place in places])


def _variance(spectrum: NoiseSpectrum, grid: Grid) -> float:
    """Return the variance of a pixel of noise."""
    return fourier.energy(spectrum(grid), grid.shape) / grid.size


def _within(images: FloatArray, box: tuple[int, ...]) -> FloatArray:
    """Return the part of images in a box of the same centre, smaller maybe."""
    shape = images.shape[images.ndim - len(box) :]
    begin = [n // 2 - m // 2 for n, m in zip(shape, box, strict=True)]
    index: tuple[Any, ...] = (..., *(slice(b, b + m) for b, m in zip(begin, box, strict=True)))
    return images[index]


def _under(images: FloatArray, mask: Mask) -> FloatArray:
    """Cut images to a mask of the same centre, in a smaller box maybe, and take off their mean there."""
    cut = _within(images, mask.shape)
    mean = (cut * mask).sum(axis=tuple(range(-mask.ndim, 0)), keepdims=True) / mask.sum()
    return np.asarray((cut - mean) * mask)
