"""Exact scores: direct products of the prepared image with the views, at the pixels around a peak."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank
from simkit.correlation.local import Mask, OnDemand
from simkit.correlation.normalised import LocalSums, ratio, template_mask
from simkit.correlation.padding import MARGIN, Frame
from simkit.correlation.peaks import Peak
from simkit.correlation.subpixel import quadratic_peak
from simkit.correlation.whitening import NoiseSpectrum

EQUAL = 1e-9
"""Relative difference of scores that are equal but for rounding: the views of a round template have no top to
climb to, and a climb among their last bits would not end."""

STEPS = 2 * MARGIN
"""Most steps of one pixel or one angle from where a coarse search saw a peak to its top."""


Known = dict[tuple[tuple[int, ...], int], FloatArray]


@dataclass(frozen=True)
class Field:
    """An image made ready to be searched: the score is Σ_t values(x + t) kernel(t).

    Attributes
    ----------
    frame : Frame
        Where the image stands in `values`.
    values : array, float64
        On the padded grid.
    weight : callable
        Power spectrum of the noise in `values`, in any unit.
    noise_spectrum : callable or None
        Power spectrum of the image's noise that was divided out; None if none was.
    noise_sd : float or None
        Standard deviation of the score at one place and angle; None if only the scores can tell.
    noise : callable or None
        Power spectrum of the noise in `values`, in their own units; None if unknown.
    """

    frame: Frame
    values: FloatArray
    weight: NoiseSpectrum
    noise_spectrum: NoiseSpectrum | None = None
    noise_sd: float | None = None
    noise: NoiseSpectrum | None = None


@dataclass(frozen=True)
class Probe:
    """A template made ready to be slid over a field.

    Attributes
    ----------
    bank : TemplateBank
        The template.
    kernels : array, shape (n_angles, *box), float64
        What every view is multiplied with, centre at n // 2.
    mask : array of bool, shape box
        Where the kernels are not zero.
    sums : array on demand
        Sum of the field's values under the mask, at each pixel of the frame.
    norm : array on demand, or None
        What products are divided by at each pixel of the frame; None where nothing is.
    moments : array, shape (n_angles, d, d), or None
        Covariance of the gradient of the score in noise, in units of its variance: positions in 1/Å², then
        the angle in 1/rad² where it was searched. None if unknown.
    rigid : bool
        Whether a kernel moved and turned is that of the particle moved and turned. If not, no likelihood
        says where a particle is between pixels and views.
    """

    bank: TemplateBank
    kernels: FloatArray
    mask: Mask
    sums: OnDemand
    norm: OnDemand | None = None
    moments: FloatArray | None = None
    rigid: bool = True

    @functools.cached_property
    def rise(self) -> float:
        """Share by which a top between pixels and views may be higher than the nearest of them."""
        return self._rise(0)

    @functools.cached_property
    def turning_rise(self) -> float:
        """Share by which a top between views may be higher than the nearest of them."""
        return self._rise(self.mask.ndim)

    def _rise(self, first: int) -> float:
        if self.moments is None:
            return 0.0
        cell = [self.bank.pixel_size] * self.mask.ndim + [math.radians(self.bank.step or 0.0)]
        halves = np.array(cell[: self.moments.shape[-1]])[first:] / 2
        # A score falls as 1 − ½ δᵀΛδ from its top, which is half a cell away at most.
        falls = np.abs(self.moments[:, first:, first:] * np.multiply.outer(halves, halves)) / 2
        return float(np.expm1(falls.sum(axis=(1, 2)).max()))


def boxed_probes(field: Field, banks: Sequence[TemplateBank], kernels: Sequence[FloatArray]) -> list[Probe]:
    """Return probes that fill their boxes and whose products are the score."""
    masks = {bank.grid.shape: template_mask(bank.grid.shape, "box") for bank in banks}
    sums = {shape: LocalSums(field.values, rough=True).sums(mask) for shape, mask in masks.items()}
    return [
        Probe(bank, kernel, masks[bank.grid.shape], sums[bank.grid.shape])
        for bank, kernel in zip(banks, kernels, strict=True)
    ]


def exact_scores(
    field: Field, probe: Probe, place: tuple[int, ...], views: Sequence[int], radius: int = 1
) -> FloatArray:
    """Return the score of some views at a pixel and those around it: shape (n_views, side, …, side).

    Parameters
    ----------
    place : tuple of int
        Pixel of the frame, in the middle of the result.
    views : sequence of int
        Which of the probe's views.
    radius : int
        Pixels around; side = 2 radius + 1.
    """
    box = probe.kernels.shape[1:]
    corner = [p - n // 2 - radius for p, n in zip(place, box, strict=True)]
    patch = field.values[tuple(slice(c, c + n + 2 * radius) for c, n in zip(corner, box, strict=True))]
    patches = np.lib.stride_tricks.sliding_window_view(patch, box)
    neighbours = patches.shape[: len(box)]
    kernels = probe.kernels[list(views)].reshape(len(views), -1)
    products = (kernels @ patches.reshape(np.prod(neighbours), -1).T).reshape(len(views), *neighbours)
    if probe.norm is None:
        return products
    return ratio(products, probe.norm[tuple(slice(p - radius, p + radius + 1) for p in place)][None])


@dataclass(frozen=True, eq=False)
class Summit:
    """A pixel and view none of whose neighbours scores higher.

    Attributes
    ----------
    place : tuple of int
        Pixel of the frame.
    view : int
        Which of the probe's views.
    window : array, shape (n_views, 3, …, 3)
        Exact scores around: of the views before, at and behind, if there are three, or else of this one.
    """

    place: tuple[int, ...]
    view: int
    window: FloatArray

    @property
    def score(self) -> float:
        """The exact score at the pixel and view."""
        return float(self.window[tuple(n // 2 for n in self.window.shape)])


def climb(
    field: Field,
    probe: Probe,
    place: tuple[int, ...],
    view: int,
    radius: int = 1,
    *,
    known: Known | None = None,
) -> Summit | None:
    """Climb from a pixel and view to the highest nearby; None if that leaves the image.

    Parameters
    ----------
    radius : int
        How many pixels and views around each step are looked at. The last bits of scores depend on it.
    known : dict, optional
        Scores around pixels and views where other climbs of this field, probe and radius have been; those of
        this one are added.
    """
    known = {} if known is None else known
    for _ in range(STEPS):
        if not _within(field.frame, place):
            return None
        views = _around(probe.bank, view, radius)
        if (place, view) not in known:
            known[place, view] = exact_scores(field, probe, place, views, radius)
        scores = known[place, view]
        here = scores[(views.index(view), *(radius,) * len(place))]
        if scores.max() <= here + EQUAL * abs(here):
            inner = (slice(radius - 1, radius + 2),) * len(place)
            near = [views.index(v) for v in fitted(probe.bank, view)]
            return Summit(place, view, scores[(slice(None), *inner)][near])
        which, *steps = np.unravel_index(scores.argmax(), scores.shape)
        view = views[which]
        place = tuple(p + int(s) - radius for p, s in zip(place, steps, strict=True))
    return None


def fitted(bank: TemplateBank, view: int) -> list[int]:
    """Return the views before, at and behind one, where a top is fitted; it alone if there are no three."""
    views = _around(bank, view, 1)
    return views if len(views) == 3 else [view]


def _within(frame: Frame, place: tuple[int, ...]) -> bool:
    return all(
        2 - MARGIN <= p - frame.before < n + MARGIN - 2 for p, n in zip(place, frame.image.shape, strict=True)
    )


def _around(bank: TemplateBank, view: int, radius: int) -> list[int]:
    if bank.step is None:
        return [view]
    n = len(bank.angles)
    return list(dict.fromkeys((view + step) % n for step in range(-radius, radius + 1)))


def height(summit: Summit) -> float:
    """Return how high the quadratic through a summit's neighbours rises."""
    return float(_top(summit)[1])


def peak_at(field: Field, probe: Probe, summit: Summit, template: int) -> Peak:
    """Return the peak at a summit: position, ψ and score are the top of the quadratic through its neighbours.

    Turning a template about a point that is not its centre of mass moves it, so position and angle
    are fitted at once.
    """
    bank = probe.bank
    offset, top = _top(summit)
    shift = offset[-len(summit.place) :]
    turn = offset[0] * (bank.step or 0.0) if len(offset) > len(shift) else 0.0
    return Peak(
        position=(np.array(summit.place) - field.frame.before + shift) * field.frame.image.pixel_size,
        psi=float((bank.angles[summit.view] + turn) % bank.period),
        # A quadratic may overshoot the coefficients that it passes through.
        score=float(top) if probe.norm is None else min(float(top), 1.0),
        template=template,
        view=summit.view,
    )


def _top(summit: Summit) -> tuple[FloatArray, FloatArray]:
    window = summit.window if len(summit.window) == 3 else summit.window[0]
    offsets, heights = quadratic_peak(window[None])
    return offsets[0], heights[0]
