"""Say in a sentence which convention the picks of a micrograph with known truth have got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.quantity import wrap_angle
from simkit.core.tables import Picks, Truth
from simkit.matching._convention_names import (
    BINNINGS,
    SURE,
    Finding,
    Offset,
    angle_rule,
    frame_angle,
    frame_findings,
    name_angle,
    name_offset,
    named_scales,
    other_scale,
    position_rules,
    same_angle,
)
from simkit.matching._hypotheses import AS_GIVEN, Frame
from simkit.matching._misreading import FEWEST, Reading, best_angle, best_reading

COARSE_SCALES = tuple(np.geomspace(0.1, 10, 461).tolist())
"""Tried where no scale that has a name explains the picks."""

MOST_A_PARTICLE = 100
"""Picks for every particle beyond which it is not worth looking."""

WHOLE = 1e-6
"""Pixels within which a position counts as a whole number."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with the coordinates of some picks, and how good they are without it.

    Attributes
    ----------
    errors : tuple of str
        What is wrong, none if nothing is: "transposed", "flipped-y", "flipped-x", "flip-off-by-one",
        "corner", "one-based", "half-pixel", "offset", "in-angstrom", "in-pixels", "binned",
        "binned-without-phase", "enlarged", "scale", "angle-sign", "angle-from-y", "angle-turned",
        "angle-in-radians", "angle-unknown" or "unrecognised".
    sentence : str
        For a person.
    remedy : str
        What would correct it; "" where nothing is wrong.
    remarks : tuple of str
        What is not wrong but worth knowing.
    matched, truths, picks : int
        Pairs once everything is corrected, and how many there could be.
    bias, bias_error : tuple of float, or None
        Mean of pick − truth in y and x, in pixels, as it remains once corrected, and its standard error.
    rmse : float or None
        Root of the mean squared distance of the pairs, in pixels, once corrected.
    angle_error : float or None
        Median error of the angles in degrees, once corrected; None where there are none.
    """

    errors: tuple[str, ...]
    sentence: str
    remedy: str
    remarks: tuple[str, ...]
    matched: int
    truths: int
    picks: int
    bias: tuple[float, float] | None = None
    bias_error: tuple[float, float] | None = None
    rmse: float | None = None
    angle_error: float | None = None

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors

    @property
    def recall(self) -> float | None:
        """Share of the particles found once everything is corrected."""
        return self.matched / self.truths if self.truths else None


def diagnose(
    truth: Truth, picks: Picks, *, pixel_size: float, shape: tuple[int, int], box: float | None = None
) -> Diagnosis:
    """Find which convention the picks of a micrograph differ in from the truth.

    Parameters
    ----------
    truth : Truth
        Of one micrograph, complete; particles without symmetry, at no lattice.
    picks : Picks
        As their file has them.
    pixel_size : float
        Å.
    shape : tuple of int
        Rows and columns of the micrograph.
    box : float, optional
        Side of the boxes in px, if known; otherwise it is told from the offset.

    Notes
    -----
    All frames are tried with the scales that mistaken units and binning give, at the offset that
    brings most pairs together; 30 % of particles missing and as many false picks do no harm. Of readings
    that bring nine tenths as many together as the best, the one with fewest flips, then of plainest
    scale is taken. Its offset gets the likeliest name, plain ones first: see `name_offset`.
    """
    truths, points = (np.stack([table["y"], table["x"]], axis=1) / pixel_size for table in (truth, picks))
    if len(picks) == 0:
        return _unrecognised("there are no picks in it", truth, picks)
    if len(picks) > MOST_A_PARTICLE * len(truth):
        words = f"these are {len(picks)} picks of {len(truth)} particles, far too many to judge"
        return _unrecognised(words, truth, picks)
    scales = named_scales(pixel_size)
    reading = best_reading(truths, points, shape, scales=tuple(scales)) or _rescaled(truths, points, shape)
    if reading is None:
        words = f"no convention known here makes sense of these {len(picks)} picks of {len(truth)} particles"
        return _unrecognised(words, truth, picks)
    scale = scales.get(reading.scale, other_scale(reading.scale))
    offset = name_offset(reading, scale, box)
    angles = _angles(truth["psi"][reading.truth], picks["psi"][reading.pick], reading.frame)
    findings = [
        *frame_findings(reading.frame),
        *([scale.finding] if scale.finding else []),
        *offset.findings,
        *angles.findings,
    ]
    rules = position_rules(reading.frame, reading.scale, offset.value, shape) | angles.rule
    error = reading.corrected(points, shape, offset.value)[reading.pick] - truths[reading.truth]
    standard = error.std(axis=0, ddof=1) / np.sqrt(len(error))
    return Diagnosis(
        errors=tuple(finding.name for finding in findings),
        sentence=_sentence(findings, rules),
        remedy=_remedy(reading, offset, angles, rules, shape) if findings else "",
        remarks=(*_position_remarks(points, offset.value, standard), *angles.remarks),
        matched=len(error),
        truths=len(truth),
        picks=len(picks),
        bias=_pair(error.mean(axis=0)),
        bias_error=_pair(standard),
        rmse=float(np.sqrt((error**2).sum(axis=1).mean())),
        angle_error=angles.error,
    )


def _pair(values: FloatArray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _unrecognised(words: str, truth: Truth, picks: Picks) -> Diagnosis:
    remedy = "draw the picks on the micrograph: is it this one, and is the threshold right?"
    return Diagnosis(("unrecognised",), f"{words}.", remedy, (), 0, len(truth), len(picks))


def _rescaled(truths: FloatArray, points: FloatArray, shape: tuple[int, int]) -> Reading | None:
    """Find a scale that has no name, to the precision of the picks."""
    reading = best_reading(truths, points, shape, scales=COARSE_SCALES, frames=(AS_GIVEN,))
    if reading is None:
        return None
    true, found = (p - p.mean(axis=0) for p in (truths[reading.truth], points[reading.pick]))
    scale = float((true * found).sum() / (found**2).sum())
    return best_reading(truths, points, shape, scales=(scale,), frames=(AS_GIVEN,))


@dataclass(frozen=True)
class _Angles:
    """What is wrong with the angles of the matched picks, and how simkit's are had from them."""

    findings: tuple[Finding, ...] = ()
    rule: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    error: float | None = None
    follow_frame: bool = True
    """Whether what corrects the frame corrects them."""


def _angles(truth: FloatArray, picks: FloatArray, frame: Frame) -> _Angles:
    """Judge angles (n,) of pairs."""
    known = picks[np.isfinite(picks)]
    if len(known) < FEWEST:
        return _Angles(remarks=("there are no angles in it",))
    if np.ptp(known) == 0:
        return _Angles(remarks=(f"all angles are {known[0]:g}°, so nothing is said of them",))
    reading = best_angle(truth, picks, frame_angle(frame))
    if reading is None:
        error = float(np.median(np.abs(wrap_angle(picks - truth))))
        words = "angles agree with the particles' in no convention known here"
        return _Angles((Finding("angle-unknown", words),), error=error, follow_frame=False)
    as_read, as_framed = (reading.sign, reading.turn), frame_angle(frame)
    follow = reading.unit == 1 and same_angle(as_read, as_framed)
    already = reading.unit == 1 and same_angle(as_read, (1, 0.0)) and not follow
    return _Angles(
        findings=tuple(name_angle(reading, frame)),
        rule=angle_rule(reading),
        remarks=("angles are right as they are; --frame would turn them as well",) if already else (),
        error=reading.error,
        follow_frame=follow,
    )


def _sentence(findings: Sequence[Finding], rules: Mapping[str, str]) -> str:
    if not findings:
        return "the coordinates are right: centres in pixels from 0, x to the right, y down."
    words = "; ".join(finding.words for finding in findings)
    text = ", ".join(f"{name} is {rule}" for name, rule in rules.items())
    return f"{words}: simkit's {text}." if text else f"{words}."


def _remedy(
    reading: Reading, offset: Offset, angles: _Angles, rules: Mapping[str, str], shape: tuple[int, int]
) -> str:
    """Say what would correct it: options of `simkit score` where they do all of it, and the code."""
    terms = [rule.replace("yours", name).replace("your ", "") for name, rule in rules.items()]
    code = f"{', '.join(rules)} = {', '.join(terms)}" if rules else ""
    options = _options(reading, shape)
    if offset.findings or not angles.follow_frame or not options:
        return f"in the program that wrote them: {code}" if code else ""
    return f"with simkit score: {options}; in the program that wrote them: {code}"


def _options(reading: Reading, shape: tuple[int, int]) -> str:
    """Write the options that describe a frame and a binning; "" where there are none that do."""
    frame, options = reading.frame, []
    if frame.swap + sum(frame.flip) > 1 or (reading.scale != 1 and reading.scale not in BINNINGS):
        return ""
    if frame.name:
        options.append(f"--frame {frame.name}")
    for name, flip, n in zip(("height", "width"), frame.flip, shape, strict=True):
        options += [f"--{name} {n}"] if flip else []
    options += [f"--binning {reading.scale:g}"] if reading.scale != 1 else []
    return " ".join(options)


def _position_remarks(points: FloatArray, offset: FloatArray, standard: FloatArray) -> list[str]:
    remarks = []
    if np.all(np.abs(points - np.round(points)) < WHOLE):
        remarks.append("positions are whole pixels: the rounding alone costs 0.41 px of rmse")
        if np.all(offset == -0.5):
            remarks.append("they look cut to whole pixels where they should be rounded")
    if SURE * standard.max() > 0.5:
        remarks.append(
            f"half a pixel would not show: the standard error of the mean is {standard.max():.2f} px"
        )
    return remarks
