"""Exact scores: direct products of the prepared image with the views, at the pixels around a peak."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.products import products
from simkit.correlation.bank import TemplateBank
from simkit.correlation.local import Mask, OnDemand
from simkit.correlation.normalised import LocalSums, ratio, template_mask
from simkit.correlation.padding import MARGIN, Frame, boxes_around
from simkit.correlation.peaks import Peak
from simkit.correlation.subpixel import quadratic_peak
from simkit.correlation.whitening import NoiseSpectrum

EQUAL = 1e-9
"""Relative difference of scores that are equal but for rounding: the views of a round template have no top to
climb to, and a climb among their last bits would not end."""

AT_ONCE = 8
"""Pixels and views around which scores are worked out in one call: enough that two threads share the work
well, few enough that a cache holds what is multiplied."""

STEPS = 2 * MARGIN
"""Most steps of one pixel or one angle from where a coarse search saw a peak to its top."""


Start = tuple[tuple[int, ...], int]
Known = dict[Start, FloatArray]


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
    field: Field,
    probe: Probe,
    places: Sequence[tuple[int, ...]],
    views: Sequence[Sequence[int]],
    radius: int = 1,
) -> FloatArray:
    """Return the scores of some views at pixels and those around them: shape (n, n_views, side, …, side).

    Parameters
    ----------
    places : sequence of n tuples of int
        Pixels of the frame, in the middle of the results.
    views : sequence of n sequences of int
        Which of the probe's views at each place, equally many.
    radius : int
        Pixels around; side = 2 radius + 1.
    """
    box = probe.kernels.shape[1:]
    side = (2 * radius + 1,) * len(box)
    # Several views are often asked for at one place.
    seen = {place: i for i, place in enumerate(dict.fromkeys(places))}
    neighbours = boxes_around(field.values, list(seen), box, radius)
    kernels = probe.kernels[np.asarray(views)].reshape(len(places), -1, math.prod(box))
    covered = neighbours.reshape(len(seen), math.prod(side), -1)
    which = [seen[place] for place in places]
    scores = np.stack([products(own, covered[i]) for own, i in zip(kernels, which, strict=True)])
    scores = scores.reshape(len(places), -1, *side)
    if probe.norm is None:
        return scores
    norms = [probe.norm[tuple(slice(p - radius, p + radius + 1) for p in place)] for place in seen]
    return ratio(scores, np.stack(norms)[which][:, None])


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


def climb(field: Field, probe: Probe, starts: Sequence[Start], radius: int = 1) -> list[Summit | None]:
    """Climb from pixels and views to the highest nearby; None where that leaves the image.

    Parameters
    ----------
    starts : sequence of (place, view)
        Where to begin. All take a step before the next one does.
    radius : int
        How many pixels and views around each step are looked at. The last bits of scores depend on it.
    """
    known: Known = {}
    ended: list[Summit | None] = [None] * len(starts)
    climbing = dict(enumerate(starts))
    for _ in range(STEPS):
        climbing = {i: here for i, here in climbing.items() if _within(field.frame, here[0])}
        _look(field, probe, [here for here in climbing.values() if here not in known], radius, known)
        for i, here in list(climbing.items()):
            higher = _higher(probe.bank, here, known[here], radius)
            if higher is None:
                ended[i] = _summit(probe.bank, climbing.pop(i), known[here], radius)
            else:
                climbing[i] = higher
    return ended


def _look(field: Field, probe: Probe, new: Sequence[Start], radius: int, known: Known) -> None:
    """Add the scores around new pixels and views to what is known."""
    fresh = sorted(set(new))
    for few in (fresh[i : i + AT_ONCE] for i in range(0, len(fresh), AT_ONCE)):
        views = [_around(probe.bank, view, radius) for _, view in few]
        scores = exact_scores(field, probe, [place for place, _ in few], views, radius)
        known.update(zip(few, scores, strict=True))


def _higher(bank: TemplateBank, here: Start, scores: FloatArray, radius: int) -> Start | None:
    """Return the highest of the pixels and views around one, if it is higher than that."""
    place, view = here
    views = _around(bank, view, radius)
    middle = scores[(views.index(view), *(radius,) * len(place))]
    if scores.max() <= middle + EQUAL * abs(middle):
        return None
    which, *steps = np.unravel_index(scores.argmax(), scores.shape)
    return tuple(p + int(s) - radius for p, s in zip(place, steps, strict=True)), views[which]


def _summit(bank: TemplateBank, here: Start, scores: FloatArray, radius: int) -> Summit:
    place, view = here
    views, inner = _around(bank, view, radius), (slice(radius - 1, radius + 2),) * len(place)
    near = [views.index(v) for v in fitted(bank, view)]
    return Summit(place, view, scores[(slice(None), *inner)][near])


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


def heights(summits: Sequence[Summit]) -> FloatArray:
    """Return how high the quadratic through the neighbours of each summit of one probe rises."""
    return _tops(summits)[1]


def peaks_at(field: Field, probe: Probe, summits: Sequence[Summit], template: int) -> list[Peak]:
    """Return the peaks at summits: position, ψ and score are the top of the quadratic through the neighbours.

    Turning a template about a point that is not its centre of mass moves it, so position and angle
    are fitted at once.
    """
    bank, ndim = probe.bank, probe.mask.ndim
    offsets, tops = _tops(summits)
    shifts = offsets[:, -ndim:]
    turns = offsets[:, 0] * (bank.step or 0.0) if offsets.shape[1] > ndim else np.zeros(len(offsets))
    # A quadratic may overshoot the coefficients that it passes through.
    scores = tops if probe.norm is None else np.minimum(tops, 1.0)
    return [
        Peak(
            position=(np.array(summit.place) - field.frame.before + shift) * field.frame.image.pixel_size,
            psi=float((bank.angles[summit.view] + turn) % bank.period),
            score=float(score),
            template=template,
            view=summit.view,
        )
        for summit, shift, turn, score in zip(summits, shifts, turns, scores, strict=True)
    ]


def _tops(summits: Sequence[Summit]) -> tuple[FloatArray, FloatArray]:
    windows = np.stack([summit.window for summit in summits])
    return quadratic_peak(windows if windows.shape[1] == 3 else windows[:, 0])
