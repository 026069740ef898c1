"""Whether losses come together in few micrographs, so that they are no single ones."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import bdtrc

from simkit.core.grid import FloatArray

RARE = 0.01
"""Chance at most that single losses are taken for a cluster."""


@dataclass(frozen=True)
class Cluster:
    """More losses in one micrograph than chance puts there.

    Attributes
    ----------
    size, losses : int
        How many are in that micrograph, and in all micrographs.
    micrographs : int
        How many there are.
    """

    size: int
    losses: int
    micrographs: int

    def __str__(self) -> str:
        return f"{self.size} of {self.losses} losses are in one of {self.micrographs} micrographs"


def cluster_of(lost: FloatArray, exposed: FloatArray) -> Cluster | None:
    """Return the cluster in which losses come; None where they are spread as single ones would be.

    Parameters
    ----------
    lost : array, shape (n,)
        Losses in each micrograph.
    exposed : array, shape (n,)
        How much of each could be lost, in any unit.

    Notes
    -----
    Each of l losses is in micrograph i with a chance of wᵢ, its share of what could be lost. That any holds
    as many as the fullest has a chance of Σᵢ P(Binomial(l, wᵢ) ≥ max) at most, which is not above `RARE`.
    """
    losses, size, could = int(lost.sum()), int(lost.max()), float(exposed.sum())
    if losses == 0 or could == 0:
        return None
    chance = float(bdtrc(size - 1, losses, exposed / could).sum())
    return Cluster(size, losses, len(lost)) if chance <= RARE else None
