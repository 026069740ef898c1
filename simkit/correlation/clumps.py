"""How many picks noise gives: the size of a clump of scores above a level, drawn around one of them.

Where the score of noise exceeds a high level it does so in a clump of neighbouring pixels, angles and
templates, and a clump is one pick. So the picks above u are the scores above u, each counted for 1/C if its
clump has C of them: n(u) = N Q(u) E[1/C | a score above u], with N scores and Q the Gaussian tail [1]_. A
score above u need not be waited for: noise Z around a place 0 is made to have the score v there by adding
(v − Z(0)) ρ, ρ being the correlation with that score. A few dozen small pieces of noise then give the
count at any level, however rare.

Scores of a clump are counted on a coarse grid, which tells how many clumps there are as well as a fine one;
its top is then looked for among all samples and angles around the best of them.

References
----------
.. [1] Aldous, Probability Approximations via the Poisson Clumping Heuristic (1989), section A6.
.. [2] Adler, Blanchet & Liu, Ann. Appl. Probab. 22 (2012) 1167: drawing high excursions efficiently.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from simkit.core.grid import FloatArray
from simkit.correlation.peaks import Indices
from simkit.correlation.score_field import ScoreField
from simkit.correlation.subpixel import quadratic_peak

LEAST_PIECES = 16
"""Pieces of noise that clumps are drawn in."""

PLACES = 60
"""Clumps drawn in each, as many around every centre."""

CENTRES = 12
"""Views, of all templates, that clumps are drawn around."""

LOOSE = 0.4
"""Correlation below which a score hardly ever belongs to the same clump."""

ROUGH = 1.75
"""By how many times what is usual a top may rise above the samples: the score of a template with sharp edges
is rough, and of the clumps that no sample tells of, a tenth of all picks would be missing. Of more, small
neighbourhoods would be counted for too many: 13 % at 3, beside whole fields."""

RARE = 4.0
"""Logarithm of how many clumps are drawn for one that rises to the level: more would leave too few of rough
scores high up. What tops usually rise by is allowed for in any case."""


@dataclass(frozen=True)
class Counts:
    """Picks of noise above some levels.

    Attributes
    ----------
    density : array, shape (n_levels,)
        Expected picks per place; places are a stride apart.
    error : array, shape (n_levels,)
        Relative standard error.
    places : int
        Those in the neighbourhood in which only the best was a pick.
    window : array of int, shape (n_samples, ndim)
        Offsets of all samples of that neighbourhood.
    """

    density: FloatArray
    error: FloatArray
    places: int
    window: Indices


def picks_above(
    field: ScoreField,
    levels: Sequence[float],
    *,
    rise: float,
    reach: float,
    stride: int,
    rng: np.random.Generator,
) -> Counts:
    """Count the picks above each level.

    All scores within the reach of suppression are one clump, but for places so far away that their scores
    hardly depend on that in the middle. The height of a pick is that of the quadratic through the samples
    around its highest.

    Parameters
    ----------
    field : ScoreField
        The scores.
    levels : sequence of float
        u, in standard deviations.
    rise : float
        Share by which a top is usually higher than the best score that its clump is counted by: clumps are
        drawn from up to `ROUGH` times as much lower.
    reach : float
        Samples around a peak within which only the best is a pick.
    stride : int
        Samples from one to the next of those that a clump is counted by.
    rng : numpy.random.Generator
        Noise and places are drawn from it; all levels see the same.
    """
    counted = np.flatnonzero(field.stands_for)
    centres, weights = _centres(field.template[counted], rng)
    mixing = field.mixing[counted]
    means = [field.around(int(c)) for c in counted[centres]]
    near = _window(np.max([(mixing @ m).max(axis=0) for m in means], axis=0), field.shape, reach)
    window = near[(near % stride == 0).all(axis=1)]
    bumps = [mixing @ m[:, _index(window, field.shape)] for m in means]
    middle = int(np.flatnonzero((window == 0).all(axis=1))[0])
    summit = _Summit.of(field, stride)
    lows = np.array([u / (1 + min(ROUGH * rise, max(rise, RARE / u**2))) for u in levels])
    middles, weights = np.resize(centres, PLACES), np.resize(weights, PLACES)
    pieces = []
    for maps in field.drawn(LEAST_PIECES, rng):
        places = np.stack([rng.integers(0, n, PLACES) for n in field.shape], axis=-1)
        # Strata of the excess over the level, in another order than the centres.
        chance = (rng.permutation(PLACES) + rng.uniform(size=PLACES)) / PLACES
        around = _index(places[:, None] + window, field.shape)
        here = (mixing[middles] * maps[:, around[:, middle]].T).sum(axis=1)
        lifts = (-ndtri(chance * ndtr(-lows)[:, None]) - here).astype(np.float32)
        best, score, size = _lifted(maps, around, mixing, lifts, bumps, lows)
        # A top is no lower than its highest score: most need not be looked at more closely.
        above = score > np.array(levels)[:, None]
        level, which = np.nonzero(~above)
        view, where = np.divmod(best[~above], len(window))
        heights = summit.heights(
            counted[view],
            window[where],
            places[which],
            maps,
            lifts[~above],
            [means[i % len(means)] for i in which],
        )
        above[~above] = heights > np.array(levels)[level]
        pieces.append((above * weights / size).mean(axis=1))
    share, tail = np.mean(pieces, axis=0), ndtr(-lows)
    # Clumps of one piece overlap; those of its negative are others.
    error = np.std(pieces, axis=0, ddof=1) / np.maximum(share, 1e-9) / np.sqrt(len(pieces))
    return Counts(len(counted) * tail * share, error, len(window), near)


def _lifted(
    maps: FloatArray,
    around: Indices,
    mixing: FloatArray,
    lifts: FloatArray,
    bumps: Sequence[FloatArray],
    lows: FloatArray,
) -> tuple[Indices, FloatArray, Indices]:
    """Lift noise around places, by bumps in turn, so that it is above each level there.

    Parameters
    ----------
    maps : array, shape (n_basis, n_samples)
        The noise.
    around : array of int, shape (n_places, n_window)
        Samples around each place.
    mixing : array, shape (n_views, n_basis)
        What makes scores of maps.
    lifts : array, shape (n_levels, n_places)
        By how much of a bump.
    bumps : sequence of array, shape (n_views, n_window)
        What scores are correlated with.
    lows : array, shape (n_levels,)
        The levels.

    Returns
    -------
    best, score, size : arrays, shape (n_levels, n_places)
        Which score is the highest (of n_views · n_window), that score, and how many are above the level,
        itself at least.
    """
    best, size = np.empty((2, *lifts.shape), np.intp)
    score = np.empty(lifts.shape, np.float32)
    for i, samples in enumerate(around):
        noise = mixing @ maps.take(samples, axis=1)
        for k, low in enumerate(lows):
            scores = noise + lifts[k, i] * bumps[i % len(bumps)]
            best[k, i] = top = scores.argmax()
            score[k, i] = scores.flat[top]
            size[k, i] = max(np.count_nonzero(scores > low), 1)
    return best, score, size


def _centres(template: Indices, rng: np.random.Generator) -> tuple[Indices, FloatArray]:
    """Return views to draw clumps around, of every template if they are not too many, and their weights.

    The one view of a round template has as many clumps as all angles of another: none is left to luck.
    """
    views = rng.permutation(len(template))
    sizes = np.bincount(template)
    if len(sizes) > CENTRES:
        return views[:CENTRES], np.ones(min(CENTRES, len(views)))
    shares = np.maximum(np.rint(CENTRES * sizes / len(template)).astype(int), 1)
    groups = [views[template[views] == t][:n] for t, n in enumerate(shares)]
    chosen = np.concatenate(groups)
    weights = np.concatenate([np.full(len(g), n / len(g)) for g, n in zip(groups, sizes, strict=True)])
    return chosen, weights * len(chosen) / len(template)


@dataclass(frozen=True)
class _Summit:
    """All samples and angles around a score of the coarse grid.

    Attributes
    ----------
    field : ScoreField
        The scores.
    cube : array of int, shape (n_places, ndim)
        Samples around the middle, one further than to the half of a stride.
    views : array of int, shape (n_views, n_beside)
        Angles around each view, one further than half of those that it stands for.
    own : array of bool, shape (n_views, n_beside)
        Those of them that are not further.
    """

    field: ScoreField
    cube: Indices
    views: Indices
    own: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, field: ScoreField, stride: int) -> _Summit:
        """Return what is around every score."""
        half = np.maximum(field.stands_for // 2, 0)
        width = int(half.max()) + 1
        steps = range(-(stride // 2) - 1, stride // 2 + 2)
        cube = np.array(list(itertools.product(steps, repeat=len(field.shape))))
        own = np.abs(np.arange(-width, width + 1)) <= half[:, None]
        return cls(field, cube, field.beside(width), own)

    def heights(
        self,
        views: Indices,
        offsets: Indices,
        places: Indices,
        maps: FloatArray,
        lifts: FloatArray,
        means: Sequence[FloatArray],
    ) -> FloatArray:
        """Return the height of the top around each of n scores, of noise lifted by shares of means."""
        if not len(views):
            return np.zeros(0)
        shape, ndim = self.field.shape, len(self.field.shape)
        around = _index(offsets[:, None] + self.cube, shape)
        at = _index((places + offsets)[:, None] + self.cube, shape)
        raised = np.stack([mean[:, near] for mean, near in zip(means, around, strict=True)])
        raised *= lifts[:, None, None]
        raised += maps[:, at].swapaxes(0, 1)
        beside, side = self.views[views], round(len(self.cube) ** (1 / ndim))
        values = (self.field.mixing[beside] @ raised).astype(np.float64)
        values = values.reshape(*beside.shape, *(side,) * ndim)
        inner = values[(slice(None), slice(None), *(slice(1, -1),) * ndim)]
        inner = np.where(self.own[views].reshape(*beside.shape, *(1,) * ndim), inner, -np.inf)
        top = np.unravel_index(inner.reshape(len(views), -1).argmax(axis=1), inner.shape[1:])
        corner = np.stack([top[0] - 1, *top[1:]])
        steps = np.indices((3,) * (ndim + 1))[:, None]
        cubes = values[
            (
                np.arange(len(views)).reshape(-1, *(1,) * (ndim + 1)),
                *corner.reshape(*corner.shape, *(1,) * (ndim + 1)) + steps,
            )
        ]
        turned = beside[np.arange(len(views)), top[0] - 1] != beside[np.arange(len(views)), top[0] + 1]
        heights = quadratic_peak(cubes[:, 1])[1]
        heights[turned] = quadratic_peak(cubes[turned])[1]
        return heights


def _index(places: Indices, shape: tuple[int, ...]) -> Indices:
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), shape, mode="wrap"))


def _window(correlation: FloatArray, shape: tuple[int, ...], reach: float) -> Indices:
    """Return the offsets within reach whose scores depend on that in the middle."""
    near = np.argwhere(correlation.reshape(shape) > LOOSE)
    n = np.array(shape)
    offsets = (near + n // 2) % n - n // 2
    return np.asarray(offsets[np.linalg.norm(offsets, axis=1) <= min(reach, min(shape) / 2 - 2)])
