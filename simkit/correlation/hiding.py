"""Which peaks of noise hide others: of two closer than the reach of suppression only the better is a pick.

Independent peaks hide those within their reach, and how many stay follows from how many there are. The peaks
of a score are not all independent: along an edge of a template they stand in rows, in which the third is a
pick because the second, which would hide it, is hidden by the first. So suppression is done in whole pieces
of noise, and what it leaves tells how large a neighbourhood a pick really keeps free.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray
from simkit.correlation.peaks import Indices
from simkit.correlation.score_field import ScoreField

LEAST_PIECES = 8
"""Pieces of noise in which suppression is done."""

BELIEVED = 10.0
"""Hidden peaks that independence counts for: where hardly any are hidden, it is believed."""

WIDEST = 3.0
"""Neighbourhoods that a pick may keep free at most."""

FULLEST = 0.98
"""Share of places near a pick above which the picks there would be cannot be told."""

BLOCK = 8192
"""Samples whose scores are worked out at once."""


def neighbourhood(reach: float, ndim: int) -> float:
    """Return the area (length in one dimension) within a reach."""
    return 2 * reach if ndim == 1 else math.pi * reach**2


def saturated(count: float, *, area: float, around: float) -> float:
    """Return how many of a number of peaks stay if of two close ones only the better does.

    A peak goes if a better one that stays is near, n = N / (1 + N V / 2A): for independent peaks and V the
    size of the neighbourhood exact in the first order, and a packing as dense as it comes out for N → ∞.

    Parameters
    ----------
    count : float
        N.
    area : float
        A, of the image.
    around : float
        V that a pick keeps free, in the same unit: see `neighbourhood` and `kept_free`.
    """
    return count / (1 + count * around / (2 * area))


def unhidden(density: FloatArray, places: int) -> FloatArray:
    """Return how many peaks a place there would be if none hid another.

    Of peaks scattered with the density ν a share 1 − exp(−ν V) of neighbourhoods V has any, and each has one
    best.

    Parameters
    ----------
    density : array
        Peaks a place that are the best of their neighbourhood.
    places : int
        V, places in it.
    """
    return np.asarray(-np.log1p(-np.minimum(density * places, FULLEST)) / places)


def kept_free(
    field: ScoreField, level: float, *, window: Indices, reach: float, rng: np.random.Generator
) -> float:
    """Return which part of its neighbourhood a pick of noise keeps free, see `saturated`.

    Parameters
    ----------
    field : ScoreField
        The scores.
    level : float
        In standard deviations; one that leaves enough peaks to see some hide others.
    window : array of int, shape (n_places, ndim)
        Offsets around a peak that is counted in which it is the best.
    reach : float
        Samples around a pick within which only the best stays.
    rng : numpy.random.Generator
        Noise is drawn from it.

    Returns
    -------
    float
        1 for independent peaks.
    """
    ndim = len(field.shape)
    reach = min(reach, min(field.shape) / 2 - 2)
    best = kept = size = 0
    for maps in field.drawn(LEAST_PIECES, rng):
        scores = _highest(field, maps)
        tops = np.argwhere((maximum_filter(scores, 3, mode="wrap") == scores) & (scores > level))
        around = scores[tuple(np.moveaxis((tops[:, None] + window) % field.shape, -1, 0))]
        heights = scores[tuple(tops.T)]
        best += int((around.max(axis=1, initial=-np.inf) <= heights).sum())
        kept += _staying(tops, heights, field.shape, reach)
        size += scores.size
    peaks = size * float(unhidden(np.array(best / size), len(window)))
    expected = peaks * kept * neighbourhood(reach, ndim) / (2 * size)
    return min(max((peaks - kept + BELIEVED) / (expected + BELIEVED), 0.0), WIDEST)


def _highest(field: ScoreField, maps: FloatArray) -> FloatArray:
    """Return the highest score of all views at every sample."""
    blocks = np.split(maps, range(BLOCK, maps.shape[1], BLOCK), axis=1)
    return np.concatenate([(field.mixing @ block).max(axis=0) for block in blocks]).reshape(field.shape)


def _staying(places: Indices, heights: FloatArray, shape: tuple[int, ...], reach: float) -> int:
    """Return how many peaks of a periodic field suppression leaves."""
    if not len(places):
        return 0
    hides = KDTree(places, boxsize=shape).query_ball_point(places, reach)
    alive, kept = np.ones(len(places), bool), 0
    for i in np.argsort(-heights, kind="stable"):
        if alive[i]:
            kept += 1
            alive[hides[i]] = False
    return kept
