"""Normalised cross-correlation: how alike template and image are, whatever brightness and contrast."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

import numpy as np

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray
from simkit.core.quantity import PositiveLength
from simkit.correlation.bank import TemplateBank
from simkit.correlation.local import Mask
from simkit.correlation.normalised import (
    LocalSums,
    around,
    holding_radius,
    masked_standard,
    template_mask,
)
from simkit.correlation.padding import Frame, clean
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.resolution import (
    at_nearest,
    bank_up_to_resolution,
    coarser_grid,
    up_to_resolution,
)
from simkit.correlation.whitening import white
from simkit.picker._search import LostEnergy, TemplateSearch
from simkit.picker.base import Found, Sight

OUTSIDE = 0.05
"""Share of a template's energy that its circle may lose: 2.5 % of d′, and neighbours stay out of the rest."""

ROUNDING = 1e-6
"""By which a coefficient in single precision may be off 1, which would speak of an infinite d′."""


class Ncc(TemplateSearch):
    """Pearson's correlation coefficient between the template and what lies under it, in [−1, 1].

    Under `border: pad` the outside counts as the image's mean, and in the local contrast as noise of the
    image's: a cut particle scores lower, and noise no higher than elsewhere. Expected false picks are those
    of white noise.
    """

    kind: Literal["ncc"] = "ncc"

    mask: Literal["box", "circle"] = "circle"
    """Where they are compared: the template's whole box, or the smallest circle that holds 95 % of its
    energy: with some of the ground around the particle, from which alone a filled one can be told."""

    resolution: PositiveLength | None = None
    """Finest detail along the axes that is compared; all by default. Image and templates are low-passed alike
    and sampled at half of it: coefficients, local contrast included, are those of the coarser image, and cost
    as little."""

    lost_energy: LostEnergy = 1e-2
    """As for the other pickers; more by default, since a circle cuts the fringes of the optics sharply."""

    def detectability(self, scores: FloatArray, noise_sd: float) -> FloatArray:
        """See `TemplateSearch.detectability`.

        The particle itself is in the norm that products are divided by, so that a coefficient r of n pixels
        has d′ = r √n / √(1 − r²), with 1 / √n its deviation in noise.
        """
        short_of_one = np.minimum(np.abs(scores), 1 - ROUNDING)
        return super().detectability(scores / np.sqrt(1 - short_of_one**2), noise_sd)

    def pick(self, sight: Sight) -> Found:
        """See `Picker.pick`."""
        if self.resolution is None or self.resolution <= 2 * sight.grid.pixel_size:
            return super().pick(sight)
        found = super().pick(self._up_to(sight, self.resolution))
        # The outermost of the larger pixels reach beyond the image.
        inside = {
            name: table.take(sight.grid.contains(table["y"], table["x"]))
            for name in ("picks", "candidates")
            if (table := getattr(found, name)) is not None
        }
        return replace(found, **inside)

    def _up_to(self, sight: Sight, resolution: float) -> Sight:
        diameter = min(bank.diameter for bank in sight.banks)
        if resolution > diameter:
            raise ScenarioError(
                f"leaves nothing of a template {diameter:.4g} Å across; at most that", ("resolution",)
            )
        values, finite = clean(sight.pixels)
        grid = coarser_grid(sight.grid, resolution)
        seen = at_nearest(finite, sight.grid, grid)
        return replace(
            sight,
            pixels=np.where(seen, up_to_resolution(values, sight.grid, grid), np.nan),
            grid=grid,
            banks=[bank_up_to_resolution(bank, resolution) for bank in sight.banks],
            mask=None if sight.mask is None else at_nearest(sight.mask, sight.grid, grid),
        )

    def prepare(self, padded: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """See `TemplateSearch.prepare`."""
        field = Field(frame, padded, white)
        rough = self.search == "coarse"
        local = LocalSums(field.values, frame=frame, rough=rough, workers=sight.workers)
        with ThreadPoolExecutor(sight.workers) as pool:
            compared = list(pool.map(self._compared, sight.banks))
        sums = local.sums_and_norms([mask for _, mask in compared])
        return field, [
            Probe(bank, kernels, mask, *both)
            for bank, (kernels, mask), both in zip(sight.banks, compared, sums, strict=True)
        ]

    def _compared(self, bank: TemplateBank) -> tuple[FloatArray, Mask]:
        """Return what views are multiplied with, and where."""
        mask = template_mask(bank.grid.shape, self.mask, holding_radius(bank.images, OUTSIDE))
        # What is not compared with the image need not be looked at.
        part = around(mask)
        mask, views = mask[part], bank.images[(slice(None), *part)]
        return masked_standard(views, mask), mask
