"""How many false picks a search expects in noise alone, by one of three ways of counting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr

from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.correlation.noise_estimate import estimated_spectrum
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.whitening import NoiseSpectrum
from simkit.picker._calibration import Views, calibrate, neighbourhood, saturated
from simkit.threshold.base import Counting

FEW_VIEWS = 8
"""Views of a template whose loss at the image's border stands for that of all."""


def expected_above(
    field: Field,
    probes: Sequence[Probe],
    *,
    by: Counting,
    reach: Sequence[float],
    insets: Sequence[float],
    allowed: float,
    noise_sd: float,
) -> Callable[[float], float]:
    """Return u → expected number of false picks per image above u standard deviations of the score.

    Parameters
    ----------
    field, probes
        What is searched, and for what.
    by : {"measured", "closed_form", "independent_pixels"}
        See `Counting`.
    reach : sequence of float
        Å around each probe's peaks within which only the best stays.
    insets : sequence of float
        Å from the border of the image within which there are no picks of a probe.
    allowed : float
        Share of the image in which there may be picks.
    noise_sd : float
        Standard deviation of the score at one place and angle; 0 if there is no noise.
    """
    image = field.frame.image
    if by == "independent_pixels":
        scores = allowed * image.size * sum(len(p.kernels) for p in probes)
        return lambda u: float(scores * ndtr(-u))
    noise = field.noise_spectrum or _own_spectrum(field, probes)
    sought = [_views(probe, distance) for probe, distance in zip(probes, reach, strict=True)]
    moments = [views.moments(noise) for views in sought]
    if by == "closed_form":
        area = allowed * image.area
        return lambda u: sum(v.peaks_above(u, m, area) for v, m in zip(sought, moments, strict=True))
    factor = calibrate(sought, noise)
    borders = [
        None if p.norm is not None or inset > 0 else _shares_inside(v, noise)
        for p, v, inset in zip(probes, sought, insets, strict=True)
    ]
    normalised = any(p.norm is not None for p in probes)
    around = neighbourhood(min(reach), image.ndim)

    def above(u: float) -> float:
        level = _gaussian_level(u, noise_sd) if normalised else u
        peaks = 0.0
        for views, moment, border, inset in zip(sought, moments, borders, insets, strict=True):
            lost = inset if border is None else _lost_at_border(border, level) * image.pixel_size
            area = math.prod(max(length - 2 * lost, 0.0) for length in image.extent)
            peaks += views.peaks_above(level, moment, allowed * area)
        everywhere = max(allowed * image.area, 1e-9)
        return saturated(factor(level) * peaks, area=everywhere, around=around)

    return above


def _views(probe: Probe, reach: float) -> Views:
    bank = probe.bank
    return Views(
        kernels=probe.kernels,
        pixel_size=bank.pixel_size,
        angle_step=math.radians(bank.step or 0.0),
        angle_range=math.radians(bank.period) if bank.step else 0.0,
        reach=reach,
    )


def _own_spectrum(field: Field, probes: Sequence[Probe]) -> NoiseSpectrum:
    """Return what to divide by where nothing was divided out: the field's noise then counts as it is."""
    image = field.frame.cut(field.values)
    banks = [probe.bank for probe in probes]
    spectrum = estimated_spectrum(image, field.frame.image, banks, valid=np.ones(image.shape, bool))
    return lambda grid: 1 / spectrum(grid)


def _shares_inside(views: Views, noise: NoiseSpectrum) -> FloatArray:
    """Return which share of a template's energy is inside an image 0, 1, 2 … pixels from whose border it is.

    Shape (n, n_pixels); n runs over some views and all borders.
    """
    every = max(len(views.kernels) // FEW_VIEWS, 1)
    box = views.grid.shape
    spectra = fourier.forward_stack(views.kernels[::every], box) / np.sqrt(noise(views.grid))
    energy = np.square(fourier.inverse(spectra, box))
    axes = range(1, energy.ndim)
    half = min(box) // 2
    shares = []
    for axis in axes:
        profile = energy.sum(axis=tuple(a for a in axes if a != axis))
        centre = profile.shape[1] // 2
        for turned in (profile, profile[:, ::-1]):
            middle = centre if turned is profile else profile.shape[1] - 1 - centre
            inside = turned[:, ::-1].cumsum(axis=1)[:, ::-1]
            shares.append(inside[:, [max(middle - d, 0) for d in range(half + 1)]] / inside[:, :1])
    return np.clip(np.nan_to_num(np.concatenate(shares), nan=1.0), 1e-3, 1.0)


def _lost_at_border(shares: FloatArray, u: float) -> float:
    """Return by how many pixels the border seems moved inwards, where scores of a cut template vary less."""
    # A score of variance e above u is as rare as one of unit variance above u / √e.
    kept = np.exp(-(u**2) / 2 * (1 / shares - 1))
    return float((1 - kept).mean(axis=0).sum())


def _gaussian_level(u: float, noise_sd: float) -> float:
    """Return the level that Gaussian scores exceed as seldom as a correlation coefficient of noise exceeds u.

    A coefficient r of n independent pixels has a density (1 − r²)^((n−4)/2), a standard deviation of 1/√n.
    """
    r = min(u * noise_sd, 1 - 1e-9)
    return math.sqrt(-math.log1p(-(r**2))) / noise_sd if noise_sd > 0 else u
