"""Scores at every threshold: precision against recall, and recall against false picks."""

from __future__ import annotations

from dataclasses import dataclass

from simkit.core.grid import FloatArray


@dataclass(frozen=True)
class Curve:
    """Counts at every threshold at which they change, the highest first.

    Attributes
    ----------
    threshold : array, shape (n,)
        Scores of picks, falling and distinct: picks of equal score pass together.
    tp, fp : array, shape (n,)
        Matched and unmatched picks of at least that score. Where the truth is not complete, `fp` counts
        picks that are unlabelled.
    truths : int
        Particles that could be found.
    images : int
        Micrographs that were searched.
    area : float or None
        Searched area of all micrographs together in µm² (µm in one dimension); None if unknown.
    """

    threshold: FloatArray
    tp: FloatArray
    fp: FloatArray
    truths: int
    images: int
    area: float | None = None


@dataclass(frozen=True)
class RadiusCurve:
    """Scores against the matching radius, at the picker's own threshold.

    Attributes
    ----------
    radius : array, shape (n,)
        Å.
    recall, precision, f1 : array, shape (n,)
        NaN where a value does not exist.
    chance : array, shape (n,)
        Share of randomly placed picks that would lie within that radius of a particle; NaN if unknown.
    """

    radius: FloatArray
    recall: FloatArray
    precision: FloatArray
    f1: FloatArray
    chance: FloatArray
