"""How many picks noise gives: the size of a clump of scores above a level, drawn around one of them.

Where the score of noise exceeds a high level it does so in a clump of neighbouring pixels, angles and
templates, and a clump is one pick. So the picks above u are the scores above u, each counted for 1/C if its
clump has C of them: n(u) = N Q(u) E[1/C | a score above u], with N scores and Q the Gaussian tail [1]_. A
score above u need not be waited for: noise Z around a place 0 is made to have the score v there by adding
(v − Z(0)) ρ, ρ being the correlation with that score. A few hundred small pieces of noise then give the
count at any level, however rare.

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
from scipy.signal import resample
from scipy.special import ndtr, ndtri

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray
from simkit.correlation.peaks import Indices
from simkit.correlation.subpixel import quadratic_peak

LOST_ENERGY = 1e-3
"""Share of a view's energy that its expression by a few kernels may lose."""

ROUNDS = 32
"""Pieces of noise."""

PLACES = 64
"""Clumps drawn in each."""

CENTRES = 12
"""Views, of all templates, that clumps are drawn around."""

MOST_SCORES = 4_000_000
"""Scores held in memory at once, at most but for one clump's."""

LOOSE = 0.4
"""Correlation below which a score hardly ever belongs to the same clump."""


@dataclass(frozen=True)
class ScoreField:
    """The joint noise of all scores, as a few independent maps.

    Score of view a at x = Σ_k mixing[a, k] · map_k(x), map_k = F⁻¹[conj(basis_k) ξ] of white noise ξ.

    Attributes
    ----------
    basis : array in real-FFT layout of `shape`, with one leading axis, complex64
        Kernels of unit energy.
    mixing : array, shape (n_views, n_basis), float32
        Rows of unit length: every score has unit variance.
    neighbours : array of int, shape (n_views, 3)
        The view at the angle before, itself, and that behind; thrice itself if it is in no sequence.
    shape : tuple of int
        Samples of a periodic map.
    """

    basis: ComplexArray
    mixing: FloatArray
    neighbours: Indices
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls,
        spectra: Sequence[ComplexArray],
        finer: Sequence[int],
        neighbours: Indices,
        shape: tuple[int, ...],
    ) -> ScoreField:
        """Return the field of all templates' views.

        Parameters
        ----------
        spectra : sequence of array
            Of every template the whitened spectra of its views, in real-FFT layout of `shape`.
        finer : sequence of int
            By how many times as many angles they stand for, the views between being a trigonometric
            polynomial of the angle.
        """
        counts = [len(views) for views in spectra]
        every = np.concatenate(spectra)
        weights = np.broadcast_to(fourier.hermitian_weights(shape), every.shape[1:]).ravel()
        flat = every.reshape(len(every), -1)
        energy = (fourier.power(flat) @ weights)[:, None] / np.prod(shape)
        flat = flat / np.sqrt(np.where(energy > 0, energy, 1.0)).astype(np.float32)
        scaled = flat * np.sqrt(weights / np.prod(shape)).astype(np.float32)
        values, vectors = (part[..., ::-1] for part in np.linalg.eigh((scaled @ scaled.conj().T).real))
        lost = (1 - np.cumsum(np.clip(values, 0, None) * vectors**2, axis=1)).max(axis=0)
        rank = int(np.argmax(lost <= LOST_ENERGY)) + 1 if (lost <= LOST_ENERGY).any() else len(flat)
        length = np.sqrt(np.clip(values[:rank], np.finfo(np.float32).tiny, None))
        basis = (vectors[:, :rank] / length).T.astype(np.float32) @ flat
        parts = np.split(vectors[:, :rank] * length, np.cumsum(counts)[:-1])
        turned = [resample(p, n * len(p)) if n > 1 else p for p, n in zip(parts, finer, strict=True)]
        mixing = np.concatenate(turned)
        mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
        return cls(basis.reshape(rank, *every.shape[1:]), mixing.astype(np.float32), neighbours, shape)

    def maps(self, spectrum: ComplexArray) -> FloatArray:
        """Correlate an image of given spectrum with every kernel: shape (n_basis, n_samples)."""
        maps = fourier.inverse(spectrum * self.basis.conj(), self.shape)
        return maps.reshape(len(self.basis), -1).astype(np.float32)

    def around(self, view: int) -> FloatArray:
        """Return the correlation of the maps with the score of one view in the corner."""
        mixed = np.tensordot(self.mixing[view], self.basis, 1)
        return self.maps(mixed.astype(np.complex64))


@dataclass(frozen=True)
class Counts:
    """Picks of noise above some levels.

    Attributes
    ----------
    density : array, shape (n_levels,)
        Expected picks per sample of a map.
    error : array, shape (n_levels,)
        Relative standard error.
    places : int
        Samples of the neighbourhood in which only the best was a pick.
    """

    density: FloatArray
    error: FloatArray
    places: int


def picks_above(
    field: ScoreField, levels: Sequence[float], *, rise: float, reach: float, rng: np.random.Generator
) -> Counts:
    """Count the picks above each level.

    All scores within the reach of suppression are one clump, but for places so far away that their scores
    hardly depend on that in the middle. The height of a pick is that of the quadratic through its samples.

    Parameters
    ----------
    field : ScoreField
        The scores.
    levels : sequence of float
        u, in standard deviations.
    rise : float
        Share by which a top may be higher than the best of its samples: clumps are drawn from so much lower.
    reach : float
        Samples around a peak within which only the best is a pick.
    rng : numpy.random.Generator
        Noise and places are drawn from it; all levels see the same.
    """
    centres = np.sort(rng.permutation(len(field.mixing))[:CENTRES])
    means = [field.mixing @ field.around(int(c)) for c in centres]
    window = _window(np.max(means, axis=(0, 1)), field.shape, reach)
    around = _with_neighbours(window)
    bumps = np.stack([m[:, _index(around, field.shape)] for m in means])
    at_once = max(MOST_SCORES // (len(field.mixing) * len(around)), 1)
    shares: list[FloatArray] = []
    for _ in range(ROUNDS):
        maps = field.maps(fourier.forward(rng.standard_normal(field.shape).astype(np.float32)))
        places = np.stack([rng.integers(0, n, PLACES) for n in field.shape], axis=-1)
        # Strata of the excess over the level, in another order than the centres.
        chance = (rng.permutation(PLACES) + rng.uniform(size=PLACES)) / PLACES
        for begin in range(0, PLACES, at_once):
            some = slice(begin, begin + at_once)
            which = np.arange(PLACES)[some] % len(centres)
            index = _index(places[some, None] + around, field.shape)
            noise = np.stack([field.mixing @ maps[:, row] for row in index])
            middle = (around == 0).all(axis=1)
            here = noise[np.arange(len(which)), centres[which]][:, middle]
            drawn = []
            for u in levels:
                low = u / (1 + rise)
                lift = (-ndtri(chance[some] * ndtr(-low))[:, None] - here).astype(np.float32)
                scores = noise + lift[:, :, None] * bumps[which]
                drawn.append(_shares(scores, around, len(window), field.neighbours, low, u))
            shares.append(np.array(drawn))
    share = np.concatenate(shares, axis=1)
    tail = np.array([ndtr(-u / (1 + rise)) for u in levels])
    error = share.std(axis=1) / np.maximum(share.mean(axis=1), 1e-9) / np.sqrt(share.shape[1])
    return Counts(len(field.mixing) * tail * share.mean(axis=1), error, len(window))


def _shares(
    scores: FloatArray, around: Indices, inside: int, neighbours: Indices, low: float, level: float
) -> FloatArray:
    """Return 1/C of every clump above `low` whose top is above `level`, 0 of others.

    `scores` has the shape (n_clumps, n_views, n_places), the places in the window before those beside it.
    """
    n, ndim = len(scores), around.shape[1]
    within = scores[:, :, :inside]
    counts = np.count_nonzero(within > low, axis=(1, 2))
    best = within.reshape(n, -1).argmax(axis=1)
    view, place = np.divmod(best, inside)
    side = 2 * int(np.abs(around).max()) + 1
    lookup = np.full((side,) * ndim, -1)
    lookup[tuple((around + side // 2).T)] = np.arange(len(around))
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=ndim)))
    near = lookup[tuple(np.moveaxis(around[place][:, None] + steps + side // 2, -1, 0))]
    clump = np.arange(n)[:, None, None]
    cubes = scores[clump, neighbours[view][:, :, None], near[:, None, :]]
    cubes = cubes.reshape(n, 3, *(3,) * ndim).astype(np.float64)
    turned = neighbours[view, 0] != neighbours[view, 2]
    top = np.empty(n)
    if turned.any():
        top[turned] = quadratic_peak(cubes[turned])[1]
    if not turned.all():
        top[~turned] = quadratic_peak(cubes[~turned][:, 1])[1]
    return np.where(top > level, 1 / np.maximum(counts, 1), 0.0)


def _index(places: Indices, shape: tuple[int, ...]) -> Indices:
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), shape, mode="wrap"))


def _window(correlation: FloatArray, shape: tuple[int, ...], reach: float) -> Indices:
    """Return the offsets within reach whose scores depend on that in the middle."""
    near = np.argwhere(correlation.reshape(shape) > LOOSE)
    n = np.array(shape)
    offsets = (near + n // 2) % n - n // 2
    return np.asarray(offsets[np.linalg.norm(offsets, axis=1) <= min(reach, min(shape) / 2 - 2)])


def _with_neighbours(window: Indices) -> Indices:
    """Return the window and, behind, all places that touch it."""
    inside = {tuple(w) for w in window.tolist()}
    steps = list(itertools.product((-1, 0, 1), repeat=window.shape[1]))
    beside = {tuple(a + b for a, b in zip(w, s, strict=True)) for w in inside for s in steps} - inside
    return np.array([*window.tolist(), *sorted(beside)])
