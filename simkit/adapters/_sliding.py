"""What adapters of template matching share: views slid one after the other, then the highest places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank

Coefficient = Callable[[FloatArray, FloatArray], FloatArray]
"""``coefficient(image, view)`` → the score with the view's corner at every place where it fits."""


def slid(
    pixels: FloatArray, templates: Sequence[TemplateBank], coefficient: Coefficient, threshold: float
) -> dict[str, Any]:
    """Slide every view of every template over an image and return the local maxima of the best score.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image; beyond its border its mean stands.
    templates : sequence of TemplateBank
        What to look for; two picks are at least half a diameter apart.
    coefficient : callable
        See `Coefficient`.
    threshold : float
        Lowest score of a pick.

    Returns
    -------
    dict
        Columns y and x (pixels), psi, score, class, template.
    """
    best = np.full(pixels.shape, -np.inf)
    which = np.zeros(pixels.shape, int)
    views = [(bank, k) for bank in templates for k in range(len(bank.angles))]
    for number, (bank, k) in enumerate(views):
        view = bank.images[k]
        # So much that the score has the image's shape and its index is the centre n // 2 of the view.
        around = [(n // 2, n - n // 2 - 1) for n in view.shape]
        score = coefficient(np.pad(pixels, around, constant_values=float(pixels.mean())), view)
        higher = score > best
        best[higher], which[higher] = score[higher], number
    reach = min(bank.support for bank in templates) / templates[0].pixel_size
    highest = ndimage.maximum_filter(best, footprint=_disk(max(1, round(reach))))
    y, x = np.nonzero((best == highest) & (best >= threshold))
    found = [views[number] for number in which[y, x]]
    return {
        "y": y,
        "x": x,
        "psi": [float(bank.angles[k]) for bank, k in found],
        "score": best[y, x],
        "class": [bank.finds for bank, _ in found],
        "template": [bank.name for bank, _ in found],
    }


def _disk(radius: int) -> FloatArray:
    axis = np.arange(-radius, radius + 1)
    return axis[:, None] ** 2 + axis**2 <= radius**2
