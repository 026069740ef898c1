"""What the pickers without templates do alike: a round filter, a template of its own at each diameter."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field as Declared
from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.quantity import LENGTH, PositiveLength
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.noise_estimate import estimated_spectrum
from simkit.correlation.padding import Frame
from simkit.correlation.peaks import Peak
from simkit.correlation.refinement import Field, Probe, boxed_probes
from simkit.correlation.whitening import unit_noise
from simkit.picker._outside import ClassName
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Banks, Found, Sight
from simkit.theory.outliers import LOWEST_REACHABLE

SCALE_STEP = 1.2
"""Most that neighbouring diameters differ by, as a factor: a filter midway is like either but for 1.3 %."""

TRUNCATED = 4.0
"""Standard deviations of the widest Gaussian at which a filter ends."""

SMALLEST = 4.0
"""Pixels across the smallest blob: the samples of a narrower filter are no longer its shape."""


def even_disk(bank: TemplateBank) -> TemplateBank:
    """Return the particle that a filter is for: a disk, its edge one pixel wide.

    The noise is what does not look like particles, and a filter does not: whitened by the spectrum of
    particles and noise together, it hardly sees them where there are many.
    """
    radius = np.sqrt(np.asarray(sum(offset**2 for offset in bank.grid.offsets())))
    disk = np.clip((bank.support - radius) / bank.pixel_size + 0.5, 0, 1)
    return replace(bank, images=standardised(disk[None]))


class Blobs(TemplateSearch):
    """Filter for round blobs of one diameter or several; the best of all scales at every place is its score.

    At one scale the score is a linear filter in standard deviations of the noise that passes it, whose
    spectrum is estimated from the image as `matched_filter` does it. Expected false picks are those of the
    best of all scales.
    """

    class_: ClassName | None = Declared(default=None, alias="class")
    """The species of all picks; by default the one there is."""

    diameter: PositiveLength
    """Diameter of the particles; of the smallest, where they differ."""

    largest: PositiveLength | None = None
    """Diameter of the largest, where they differ; scales between are at most a factor of 1.2 apart."""

    contrast: Literal["dark", "bright"]
    """Whether particles are darker or brighter than what is around them."""

    min_distance: PositiveLength | None = None
    """Closest that two picks may be; the (smallest) diameter by default, for nets half the spacing."""

    @abstractmethod
    def widest(self, diameter: float, ndim: int) -> float:
        """Return the standard deviation in Å of the widest Gaussian in the filter for a diameter (Å)."""

    @abstractmethod
    def profile(self, squares: FloatArray, diameter: float, ndim: int) -> FloatArray:
        """Return the filter for bright blobs of a diameter (Å) at squared distances (Å²) from its centre."""

    @abstractmethod
    def curvature(self, diameter: float, ndim: int) -> float:
        """Return the relative curvature κ of the score of an even disk of that diameter at its top, in 1/Å².

        Near it the score falls as 1 − ½ κ r².
        """

    @field_validator("templates")
    @classmethod
    def _without_templates(cls, templates: tuple[str, ...] | None) -> None:
        if templates is not None:
            raise PydanticCustomError("templates", "it looks for blobs, not for templates; leave this out")

    @model_validator(mode="after")
    def _ordered(self) -> Blobs:
        if self.largest is not None and self.largest < self.diameter:
            raise PydanticCustomError(
                "largest",
                "the largest diameter is smaller than the smallest, {smallest}",
                {"smallest": LENGTH.write(self.diameter)},
            )
        return self

    @property
    def diameters(self) -> tuple[float, ...]:
        """All diameters that are searched, in Å."""
        largest = self.largest or self.diameter
        # What rounding adds to a whole number of steps is no other step.
        steps = math.ceil(math.log(largest / self.diameter) / math.log(SCALE_STEP) - 1e-9)
        return tuple(np.geomspace(self.diameter, largest, steps + 1).tolist())

    @property
    def knows(self) -> tuple[str, ...]:
        """See `Picker.knows`."""
        return ("pixel size", "diameter", "contrast")

    @property
    def needs_templates(self) -> bool:
        """See `Picker.needs_templates`."""
        return False

    def sought(self, finds: Mapping[str, str]) -> tuple[str, ...] | None:
        """See `Picker.sought`."""
        return None if self.class_ is None else (self.class_,)

    def searches_with(self, drawn: Banks, image: Grid) -> Banks:
        """See `Picker.searches_with`: its own filters, by their diameters."""
        banks = [self.bank(diameter, image) for diameter in self.diameters]
        return {bank.name: (bank,) for bank in banks}

    def pick(self, sight: Sight) -> Found:
        """See `Picker.pick`; the column `template` says which diameter scored best."""
        return super().pick(replace(sight, banks=[self.bank(d, sight.grid) for d in self.diameters]))

    def prepare(self, padded: FloatArray, frame: Frame, sight: Sight) -> tuple[Field, list[Probe]]:
        """See `TemplateSearch.prepare`."""
        finite = np.isfinite(sight.pixels)
        seen = finite if sight.mask is None else finite & sight.mask
        disks = [even_disk(bank) for bank in sight.banks]
        spectrum = estimated_spectrum(frame.cut(padded), sight.grid, disks, valid=seen)

        def weight(box: Grid) -> FloatArray:
            return spectrum(Grid(box.shape, sight.grid.pixel_size))

        def divided(grid: Grid) -> FloatArray:
            # The noise is not divided out, so that a filter passes it as one of √P would pass white noise.
            return 1 / spectrum(grid)

        field = Field(frame, padded, weight, noise_spectrum=divided, noise_sd=1.0)
        return field, boxed_probes(field, sight.banks, [unit_noise(b.images, weight) for b in sight.banks])

    def bank(self, diameter: float, image: Grid) -> TemplateBank:
        """Return the filter for a diameter in Å, on the pixels of an image.

        Raises
        ------
        ScenarioError
            If that blob is too small for the pixels.
        """
        pixel_size, ndim = image.pixel_size, image.ndim
        if diameter < SMALLEST * pixel_size:
            raise ScenarioError(
                f"blobs of {LENGTH.write(diameter)} are less than {SMALLEST:g} pixels across", ("diameter",)
            )
        half = math.ceil(TRUNCATED * self.widest(diameter, ndim) / pixel_size)
        box = Grid((2 * half + 1,) * ndim, pixel_size)
        squares = np.asarray(sum(offset**2 for offset in box.offsets()))
        sign = -1.0 if self.contrast == "dark" else 1.0
        return TemplateBank(
            name=f"{diameter:.4g} Å",
            finds=self.class_ or "",
            images=standardised(sign * self.profile(squares, diameter, ndim)[None]),
            angles=np.zeros(1),
            pixel_size=pixel_size,
            support=diameter / 2,
            symmetry="C1",
        )

    def errors(
        self, peaks: Sequence[Peak], probes: Sequence[Probe], scores: FloatArray, noise_sd: float
    ) -> dict[str, FloatArray]:
        """See `TemplateSearch.errors`: for an even disk of the diameter, where there is but one.

        The top of a peak of height u moves by the slope of the noise, of variance Λ in units of the score's,
        over the curvature of the top: σ = √Λ / (u κ).
        """
        probe, *others = probes
        if others or probe.moments is None:
            return {}
        heights = np.where(scores >= LOWEST_REACHABLE * noise_sd, scores / noise_sd, np.nan)
        slopes = np.sqrt(probe.moments[0].diagonal())
        sigma = np.multiply.outer(slopes / self.curvature(self.diameter, len(slopes)), 1 / heights)
        return dict(zip(("sigma_y", "sigma_x")[-len(slopes) :], sigma, strict=True))

    def _require_room(self, sight: Sight) -> None:
        box = sight.banks[-1].grid
        if any(t > n for t, n in zip(box.shape, sight.grid.shape, strict=True)):
            extent, largest = (LENGTH.write(round(a, 1)) for a in (min(sight.grid.extent), box.extent[0]))
            raise ScenarioError(
                f"the filter for {sight.banks[-1].name} is {largest} wide and the image {extent}; "
                "search a larger image or for smaller blobs",
                ("diameter" if self.largest is None else "largest",),
            )

    def _reach(self, sight: Sight) -> list[float]:
        reaches = super()._reach(sight)
        return [min(reaches)] * len(reaches)
