"""What became of a picker from one sweep or run to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simkit.statistics.paired import holm

ALPHA = 0.05
"""Chance of calling any change sure that is none, over all changes of one metric together."""


@dataclass(frozen=True)
class Change:
    """One metric of one picker in one place, before and after.

    Attributes
    ----------
    picker : str
        Its name, in both.
    place : mapping
        Axis → value; empty for a run, and for all cells together.
    metric, basis : str
        What is compared, and where both were cut.
    before, after : float or None
        Its value in the first and in the second; None where it does not exist.
    difference : float or None
        after − before.
    low, high : float or None
        Ends of its interval of 95 %, of this place alone.
    p, p_holm : float or None
        Of the test, and corrected by Holm's method for all places.
    paired : bool
        Whether both saw the same micrographs, which are then compared one by one.
    micrographs : tuple of int
        How many of each were compared.
    only_before, only_after : int or None
        Particles that one of the two alone found; None where that is not known.
    """

    picker: str
    place: Mapping[str, Any]
    metric: str
    basis: str
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    paired: bool
    micrographs: tuple[int, int]
    p_holm: float | None = None
    only_before: int | None = None
    only_after: int | None = None

    @property
    def verdict(self) -> str:
        """What its interval says of this place: "better", "worse" or "open"."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "open"
        return "better" if self.low > 0 else "worse"

    @property
    def holds(self) -> bool:
        """Whether the change is still there after Holm's correction for all places."""
        return self.verdict != "open" and self.p_holm is not None and self.p_holm <= ALPHA


def corrected(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes with p corrected by Holm's method for all those of one metric and basis."""
    found = list(changes)
    for kind in {(change.metric, change.basis) for change in found}:
        members = [i for i, change in enumerate(found) if (change.metric, change.basis) == kind]
        p = np.array([np.nan if found[i].p is None else found[i].p for i in members], float)
        for i, value in zip(members, holm(p).tolist(), strict=True):
            found[i] = replace(found[i], p_holm=None if found[i].p is None else value)
    return tuple(found)
