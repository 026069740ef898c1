"""The chance that a particle is not where its highest peak is, but where the image is nearly as like it.

A particle turned over, or one wall laid on the other, is much like itself. Where its score there is not far
below, noise now and then puts the wrong place first, farther off than any limit on the place of a top tells.
Given one particle whose height, place and angle might be any before the image was seen, places and angles
are as likely as e^(S²/2), S being the score in standard deviations of the noise [1]_. Integrated over the
angle, whose tops are the wider the lower they are, places are as likely as e^(S²/2) / S.

References
----------
.. [1] Bretthorst, Bayesian Spectrum Analysis and Parameter Estimation (1988), chapter 3: amplitudes are
   integrated out.
"""

from __future__ import annotations

import numpy as np

from simkit.core.grid import FloatArray, Grid

LOWEST = 1.0
"""Score, in standard deviations of the noise, that stands for any lower one: none of these has a say."""


def misplacement(
    scores: FloatArray,
    grid: Grid,
    places: FloatArray,
    heights: FloatArray,
    areas: FloatArray,
    *,
    within: FloatArray,
    around: FloatArray,
    turned: bool,
) -> FloatArray:
    """Return the chance that the particle of every peak is farther from it than a given distance.

    Parameters
    ----------
    scores : array
        The best score of all angles at every sample, in standard deviations of the noise; NaN counts as none.
    grid : Grid
        Of the samples.
    places : array, shape (n, ndim)
        Where the peaks are, Å.
    heights : array, shape (n,)
        Their scores, at the top between samples.
    areas : array, shape (n,)
        2π times the root of the determinant of the covariance of the place of each, Å^ndim in two dimensions.
    within : array, shape (n,)
        The distance, Å.
    around : array, shape (n,)
        Å around a peak in which its particle is sought.
    turned : bool
        Whether the scores are the best of several angles.

    Returns
    -------
    array, shape (n,)
        0 where `around` is not more than `within`.

    Notes
    -----
    It holds where the noise has the spectrum that the filter is made for. Where the noise is slower, two
    places differ by more than noise can make up for, and the chance comes out too high; where it is faster,
    too low.
    """
    return np.array(
        [
            _beyond(*_around(scores, grid, place, far), height, samples, near, turned)
            for place, height, samples, near, far in zip(
                places, heights, areas / grid.pixel_size**grid.ndim, within, around, strict=True
            )
        ]
    )


def _around(
    scores: FloatArray, grid: Grid, place: FloatArray, radius: float
) -> tuple[FloatArray, FloatArray]:
    """Return the scores of the samples within a radius of a place, and how far from it they are."""
    index = np.array(grid.indices(*place))
    reach = radius / grid.pixel_size
    low = np.clip(np.ceil(index - reach), 0, grid.shape).astype(int)
    high = np.clip(np.floor(index + reach) + 1, 0, grid.shape).astype(int)
    axes = [np.square(np.arange(a, b) - i) for a, b, i in zip(low, high, index, strict=True)]
    distance = np.sqrt(sum(np.ix_(*axes))) * grid.pixel_size
    part = scores[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    inside = distance <= radius
    return part[inside].astype(np.float64), distance[inside]


def _beyond(
    scores: FloatArray, distance: FloatArray, height: float, samples: float, within: float, turned: bool
) -> float:
    # A coarse sample may be higher than what was worked out.
    height = np.fmax.reduce(scores[distance <= within], initial=max(height, LOWEST))
    levels = np.append(np.fmax(scores, LOWEST), height)
    likely = np.exp((levels**2 - levels.max() ** 2) / 2) / (levels if turned else 1.0)
    likely, top = likely[:-1], likely[-1]
    far = likely[distance > within].sum()
    # A top so sharp that it may stand between the samples is known all the better by itself.
    near = likely[distance <= within].sum() if samples > 1 else samples * top
    return float(far / (far + near))
