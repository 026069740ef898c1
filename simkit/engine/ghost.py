"""The template's own ghost: what the average of boxes picked from pure noise looks like.

A picker keeps of the noise what resembles its template, so the average of enough such boxes is the
template, though it is nowhere in the image [1]_, [2]_.

References
----------
.. [1] Henderson, PNAS 110 (2013) 18037: Einstein from noise.
.. [2] Balanov, Zabatani, Bendory, arXiv:2507.03951 (2025): the same of boxes that were picked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simkit.core.grid import FloatArray, Grid
from simkit.core.orientation import FLAT
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.padding import clean
from simkit.engine.nulls import Ghost

MOST_BOXES = 500
"""Boxes cut from one micrograph for one picker, the best ones: more say nothing new."""

FEWEST_BOXES = 10
"""Boxes of which an average is shown."""


@dataclass(frozen=True)
class Stack:
    """Boxes cut around what one view of a template found.

    Attributes
    ----------
    count : int
        How many.
    total : array, shape of the template's box
        Their sum, each turned back to the view's first angle.
    """

    count: int
    total: FloatArray

    def __add__(self, other: Stack) -> Stack:
        return Stack(self.count + other.count, self.total + other.total)


def stacks(
    pixels: FloatArray, picks: Picks, banks: Sequence[TemplateBank], pixel_size: float
) -> dict[int, Stack]:
    """Cut a box around every pick and sum those of each view.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image. Its mean is taken away, and stands beyond its border; where it has no value, the level
        around it does.
    picks : Picks
        What was found, best first.
    banks : sequence of TemplateBank
        The views that were searched.
    pixel_size : float
        Å.

    Returns
    -------
    mapping
        Place in `banks` → the boxes of that view; views that found nothing are left out.

    Notes
    -----
    Boxes are interpolated by cubic splines: exact at whole pixels, and elsewhere a little of the noise
    is lost, so that a ghost correlates with its template by a few per cent more.
    """
    best = picks.take(np.arange(min(len(picks), MOST_BOXES)))
    coefficients = ndimage.spline_filter(clean(pixels)[0], order=3)
    found = {number: best.take(_found_by(best, bank)) for number, bank in enumerate(banks)}
    return {
        number: Stack(len(mine), _sum_of_boxes(coefficients, mine, banks[number], pixel_size))
        for number, mine in found.items()
        if len(mine)
    }


def _found_by(picks: Picks, bank: TemplateBank) -> FloatArray:
    view = bank.view or FLAT
    same = [
        (picks[angle] == value) | (np.isnan(picks[angle]) & np.isnan(value))
        for angle, value in (("rot", view.rot), ("tilt", view.tilt))
    ]
    return np.logical_and.reduce([picks["template"] == bank.name, *same])


def _sum_of_boxes(
    coefficients: FloatArray, picks: Picks, bank: TemplateBank, pixel_size: float
) -> FloatArray:
    dy, dx = Grid(bank.grid.shape, 1.0).offsets()
    total = np.zeros(bank.grid.shape)
    turns = np.deg2rad(picks["psi"] - bank.angles[0])
    for y, x, turn in zip(picks["y"] / pixel_size, picks["x"] / pixel_size, turns, strict=True):
        # A particle turned by ψ from +x towards +y has at R(ψ)·d what its template has at d.
        rows = y + np.cos(turn) * dy + np.sin(turn) * dx
        columns = x + np.cos(turn) * dx - np.sin(turn) * dy
        total += ndimage.map_coordinates(coefficients, [rows, columns], order=3, prefilter=False)
    return total


def ghost_of(found: Sequence[Mapping[int, Stack]], banks: Sequence[TemplateBank]) -> Ghost | None:
    """Average the boxes of the view that found most, over micrographs, beside its template.

    Parameters
    ----------
    found : sequence of mapping
        What `stacks` returned for each micrograph.
    banks : sequence of TemplateBank
        The views that were searched.

    Returns
    -------
    Ghost or None
        None of fewer than `FEWEST_BOXES` boxes, or of an image in which all is alike.
    """
    summed: dict[int, Stack] = {}
    for number, stack in ((n, s) for mapping in found for n, s in mapping.items()):
        summed[number] = summed[number] + stack if number in summed else stack
    most = max(summed, key=lambda number: summed[number].count, default=None)
    if most is None or summed[most].count < FEWEST_BOXES or np.ptp(summed[most].total) == 0:
        return None
    average, reference = standardised(np.stack([summed[most].total, banks[most].images[0]]))
    return Ghost(
        template=banks[most].name,
        boxes=summed[most].count,
        average=average,
        reference=reference,
        correlation=float((average * reference).sum()),
    )
