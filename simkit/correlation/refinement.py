"""Exact scores: direct products of the prepared image with the views, at the pixels around a peak."""

from __future__ import annotations

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
    """

    frame: Frame
    values: FloatArray
    weight: NoiseSpectrum
    noise_spectrum: NoiseSpectrum | None = None
    noise_sd: float | None = None


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
    """

    bank: TemplateBank
    kernels: FloatArray
    mask: Mask
    sums: OnDemand
    norm: OnDemand | None = None


def boxed_probes(field: Field, banks: Sequence[TemplateBank], kernels: Sequence[FloatArray]) -> list[Probe]:
    """Return probes that fill their boxes and whose products are the score."""
    masks = {bank.grid.shape: template_mask(bank.grid.shape, "box") for bank in banks}
    sums = {shape: LocalSums(field.values).sums(mask) for shape, mask in masks.items()}
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
    around = field.values[tuple(slice(c, c + n + 2 * radius) for c, n in zip(corner, box, strict=True))]
    patches = np.lib.stride_tricks.sliding_window_view(around, box)
    neighbours = patches.shape[: len(box)]
    kernels = probe.kernels[list(views)].reshape(len(views), -1)
    products = (kernels @ patches.reshape(np.prod(neighbours), -1).T).reshape(len(views), *neighbours)
    if probe.norm is None:
        return products
    return ratio(products, probe.norm[tuple(slice(p - radius, p + radius + 1) for p in place)][None])


@dataclass(frozen=True)
class Summit:
    """A pixel and view none of whose neighbours scores higher.

    Attributes
    ----------
    place : tuple of int
        Pixel of the frame.
    view : int
        Which of the probe's views.
    score : float
        Exact.
    """

    place: tuple[int, ...]
    view: int
    score: float


def climb(field: Field, probe: Probe, place: tuple[int, ...], view: int, radius: int = 1) -> Summit | None:
    """Climb from a pixel and view to the highest nearby; None if that leaves the image.

    Parameters
    ----------
    radius : int
        How many pixels and views around each step are looked at.
    """
    for _ in range(STEPS):
        if not _within(field.frame, place):
            return None
        views = _around(probe.bank, view, radius)
        scores = exact_scores(field, probe, place, views, radius)
        here = scores[(views.index(view), *(radius,) * len(place))]
        if scores.max() <= here + EQUAL * abs(here):
            # Once more on its own, so that its bits do not depend on what was summed beside it.
            return Summit(place, view, float(exact_scores(field, probe, place, [view], 0).item()))
        which, *steps = np.unravel_index(scores.argmax(), scores.shape)
        view = views[which]
        place = tuple(p + int(s) - radius for p, s in zip(place, steps, strict=True))
    return None


def _within(frame: Frame, place: tuple[int, ...]) -> bool:
    return all(
        2 - MARGIN <= p - frame.before < n + MARGIN - 2 for p, n in zip(place, frame.image.shape, strict=True)
    )


def _around(bank: TemplateBank, view: int, radius: int) -> list[int]:
    if bank.step is None:
        return [view]
    n = len(bank.angles)
    return list(dict.fromkeys((view + step) % n for step in range(-radius, radius + 1)))


def peak_at(field: Field, probe: Probe, summit: Summit, template: int) -> Peak:
    """Return the peak at a summit: position and ψ are the top of the quadratic through its neighbours.

    Turning a template about a point that is not its centre of mass moves it, so position and angle
    are fitted at once. The score is that of the best view at the best pixel.
    """
    bank = probe.bank
    views = _around(bank, summit.view, 1)
    scores = exact_scores(field, probe, summit.place, views)
    joint = len(views) == 3
    offset = quadratic_peak(scores[None] if joint else scores[views.index(summit.view)][None])[0][0]
    turn, shift = (offset[0] * (bank.step or 0.0), offset[1:]) if joint else (0.0, offset)
    return Peak(
        position=(np.array(summit.place) - field.frame.before + shift) * field.frame.image.pixel_size,
        psi=float((bank.angles[summit.view] + turn) % bank.period),
        score=summit.score,
        template=template,
    )
