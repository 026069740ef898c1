"""The null: what is picked where no particle is, and what the average of it looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from simkit.core.grid import FloatArray

Variant = Literal["noise_only", "phase_randomised"]


@dataclass(frozen=True)
class Ghost:
    """The average of boxes picked from pure noise, each turned back by its angle, beside the template.

    Attributes
    ----------
    template : str
        The template that found most. Of a solid's views only the one that found most is averaged.
    boxes : int
        How many were averaged: all that the picker kept down to its low level, not its picks alone.
    average, reference : array, shape (ny, nx)
        The average and the template at its first angle, ψ = 0, both zero-mean and unit-energy.
    correlation : float
        Σ average · reference, in [−1, 1]; 0 is expected of boxes cut at random.

    Notes
    -----
    Boxes are cut from the micrograph itself, whatever the picker made of it. Of noise with covariance C
    those with a score s of the whitened filter C⁻¹t have the mean s·t/√(tᵀC⁻¹t): the template itself, not
    the whitened one. Those of a plain correlation with t have the mean s·Ct/√(tᵀCt). In white noise, with
    s in its standard deviations, the average of N boxes of n pixels correlates with t by about
    s̄/√(s̄² + n/N).
    """

    template: str
    boxes: int
    average: FloatArray
    reference: FloatArray
    correlation: float


@dataclass(frozen=True)
class PickerNull:
    """One picker on micrographs without particles.

    Attributes
    ----------
    picks : int
        Picks above its own threshold: all of them false.
    predicted : float or None
        False picks that the picker itself expected there; None where its threshold promises nothing.
    ghost : Ghost or None
        None where too little was picked, or in one dimension.
    """

    picks: int
    predicted: float | None
    ghost: Ghost | None = None


@dataclass(frozen=True)
class NullRun:
    """One null variant of a scenario.

    Attributes
    ----------
    variant : str
        "noise_only" or "phase_randomised".
    micrographs : int
        How many were searched.
    pickers : mapping
        Picker name → what it picked.
    """

    variant: Variant
    micrographs: int
    pickers: Mapping[str, PickerNull] = field(default_factory=dict)
