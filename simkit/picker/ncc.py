"""Normalised cross-correlation: how alike template and image are, whatever brightness and contrast."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.correlation.bank import TemplateBank
from simkit.correlation.normalised import LocalSums, around, masked_standard, template_mask
from simkit.correlation.padding import Frame
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.whitening import white
from simkit.picker._search import LostEnergy, TemplateSearch
from simkit.picker.base import Sight


class Ncc(TemplateSearch):
    """Pearson's correlation coefficient between the template and what lies under it, in [−1, 1].

    Under `border: pad` the outside counts as the image's mean in the local statistics too, so that
    the score stays a correlation coefficient there and a cut particle scores lower. Expected
    false picks are those of white noise.
    """

    kind: Literal["ncc"] = "ncc"

    mask: Literal["box", "circle"] = "circle"
    """Where they are compared: the template's whole box, or a circle of the particle's own radius."""

    lost_energy: LostEnergy = 1e-2
    """As for the other pickers; more by default, since a circle cuts the fringes of the optics sharply."""

    def detectability(self, scores: FloatArray, noise_sd: float) -> FloatArray:
        """See `TemplateSearch.detectability`.

        The particle itself is in the norm that products are divided by, so that a coefficient r of n pixels
        has d′ = r √n / √(1 − r²), with 1 / √n its deviation in noise.
        """
        with np.errstate(divide="ignore"):
            return super().detectability(scores / np.sqrt(1 - np.minimum(scores, 1.0) ** 2), noise_sd)

    def prepare(self, image: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """See `TemplateSearch.prepare`."""
        field = Field(frame, frame.pad(image), white)
        local = LocalSums(field.values, rough=self.search == "coarse", workers=sight.workers)
        return field, [self._probe(bank, local) for bank in sight.banks]

    def _probe(self, bank: TemplateBank, local: LocalSums) -> Probe:
        mask = template_mask(bank.grid.shape, self.mask, bank.support / bank.pixel_size)
        # What is not compared with the image need not be looked at.
        part = around(mask)
        mask, views = mask[part], bank.images[(slice(None), *part)]
        return Probe(bank, masked_standard(views, mask), mask, *local.sums_and_norm(mask))
