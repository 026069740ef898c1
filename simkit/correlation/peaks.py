"""Peaks of a score map: where it is locally highest, and which of close ones stay."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Peak:
    """A peak whose place and height are known exactly.

    Attributes
    ----------
    position : array, shape (ndim,)
        Å.
    psi : float
        Degrees.
    score : float
        Height in the picker's own scale.
    template : int
        Which of the searched templates.
    view : int
        Which of its views is the nearest.
    covariance : array, shape (ndim + 1, ndim + 1), or None
        Of position (Å) and angle (radians, last): NaN where a turn means nothing; None where all is unknown.
    unrest : float or None
        Variance of what is left of the image where the template is steep, in units of that of its noise.
    """

    position: FloatArray
    psi: float
    score: float
    template: int
    view: int = 0
    covariance: FloatArray | None = None
    unrest: float | None = None


def local_maxima(values: FloatArray) -> Indices:
    """Return the index of every regional maximum, in raster order.

    A plateau of equal values with only lower ones around it is one maximum and gives its first
    pixel; one with a higher neighbour is a shoulder and gives none. Neighbours touch by an edge
    or a corner, and nothing lies beyond the border.

    Parameters
    ----------
    values : array
        Any number of dimensions.

    Returns
    -------
    array of int, shape (n, ndim)
    """
    tops = highest_within(values, 1) == values
    flat = np.flatnonzero(tops)
    places = np.unravel_index(flat, values.shape)
    around = _windows(np.pad(values, 1, constant_values=np.nan))[places].reshape(len(flat), -1)
    equal = (around == values[places][:, None]).sum(axis=1)
    wide = equal > 1
    if wide.any():
        first = _plateaus(tops, np.stack(places, axis=-1)[wide], equal[wide])
        flat = np.sort(np.concatenate([flat[~wide], np.ravel_multi_index(tuple(first.T), values.shape)]))
    return np.stack(np.unravel_index(flat, values.shape), axis=-1)


def _plateaus(tops: npt.NDArray[np.bool_], places: Indices, equal: Indices) -> Indices:
    """Return the first pixel of every plateau all of whose pixels are tops.

    Parameters
    ----------
    tops : array of bool
        Where no neighbour is higher.
    places : array of int, shape (n, ndim)
        Those with an equal neighbour.
    equal : array of int, shape (n,)
        How many pixels, of each and its neighbours, are as high.
    """
    flat = np.zeros_like(tops)
    flat[tuple(places.T)] = True
    label = ndimage.label(flat, structure=np.ones((3,) * tops.ndim))[0][tuple(places.T)]
    _, first = np.unique(label, return_index=True)
    around = _windows(np.pad(tops, 1))[tuple(places.T)].reshape(len(places), -1)
    shoulders = label[around.sum(axis=1) < equal]
    return places[first[~np.isin(label[first], shoulders)]]


def _windows(padded: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.lib.stride_tricks.sliding_window_view(padded, (3,) * padded.ndim)


def highest_within(values: FloatArray, reach: int) -> FloatArray:
    """Return the highest value up to `reach` pixels away along each axis; nothing lies beyond the border."""
    for axis in range(values.ndim):
        room = [(reach, reach) if a == axis else (0, 0) for a in range(values.ndim)]
        values = np.pad(values, room, constant_values=-np.inf)
        lead, seen = (slice(None),) * axis, 1
        # The highest of many is the higher of the highest of the first and the last of them.
        while seen <= 2 * reach:
            step = min(seen, 2 * reach + 1 - seen)
            values = np.maximum(values[(*lead, slice(-step))], values[(*lead, slice(step, None))])
            seen += step
    return values


def suppress(positions: FloatArray, scores: FloatArray, reach: FloatArray) -> Indices:
    """Keep the best of every close group: best first, whatever is too close to a kept one goes.

    Parameters
    ----------
    positions : array, shape (n, ndim)
        Å.
    scores : array, shape (n,)
        Higher is better; of equal ones the first in (y, x) order is better.
    reach : array, shape (n,)
        Å. Two peaks exclude each other when closer than the smaller of their reaches.

    Returns
    -------
    array of int
        Rows that are kept, best first.
    """
    tree = KDTree(positions)
    alive = np.ones(len(scores), bool)
    kept = []
    for i in np.lexsort((*positions.T[::-1], -scores)):
        if alive[i]:
            kept.append(i)
            alive[_too_close(tree, positions, reach, i, 0.0)] = False
    return np.array(kept, np.intp)


def suppress_lazily(
    positions: FloatArray,
    bounds: FloatArray,
    reach: FloatArray,
    *,
    slack: float,
    refine: Callable[[int], Peak | None],
) -> list[Peak]:
    """Do what `suppress` does with exact peaks, but work out only those that may be kept.

    Parameters
    ----------
    positions : array, shape (n, ndim)
        Å, roughly.
    bounds : array, shape (n,)
        Never less than the exact score.
    reach : array, shape (n,)
        Å, as for `suppress`.
    slack : float
        Å by which the distance of two exact peaks may differ from that of the rough ones.
    refine : callable
        ``refine(i)`` → the exact peak, or None if there is none.

    Returns
    -------
    list of Peak
        Best first.
    """
    tree = KDTree(positions)
    shadowed = np.zeros(len(bounds), bool)
    kept: list[Peak] = []
    kept_positions = np.empty((0, positions.shape[1]))
    kept_reach = np.empty(0)
    exact: dict[int, Peak] = {}
    queue = [(-bound, 0, tuple(positions[i]), i) for i, bound in enumerate(bounds.tolist())]
    heapq.heapify(queue)
    while queue:
        *_, i = heapq.heappop(queue)
        if i in exact:
            gap = np.linalg.norm(kept_positions - exact[i].position, axis=1)
            if (gap < np.minimum(kept_reach, reach[i])).any():
                continue
            kept.append(exact[i])
            kept_positions = np.vstack([kept_positions, exact[i].position])
            kept_reach = np.append(kept_reach, reach[i])
            shadowed[_too_close(tree, positions, reach, i, slack)] = True
        elif not shadowed[i] and (peak := refine(i)) is not None:
            exact[i] = peak
            heapq.heappush(queue, (-peak.score, 1, tuple(peak.position), i))
    return kept


def _too_close(tree: KDTree, positions: FloatArray, reach: FloatArray, i: int, slack: float) -> Indices:
    near = np.array(tree.query_ball_point(positions[i], reach[i]), np.intp)
    gap = np.linalg.norm(positions[near] - positions[i], axis=1)
    return near[gap < np.minimum(reach[near], reach[i]) - slack]
