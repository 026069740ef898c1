"""The one-to-one rules by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from simkit.core.tables import Picks, Truth
from simkit.matching import closest_greedy, optimal, score_greedy, stable
from simkit.matching.base import Match

RULES: Mapping[str, Callable[..., Match]] = MappingProxyType(
    {
        "optimal": optimal.match,
        "score_greedy": score_greedy.match,
        "closest_greedy": closest_greedy.match,
        "stable": stable.match,
    }
)
"""Name → rule."""


def match(truth: Truth, picks: Picks, *, radius: float, rule: str = "optimal", ndim: int = 2) -> Match:
    """Match picks with truths by a named rule: one-to-one, blind to class, never across micrographs.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of any number of micrographs.
    radius : float
        Å; a pair exactly this far apart may be matched.
    rule : str
        ``optimal``: as many pairs as there can be, then least Σ distance². ``score_greedy``: picks choose in
        falling score. ``closest_greedy``: the closest pair first. ``stable``: the same by theorem.
    ndim : int
        1 or 2; in one dimension y is not looked at.

    Returns
    -------
    Match
        Row numbers into the two tables as given. To match within a class, pass only its rows.

    Raises
    ------
    ValueError
        If there is no rule of that name.

    Notes
    -----
    A greedy rule leaves nobody in reach of somebody free, so it makes at least half as many pairs as
    the optimal one, and in practice nearly as many.
    """
    if rule not in RULES:
        msg = f"no rule of matching is called {rule!r}; there are {', '.join(RULES)}"
        raise ValueError(msg)
    return RULES[rule](truth, picks, radius=radius, ndim=ndim)
