"""The matched filter: the correlation that sees best in noise of a given spectrum."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.correlation.noise_estimate import estimated_spectrum
from simkit.correlation.padding import Frame
from simkit.correlation.refinement import Field, Probe, boxed_probes
from simkit.correlation.whitening import NoiseSpectrum, sampled_spectrum, unit_noise, up_to, whitened
from simkit.picker._joint import LinearSearch
from simkit.picker.base import Sight

WIDEST = 4
"""Times a template's box within which noise is told: fields of scores are drawn on twice a box."""

ESTIMATES = 1
"""How often the noise of a crowded field is estimated anew, from what is left without its particles."""


class MatchedFilter(LinearSearch):
    """Correlation after whitening: F⁻¹[F(k) T*(k) / P(k)] / sqrt((1/N) Σ |T|² / P).

    P is the noise power spectrum; the zero frequency is left out. The score is in standard
    deviations of the noise, so a peak's height is the particle's d′.

    References
    ----------
    .. [1] Sigworth, J. Struct. Biol. 145 (2004) 111.
    """

    kind: Literal["matched_filter"] = "matched_filter"

    noise: Literal["estimated", "declared"] = "estimated"
    """estimated: P from the image itself, a function of |k|, of what does not look like the templates;
    declared: the true one, which makes the picker an oracle."""

    lowpass: PositiveLength | None = None
    """Finest detail that counts; all by default. For templates that are right only in their coarse shape, and
    for denoised micrographs, where the finest has no noise left to weigh it by."""

    @property
    def oracle(self) -> bool:
        """See `Picker.oracle`."""
        return self.noise == "declared"

    @property
    def knows(self) -> tuple[str, ...]:
        """See `Picker.knows`."""
        return (*super().knows, "noise spectrum") if self.oracle else super().knows

    def prepare(self, padded: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """See `TemplateSearch.prepare`."""
        image = frame.cut(padded)
        prepared = self._whitened(padded, frame, sight, self._spectrum(image, sight))
        if self.noise == "estimated" and self.overlaps == "joint":
            for _ in range(ESTIMATES):
                left = self.left_of(image, *prepared, sight)
                prepared = self._whitened(padded, frame, sight, self._spectrum(left, sight))
        return prepared

    def _whitened(
        self, padded: FloatArray, frame: Frame, sight: Sight, spectrum: NoiseSpectrum
    ) -> tuple[Field, list[Probe]]:
        if self.lowpass is not None:
            self._require_finer_than(min(bank.diameter for bank in sight.banks))
            spectrum = up_to(spectrum, 1 / self.lowpass)
        widest = WIDEST * max(max(bank.grid.shape) for bank in sight.banks)
        values, weight = whitened(padded, frame.grid, spectrum, widest=widest, workers=sight.workers)
        field = Field(frame, values, weight, noise_spectrum=spectrum, noise_sd=1.0)
        with ThreadPoolExecutor(sight.workers) as pool:
            kernels = list(pool.map(lambda bank: unit_noise(bank.images, weight), sight.banks))
        return field, boxed_probes(field, sight.banks, kernels)

    def _require_finer_than(self, diameter: float) -> None:
        if self.lowpass is not None and self.lowpass > diameter:
            raise ScenarioError(
                f"leaves nothing of a template {diameter:.4g} Å across; at most that", ("lowpass",)
            )

    def _spectrum(self, image: FloatArray, sight: Sight) -> NoiseSpectrum:
        if self.noise == "estimated":
            valid = np.isfinite(sight.pixels)
            seen = valid if sight.mask is None else valid & sight.mask
            return estimated_spectrum(image, sight.grid, sight.banks, valid=seen, workers=sight.workers)
        if sight.noise_spectrum is None or not np.any(sight.noise_spectrum > 0):
            raise ScenarioError(
                "no noise is declared to whiten by; give the scenario noise or write `noise: estimated`",
                ("noise",),
            )
        return sampled_spectrum(sight.noise_spectrum, sight.grid)
