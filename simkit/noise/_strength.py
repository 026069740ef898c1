"""How strong Gaussian noise is: declared as a standard deviation or as a signal-to-noise ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from simkit.core.errors import ScenarioError
from simkit.core.quantity import PositiveNumber
from simkit.noise.base import Noise


class GaussianStrength(Noise):
    """Noise whose strength is exactly one of `sd` and `snr`."""

    sd: PositiveNumber | None = None
    """Standard deviation per pixel, in the units of the image that comes in."""

    snr: PositiveNumber | None = None
    """Variance of one imaged copy inside its support radius ÷ noise variance per pixel."""

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        if (self.sd is None) == (self.snr is None):
            raise PydanticCustomError(
                "strength", "write exactly one of `sd:` (standard deviation per pixel) and `snr:`"
            )
        return self

    def resolved(self, copy_variance: Callable[[], float]) -> Self:
        """See `Noise.resolved`."""
        if self.snr is None:
            return self
        variance = copy_variance()
        if variance <= 0:
            raise ScenarioError(
                "the imaged copy has no contrast for a signal-to-noise ratio to refer to; write `sd:`",
                ("snr",),
            )
        return self.model_copy(update={"sd": math.sqrt(variance / self.snr), "snr": None})

    @property
    def variance(self) -> float:
        """Noise variance per pixel.

        Raises
        ------
        ScenarioError
            If an `snr` has not been resolved yet.
        """
        if self.sd is None:
            raise ScenarioError("resolve `snr` with `resolved()` before use, or write `sd`", ("snr",))
        return self.sd**2
