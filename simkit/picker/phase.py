"""Phase correlation: only the phases of image and template are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.correlation.padding import Frame
from simkit.correlation.refinement import Field, Probe, boxed_probes
from simkit.correlation.whitening import unit_noise, white
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Sight

BAND_ENERGY = 0.95
"""Share of the template's energy in the frequencies whose phases are compared."""


def phase_only(views: FloatArray) -> FloatArray:
    """Give every frequency that a template has the same amplitude: F⁻¹[T/|T| · B].

    Parameters
    ----------
    views : array, shape (n, *box)
        Zero-mean templates.

    Returns
    -------
    array, shape (n, *box)
        B is 1 on the strongest frequencies that together hold `BAND_ENERGY` of a view's energy
        and 0 elsewhere, so that phases of frequencies the template does not have are not matched.
    """
    return np.stack([_phase_only(view) for view in views])


def _phase_only(view: FloatArray) -> FloatArray:
    spectrum = fourier.forward(view)
    power = fourier.power(spectrum)
    counted = (power * fourier.hermitian_weights(view.shape)).ravel()
    strongest = np.argsort(-power, axis=None, kind="stable")
    held = np.cumsum(counted[strongest])
    weakest = power.ravel()[strongest[np.searchsorted(held, BAND_ENERGY * held[-1])]]
    band = (power >= weakest) & (power > 0)
    phases = np.divide(spectrum, np.abs(spectrum), out=np.zeros_like(spectrum), where=band)
    return fourier.inverse(phases, view.shape)


def flattened(padded: FloatArray, *, workers: int = 1) -> FloatArray:
    """Give every frequency of an image but zero the same amplitude, F⁻¹[F/|F|], scaled to unit variance."""
    spectrum = fourier.forward(padded, workers=workers)
    amplitude = np.abs(spectrum)
    amplitude[(0,) * padded.ndim] = 0.0
    phases = np.divide(spectrum, amplitude, out=np.zeros_like(spectrum), where=amplitude > 0)
    return fourier.inverse(phases, padded.shape, workers=workers) * np.sqrt(padded.size)


class Phase(TemplateSearch):
    """Phase correlation: Σ g(x + t) h(t) with g = F⁻¹[F/|F|] and h = F⁻¹[T/|T| · B].

    A matched filter that takes each factor's own amplitude for the noise: sharp peaks, and slow
    changes of brightness do not matter. B is the template's own band (see `phase_only`). In
    white noise the score has about unit standard deviation.

    References
    ----------
    .. [1] Kuglin & Hines, Proc. Int. Conf. Cybernetics and Society (1975) 163.
    """

    kind: Literal["phase"] = "phase"

    def detectability(self, scores: FloatArray, noise_sd: float) -> FloatArray:
        """See `TemplateSearch.detectability`: flattening changes the particles too, so none is known."""
        return np.full(scores.shape, np.nan)

    def prepare(self, padded: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """See `TemplateSearch.prepare`."""
        field = Field(frame, flattened(padded, workers=sight.workers), white)
        kernels = [unit_noise(phase_only(bank.images), white) for bank in sight.banks]
        # A kernel of phases fills its box, and leaves it on one side to come back on the other.
        return field, [replace(probe, rigid=False) for probe in boxed_probes(field, sight.banks, kernels)]
