"""What a template that is not the particle costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray


def kept_detectability(
    template: ComplexArray,
    particle: ComplexArray,
    *,
    noise_spectrum: FloatArray | float,
    shape: Sequence[int],
) -> float:
    """Return the share of d′ that a matched filter keeps with a template that is not the particle.

    The filter h = T/P has in noise of power P the standard deviation (Σ|T|²/P)^½, and where the particle S
    is, displaced by x, the mean Σ T* S e^(−2πikx) / P. Over d′ = (Σ|S|²/P)^½ that is the correlation
    coefficient of the whitened template with the whitened particle; a search finds the best x.

    Parameters
    ----------
    template, particle : array in real-FFT layout
        T and S, the transforms of both as they are imaged. The zero frequency does not count.
    noise_spectrum : array in real-FFT layout, or float
        P, the noise variance per pixel at each frequency.
    shape : sequence of int
        Shape of the images; both fit in beside each other, so that nothing wraps.

    Returns
    -------
    float
        At most 1, over displacements of whole pixels. d′² times this squared is the d′² of the template:
        its η of detection is the square.

    Raises
    ------
    ValueError
        If either has nothing but a zero frequency.

    References
    ----------
    .. [1] Barrett & Myers, Foundations of Image Science (2004), § 13.2.12: SNR of any linear observer.
    """
    weight = np.broadcast_to(1.0 / np.asarray(noise_spectrum, float), template.shape).copy()
    weight[(0,) * len(shape)] = 0.0
    seen = [fourier.energy(fourier.power(s) * weight, shape) / np.prod(shape) for s in (template, particle)]
    if min(seen) <= 0:
        raise ValueError("a constant is no template")
    product = fourier.inverse(particle * np.conj(template) * weight, shape)
    return float(product.max() / np.sqrt(seen[0] * seen[1]))
