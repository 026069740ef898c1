"""The ideal observer's curves: what recall costs in false picks when nothing is left to improve."""

from __future__ import annotations

from dataclasses import dataclass

from simkit.core.grid import FloatArray


@dataclass(frozen=True)
class IdealCurve:
    """The ideal observer at every level of its score.

    Attributes
    ----------
    level : array, shape (n,)
        Rising, in standard deviations of the noise.
    recall : array, shape (n,)
        Expected share of the particles above the level.
    false_per_image : array, shape (n,)
        Expected false picks in a micrograph.
    particles_per_image : float
        Particles in a micrograph.
    area : float
        Of a micrograph, µm² (µm in one dimension).
    """

    level: FloatArray
    recall: FloatArray
    false_per_image: FloatArray
    particles_per_image: float
    area: float
