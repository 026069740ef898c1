"""The stable rule: nobody matched would rather have somebody who would rather have them.

With distance as the only liking both sides share one order of pairs, which has one stable matching:
that of `simkit.matching.closest_greedy`, where the proof and the order of ties stand. Both names are
kept because both are published.
"""

from __future__ import annotations

from simkit.matching.closest_greedy import match

__all__ = ["match"]
