"""OpenCV's template matching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from simkit.adapters._sliding import slid
from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank


def match_template(
    pixels: FloatArray, *, templates: Sequence[TemplateBank], threshold: float = 0.3, **_: Any
) -> dict[str, Any]:
    """Pick by `cv2.matchTemplate` with TM_CCOEFF_NORMED, the normalised correlation in single precision.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image; its mean is taken away first, for the sake of precision.
    templates : sequence of TemplateBank
        What to look for.
    threshold : float
        Lowest coefficient of a pick.
    """

    def coefficient(image: FloatArray, view: FloatArray) -> FloatArray:
        return np.asarray(
            cv2.matchTemplate(image.astype(np.float32), view.astype(np.float32), cv2.TM_CCOEFF_NORMED)
        )

    return slid(np.asarray(pixels - pixels.mean(), float), templates, coefficient, threshold)
