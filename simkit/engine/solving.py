"""Where a quantity crosses a target, as a value is varied: tried outwards, then halved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

STEP = 10 ** (1 / 6)
"""Factor between the values that are tried before two of them enclose the one that is looked for."""

CLOSE = 1.0005
"""Factor between the value that meets the target and the one that fails, at the end."""

DIGITS = 3
"""Of the value that is found."""

Outcome = Literal["found", "everywhere", "nowhere"]


@dataclass(frozen=True)
class Solution:
    """Where a target begins to be met.

    Attributes
    ----------
    outcome : str
        "found"; "everywhere" or "nowhere" if it is met at all values that were tried or at none.
    value : float or None
        The value next to where the target is no longer met, on the side where it is; None without one.
    trials : tuple of (float, float)
        Every value that was tried, rising, and what was reached there.
    """

    outcome: Literal["found", "everywhere", "nowhere"]
    value: float | None
    trials: tuple[tuple[float, float], ...]

    def best(self, *, highest: bool) -> tuple[float, float]:
        """Return the trial at which the quantity is highest, or lowest; there must be one."""
        return (max if highest else min)(self.trials, key=lambda trial: trial[1])


def solve(
    evaluate: Callable[[float], float | None],
    met: Callable[[float], bool],
    *,
    start: float,
    low: float,
    high: float,
    whole: bool = False,
) -> Solution:
    """Find the value nearest to `start` at which a target begins or ceases to be met.

    Values are tried outwards from the start, to either side by turns and in equal factors, until two
    neighbours differ in whether they meet the target; between those the interval is halved. Nothing is
    assumed of how the quantity depends on the value but that it does not cross the target twice in one step.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(value)`` → the quantity, or None where there can be no such value: it is not gone beyond.
    met : callable
        Whether a quantity meets the target.
    start, low, high : float
        low ≤ start ≤ high, all of one sign and not 0.
    whole : bool
        Try whole numbers only.
    """
    reached: dict[float, float | None] = {}

    def possible(value: float) -> bool:
        if value not in reached:
            reached[value] = evaluate(value)
        return reached[value] is not None

    def meets(value: float) -> bool:
        found = reached[value]
        return found is not None and met(found)

    def tried() -> tuple[tuple[float, float], ...]:
        return tuple(sorted((value, found) for value, found in reached.items() if found is not None))

    if possible(start):
        for last, value in _outwards(start, low, high, whole, possible):
            if meets(last) != meets(value):
                good, bad = (value, last) if meets(value) else (last, value)
                edge = _halved(good, bad, whole, possible, meets)
                return Solution("found", edge, tried())
    everywhere = all(met(found) for _, found in tried()) and bool(tried())
    return Solution("everywhere" if everywhere else "nowhere", None, tried())


def _outwards(
    start: float, low: float, high: float, whole: bool, possible: Callable[[float], bool]
) -> Iterator[tuple[float, float]]:
    """Yield neighbouring values that are possible, away from the start and to either side by turns."""
    ends = {True: max(abs(low), abs(high)), False: min(abs(low), abs(high))}
    last = {True: start, False: start}
    while last:
        for up in list(last):
            value = _stepped(last[up], up, ends[up], whole)
            if value == last[up] or not possible(value):
                del last[up]
                continue
            yield last[up], value
            last[up] = value


def _stepped(value: float, up: bool, end: float, whole: bool) -> float:
    size = float(f"{abs(value) * STEP if up else abs(value) / STEP:.4g}")
    if whole:
        size = math.ceil(size) if up else math.floor(size)
    near = size * math.sqrt(STEP) >= end if up else size / math.sqrt(STEP) <= end
    size = min(size, end) if up else max(size, end)
    return math.copysign(end if near and not whole else size, value)


def _halved(
    good: float, bad: float, whole: bool, possible: Callable[[float], bool], meets: Callable[[float], bool]
) -> float:
    while (abs(good - bad) > 1) if whole else (max(good / bad, bad / good) > CLOSE):
        middle = float(f"{math.copysign(math.sqrt(good * bad), good):.6g}")
        if whole:
            middle = float(min(max(round(middle), min(good, bad) + 1), max(good, bad) - 1))
        if not possible(middle):
            break
        good, bad = (middle, bad) if meets(middle) else (good, middle)
    tidy = good if whole else _rounded_away(good, bad)
    return tidy if possible(tidy) and meets(tidy) else good


def _rounded_away(value: float, from_: float) -> float:
    """Round to a few digits, to the side that is away from a neighbour."""
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - DIGITS + 1)
    rounded = (math.ceil if value > from_ else math.floor)(value / unit) * unit
    return float(f"{rounded:.{DIGITS}g}")
