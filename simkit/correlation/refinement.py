"""Exact scores: direct products of the prepared image with the views, at the pixels around a peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank
from simkit.correlation.normalised import Mask, ratio, sum_under, template_mask
from simkit.correlation.padding import MARGIN, Frame
from simkit.correlation.peaks import Peak
from simkit.correlation.subpixel import quadratic_peak
from simkit.correlation.whitening import NoiseSpectrum

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
    sums : array
        Sum of the field's values under the mask, at each pixel of the frame.
    norm : array or None
        What products are divided by at each pixel of the frame; None where nothing is.
    """

    bank: TemplateBank
    kernels: FloatArray
    mask: Mask
    sums: FloatArray
    norm: FloatArray | None = None

    @classmethod
    def in_box(cls, bank: TemplateBank, kernels: FloatArray, field: Field) -> Probe:
        """Return a probe that fills its box and whose products are the score."""
        mask = template_mask(bank.grid.shape, "box")
        return cls(bank, kernels, mask, sum_under(field.values, mask))


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


def refine(field: Field, probe: Probe, place: tuple[int, ...], view: int, template: int) -> Peak | None:
    """Climb from a pixel and view to the exact peak nearby; None if that leaves the image.

    The score is that of the best view at the best pixel. Position and ψ are the top of the
    quadratic through the neighbouring pixels and views.
    """
    for _ in range(STEPS):
        if not _within(field.frame, place):
            return None
        for radius in (1, 2):
            # Only where nothing next to it is higher is it worth looking further, across a dip.
            views = _around(probe.bank, view, radius)
            scores = exact_scores(field, probe, place, views, radius)
            here = scores[(views.index(view), *(radius,) * len(place))]
            if scores.max() > here:
                break
        else:
            return _peak(field, probe, place, view, template)
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


def _peak(field: Field, probe: Probe, place: tuple[int, ...], view: int, template: int) -> Peak:
    bank = probe.bank
    views = _around(bank, view, 1)
    scores = exact_scores(field, probe, place, views)
    here = views.index(view)
    joint = len(views) == 3
    # Turning a template about a point that is not its centre of mass moves it: both are fitted at once.
    offset = quadratic_peak(scores[None] if joint else scores[here][None])[0][0]
    turn, shift = (offset[0] * (bank.step or 0.0), offset[1:]) if joint else (0.0, offset)
    pixel = field.frame.image.pixel_size
    return Peak(
        position=(np.array(place) - field.frame.before + shift) * pixel,
        psi=float((bank.angles[view] + turn) % bank.period),
        score=float(scores[(here, *(1,) * len(place))]),
        template=template,
    )
