"""Where a picker fails: its scores split by how hard the particles are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stratum:
    """The particles of one degree of difficulty.

    Attributes
    ----------
    by : str
        What they are sorted by: a column of the truth ("d_prime", "overlap", "border", "class" …).
    label : str
        Which of them these are, for a reader: "6 to 8", "side".
    truths, found : int
        How many there are and how many were found.
    recall : float
        found / truths; a stratum has at least one truth.
    recall_interval : tuple of float
        Wilson's interval of 95 %.
    rmse : float or None
        Å, of those that were found.
    picks : int or None
        Picks in it; None where picks without a particle cannot be sorted so.
    precision : float or None
        Share of those picks that are particles.
    """

    by: str
    label: str
    truths: int
    found: int
    recall: float
    recall_interval: tuple[float, float]
    rmse: float | None
    picks: int | None = None
    precision: float | None = None
