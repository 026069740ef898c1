"""The modes of noise under a mask: along what, and how much, pixels compared with a template vary."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.local import Mask
from simkit.correlation.peaks import Indices
from simkit.correlation.steering import resampled
from simkit.correlation.whitening import NoiseSpectrum
from simkit.theory.coefficient import CoefficientLaw

MOST = 400
"""Samples under the mask whose covariance is diagonalised. What is finer than they show is so fine that the
border of the mask does not matter to it, and waves are its modes."""

TRIED = 25
"""Distances between samples that are tried."""

GROUPS = 64
"""Waves of nearly equal power that stand for one another."""


@dataclass(frozen=True, eq=False)
class MaskModes:
    """Modes of noise of a given spectrum under a mask, its mean there taken out.

    Attributes
    ----------
    mask : array of bool, shape box
        Where template and image are compared.
    noise : callable
        Power spectrum of the noise.
    pixel_size : float
        Å.
    """

    mask: Mask
    noise: NoiseSpectrum
    pixel_size: float

    def law(self, template: FloatArray) -> CoefficientLaw:
        """Return the law of the coefficient with a template of zero mean and unit energy under the mask."""
        variance, vectors = self._slow
        coarse = resampled(template[None], self._ratio)[0] / self._ratio ** (template.ndim / 2)
        under = coarse[self._sampled]
        energy, every = np.square(vectors.T @ (under - under.mean())), np.ones(len(variance))
        if self._ratio > 1:
            waves = fourier.power(fourier.forward_stack(template[None], self._fine.shape)[0])
            waves = (waves * fourier.hermitian_weights(self._fine.shape) / self._fine.size)[self._unseen]
            power, share, member = self._waves
            variance, energy = np.append(variance, power), np.append(energy, np.bincount(member, waves))
            every = np.append(every, share * (self.mask.sum() - len(every)))
        return CoefficientLaw(variance, every, energy / (energy.sum() or 1.0))

    @functools.cached_property
    def _ratio(self) -> float:
        """Pixels between samples: of several distances that at which they cover the mask's own area."""
        size = int(self.mask.sum())
        if size <= MOST:
            return 1.0
        tried = (size / MOST) ** (1 / self.mask.ndim) * np.linspace(1, 1.2, TRIED)
        covered = [self._at(ratio).sum() * ratio**self.mask.ndim for ratio in tried]
        return float(tried[np.abs(np.array(covered) - size).argmin()])

    @functools.cached_property
    def _fine(self) -> Grid:
        return Grid(tuple(fourier.fast_length(2 * n) for n in self.mask.shape), self.pixel_size)

    @functools.cached_property
    def _sampled(self) -> Mask:
        return self._at(self._ratio)

    def _at(self, ratio: float) -> Mask:
        """Return the mask at samples so many pixels apart, where `steering.resampled` takes them."""
        halves = [int((n // 2) / ratio) for n in self.mask.shape]
        near = [
            np.minimum(np.rint(n // 2 + np.arange(-half, half + 1) * ratio).astype(np.intp), n - 1)
            for n, half in zip(self.mask.shape, halves, strict=True)
        ]
        return self.mask[np.ix_(*near)]

    @functools.cached_property
    def _slow(self) -> tuple[FloatArray, FloatArray]:
        places = np.argwhere(self._sampled)
        shape = tuple(fourier.fast_length(2 * n) for n in self._sampled.shape)
        covariance = fourier.inverse(self.noise(Grid(shape, self.pixel_size * self._ratio)), shape)
        lags = places[:, None] - places
        between = covariance[tuple(np.moveaxis(lags, -1, 0))]
        # Deviations from the mean under the mask, on both sides.
        between -= between.mean(axis=0)
        between -= between.mean(axis=1, keepdims=True)
        variance, vectors = np.linalg.eigh(between)
        return np.clip(variance, 0, None), vectors

    @functools.cached_property
    def _unseen(self) -> Mask:
        """Tell which frequencies of a fine grid the samples do not show."""
        highest = np.max(np.broadcast_arrays(*[np.abs(k) for k in self._fine.frequencies()]), axis=0)
        return np.asarray(highest > self._fine.nyquist / self._ratio)

    @functools.cached_property
    def _waves(self) -> tuple[FloatArray, FloatArray, Indices]:
        """Return power and share of groups of such waves, and the group of each."""
        power = self.noise(self._fine)[self._unseen]
        weight = np.broadcast_to(fourier.hermitian_weights(self._fine.shape), self._unseen.shape)[
            self._unseen
        ]
        member = np.empty(len(power), np.intp)
        member[np.argsort(power, kind="stable")] = np.arange(len(power)) * GROUPS // len(power)
        held = np.bincount(member, weight)
        return np.bincount(member, weight * power) / held, held / held.sum(), member
