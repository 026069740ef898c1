"""The spots of an image's power spectrum: what rises above the local background.

The periodogram of anything without order is exponentially distributed about a smooth mean, so
that a spot's significance is a closed form, whatever the colour of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import FloatArray

FALSE_SPOTS = 0.005
"""Expected number of spots that noise alone puts into one spectrum, were its background known exactly;
as it is estimated, twice to three times as many."""

QUANTILE = 0.3
"""Of the neighbouring powers; below the median, so that crowded spots do not lift the background."""

BLOCK = 32
"""Frequency steps over which the background is flat, once its radial fall is taken out."""

STREAK = 3
"""Frequency steps on either side of an axis in which such a streak lies."""

LOWEST = 3.0
"""Frequency steps around zero in which gradients of the illumination live."""

FAINTEST = 1e-6
"""Share of the strongest power below which an image without noise shows how its grey values were rounded:
256 of them put harmonics of some 1e-7 where no lattice is."""

MOST_SPOTS = 1500
"""Strongest spots that are kept."""


@dataclass(frozen=True)
class Spots:
    """Significant spots, one of each Friedel pair, strongest first.

    Attributes
    ----------
    steps : array, shape (n, 2)
        Frequency (y, x) in steps of the image: cycles per image height and width.
    power : array, shape (n,)
        Power above the background, any unit.
    snr : array, shape (n,)
        Peak power over background.
    sigma : array, shape (n,)
        Standard error of each component of `steps`.
    """

    steps: FloatArray
    power: FloatArray
    snr: FloatArray
    sigma: FloatArray

    def __len__(self) -> int:
        return len(self.power)

    def take(self, rows: FloatArray) -> Spots:
        """Return the spots selected by indices or by a boolean mask."""
        return Spots(self.steps[rows], self.power[rows], self.snr[rows], self.sigma[rows])


def hann(shape: tuple[int, ...]) -> FloatArray:
    """Return the separable Hann window whose transform has no side lobe next to its centre's steps."""
    axes = [0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in shape]
    return axes[0][:, None] * axes[1]


def levelled(image: FloatArray) -> FloatArray:
    """Take the best quadratic surface out of an image: uneven illumination is no structure."""
    bases = [np.linalg.qr(np.vander(np.linspace(-1, 1, n), 3, increasing=True))[0] for n in image.shape]
    weights = bases[0].T @ image @ bases[1]
    weights[np.add.outer(range(3), range(3)) > 2] = 0.0
    return image - bases[0] @ weights @ bases[1].T


def flattened(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the windowed power spectrum divided by its background, and the background.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Not constant.

    Returns
    -------
    ratio, background : arrays, shape (ny, nx)
        Zero frequency at the central pixel. In noise of any smooth spectrum the ratio is
        exponentially distributed with mean 1.
    """
    window = hann(image.shape)
    power = fourier.periodogram(levelled(image) * window)
    power += 1e-30 * power.max()
    background = _radial_background(power)
    background *= _local_background(power / background)
    background *= _streaks(power / background)
    return power / background, background


def _quantile_mean(values: FloatArray, axis: int | None = None) -> FloatArray:
    """Return the mean of an exponential distribution from a low quantile of it."""
    return np.quantile(values, QUANTILE, axis=axis) / -np.log1p(-QUANTILE)


def _radial_background(power: FloatArray) -> FloatArray:
    ny, nx = power.shape
    scale = min(ny, nx)
    y, x = (np.arange(n) - n // 2 for n in (ny, nx))
    radius = np.hypot(y[:, None] * (scale / ny), x * (scale / nx)).astype(np.float32)
    ring = (6 * np.log2(1 + radius / 8)).astype(np.int8)
    # The other half of the plane is the same once more.
    half = (slice(None), slice(nx // 2, None))
    rings = np.unique(ring[half])
    inside = [ring[half] == r for r in rings]
    level = [np.log(_quantile_mean(power[half][of_ring])) for of_ring in inside]
    middle = [float(radius[half][of_ring].mean()) for of_ring in inside]
    return np.exp(np.interp(radius, middle, level))


def _local_background(ratio: FloatArray) -> FloatArray:
    counts = [max(n // BLOCK, 1) for n in ratio.shape]
    if min(counts) < 2:
        return np.ones(ratio.shape)
    edges = [np.linspace(0, n, c + 1).astype(int) for n, c in zip(ratio.shape, counts, strict=True)]
    level = np.array(
        [
            [_quantile_mean(ratio[a:b, c:d]) for c, d in zip(edges[1], edges[1][1:], strict=False)]
            for a, b in zip(edges[0], edges[0][1:], strict=False)
        ]
    )
    level = ndimage.median_filter(level, 3, mode="nearest")
    hats = [_hats(n, edge) for n, edge in zip(ratio.shape, edges, strict=True)]
    return hats[0] @ level @ hats[1].T


def _streaks(ratio: FloatArray) -> FloatArray:
    """Return by how much streaks through zero frequency, from uneven scan lines, lift the background."""
    lift = np.ones(ratio.shape)
    for axis in range(2):
        across = ratio.shape[1 - axis]
        middle = slice(max(across // 2 - STREAK, 0), across // 2 + STREAK + 1)
        where = (slice(None), middle) if axis == 0 else (middle, slice(None))
        along = (BLOCK + 1, 1) if axis == 0 else (1, BLOCK + 1)
        level = ndimage.percentile_filter(ratio[where], 100 * QUANTILE, along) / -np.log1p(-QUANTILE)
        lift[where] = np.maximum(lift[where], level)
    return lift


def _hats(n: int, edges: FloatArray) -> FloatArray:
    """Return the weights of linear interpolation from blocks to pixels, shape (n, blocks)."""
    middles = (edges[:-1] + edges[1:] - 1) / 2
    return np.stack([np.interp(np.arange(n), middles, unit) for unit in np.eye(len(middles))], axis=1)


def find_spots(image: FloatArray) -> Spots:
    """Find the spots of an image's power spectrum.

    Parameters
    ----------
    image : array, shape (ny, nx)
        At least 32 pixels a side.

    Returns
    -------
    Spots
        Noise alone gives one in some 70 images.

    Notes
    -----
    A frequency between the steps comes from the Hann window's closed form: with the amplitudes
    A₋, A₀, A₊ of a spot's highest step and its neighbours on an axis, δ = 2 (A₊ − A₋) / (A₋ + 2A₀ + A₊).
    """
    ratio, background = flattened(image)
    shape = np.array(image.shape)
    level = np.log(ratio.size / 2 / FALSE_SPOTS)
    power = ratio * background
    # The top of the power, not of the ratio: the background steps where a streak ends.
    top = (ratio > level) & (power == ndimage.maximum_filter(power, 5))
    top[:, : image.shape[1] // 2] = False
    top[[0, -1]] = top[:, [0, -1]] = False
    top[: image.shape[0] // 2 + 1, image.shape[1] // 2] = False
    rows = np.argwhere(top)
    rows = rows[((rows - shape // 2) ** 2).sum(axis=1) >= LOWEST**2]
    if len(rows) == 0:
        return Spots(np.zeros((0, 2)), *np.zeros((3, 0)))
    at = tuple(rows.T)
    peak = power[at]
    kept = np.argsort(-peak)[:MOST_SPOTS]
    rows, peak = rows[kept], peak[kept]
    at = tuple(rows.T)
    snr = ratio[at]
    steps = rows - shape // 2 + _between(power, rows)
    around = ndimage.uniform_filter(power - background, 3)[at] * 9
    spots = Spots(steps, np.maximum(around, 0.0), snr, 0.67 / np.sqrt(snr))
    return spots.take(peak > np.maximum(_leakage(rows, peak), FAINTEST * power.max()))


def _between(power: FloatArray, rows: FloatArray) -> FloatArray:
    offsets = []
    for unit in np.eye(2, dtype=int):
        below, here, above = (np.sqrt(power[tuple((rows + step * unit).T)]) for step in (-1, 0, 1))
        offsets.append(2 * (above - below) / (below + 2 * here + above))
    return np.stack(offsets, axis=1)


def _leakage(rows: FloatArray, peak: FloatArray) -> FloatArray:
    """Return the power that stronger spots leak to each spot through the window, at most."""
    leaked = np.zeros(len(rows))
    amplitude = np.sqrt(peak)
    for i in range(1, len(rows)):
        distance = np.abs(rows[:i] - rows[i]).astype(float)
        # Half a step nearer, since a spot stands anywhere within its step.
        near = np.maximum(distance - 0.5, 1.5)
        envelope = np.where(distance < 2, 1.0, 1 / (np.pi * near * (near**2 - 1)))
        leaked[i] = 2 * (amplitude[:i] @ envelope.prod(axis=1)) ** 2
    return leaked
