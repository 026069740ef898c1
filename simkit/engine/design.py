"""A ceiling turned round: the dose, defocus or size at which physics allows what is wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simkit.core.errors import ScenarioError
from simkit.engine.appearance import copy_box
from simkit.engine.ceiling import Ceiling, ceiling_of
from simkit.engine.knob import Knob, knob
from simkit.engine.solving import Solution, solve
from simkit.engine.target import SHARES, Target, reading
from simkit.scenario.loading import Loaded, load
from simkit.scenario.messages import suggestion
from simkit.scenario.source import InvalidScenarioError
from simkit.scenario.spec import Scenario

REACH = 100.0
"""A value is looked for between this many times less and this many times more than it is now."""

MOST_PIXELS = 2**26
"""Larger images are not tried."""

WIDEST = 512
"""Pixels along the image of a copy, with the fringes of the optics, beyond which a value is not tried."""


@dataclass(frozen=True)
class Design:
    """A question to a scenario's ceiling, and the answer.

    Attributes
    ----------
    knob : Knob
        What was changed, and its value as the scenario has it.
    target : Target
        What was wanted.
    now : float
        The quantity as the scenario is.
    solution : Solution
        Where the target begins to be met.
    loaded : Loaded or None
        The scenario there.
    """

    knob: Knob
    target: Target
    now: float
    solution: Solution
    loaded: Loaded | None


def design(
    path: str | Path,
    solve_for: str,
    target: Target,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    between: tuple[str, str] | None = None,
    species: str | None = None,
    false_picks: float = 1.0,
) -> Design:
    """Find the value of one number of a scenario at which the ideal observer meets a target.

    Parameters
    ----------
    path : str or Path
        The scenario's file.
    solve_for : str
        Dotted path of the number.
    target : Target
        See `parse_target`.
    overrides, seed
        As for `simkit.scenario.loading.load`.
    between : tuple of str, optional
        The range to look in, as text with units; by default a hundredth to a hundredfold of the value now.
    species, false_picks
        As for `reading`.

    Raises
    ------
    InvalidScenarioError
        If the scenario is wrong as it is.
    ScenarioError
        If there is no such number or no ceiling, or the target says nothing about this scenario.
    """
    present = load(path, overrides=overrides, seed=seed).scenario
    wanted = knob(present, solve_for)
    low, high, start = _range(wanted, between)
    ceiling = required_ceiling(present)
    if species is not None and species not in ceiling.species:
        raise ScenarioError(
            f"no such species{suggestion(species, tuple(ceiling.species))}", ("specimen", species)
        )
    now = reading(ceiling, target.quantity, species=species, false_picks=false_picks)
    if math.isnan(now):
        raise ScenarioError(_nothing(target.quantity), ("specimen",))

    def at(value: float) -> Loaded:
        return load(path, overrides=[*overrides, f"{wanted.path}={wanted.write(value)}"], seed=seed)

    def evaluate(value: float) -> float | None:
        if value == wanted.value:
            return now
        try:
            scenario = at(value).scenario
            found = required_ceiling(scenario) if _affordable(scenario) else None
        except (InvalidScenarioError, ScenarioError):
            return None
        if found is None:
            return None
        reached = reading(found, target.quantity, species=species, false_picks=false_picks)
        return None if math.isnan(reached) else reached

    found = solve(evaluate, target.met, start=start, low=low, high=high, whole=wanted.whole)
    if not found.trials:
        raise ScenarioError(
            f"no value from {wanted.write(low)} to {wanted.write(high)} is possible", wanted.keys
        )
    return Design(wanted, target, now, found, None if found.value is None else at(found.value))


def required_ceiling(scenario: Scenario) -> Ceiling:
    """Return a scenario's ceiling.

    Raises
    ------
    ScenarioError
        If there is none; the text says what is missing.
    """
    if scenario.micrographs is not None:
        raise ScenarioError(
            "what is in real micrographs is not known, so nobody can say what could be found; "
            "declare a specimen, optics and noise like theirs in a scenario that simulates",
            ("micrographs",),
        )
    if not scenario.specimen:
        raise ScenarioError("is missing: without particles there is nothing to find", ("specimen",))
    ceiling = ceiling_of(scenario)
    if ceiling is None:
        raise ScenarioError(
            "is missing: without noise everything is found; write for example "
            "`noise: {film: {kind: gaussian, snr: 0.1}}`",
            ("noise",),
        )
    return ceiling


def _nothing(quantity: str) -> str:
    if quantity in SHARES:
        return f"no copy is in the image or looked for, so there is no {quantity}"
    return f"there is no {quantity}: it is not searched, or nothing changes with it"


def _affordable(scenario: Scenario) -> bool:
    """Tell whether image and copies are so small that a ceiling takes no time."""
    widest = max(max(copy_box(scenario, name).shape) for name in scenario.specimen)
    return scenario.image.grid.size <= MOST_PIXELS and widest <= WIDEST


def _range(wanted: Knob, between: tuple[str, str] | None) -> tuple[float, float, float]:
    """Return the range to look in and where to start."""
    if between is None:
        if wanted.value == 0:
            raise ScenarioError(
                "is 0 now, and multiples of 0 lead nowhere; say where to look with --between LOW HIGH",
                wanted.keys,
            )
        ends = sorted((wanted.value / REACH, wanted.value * REACH))
        if wanted.whole:
            ends[0] = max(ends[0], 1.0)
        return ends[0], ends[1], wanted.value
    low, high = sorted(wanted.parse(text) for text in between)
    if low == high or low * high <= 0:
        raise ValueError(
            f"{' to '.join(between)} is no range; both ends must differ and have one sign, not 0"
        )
    inside = low <= wanted.value <= high
    middle = math.copysign(math.sqrt(low * high), low)
    return low, high, wanted.value if inside else (float(round(middle)) if wanted.whole else middle)
