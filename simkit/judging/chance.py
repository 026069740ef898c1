"""How many picks would match if they were strewn at random."""

from __future__ import annotations

import math

SQUARE_MICROMETRE = 1e8
"""Å² in a µm²; the root of it is Å in a µm."""

DUE_ABOVE = 0.05
"""Share of chance matches above which a reader must be warned: the radius then flatters any picker."""


def chance_matches(*, truths: int, area: float | None, radius: float, ndim: int = 2) -> float | None:
    """Return the share of picks that would lie near a particle if they were strewn at random.

    Parameters
    ----------
    truths : int
        Particles that count.
    area : float or None
        Of all micrographs together, µm² (µm in one dimension).
    radius : float
        Å.
    ndim : int
        1 or 2.

    Returns
    -------
    float or None
        1 − exp(−λ π r²), in one dimension 1 − exp(−2 λ r), with λ particles per area; None if the area
        is unknown.

    Notes
    -----
    It is the probability that a disk of radius r around a random place holds at least one of particles
    strewn at random themselves. Particles that keep apart by more than 2 r cover λ π r² of the area
    exactly, to first order the same and never less.
    """
    if not area:
        return None
    reach = math.pi * radius**2 if ndim == 2 else 2 * radius
    density = truths / (area * SQUARE_MICROMETRE ** (ndim / 2))
    return -math.expm1(-density * reach)


def warning_is_due(chance: float | None) -> bool:
    """Tell whether more than `DUE_ABOVE` of picks strewn at random would match."""
    return chance is not None and chance > DUE_ABOVE
