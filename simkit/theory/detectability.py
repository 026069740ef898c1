"""How well the ideal observer can see one copy in Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray


def detectability(
    spectrum: ComplexArray, *, noise_spectrum: FloatArray | float, shape: Sequence[int]
) -> float:
    """Return d′, the expected height of a whitened matched filter's peak in noise standard deviations.

    d′² = (1/N) Σ |T(k)|² / P(k) over the full Fourier plane; in white noise Σ t(x)² / s².

    Parameters
    ----------
    spectrum : array in real-FFT layout
        T, the transform of the imaged copy.
    noise_spectrum : array in real-FFT layout, or float
        P, the noise variance per pixel at each frequency, in the copy's units squared.
    shape : sequence of int
        Shape of the image of the copy.

    Returns
    -------
    float
        Infinite where there is signal without noise.

    References
    ----------
    .. [1] Barrett & Myers, Foundations of Image Science (2004), § 13.2.12: the prewhitening observer.
    """
    signal = fourier.power(spectrum)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(signal > 0, signal / noise_spectrum, 0.0)
    return float(np.sqrt(fourier.energy(ratio, shape) / np.prod(shape)))
