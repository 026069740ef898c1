"""Notice picks that fail because they are in another frame, not because they are wrong.

A picker that writes y from the bottom finds its particles as often as dice would. `likely_frame`
turns and flips the picks, and says so where one of these frames is far better than the one given.
Nobody need know the size of the micrograph: where picks are flipped, y_truth + y_pick is the same
for every true pair, height − 1, and these sums pile up there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc

from simkit.core.tables import Picks, Truth
from simkit.matching._hypotheses import (
    AS_GIVEN,
    DISPLACEMENTS,
    FRAMES,
    Field,
    Frame,
    Trial,
    attempt,
    displacement,
    elect,
    refined,
)

FALSE_ALARM = 1e-6
"""Chance that picks at random are suspected, in one call."""

FAR_ABOVE = 0.1
"""Share of all picks by which a frame must exceed chance before anything is said."""

LEVEL_OF_CHANCE = 0.25
"""The frame as given is at chance while it exceeds it by at most this share of what the better one does."""

RIVAL = 0.5
"""A second place of the flip that exceeds chance by more than this share makes it a lattice, not a flip."""

SPREADS = 5
"""Standard deviations, of the hits at displaced places, by which it must exceed their mean."""

FEWEST = 8
"""Of truths, of picks and of hits, below which nothing is said."""

SIDES = (1024, 2048, 3710, 3838, 4092, 4096, 5760, 7420, 7676, 8184, 8192, 11520)
"""Pixels along the sides of electron detectors in use; a size near one of them is taken for it."""

MOST = 200_000
"""Truths and picks together above which only some of the micrographs are looked at."""

BIAS = 1 / 8
"""Share of the radius, 2 px at least, by which a picker's own bias may put the size of a micrograph wrong."""


@dataclass(frozen=True)
class Suspicion:
    """Another frame in which the picks are far better.

    Attributes
    ----------
    sentence : str
        For a person: what it looks like, and the options that correct it.
    frame : str
        What the picks look like: "flipped-y", "transposed", "transposed+flipped-x" …
    as_given, better : int
        Matched pairs in the frame as given and in the other one, on the micrographs that were looked at.
    chance : float
        Matched pairs to be expected by chance.
    height, width : float or None
        Å, where y or x is flipped: the coordinate of the micrograph's last pixel, (pixels − 1) · pixel
        size, with which the two agree best.
    """

    sentence: str
    frame: str
    as_given: int
    better: int
    chance: float
    height: float | None = None
    width: float | None = None


def likely_frame(
    truth: Truth, picks: Picks, *, radius: float, pixel_size: float | None = None
) -> Suspicion | None:
    """Notice picks that match at the level of chance as given and far above it in another frame.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Of any number of micrographs of one size, in two dimensions.
    radius : float
        Å; the farthest a pick may be from a truth.
    pixel_size : float, optional
        Å, to tell the size of the micrograph in pixels; without it, it is told in Å.

    Returns
    -------
    Suspicion or None
        None where the frame as given is better than chance, where no other is far above it, where
        there are too few points to tell, and on a crystal, where a flip matches as well as a
        displacement by a lattice vector does.

    Notes
    -----
    Where an axis is flipped is not known. Every truth and pick that agree in the other coordinate
    vote for the sum of the two: true pairs all vote alike. The hits under the winner are judged by
    the binomial law, with the chance of a hit as measured by displacing the picks a few radii and
    `FALSE_ALARM` divided by the number of frames and of flips that could have won (Bonferroni).

    Of very many points a part tells as much: only some micrographs are looked at, always the same, and the
    sentence says how many.
    """
    truth, picks, looked_at = _some_micrographs(truth, picks)
    if min(len(truth), len(picks)) < FEWEST:
        return None
    field = Field.of(truth, picks, radius)
    if np.ptp(field.truth, axis=0).min() < 2 * radius:
        return None
    as_given = attempt(field, AS_GIVEN, np.zeros(2))
    if as_given.excess > LEVEL_OF_CHANCE * len(field.sample):
        return None  # no frame can be so much better
    suspects = [suspect for frame in FRAMES if (suspect := _suspect(field, frame))]
    if not suspects:
        return None
    better = max(suspects, key=lambda suspect: suspect.trial.excess)
    if as_given.excess > LEVEL_OF_CHANCE * better.trial.excess:
        return None
    if displacement(field).excess > RIVAL * better.trial.excess:
        return None
    return _confirmed(field, better, pixel_size, looked_at)


def _some_micrographs(truth: Truth, picks: Picks) -> tuple[Truth, Picks, str]:
    """Return the tables on as many micrographs, drawn evenly, as have `MOST` points, and what to say."""
    shared = sorted(set(truth.codes("micrograph")[1]) & set(picks.codes("micrograph")[1]))
    if len(truth) + len(picks) <= MOST or len(shared) < 2:
        return truth, picks, ""
    tables = truth.labels("micrograph"), picks.labels("micrograph")
    sizes = [labels.counts() for labels in tables]
    drawn = [shared[i] for i in np.random.default_rng(0).permutation(len(shared))]
    reach = np.cumsum([sum(size[name] for size in sizes) for name in drawn])
    names = drawn[: max(1, int(np.searchsorted(reach, MOST, side="right")))]
    truth, picks = truth.take(tables[0].among(names)), picks.take(tables[1].among(names))
    return truth, picks, f" on {len(names)} of {len(shared)} micrographs"


@dataclass(frozen=True)
class _Suspect:
    """A frame, and from how many hypotheses it was chosen."""

    trial: Trial
    hypotheses: int

    def is_chance(self, hits: int, n: int, chance: float) -> bool:
        """Tell whether so many hits of n could be by chance."""
        if hits < FEWEST:
            return True
        # The pair that proposed the flip hits by construction: only the others are evidence.
        alarm = float(bdtrc(hits - 2, n - 1, min(chance / n, 1.0)))
        return alarm * self.hypotheses * len(FRAMES) > FALSE_ALARM or hits - chance < FAR_ABOVE * n


def _suspect(field: Field, frame: Frame) -> _Suspect | None:
    """Return a frame in which the sample hits far above chance, at one place alone."""
    best, rival, hypotheses = elect(field, frame)
    suspect = _Suspect(attempt(field, frame, best), hypotheses)
    trial, n = suspect.trial, len(field.sample)
    if suspect.is_chance(trial.hits, n, max(trial.chance, n * field.chance_if_random)):
        return None
    if trial.excess < SPREADS * trial.spread:
        return None
    if rival is not None and attempt(field, frame, rival).excess > RIVAL * trial.excess:
        return None
    return suspect


def _confirmed(field: Field, suspect: _Suspect, pixel_size: float | None, looked_at: str) -> Suspicion | None:
    """Count again, one to one and over all picks, and put it into words."""
    frame, sums = suspect.trial.frame, refined(field, suspect.trial)
    as_given, better = field.matched(field.picks), field.matched(frame.read(field.picks, sums))
    chance = float(np.mean([field.matched(field.displaced(field.picks, d)) for d in DISPLACEMENTS[:4]]))
    if suspect.is_chance(better, min(len(field.truth), len(field.picks)), chance):
        return None
    height, width = (float(s) if flip else None for s, flip in zip(sums, frame.flip, strict=True))
    sides = {"height": height, "width": width}
    pixels = {name: _pixels(last, pixel_size, field.radius) for name, last in sides.items() if last}
    sentence = (
        f"the picks look {_looks(frame)}: as given {as_given} of {len(field.picks)} match{looked_at}, which "
        f"is what chance gives ({chance:.0f}); with {_reading(frame)}{_of_size(sides, pixels)} {better} do. "
        f"If so, {_remedy(frame, pixels)}"
    )
    return Suspicion(sentence, frame.name, as_given, better, chance, height, width)


def _looks(frame: Frame) -> str:
    flips = [axis for axis, flip in zip("yx", frame.flip, strict=True) if flip]
    words = ["transposed"] if frame.swap else []
    words += (
        ["flipped" if flips == ["y"] and not words else f"flipped in {' and '.join(flips)}"] if flips else []
    )
    return " and ".join(words)


def _reading(frame: Frame) -> str:
    """Say how the picks are read so that they match."""
    words = ["x and y exchanged"] if frame.swap else []
    words += ["y counted from the bottom"] if frame.flip[0] else []
    words += ["x counted from the right"] if frame.flip[1] else []
    return " and ".join(words)


def _of_size(sides: dict[str, float | None], pixels: dict[str, int | None]) -> str:
    adjectives = {"height": "high", "width": "wide"}
    sizes = [
        f"{sides[name]:.0f} Å {adjectives[name]}" if n is None else f"{n} px {adjectives[name]}"
        for name, n in pixels.items()
    ]
    return f" of a micrograph about {' and '.join(sizes)}" if sizes else ""


def _remedy(frame: Frame, pixels: dict[str, int | None]) -> str:
    """Write what would correct it: an option of the command line, or what to do where none does it all."""
    if frame.swap + sum(frame.flip) == 1:
        options = [f"--{name} {'PIXELS' if n is None else n}" for name, n in pixels.items()]
        return " ".join(["add", f"--frame {frame.name}", *options])
    given = "xy" if frame.swap else "yx"
    lasts = [
        f"{name} − 1 − " if n is None else f"{n - 1} − "
        for name, n in ((name, pixels.get(name, 0)) for name in ("height", "width"))
    ]
    rules = [
        f"{new} = {last if flip else ''}your {old}"
        for new, last, flip, old in zip("yx", lasts, frame.flip, given, strict=True)
    ]
    return f"rewrite them: {', '.join(rules)}"


def _pixels(last: float, pixel_size: float | None, radius: float) -> int | None:
    """Return the pixels of an axis from the coordinate of the last one, if the pixel size is known."""
    if pixel_size is None:
        return None
    found = last / pixel_size + 1
    nearest = min(SIDES, key=lambda side: abs(side - found))
    return nearest if abs(nearest - found) <= max(2.0, BIAS * radius / pixel_size) else round(found)
