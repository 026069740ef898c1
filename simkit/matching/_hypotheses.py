"""Frames that picks may be in, and how many picks hit in each, beside how many would by chance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from simkit.core.grid import FloatArray
from simkit.core.tables import Picks, Truth
from simkit.matching.pairs import near_points

SAMPLE = 1000
"""Picks that are looked at to decide; more would only take longer."""

VOTES = 500_000
"""Pairs of a truth and a pick that vote for where an axis is flipped, of one frame."""

MOST_CELLS = 1000
"""Cells of the ballot an axis."""

PLACES = 4
"""Flips a radius that an axis can tell apart, for the count of hypotheses."""

TURN = np.pi * (3 - np.sqrt(5)) * np.arange(12)
DISPLACEMENTS = np.stack([np.sin(TURN), np.cos(TURN)], axis=1) * (3.0 + np.arange(12) % 4)[:, None]
"""In radii, all around: far enough to part true pairs, near enough that particles are as dense there."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Frame:
    """A way to misread positions: x and y exchanged, then axes counted from their other end."""

    swap: bool
    flip: tuple[bool, bool]
    """Of y and of x, as they are after the exchange."""

    @property
    def name(self) -> str:
        """What is wrong, joined by +."""
        words = {"transposed": self.swap, "flipped-y": self.flip[0], "flipped-x": self.flip[1]}
        return "+".join(word for word, holds in words.items() if holds)

    def read(self, points: FloatArray, sums: FloatArray) -> FloatArray:
        """Correct points (n, 2) that are in this frame; a flip is coordinate → axis' entry of `sums` − it."""
        exchanged = points[:, ::-1] if self.swap else points
        return np.where(self.flip, sums - exchanged, exchanged)


AS_GIVEN = Frame(False, (False, False))
TURNED = Frame(False, (True, True))

FRAMES = (
    Frame(False, (True, False)),
    Frame(False, (False, True)),
    Frame(True, (False, False)),
    TURNED,
    Frame(True, (True, False)),
    Frame(True, (False, True)),
    Frame(True, (True, True)),
)
"""What picks are tried as, the commonest mistake first."""


@dataclass(frozen=True)
class Field:
    """Truths and picks as points (n, 2) in Å, each with the number of its micrograph.

    Attributes
    ----------
    sample : array of int
        Rows of the picks that are looked at to decide, drawn evenly.
    tree : cKDTree
        Of the truths.
    """

    truth: FloatArray
    truth_sheet: Indices
    picks: FloatArray
    pick_sheet: Indices
    sample: Indices
    radius: float
    tree: cKDTree

    @classmethod
    def of(cls, truth: Truth, picks: Picks, radius: float) -> Field:
        """Take the positions out of two tables, neither of them empty."""
        names = np.concatenate([truth["micrograph"], picks["micrograph"]])
        sheets = np.unique(names, return_inverse=True)[1]
        points, picked = (np.stack([table["y"], table["x"]], axis=1) for table in (truth, picks))
        truth_sheet, pick_sheet = sheets[: len(truth)], sheets[len(truth) :]
        sample = np.random.default_rng(0).permutation(len(picks))[:SAMPLE]
        tree = cKDTree(lifted(points, truth_sheet, radius))
        return cls(points, truth_sheet, picked, pick_sheet, sample, radius, tree)

    @property
    def chance_if_random(self) -> float:
        """Chance of a hit if truths were anywhere: the share of the area within the radius of one."""
        area = len(np.unique(self.truth_sheet)) * np.ptp(self.truth, axis=0).prod()
        return float(-np.expm1(-np.pi * self.radius**2 * len(self.truth) / area))

    def displaced(self, points: FloatArray, step: FloatArray) -> FloatArray:
        """Move points by `step` radii; what leaves the truths' rectangle comes back opposite."""
        corner = self.truth.min(axis=0)
        return corner + (points + self.radius * step - corner) % np.ptp(self.truth, axis=0)

    def nearest(self, points: FloatArray, sheet: Indices) -> tuple[npt.NDArray[np.bool_], Indices]:
        """Return which points have a truth within the radius, and the row of the nearest."""
        reach = {"distance_upper_bound": self.radius}
        distance, row = self.tree.query(lifted(points, sheet, self.radius), **reach)
        return np.isfinite(distance), row

    def matched(self, points: FloatArray) -> int:
        """Count the pairs that the optimal rule makes of picks put at `points`: as many as can be."""
        picks = lifted(points, self.pick_sheet, self.radius)
        pairs = near_points(lifted(self.truth, self.truth_sheet, self.radius), picks, self.radius)
        shape = (len(self.truth), len(self.picks))
        graph = csr_array((np.ones(len(pairs.truth), bool), (pairs.truth, pairs.pick)), shape=shape)
        return int((maximum_bipartite_matching(graph) >= 0).sum())


def lifted(points: FloatArray, sheet: Indices, radius: float) -> FloatArray:
    """Stack micrographs like sheets, further apart than the radius."""
    return np.column_stack([points, 2 * radius * sheet])


@dataclass(frozen=True)
class Trial:
    """How many of the sampled picks hit a truth in some frame, and how many would by chance.

    Attributes
    ----------
    sums : array, shape (2,)
        Where the frame's axes are flipped.
    chance, spread : float
        Mean and standard deviation of the hits a few radii aside.
    """

    frame: Frame
    sums: FloatArray
    hits: int
    chance: float
    spread: float

    @property
    def excess(self) -> float:
        """Hits above chance."""
        return self.hits - self.chance


def attempt(field: Field, frame: Frame, sums: FloatArray) -> Trial:
    """Count the hits of the sample in a frame, there and a few radii aside."""
    points, sheet = frame.read(field.picks[field.sample], sums), field.pick_sheet[field.sample]
    elsewhere = [field.nearest(field.displaced(points, step), sheet)[0].sum() for step in DISPLACEMENTS]
    hits = int(field.nearest(points, sheet)[0].sum())
    return Trial(frame, sums, hits, float(np.mean(elsewhere)), float(np.std(elsewhere)))


def displacement(field: Field) -> Trial:
    """Try the picks as given but for a displacement, the best that the votes find."""
    # d + p = d − (−p): a displacement of the picks is a turn of the picks' negatives.
    negative = replace(field, picks=-field.picks)
    return attempt(negative, TURNED, elect(negative, TURNED)[0])


def elect(field: Field, frame: Frame) -> tuple[FloatArray, FloatArray | None, int]:
    """Find where a frame's axes are flipped by the votes of all pairs.

    Returns
    -------
    best : array, shape (2,)
        Sum of a coordinate and its flipped one, y and x; 0 where the axis is not flipped.
    rival : array, shape (2,), or None
        The next best, apart from it; None where nothing is flipped.
    hypotheses : int
        How many different flips could have won.
    """
    flipped = np.flatnonzero(frame.flip)
    sums = np.zeros((2, 2))
    if len(flipped) == 0:
        return sums[0], None, 1
    points = Frame(frame.swap, AS_GIVEN.flip).read(field.picks[field.sample], sums[0])
    pick, truth, pairs = _ballots(field, points, None if len(flipped) == 2 else 1 - int(flipped[0]))
    votes = np.stack([points[:, axis][pick] + field.truth[:, axis][truth] for axis in flipped])
    if votes.size == 0:
        return sums[0], None, 1
    sums[:, flipped] = densest(votes, field.radius, 2)
    places = np.prod(1 + PLACES * np.ptp(votes, axis=1) / field.radius)
    return sums[0], sums[1], int(min(pairs, places))


def refined(field: Field, trial: Trial) -> FloatArray:
    """Return the sums as the median over all picks that hit, not the sample alone."""
    sums = trial.sums
    for _ in range(2):
        points = trial.frame.read(field.picks, sums)
        hit, row = field.nearest(points, field.pick_sheet)
        error = np.median(field.truth[row[hit]] - points[hit], axis=0)
        sums = np.where(trial.frame.flip, sums + error, sums)
    return sums


def _ballots(field: Field, points: FloatArray, axis: int | None) -> tuple[Indices, Indices, int]:
    """Pair sampled picks with the truths of their micrograph that agree along `axis`, or with all.

    Returns the rows of about `VOTES` pairs at most, and how many there would be of all picks.
    """
    sheet = field.pick_sheet[field.sample]
    if axis is None:
        place, wanted, reach = field.truth_sheet.astype(float), sheet.astype(float), 0.5
    else:
        span = np.ptp(np.concatenate([field.truth[:, axis], points[:, axis]])) + 3 * field.radius
        place, wanted = field.truth[:, axis] + span * field.truth_sheet, points[:, axis] + span * sheet
        reach = field.radius
    order = np.argsort(place, kind="stable")
    first, last = (np.searchsorted(place[order], wanted + side) for side in (-reach, reach))
    counts = last - first
    total = round(counts.sum() * len(field.picks) / len(points))
    counts = counts[: 1 + int(np.searchsorted(np.cumsum(counts), VOTES))]
    pick = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(pick)) - np.repeat(np.cumsum(counts) - counts, counts)
    return pick, order[np.repeat(first[: len(counts)], counts) + turn], total


def densest(votes: FloatArray, radius: float, places: int) -> FloatArray:
    """Return the centres (places, d) of the windows, two radii wide and apart, with most votes (d, n)."""
    lowest = votes.min(axis=1)
    width = np.maximum(radius, np.ptp(votes, axis=1) / MOST_CELLS)
    cell = tuple(((v - low) / w).astype(np.intp) for v, low, w in zip(votes, lowest, width, strict=True))
    shape = tuple(int(c.max()) + 2 for c in cell)
    windows = np.bincount(np.ravel_multi_index(cell, shape), minlength=int(np.prod(shape))).reshape(shape)
    for axis in range(len(shape)):
        windows = windows + np.roll(windows, -1, axis)
    centres = []
    for _ in range(places):
        winner = np.unravel_index(int(windows.argmax()), shape)
        centres.append(_settled(votes, lowest + (np.array(winner) + 1) * width, width))
        windows[tuple(slice(max(0, i - 3), i + 4) for i in winner)] = -1
    return np.array(centres)


def _settled(votes: FloatArray, centre: FloatArray, reach: FloatArray) -> FloatArray:
    """Move a centre to the median of the votes around it."""
    around = votes[:, _within(votes, centre, 3 * reach)]
    for _ in range(3):
        inside = _within(around, centre, reach)
        centre = np.median(around[:, inside], axis=1) if inside.any() else centre
    return centre


def _within(votes: FloatArray, centre: FloatArray, reach: FloatArray) -> npt.NDArray[np.bool_]:
    return np.logical_and.reduce(np.abs(votes - centre[:, None]) <= reach[:, None])
