"""Laws: what a picker ought to obey whatever it looks for, and however few particles it finds.

A micrograph is changed in a way whose effect on the picks is known without any truth: picks of the particles
found before must be found again, in the place that belongs to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.conformance.bench import Bench, Seen, positions
from simkit.conformance.scene import DIAMETER, PIXEL_SIZE, Exposure, field
from simkit.conformance.trial import Outcome, Trial
from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.core.quantity import wrap_angle
from simkit.matching.diagnosis import diagnose

SAME_PLACE = 0.1
"""Pixels within which a place is the same: what stands at the border, and so what is known of the noise, is
not quite the same after a shift or a turn."""

SAME_ANGLE = 1.0
"""Degrees, for the same reason."""

ROUNDING = 0.75
"""Pixels, root mean square: rounding to whole pixels costs half a pixel along both axes, 0.71."""

INSIDE = 1.5 * DIAMETER
"""Å from the border in the original at which, shifted too, no filter for a particle reaches beyond it."""

SHIFT = (7, -9)
"""Whole pixels; no particle of the field reaches the border by it."""

PART = (3.5, -2.5)
"""Pixels, whole and a half: what a rounded place is then off by does not depend on the place."""

LINEAR = ((20.0, 0.0), (1.0, 5000.0), (0.01, -1.0))
"""Gains and offsets, in a micrograph of 127 ± 11 electrons per pixel: single precision costs them 0.0005."""

Places = Callable[[FloatArray], FloatArray]
"""Maps (n, 3) of y and x in Å and ψ in degrees to where they belong after a change."""


@dataclass(frozen=True)
class Change:
    """A changed micrograph, and where what stood in the original belongs in it."""

    exposure: Exposure
    places: Places

    @classmethod
    def of(cls, exposure: Exposure, name: str, pixels: FloatArray, places: Places) -> Change:
        """Change the pixels, and the places of the particles with them."""
        y, x, psi = places(_poses(exposure)).T
        truth = exposure.truth.replace(y=y, x=x, psi=psi % 360)
        return cls(exposure.altered(name, pixels, truth=truth), places)


def _poses(exposure: Exposure) -> FloatArray:
    return np.stack([exposure.truth[name] for name in ("y", "x", "psi")], axis=1)


def shifted(exposure: Exposure, name: str, shift: tuple[float, float]) -> Change:
    """Shift a micrograph by pixels, its edges joined, through its transform."""
    by = np.array([*shift, 0.0]) * PIXEL_SIZE
    return Change.of(exposure, name, fourier.shift(exposure.pixels, shift), lambda at: at + by)


def rolled(exposure: Exposure, shift: tuple[int, int]) -> Change:
    """Shift a micrograph by whole pixels, its edges joined; no pixel's value changes."""
    by = np.array([*shift, 0.0]) * PIXEL_SIZE
    return Change.of(exposure, "rolled", np.roll(exposure.pixels, shift, (0, 1)), lambda at: at + by)


def turned(exposure: Exposure, quarters: int) -> Change:
    """Turn a micrograph by quarters, from +x towards −y as `numpy.rot90` does."""
    last = [(n - 1) * PIXEL_SIZE for n in exposure.pixels.shape]

    def places(at: FloatArray) -> FloatArray:
        for quarter in range(quarters):
            at = np.stack([last[1 - quarter % 2] - at[:, 1], at[:, 0], at[:, 2] - 90], axis=1)
        return at

    return Change.of(exposure, f"turned{quarters}", np.rot90(exposure.pixels, quarters), places)


def carried(before: Seen, after: Seen, places: Places) -> tuple[FloatArray, FloatArray, int]:
    """Compare picks of the same particles before and after a change; of particles well inside alone.

    Returns
    -------
    pixels : array, shape (n,)
        From where the pick belongs to where it is.
    degrees : array, shape (m,)
        The same of angles, where there are any.
    lost : int
        Particles found in one of the two alone.
    """
    inside = _depth(before.exposure) >= INSIDE
    off = (after.places - places(before.places))[inside]
    there = [np.isfinite(seen.places[inside, 0]) for seen in (before, after)]
    pixels = np.hypot(off[:, 0], off[:, 1])[there[0] & there[1]] / PIXEL_SIZE
    degrees = np.abs(wrap_angle(off[np.isfinite(off[:, 2]), 2])) if before.gives_angles else np.empty(0)
    return pixels, degrees, int((there[0] != there[1]).sum())


def _depth(exposure: Exposure) -> FloatArray:
    """Return how far every particle is from the nearest border, Å."""
    at = positions(exposure.truth)
    far = (np.array(exposure.pixels.shape) - 1) * PIXEL_SIZE
    return np.minimum(at, far - at).min(axis=1)


def _unchanged(bench: Bench, original: Exposure, changes: Sequence[Change]) -> Outcome:
    """Judge micrographs that must give the picks of another, each where it belongs."""
    before, *after = bench.look([original, *(change.exposure for change in changes)])
    found = [carried(before, one, change.places) for one, change in zip(after, changes, strict=True)]
    pixels, degrees = (np.concatenate([one[i] for one in found]) for i in (0, 1))
    if not len(pixels):
        return Outcome(False, None, "no particle is found in both micrographs", [before])
    lost, farthest, most = sum(one[2] for one in found), float(pixels.max()), float(degrees.max(initial=0.0))
    holds = not lost and farthest <= SAME_PLACE and most <= SAME_ANGLE
    words = f"{len(pixels)} picks are at most {_px(farthest)} from where they belong"
    words += f", their angles {most:.2g}°" if len(degrees) else ""
    words += f"; {lost} particles found in one alone" if lost else ""
    return Outcome(holds, farthest, words, [] if holds else [before, *after])


def _px(value: float) -> str:
    return f"{value:.2g} px"


def _whole_shift(bench: Bench) -> Outcome:
    return _unchanged(bench, field(), [rolled(field(), SHIFT)])


def _part_shift(bench: Bench) -> Outcome:
    # A shift by nothing, for what the transform leaves out at the highest frequency to be left out of both.
    still, part = shifted(field(), "still", (0.0, 0.0)), shifted(field(), "shifted", PART)
    before, after = bench.look([still.exposure, part.exposure])
    pixels, _, lost = carried(before, after, part.places)
    if not len(pixels):
        return Outcome(False, None, "no particle is found in both micrographs", [before])
    off = float(np.sqrt(np.mean(pixels**2)))
    holds = off <= ROUNDING and not lost
    words = f"{len(pixels)} picks follow to {_px(off)}, root mean square"
    words += f"; {lost} particles found in one alone" if lost else ""
    return Outcome(holds, off, words, [] if holds else [before, after])


def _quarter_turns(bench: Bench) -> Outcome:
    return _unchanged(bench, field(), [turned(field(), k) for k in (1, 2, 3)])


def _linear(bench: Bench) -> Outcome:
    changes = [
        Change.of(field(), f"linear{number}", a * field().pixels + b, lambda at: at)
        for number, (a, b) in enumerate(LINEAR)
    ]
    return _unchanged(bench, field(), changes)


def _twice(bench: Bench) -> Outcome:
    if not bench.subject.asked:
        return Outcome(None, None, "its lists were made before")
    (with_others,) = bench.look([field()])
    (first,), (again,) = bench.look_again([field()]), bench.look_again([field()])
    twice, beside = _differing(first, again), _differing(first, with_others)
    differing = max(twice, beside)
    words = f"{twice} of {len(first.picks)} picks differ the second time"
    words += f", {beside} where it is shown other micrographs besides" if beside > twice else ""
    return Outcome(not differing, float(differing), words, [first, again] if differing else [])


def _differing(a: Seen, b: Seen) -> int:
    rows = [Counter(tuple(map(str, row.values())) for row in seen.picks.rows()) for seen in (a, b)]
    return max((rows[0] - rows[1]).total(), (rows[1] - rows[0]).total())


def _convention(bench: Bench) -> Outcome:
    (seen,) = bench.look([field()])
    found = diagnose(
        seen.exposure.truth,
        seen.picks,
        pixel_size=PIXEL_SIZE,
        shape=(seen.exposure.pixels.shape[0], seen.exposure.pixels.shape[1]),
    )
    bias = None if found.bias is None or not found.right else float(np.hypot(*found.bias))
    words = found.sentence + (f" To correct it, {found.remedy}" if found.remedy else "")
    return Outcome(found.right, bias, words, [] if found.right else [seen])


SAME = "what the border takes part in, the estimate of the noise, is not quite the same"

LAWS = (
    Trial(
        "whole-pixel shift",
        "law",
        "Does every pick move along with an image that is shifted by (7, −9) pixels?",
        f"Exact by the shift theorem, edges joined; {SAME_PLACE:g} px allowed: {SAME}.",
        "px, farthest",
        _whole_shift,
    ),
    Trial(
        "sub-pixel shift",
        "law",
        "Do picks follow a shift by (3.5, −2.5) pixels?",
        f"The image is shifted exactly, through its transform; {ROUNDING:g} px root mean square allowed: "
        "rounding to whole pixels costs 0.71.",
        "px, rms",
        _part_shift,
    ),
    Trial(
        "quarter turns",
        "law",
        "Does every pick turn along with an image that is turned by 90, 180 and 270°?",
        f"Exact, for pixels are only rearranged; {SAME_PLACE:g} px and {SAME_ANGLE:g}° allowed: {SAME}.",
        "px, farthest",
        _quarter_turns,
    ),
    Trial(
        "gain and offset",
        "law",
        "Are the picks of a·I + b those of I?",
        f"a, b = 20, 0; 1, 5000; 0.01, −1 at 127 electrons a pixel; exact but for single precision; "
        f"{SAME_PLACE:g} px and {SAME_ANGLE:g}° allowed.",
        "px, farthest",
        _linear,
    ),
    Trial(
        "determinism",
        "law",
        "Does the same micrograph give the same picks twice, and whatever it is shown with?",
        "Every column of every pick, to the last bit, with the same seed.",
        "picks that differ",
        _twice,
    ),
    Trial(
        "coordinates",
        "law",
        "Are coordinates centres in pixels from 0, x to the right, y down, and angles turned from +x to +y?",
        "All flips, exchanges, scales and offsets that have a name are tried, as `simkit convention` does; "
        "half a pixel shows where the mean error of 25 particles is known to 0.1 px.",
        "px, bias",
        _convention,
    ),
)
"""In the order of the card."""
