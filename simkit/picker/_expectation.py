"""How many false picks a search expects in noise alone, by one of three ways of counting."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.hiding import saturated
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.whitening import NoiseSpectrum
from simkit.picker._calibration import Calibration, Views, calibrate
from simkit.picker._laws import FEW_VIEWS, ScoreLaw
from simkit.threshold.base import Counting


@dataclass(frozen=True, eq=False)
class Sought:
    """One template, and where and above what it is looked for.

    Attributes
    ----------
    views : Views
        All its views.
    law : ScoreLaw
        Of its scores in noise.
    moments : array, shape (n, d, d)
        Of some of the views: see `Views.moments`.
    extent : tuple of float
        Å of the image along each axis, less what may hold no pick.
    border : array or None
        See `_shares_inside`; None where the border of the image takes nothing from a score.
    allowed : float
        Share of the image in which there may be picks.
    """

    views: Views
    law: ScoreLaw
    moments: FloatArray
    extent: tuple[float, ...]
    border: FloatArray | None
    allowed: float

    def peaks_above(self, score: float, *, cut: bool = True) -> float:
        """Return what the closed form expects of peaks above a score, less what the border cuts if asked."""
        level = self.law.level(score)
        lost = 0.0
        if cut and self.border is not None:
            lost = _lost_at_border(self.border, level) * self.views.pixel_size
        area = self.allowed * math.prod(max(length - 2 * lost, 0.0) for length in self.extent)
        return self.views.peaks_above(level, self.law.steepness(level) * self.moments, area)


@dataclass(frozen=True, eq=False)
class Expectation:
    """Expected number of false picks per image of a search, as a function of the level.

    Attributes
    ----------
    sought : sequence of Sought
        All templates.
    noise_sd : float
        Unit of the levels, in the picker's own scale; 0 if there is no noise.
    area : float
        Of the image, Å^ndim.
    """

    sought: Sequence[Sought]
    noise_sd: float
    area: float

    def __call__(self, u: float) -> float:
        """Return how many false picks are expected above u `noise_sd`, counted in drawn noise."""
        score = u * self.noise_sd
        peaks = sum(self._factor(s.law.level(score)) * s.peaks_above(score) for s in self.sought)
        return saturated(peaks, area=self.area, around=self._factor.around)

    def alone(self, templates: Sequence[int]) -> Expectation:
        """Return the expectation of a search for some of the templates only."""
        return replace(self, sought=[self.sought[i] for i in templates])

    def counted(self, by: Counting) -> Callable[[float], float]:
        """Return u → expected number above u, counted in one of the three ways: see `Counting`."""
        if by == "measured":
            return self
        if by == "closed_form":
            return lambda u: sum(s.peaks_above(u * self.noise_sd, cut=False) for s in self.sought)
        scores = sum(
            len(s.views.kernels) * self.area / s.views.pixel_size**s.views.grid.ndim for s in self.sought
        )
        return lambda u: float(scores * ndtr(-u))

    @functools.cached_property
    def _factor(self) -> Calibration:
        return _measured(self.sought)


def expectation(
    field: Field,
    probes: Sequence[Probe],
    laws: Sequence[ScoreLaw],
    *,
    reach: Sequence[float],
    insets: Sequence[float],
    allowed: float,
) -> Expectation:
    """Return how many false picks a search expects.

    Parameters
    ----------
    field, probes
        What is searched, and for what.
    laws : sequence of ScoreLaw
        Of every probe's scores; the largest deviation is the unit of the levels.
    reach : sequence of float
        Å around each probe's peaks within which only the best stays.
    insets : sequence of float
        Å from the border of the image within which there are no picks of a probe.
    allowed : float
        Share of the image in which there may be picks.
    """
    image = field.frame.image
    sought = [
        _sought(field, probe, law, distance, inset, allowed)
        for probe, law, distance, inset in zip(probes, laws, reach, insets, strict=True)
    ]
    everywhere = max(allowed * image.area, 1e-9)
    return Expectation(sought, max(law.sd for law in laws), everywhere)


def _measured(sought: Sequence[Sought]) -> Calibration:
    def divided(grid: Grid) -> FloatArray:
        return np.exp(np.mean([np.log(s.law.divided(grid)) for s in sought], axis=0))

    same = all(s.law.divided is sought[0].law.divided for s in sought)
    return calibrate([s.views for s in sought], sought[0].law.divided if same else divided)


def _sought(field: Field, probe: Probe, law: ScoreLaw, reach: float, inset: float, allowed: float) -> Sought:
    views, image = _views(probe, reach), field.frame.image
    return Sought(
        views=views,
        law=law,
        moments=views.moments(law.divided),
        extent=tuple(max(length - 2 * inset, 0.0) for length in image.extent),
        # A coefficient is divided by what is left of it.
        border=_shares_inside(views, law.divided) if inset <= 0 and probe.norm is None else None,
        allowed=allowed,
    )


def _views(probe: Probe, reach: float) -> Views:
    bank = probe.bank
    return Views(
        kernels=probe.kernels,
        pixel_size=bank.pixel_size,
        angle_step=math.radians(bank.step or 0.0),
        angle_range=math.radians(bank.period) if bank.step else 0.0,
        reach=reach,
    )


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
