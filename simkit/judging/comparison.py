"""Two pickers on the same micrographs: which one is better, by how much, how surely."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PairedComparison:
    """The difference of two pickers.

    Attributes
    ----------
    a, b : str
        Their names; the difference is a − b.
    basis : str
        Where they were cut: "own thresholds" or "equal false picks".
    metric : str
        What is compared: "f1", "recall", "precision".
    difference : float or None
        Of the pooled values; None where either does not exist.
    interval : tuple of float or None
        95 %, by paired cluster bootstrap; None with fewer than two clusters.
    p : float or None
        Two-sided sign-flip permutation test over the clusters.
    p_holm : float or None
        The same, corrected by Holm's method for all comparisons made on the same basis and metric.
    clusters : int
        How many clusters were resampled.
    only_a, only_b : int
        Particles that one of the two alone found.
    p_mcnemar : float or None
        McNemar's exact test of those two counts; None where both are 0.
    """

    a: str
    b: str
    basis: str
    metric: str
    difference: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    clusters: int
    only_a: int
    only_b: int
    p_mcnemar: float | None
