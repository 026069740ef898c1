"""How picks of a known micrograph must be read to lie on its particles: frame, scale, offset, angle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from simkit.core.grid import FloatArray
from simkit.core.quantity import wrap_angle
from simkit.matching._hypotheses import AS_GIVEN, FRAMES, Frame, densest

REACH = 4.0
"""Pixels within which a pick that is read rightly has its particle, at a scale of 1 or less."""

ENOUGH = 0.5
"""Share of the fewer of truths and picks that a reading must bring together, and `FEWEST` of them."""

FEWEST = 5

PROMISING = 0.5
"""Share of the most votes below which a frame and scale are not looked at closely."""

AS_GOOD = 0.9
"""A simpler reading is preferred when it brings together this share of what the best one does."""

ANGLES_AGREE = 20.0
"""Degrees; the median error of an angle that is read rightly is less."""


@dataclass(frozen=True)
class Reading:
    """True position = frame(scale · pick − offset), in pixels.

    Attributes
    ----------
    frame : Frame
        Exchanged and flipped axes, about the exact shape of the micrograph.
    scale : float
        Pixels of the micrograph per unit of the picks.
    offset : array, shape (2,)
        By how many pixels of the micrograph the scaled picks are too large, along the picks' own axes.
    truth, pick : array of int
        Rows of the pairs that it brings together.
    residual : array, shape (n, 2)
        Of each pair, pick − truth in the picks' own axes, in pixels of the micrograph.
    """

    frame: Frame
    scale: float
    offset: FloatArray
    truth: npt.NDArray[np.intp]
    pick: npt.NDArray[np.intp]
    residual: FloatArray

    def corrected(self, points: FloatArray, shape: tuple[int, int], offset: FloatArray) -> FloatArray:
        """Return where picks (n, 2) in px truly are, with an offset that may be this one's or a name's."""
        return self.frame.read(self.scale * points - offset, np.array(shape) - 1.0)

    @property
    def error(self) -> FloatArray:
        """Standard error of the offset, y and x, in pixels."""
        return self.residual.std(axis=0, ddof=1) / np.sqrt(len(self.residual))


def best_reading(
    truth: FloatArray,
    picks: FloatArray,
    shape: tuple[int, int],
    *,
    scales: Sequence[float],
    frames: Sequence[Frame] = (AS_GIVEN, *FRAMES),
) -> Reading | None:
    """Find the simplest reading that brings enough picks (n, 2) onto truths (m, 2), in pixels.

    Every frame and scale is tried, and the offset is where the differences of all pairs pile up. Of
    readings that bring nearly as many together, that with the fewest flips and then the earliest
    scale is taken.
    """
    if min(len(truth), len(picks)) < FEWEST:
        return None
    guesses = [_guess(truth, picks, shape, frame, scale) for frame in frames for scale in scales]
    promising = PROMISING * max(guess.votes for guess in guesses)
    readings = [_fit(truth, picks, shape, guess) for guess in guesses if guess.votes >= promising]
    most = max(len(reading.truth) for reading in readings)
    if most < max(FEWEST, ENOUGH * min(len(truth), len(picks))):
        return None
    good = [reading for reading in readings if len(reading.truth) >= AS_GOOD * most]
    return min(good, key=lambda r: (r.frame.swap + sum(r.frame.flip), scales.index(r.scale)))


@dataclass(frozen=True)
class _Guess:
    """A frame and a scale, and the offset on which most pairs agree."""

    frame: Frame
    scale: float
    offset: FloatArray
    votes: int

    @property
    def reach(self) -> float:
        return REACH * max(1.0, self.scale / 2)


def _guess(
    truth: FloatArray, picks: FloatArray, shape: tuple[int, int], frame: Frame, scale: float
) -> _Guess:
    """Find the offset of one frame and scale, where the differences of all pairs pile up."""
    wanted, guess = misread(truth, frame, shape), _Guess(frame, scale, np.zeros(2), 0)
    votes = np.stack([np.subtract.outer(scale * picks[:, i], wanted[:, i]).ravel() for i in range(2)])
    offset = densest(votes, guess.reach, 1)[0]
    agree = np.logical_and.reduce(np.abs(votes - offset[:, None]) <= guess.reach)
    return replace(guess, offset=offset, votes=int(agree.sum()))


def _fit(truth: FloatArray, picks: FloatArray, shape: tuple[int, int], guess: _Guess) -> Reading:
    """Pair picks with truths and let the pairs say what the offset is."""
    wanted, read, offset = misread(truth, guess.frame, shape), guess.scale * picks, guess.offset
    tree = cKDTree(wanted)
    for _ in range(3):
        true, pick = _nearest_pairs(tree, read - offset, guess.reach)
        if len(pick):
            offset = np.median(read[pick] - wanted[true], axis=0)
    residual = read[pick] - wanted[true]
    mean = residual.mean(axis=0) if len(residual) else offset
    return Reading(guess.frame, guess.scale, mean, true, pick, residual)


def misread(points: FloatArray, frame: Frame, shape: tuple[int, int]) -> FloatArray:
    """Put true positions (n, 2) in px into a frame: the inverse of `Frame.read` about the shape."""
    flipped = np.where(frame.flip, np.array(shape) - 1.0 - points, points)
    return flipped[:, ::-1] if frame.swap else flipped


def _nearest_pairs(
    tree: cKDTree, points: FloatArray, reach: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pair each truth with the nearest point within reach, of those whose nearest truth it is."""
    distance, row = tree.query(points, distance_upper_bound=reach)
    order = np.argsort(distance, kind="stable")
    order = order[np.isfinite(distance[order])]
    truth, first = np.unique(row[order], return_index=True)
    return truth, order[first]


@dataclass(frozen=True)
class AngleReading:
    """True angle = sign · unit · angle + turn, in degrees."""

    sign: int
    unit: float
    turn: float
    error: float
    """Median absolute error in degrees."""


def best_angle(truth: FloatArray, picks: FloatArray, expected: tuple[int, float]) -> AngleReading | None:
    """Find how angles (n,) of picks must be read to be those of their truths.

    Parameters
    ----------
    truth, picks : array, shape (n,)
        Degrees; NaN where a pick has none.
    expected : tuple of int and float
        Sign and turn that the frame of the positions brings with it; preferred, then those as given.

    Returns
    -------
    AngleReading or None
        None where there are too few angles, or none of the readings makes them agree.
    """
    known = np.isfinite(picks) & np.isfinite(truth)
    if known.sum() < FEWEST:
        return None
    readings = [
        _turned(truth[known], picks[known], sign, unit)
        for unit in (1.0, float(np.rad2deg(1)))
        for sign in (expected[0], -expected[0])
    ]
    best = min(readings, key=lambda reading: reading.error)
    return best if best.error < ANGLES_AGREE else None


def _turned(truth: FloatArray, picks: FloatArray, sign: int, unit: float) -> AngleReading:
    """Fit the turn as the circular median-like mean of the differences, those far from it left out."""
    difference = truth - sign * unit * picks
    turn = 0.0
    for width in (360.0, 60.0, 30.0):
        near = np.abs(wrap_angle(difference - turn)) <= width / 2
        turn = float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(difference[near])).sum())))
    return AngleReading(sign, unit, turn, float(np.median(np.abs(wrap_angle(difference - turn)))))
