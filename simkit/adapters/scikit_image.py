"""scikit-image's detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from skimage import feature

from simkit.adapters._sliding import slid
from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank


def match_template(
    pixels: FloatArray, *, templates: Sequence[TemplateBank], threshold: float = 0.3, **_: Any
) -> dict[str, Any]:
    """Pick by `skimage.feature.match_template`, the normalised correlation, one FFT a view.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image.
    templates : sequence of TemplateBank
        What to look for.
    threshold : float
        Lowest coefficient of a pick.
    """
    return slid(np.asarray(pixels, float), templates, feature.match_template, threshold)


def blob_log(
    pixels: FloatArray,
    *,
    pixel_size: float,
    radius: float,
    threshold: float = 1.0,
    dark: bool = False,
    **_: Any,
) -> dict[str, Any]:
    """Pick round particles by `skimage.feature.blob_log`, at the one scale σ = radius/√2; it has no score.

    Parameters
    ----------
    pixels : array, shape (ny, nx)
        The image; it is scaled to unit variance first.
    pixel_size : float
        Å.
    radius : float
        Å, of a particle.
    threshold : float
        See `blob_log`, of the scaled image.
    dark : bool
        Whether particles are darker than what is around them.
    """
    sigma = radius / pixel_size / np.sqrt(2)
    spread = float(pixels.std()) or 1.0
    scaled = (pixels - pixels.mean()) / (-spread if dark else spread)
    y, x, _sigma = feature.blob_log(  # type: ignore[no-untyped-call]
        scaled, min_sigma=sigma, max_sigma=sigma, num_sigma=1, threshold=threshold
    ).T
    return {"y": y, "x": x}
