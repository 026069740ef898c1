"""How a template's score is distributed in noise, told by the Gaussian score that would be as rare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.whitening import NoiseSpectrum, white
from simkit.picker._modes import MaskModes

FEW_VIEWS = 8
"""Views of a template that stand for all: to noise whose spectrum depends on |k| alone they are alike."""

OPERATING = 4.0
"""Level at which the noise is taken that high coefficients come from."""

SEVERAL = np.linspace(1.5, 12.0, 15)
"""Levels between which steepness is interpolated."""


@dataclass(frozen=True, eq=False)
class ScoreLaw:
    """The law of one template's scores in noise.

    Attributes
    ----------
    sd : float
        Standard deviation of a score; 0 without noise.
    level : callable
        ``level(score)`` → the level in standard deviations that a Gaussian exceeds as seldom.
    divided : callable
        Noise spectrum of which the views would be whitened filters with scores like these.
    steepness : callable
        ``steepness(u)`` → by how much more than such a filter's its gradient varies at a level.
    """

    sd: float
    level: Callable[[float], float]
    divided: NoiseSpectrum
    steepness: Callable[[float], float] = lambda u: 1.0


def score_laws(field: Field, probes: Sequence[Probe]) -> list[ScoreLaw]:
    """Return the law of every probe's scores in the noise of a field, whose spectrum is known."""
    noise = field.noise or white
    if field.noise_sd is not None:
        return [_linear(field.noise_sd, field.noise_spectrum or _inverse(noise))] * len(probes)
    if not field.values.any():
        return [_linear(0.0, white)] * len(probes)
    modes: dict[bytes, MaskModes] = {}
    return [_law(probe, noise, modes) for probe in probes]


def _law(probe: Probe, noise: NoiseSpectrum, modes: dict[bytes, MaskModes]) -> ScoreLaw:
    if probe.norm is None:
        return _linear(score_sd(probe.kernels, probe.bank.pixel_size, noise), _inverse(noise))
    under = modes.setdefault(probe.mask.tobytes(), MaskModes(probe.mask, noise, probe.bank.pixel_size))
    law = under.law(probe.kernels[0])
    # A flat template has no law: it scores nothing.
    if not law.sd > 0:
        return _linear(0.0, white)
    damping = law.damping(OPERATING)
    known = [law.steepness(u) for u in SEVERAL]
    return ScoreLaw(
        law.sd,
        law.level,
        lambda grid: 1 / noise(grid) + damping,
        lambda u: float(np.interp(u, SEVERAL, known)),
    )


def _linear(sd: float, divided: NoiseSpectrum) -> ScoreLaw:
    return ScoreLaw(sd, lambda score: score / sd if sd > 0 else 0.0, divided)


def _inverse(noise: NoiseSpectrum) -> NoiseSpectrum:
    # Where nothing was divided out the noise counts as it is.
    return lambda grid: 1 / noise(grid)


def score_sd(kernels: FloatArray, pixel_size: float, noise: NoiseSpectrum) -> float:
    """Return the standard deviation of Σ z(x + t) h(t) in noise z, over some views h.

    Parameters
    ----------
    kernels : array, shape (n_views, *box)
        All views.
    pixel_size : float
        Å.
    noise : callable
        Power spectrum of z, variance per pixel.
    """
    grid = Grid(tuple(fourier.fast_length(2 * n - 1) for n in kernels.shape[1:]), pixel_size)
    few = kernels[:: max(len(kernels) // FEW_VIEWS, 1)]
    power = fourier.power(fourier.forward_stack(few, grid.shape)).mean(axis=0)
    return float(np.sqrt(fourier.energy(power * noise(grid), grid.shape) / grid.size))
