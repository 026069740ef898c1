"""What people call the ways in which coordinates are misread, and the formula that undoes each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.quantity import wrap_angle
from simkit.matching._hypotheses import Frame
from simkit.matching._misreading import AngleReading, Reading

BINNINGS = (2, 3, 4, 8)

SURE = 4.0
"""Standard errors within which an offset may be what it is called: all but 1 in 10,000 are, an axis."""

NEGLIGIBLE = 0.2
"""Pixels of offset that are never held against a picker."""

SYSTEMATIC = 0.05
"""Pixels by which interpolation may move picks, whatever their number."""

RARE = 12.0
"""What χ² must gain for an offset to be called an error: odds of e⁶ against nothing being wrong."""

CORNER = 1.5
"""Pixels from which an equal offset in y and x is read as half a box."""

TURN = 5.0
"""Degrees by which angles as a whole may differ from what they are called."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its name for programs, and what is said of it."""

    name: str
    words: str


@dataclass(frozen=True)
class Scale:
    """A factor of the positions that has a cause; `unit` is what one of the picks' pixels measures in px."""

    finding: Finding | None
    unit: float = 1.0
    phase: float | None = None
    """Offset in px that comes with binning by means of pixels."""


def named_scales(pixel_size: float) -> dict[float, Scale]:
    """Return pixels of the micrograph per unit of the picks → what that means, the plainest first."""
    scales = {1.0: Scale(None)}
    units = {
        1 / pixel_size: Finding("in-angstrom", "positions are in Å where pixels are meant"),
        pixel_size: Finding("in-pixels", "positions are in pixels where Å are meant"),
    }
    for scale, finding in units.items():
        scales.setdefault(scale, Scale(finding))
    for b in BINNINGS:
        binned = Finding("binned", f"positions are those of an image binned {b} times")
        enlarged = Finding("enlarged", f"positions are those of an image enlarged {b} times")
        scales.setdefault(float(b), Scale(binned, b, -(b - 1) / 2))
        scales.setdefault(1 / b, Scale(enlarged, 1 / b, (b - 1) / (2 * b)))
    return scales


def other_scale(scale: float) -> Scale:
    """Describe a factor that has no cause known here."""
    words = f"positions are {1 / scale:.3g} times what they should be (is the pixel size right?)"
    return Scale(Finding("scale", words), scale)


def frame_findings(frame: Frame) -> list[Finding]:
    """Name the exchanged and flipped axes of a frame."""
    found = [Finding("transposed", "x and y are exchanged")] if frame.swap else []
    found += [Finding("flipped-y", "y counts from the bottom")] if frame.flip[0] else []
    found += [Finding("flipped-x", "x counts from the right")] if frame.flip[1] else []
    return found


@dataclass(frozen=True)
class Offset:
    """An offset in px along the picks' own axes (y, x), and what it is called."""

    value: FloatArray
    findings: tuple[Finding, ...] = ()
    surprise: float = 0.0


def name_offset(reading: Reading, scale: Scale, box: float | None) -> Offset:
    """Give the offset of a reading the likeliest name.

    The named offset with the least χ² is taken, where one that is an error must win by `RARE`; if it
    is further away than `SURE` standard errors (`NEGLIGIBLE` px at least), the offset is half a box
    where it is the same in y and x, and else has no name.
    """
    offset, error = reading.offset, np.hypot(reading.error, SYSTEMATIC)

    def misfit(named: Offset) -> float:
        return float((((offset - named.value) / error) ** 2).sum()) + named.surprise

    best = min(_named_offsets(reading.frame, scale), key=misfit)
    if np.all(np.abs(offset - best.value) <= np.maximum(NEGLIGIBLE, SURE * reading.error)):
        return best
    from_centre, slack = offset - (scale.phase or 0.0), max(NEGLIGIBLE, SURE * float(error.max()))
    half = np.abs(from_centre)
    if half.min() >= CORNER and np.ptp(half) <= slack:
        whole = scale.unit * round(float(half.mean()) / scale.unit)
        if np.all(np.abs(half - whole) <= slack):
            from_centre = np.sign(from_centre) * whole
        named = Finding("corner", _corner_words(float(half.mean()) / scale.unit, box))
        return Offset(from_centre + (scale.phase or 0.0), (named,))
    words = f"positions are off by {offset[0]:+.2f} px in y and {offset[1]:+.2f} px in x"
    return Offset(offset, (Finding("offset", words),))


def _corner_words(half: float, box: float | None) -> str:
    if box is not None and abs(half - box / 2) <= 1:
        return f"positions are corners of the boxes of {box:g} px, not centres"
    return f"positions are corners of boxes of about {2 * half:.0f} px, not centres"


def _named_offsets(frame: Frame, scale: Scale) -> list[Offset]:
    one = Finding("one-based", "pixels are counted from 1, not from 0")
    both = np.ones(2)
    if scale.phase is not None:
        no_phase = Finding(
            "binned-without-phase",
            "pixel 0 of the two images has one centre (as after a Fourier crop)",
        )
        return [
            Offset(scale.phase * both),
            Offset(0 * both, (no_phase,)),
            Offset((scale.phase + scale.unit) * both, (one,), RARE),
            Offset(scale.unit * both, (no_phase, one), RARE),
        ]
    named = [Offset(0 * both), Offset(both, (one,), RARE)]
    flipped = np.array(frame.flip[::-1] if frame.swap else frame.flip)
    if flipped.any():
        wrong = Finding("flip-off-by-one", "the flip is off by one")
        named += [Offset(sign * flipped, (wrong,), RARE) for sign in (1.0, -1.0)]
    for signs in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
        size = "large" if signs == (1, 1) else "small" if signs == (-1, -1) else "far to one side"
        half = Finding("half-pixel", f"positions are half a pixel too {size}")
        named.append(Offset(0.5 * np.array(signs), (half,), RARE))
    return named


def frame_angle(frame: Frame) -> tuple[int, float]:
    """Return sign and turn (degrees) by which a frame's angles become true ones."""
    sign, turn = (-1, 90.0) if frame.swap else (1, 0.0)
    for axis_turn, flip in zip((0.0, 180.0), frame.flip, strict=True):
        sign, turn = (-sign, axis_turn - turn) if flip else (sign, turn)
    return sign, turn


def name_angle(reading: AngleReading, frame: Frame) -> list[Finding]:
    """Name what is wrong with angles beyond what their frame does to them; nothing if they are true."""
    found = [] if reading.unit == 1 else [Finding("angle-in-radians", "angles are in radians, not degrees")]
    sign, turn = _within_frame(reading, frame)
    if same_angle((reading.sign, reading.turn), (1, 0.0)) or same_angle((sign, turn), (1, 0.0)):
        return found
    if same_angle((sign, turn), (-1, 90.0)):
        return [*found, Finding("angle-from-y", "angles are counted from the y axis towards x")]
    if sign < 0:
        found.append(Finding("angle-sign", "angles turn the other way"))
    if abs(wrap_angle(turn)) > TURN:
        found.append(Finding("angle-turned", f"angles are off by {abs(wrap_angle(rounded(turn))):g}°"))
    return found


def same_angle(one: tuple[int, float], other: tuple[int, float]) -> bool:
    """Tell whether two (sign, turn) are alike."""
    return one[0] == other[0] and bool(abs(wrap_angle(one[1] - other[1])) <= TURN)


def _within_frame(reading: AngleReading, frame: Frame) -> tuple[int, float]:
    sign, turn = frame_angle(frame)
    return reading.sign * sign, float(wrap_angle(sign * (reading.turn - turn)))


def rounded(turn: float) -> float:
    """Return a turn as the multiple of 90° that it is near to, if it is, and else in whole degrees."""
    quarter = 90.0 * round(turn / 90)
    return quarter if abs(turn - quarter) <= TURN else float(round(turn))


def position_rules(frame: Frame, scale: float, offset: FloatArray, shape: tuple[int, int]) -> dict[str, str]:
    """Write simkit's y and x in terms of the picks', both in pixels; those that are the same are left out."""
    rules = {}
    for axis, name in enumerate("yx"):
        own = 1 - axis if frame.swap else axis
        yours = "yours" if own == axis else f"your {'yx'[own]}"
        scaled = (
            yours if scale == 1 else f"{scale:.4g} × {yours}" if scale > 1 else f"{yours} / {1 / scale:.4g}"
        )
        if frame.flip[axis]:
            rules[name] = f"{shape[axis] - 1 + offset[own]:.6g} − {scaled}"
        elif abs(offset[own]) >= 0.005:
            rules[name] = f"{scaled} {'−' if offset[own] > 0 else '+'} {abs(offset[own]):.4g}"
        elif scaled != "yours":
            rules[name] = scaled
    return rules


def angle_rule(reading: AngleReading) -> dict[str, str]:
    """Write simkit's ψ in terms of the picks' angle; nothing if it is the same."""
    yours = "yours" if reading.unit == 1 else "yours × 180/π"
    turn = float(wrap_angle(rounded(reading.turn)))
    turn = 180.0 if turn == -180.0 else turn
    if reading.sign < 0:
        return {"ψ": f"{turn:g}° − {yours}" if turn else f"−{yours}"}
    if turn:
        return {"ψ": f"{yours} {'+' if turn > 0 else '−'} {abs(turn):g}°"}
    return {} if reading.unit == 1 else {"ψ": yours}
