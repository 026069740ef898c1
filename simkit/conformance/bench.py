"""Where a picker takes its trials: it is shown micrographs, and what it picks is held against the truth."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from simkit.conformance.cost import Cost, measured
from simkit.conformance.scene import RADIUS, SEED, Exposure, banks, holes_are_meant
from simkit.core.errors import SimkitError
from simkit.core.grid import FloatArray
from simkit.core.random import stream
from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.matching.optimal import match_optimal
from simkit.picker.base import Batch, BatchPicker, Found, Picker, Plate, Sight
from simkit.statistics.counts import poisson_quantile

ALARM = 1e-3
"""Chance that a picker which keeps its promise of false picks is said not to."""

UNPROMISED = 1.0
"""False picks a micrograph that are allowed to a picker that promises nothing."""


class PickerFailedError(Exception):
    """A picker did not come to an end with picks; its text says how."""


class Subject(Protocol):
    """Whoever takes the trials."""

    @property
    def name(self) -> str:
        """What the card calls it."""

    @property
    def cut(self) -> str:
        """How its picks are cut, in words."""

    @property
    def asked(self) -> bool:
        """Whether it looks when it is asked to; a list that was made before does not."""

    def look(self, exposures: Sequence[Exposure]) -> list[Found]:
        """Return what it finds in micrographs that have the same templates, in their order.

        Raises
        ------
        PickerFailedError
            If it breaks down.
        """


@dataclass(frozen=True)
class PickerSubject:
    """A picker as a scenario declares it, ours or one from outside. It is shown pixels, and no truth.

    Attributes
    ----------
    name : str
        What the card calls it.
    picker : Picker
        Searches with the kit's own templates.
    workers : int
        Threads, or programs at a time.
    """

    name: str
    picker: Picker
    workers: int = 1
    asked: bool = True

    @property
    def cut(self) -> str:
        """See `Subject.cut`."""
        return self.picker.cut

    def look(self, exposures: Sequence[Exposure]) -> list[Found]:
        """See `Subject.look`."""
        try:
            if isinstance(self.picker, BatchPicker):
                return self._together(self.picker, exposures)
            return [self._one(exposure) for exposure in exposures]
        except SimkitError as error:
            raise PickerFailedError(str(error)) from error
        except Exception as error:
            # Whatever a picker does wrong is a result of its trial, and the others go on.
            raise PickerFailedError(f"{type(error).__name__}: {error}") from error

    def _together(self, picker: BatchPicker, exposures: Sequence[Exposure]) -> list[Found]:
        plates = [
            Plate(exposure.name, exposure.grid, functools.partial(np.array, exposure.pixels))
            for exposure in exposures
        ]
        rng = stream(SEED, "picker", exposures[0].name)
        with holes_are_meant():
            return picker.pick_all(Batch(plates, banks(exposures[0].templates), rng, self.workers))

    def _one(self, exposure: Exposure) -> Found:
        return self.picker.pick(
            Sight(
                pixels=np.array(exposure.pixels),
                grid=exposure.grid,
                banks=banks(exposure.templates),
                spacing=None,
                noise_spectrum=None,
                mask=None,
                rng=stream(SEED, "picker", exposure.name),
                workers=self.workers,
                name=exposure.name,
            )
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """One micrograph and what was picked in it.

    Attributes
    ----------
    exposure : Exposure
        The micrograph.
    found : Found
        What the picker returned.
    """

    exposure: Exposure
    found: Found

    @property
    def picks(self) -> Picks:
        """What was picked."""
        return self.found.picks

    @functools.cached_property
    def match(self) -> Match:
        """Particles and picks one to one."""
        return matched(self.exposure.truth, self.picks)

    @property
    def missed(self) -> int:
        """Particles without a pick."""
        return len(self.exposure.truth) - len(self.match.truth)

    @property
    def false(self) -> int:
        """Picks that are of no particle, second ones of one included."""
        return len(self.picks) - len(self.match.pick)

    @property
    def gives_angles(self) -> bool:
        """Whether there are angles among the picks, and not the same for all."""
        psi = self.picks["psi"][np.isfinite(self.picks["psi"])]
        return len(psi) > 1 and bool(np.ptp(psi) > 0)

    @functools.cached_property
    def places(self) -> FloatArray:
        """Of every particle the pick it was given: (n, 3), y and x in Å and ψ; NaN where there is none."""
        placed = np.full((len(self.exposure.truth), 3), np.nan)
        rows = [self.picks[name][self.match.pick] for name in ("y", "x", "psi")]
        placed[self.match.truth] = np.stack(rows, axis=1)
        return placed


def positions(table: Truth | Picks) -> FloatArray:
    """Return y and x in Å, shape (n, 2)."""
    return np.stack([table["y"], table["x"]], axis=1)


def matched(truth: Truth, picks: Picks) -> Match:
    """Pair particles and picks, one to one, within the kit's radius."""
    return match_optimal(positions(truth), positions(picks), RADIUS)


def promised(seen: Sequence[Seen]) -> float | None:
    """Return the false picks that the picker itself expects in these micrographs, where it says so."""
    expected = [one.found.expected_false for one in seen]
    known = [count for count in expected if count is not None]
    return sum(known) if len(known) == len(expected) else None


def allowance(seen: Sequence[Seen]) -> int:
    """Return how many false picks are excused: as many as its promise makes likely.

    A picker that promises nothing is treated as one that promises `UNPROMISED` a micrograph.
    """
    expected = promised(seen)
    return int(poisson_quantile(1 - ALARM, UNPROMISED * len(seen) if expected is None else expected))


@dataclass
class Bench:
    """Shows a subject micrographs, each no more than once.

    Attributes
    ----------
    subject : Subject
        Takes the trials.
    quick : bool
        Whether fewer micrographs are to do.
    """

    subject: Subject
    quick: bool = False
    _seen: dict[str, Seen] = field(default_factory=dict)
    _costs: dict[str, Cost] = field(default_factory=dict)

    def look(self, exposures: Sequence[Exposure]) -> list[Seen]:
        """Return what is picked in some micrographs of the same templates.

        Raises
        ------
        PickerFailedError
            If the picker breaks down in one it has not seen yet.
        """
        new = [exposure for exposure in exposures if exposure.name not in self._seen]
        if new:
            self._seen.update((one.exposure.name, one) for one in self.look_again(new))
        return [self._seen[exposure.name] for exposure in exposures]

    def look_again(self, exposures: Sequence[Exposure]) -> list[Seen]:
        """Return the same anew, be they seen before or not."""
        found = self.subject.look(exposures)
        return [
            Seen(exposure, replace(one, picks=one.picks.replace(micrograph=[exposure.name] * len(one.picks))))
            for exposure, one in zip(exposures, found, strict=True)
        ]

    def cost(self, exposure: Exposure) -> Cost:
        """Return what it costs to look at a micrograph; it is measured once."""
        if exposure.name not in self._costs:
            with measured() as cost:
                self.look_again([exposure])
            self._costs[exposure.name] = cost
        return self._costs[exposure.name]
