"""The joint noise of all scores of a search, as a few independent maps that can be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray
from simkit.correlation.peaks import Indices

LOST_ENERGY = 1e-3
"""Share of a view's energy that its expression by a few kernels may lose."""

MOST_PIECES = 64
"""Pieces of noise that are drawn at most."""

VALUES = 2e7
"""Values that their maps have in all, if that is more than the least asked for: tenths of a second."""


@dataclass(frozen=True)
class ScoreField:
    """The joint noise of all scores, as a few independent maps.

    Score of view a at x = Σ_k mixing[a, k] · map_k(x), map_k = F⁻¹[basis_k ξ] of white noise ξ.

    Attributes
    ----------
    basis : array in real-FFT layout of `shape`, with one leading axis, complex64
        Kernels of unit energy, conjugate: what a spectrum is multiplied with.
    mixing : array, shape (n_views, n_basis), float32
        Rows of unit length: every score has unit variance.
    neighbours : array of int, shape (n_views, 3)
        The view at the angle before, itself, and that behind; thrice itself if it is in no sequence.
    shape : tuple of int
        Samples of a periodic map.
    stands_for : array of int, shape (n_views,)
        Of the views that a clump is counted by, how many angles each stands for; 0 of those between.
    template : array of int, shape (n_views,)
        Which template each view is of.
    """

    basis: ComplexArray
    mixing: FloatArray
    neighbours: Indices
    shape: tuple[int, ...]
    stands_for: Indices
    template: Indices

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
        # Loads SciPy's statistics, which a command that searches nothing would wait for.
        from scipy.signal import resample

        turned = [resample(p, n * len(p)) if n > 1 else p for p, n in zip(parts, finer, strict=True)]
        mixing = np.concatenate(turned)
        mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
        basis = basis.conj().reshape(rank, *every.shape[1:])
        stands_for = [np.where(np.arange(n * c) % n == 0, n, 0) for c, n in zip(counts, finer, strict=True)]
        template = np.repeat(np.arange(len(counts)), [len(part) for part in stands_for])
        return cls(basis, mixing.astype(np.float32), neighbours, shape, np.concatenate(stands_for), template)

    def beside(self, width: int) -> Indices:
        """Return the views at up to `width` angles before and behind each: shape (n_views, 2 width + 1)."""
        before, itself, behind = self.neighbours.T
        sides = [itself]
        for _ in range(width):
            sides = [before[sides[0]], *sides, behind[sides[-1]]]
        return np.stack(sides, axis=1)

    def maps(self, spectrum: ComplexArray) -> FloatArray:
        """Correlate an image of given spectrum with every kernel: shape (n_basis, n_samples)."""
        maps = np.empty((len(self.basis), *self.shape), np.float32)
        # One by one: what lies between the transforms stays in the cache.
        for kernel, out in zip(self.basis, maps, strict=True):
            out[...] = fourier.inverse(spectrum * kernel, self.shape)
        return maps.reshape(len(self.basis), -1)

    def drawn(self, least: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield the maps of at least so many pieces of white noise, each followed by its negative."""
        affordable = int(VALUES / (len(self.basis) * math.prod(self.shape)))
        for _ in range(min(max(affordable, least), MOST_PIECES)):
            maps = self.maps(fourier.forward(rng.standard_normal(self.shape).astype(np.float32)))
            yield maps
            yield np.negative(maps, out=maps)

    def around(self, view: int) -> FloatArray:
        """Return the correlation of the maps with the score of one view in the corner; shape as `maps`."""
        mixed = np.tensordot(self.mixing[view], self.basis, 1)
        return self.maps(mixed.conj().astype(np.complex64))
