"""Fewer views, fewer pixels: the same bank on the grid of its own band limit, from a steerable basis.

Two redundancies make a search cheap. A particle has no energy at the highest frequencies, so that
its correlation can be computed on a coarser grid; and its views at many angles are nearly linear
combinations of a few, so that a few correlations give those of all angles [1]_. Both lose a little
of the particle's energy, by an amount that is known before anything is correlated.

What a template has at the highest frequencies is the step at its rim, since a zero-mean template
is not zero outside the particle. That pedestal is a constant times the mask: it needs no
correlation but the sum of the image under the mask, which is exact and the same for all views.

References
----------
.. [1] Perona, IEEE Trans. PAMI 17 (1995) 488: the basis is the SVD of the rotated kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.products import products
from simkit.correlation.local import Mask
from simkit.correlation.padding import UNIT

COARSEST = 6
"""A coarse grid keeps at least this many of every `UNIT` samples, so that a frame's margin holds two."""

ALIKE = 0.98
"""Correlation of a view with one that is searched from which on it need not be searched itself: a peak is
then seen at 2 % less than its height, and worked out exactly all the same."""

AT_ONCE = 8
"""Views that are transformed at once."""

PADDING = 0.5
"""Share of its box that a kernel is padded with before its band is looked at, so that what it has at one rim
does not go on in what it has at the other: kernels of phases do."""

HARDLY_COARSER = 20
"""From this many of `UNIT` samples on, all are kept: the search is then on the image's own pixels."""


@dataclass(frozen=True)
class Search:
    """The views that are searched: kernels to correlate with, and what makes scores of the products.

    A correlation costs more than anything that is done with it. Of an image's places it costs the same
    whatever the kernel, so that a basis is worth it only where it has fewer kernels than there are views.

    Attributes
    ----------
    kernels : array, shape (n_kernels, *box), float32
        Views, or kernels that views are mixed of.
    mixing : array, shape (n_views, n_kernels + 1), or None
        Of each view, the share of every kernel and of the mask; None if the kernels are the views.
    pedestals : array, shape (n_kernels,), or None
        Constant parts of kernels that are views, to be multiplied with the mask; None if there are none.
    """

    kernels: FloatArray
    mixing: FloatArray | None = None
    pedestals: FloatArray | None = None


@dataclass(frozen=True)
class SteeredBank:
    """Views as linear combinations of a few kernels and of the mask.

    View a = Σ_k mixing[a, k] · basis[k] + mixing[a, −1] · mask.

    Attributes
    ----------
    basis : array, shape (n_basis, *box), float32
        Kernels on the search grid, odd boxes around the central sample.
    mixing : array, shape (n_angles, n_basis + 1), float32, or None
        None if the basis is the views themselves, pedestal and all.
    stride : int
        Every so many-th view is searched; those between are nearly like one of them. However finely
        a particle is turned, the search costs what its own detail demands.
    """

    basis: FloatArray
    mixing: FloatArray | None
    stride: int = 1

    @property
    def search(self) -> Search:
        """What a search of every `stride`-th view correlates, in the form with the fewer correlations."""
        if self.mixing is None:
            return Search(self.basis)
        searched = self.mixing[:: self.stride]
        if len(searched) > len(self.basis):
            return Search(self.basis, mixing=searched)
        return Search(np.tensordot(searched[:, :-1], self.basis, 1), pedestals=searched[:, -1])

    @classmethod
    def exact(cls, kernels: FloatArray) -> SteeredBank:
        """Return the views themselves as kernels, on the full-resolution grid."""
        return cls(resampled(kernels, 1.0).astype(np.float32), None)

    def scores(self, patches: FloatArray, sums: FloatArray) -> FloatArray:
        """Return the product of every view with patches of its box: shape (…, n_angles).

        Parameters
        ----------
        patches : array, shape (…, *box)
        sums : array, shape (…)
            The image's sum under the mask at each.
        """
        flat = patches.reshape(sums.size, -1)
        scores = products(flat, self.basis.reshape(len(self.basis), -1))
        if self.mixing is not None:
            scores = products(np.column_stack([scores, sums.ravel()]).astype(np.float32), self.mixing)
        return scores.reshape(*sums.shape, -1)


@dataclass(frozen=True)
class BankSpectrum:
    """The spectra of a bank's views as the noise sees them, Σ |·|² = energy of the score.

    Attributes
    ----------
    values : array, shape (n_angles, n_frequencies), complex64
        Not scaled.
    norm : array, shape (n_angles,)
        The standard deviation of every view's score in that noise.
    within : array, shape (n_frequencies, UNIT + 1), float32
        Share of each frequency's cell that a grid holds that keeps m of every `UNIT` samples.
    energy : array, shape (n_angles, UNIT + 1)
        Every view's share within each of those grids.
    """

    values: ComplexArray
    norm: FloatArray
    within: FloatArray
    energy: FloatArray

    @classmethod
    def of(
        cls, kernels: FloatArray, weight: Callable[[Grid], FloatArray], *, workers: int = 1
    ) -> BankSpectrum:
        """Transform kernels, shape (n_angles, *box), weighted by the noise power of what they meet.

        Padded by half a box: sums over all frequencies are exact for white noise. In other noise, parts of
        a kernel more than half the padded box apart meet the covariance at what is left to all of it.
        """
        grid = Grid(tuple(fourier.fast_length(n + math.ceil(PADDING * n)) for n in kernels.shape[1:]), 1.0)
        # Cut to a small grid, a power spectrum can fall below zero where it is nearly nothing.
        counted = np.clip(weight(grid), 0, None) * fourier.hermitian_weights(grid.shape) / grid.size
        root = np.sqrt(counted).astype(np.float32).ravel()
        within = _within(grid).reshape(root.size, -1)
        values = np.empty((len(kernels), root.size), np.complex64)
        energy = np.empty((len(kernels), UNIT + 1))

        def transform(begin: int) -> None:
            few = slice(begin, begin + AT_ONCE)
            spectra = fourier.forward_stack(kernels[few].astype(np.float32), grid.shape)
            np.multiply(spectra.reshape(-1, root.size), root, out=values[few])
            energy[few] = products(fourier.power(values[few]), within.T)

        # A few at a time, which the cache holds from one step to the next.
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(transform, range(0, len(kernels), AT_ONCE)))
        norm = np.sqrt(energy[:, -1])
        energy /= np.where(norm > 0, norm, 1.0)[:, None] ** 2
        return cls(values, norm, within, energy)

    def lost_beyond(self) -> FloatArray:
        """Return the worst view's energy beyond each band: entry m for a grid that keeps m of `UNIT`."""
        beyond = self.energy[:, -1:] - self.energy
        return beyond.max(axis=0)


def _within(grid: Grid) -> FloatArray:
    """Return what share of each frequency's cell every coarser grid holds, shape (*half, UNIT + 1)."""
    edges = np.arange(UNIT + 1) / (2 * UNIT)
    within = np.ones(UNIT + 1)
    for k, n in zip(grid.frequencies(), grid.shape, strict=True):
        within = within * np.clip((edges - np.abs(k)[..., None]) * n + 0.5, 0, 1)
    within[..., -1] = 1  # of the highest, half a cell is beyond Nyquist
    return within.astype(np.float32)


def coarsest(spectra: list[BankSpectrum], lost_energy: float) -> int:
    """Return how many of every `UNIT` samples a grid must keep to lose at most that share of any view."""
    lost = np.max([s.lost_beyond() for s in spectra], axis=0)
    kept = max(COARSEST, int(np.argmax(lost <= lost_energy)))
    return UNIT if kept >= HARDLY_COARSER else kept


def without_pedestal(kernels: FloatArray, mask: Mask) -> tuple[FloatArray, FloatArray]:
    """Split kernels into what falls to zero at the rim of the mask and a constant times the mask.

    Parameters
    ----------
    kernels : array, shape (n_angles, *box)
        Zero outside the mask.
    mask : array of bool, shape box
        Where they are compared with the image.

    Returns
    -------
    particles : array, shape (n_angles, *box), float32
        Precise enough for a search that loses some of their energy.
    pedestals : array, shape (n_angles,)
        Mean of every kernel on the mask's rim.
    """
    rim = mask & ~ndimage.binary_erosion(mask)
    pedestals = kernels[:, rim].mean(axis=1)
    particles = np.empty(kernels.shape, np.float32)
    # One by one, which the cache holds from one step to the next.
    for kernel, pedestal, particle in zip(kernels, pedestals, particles, strict=True):
        np.subtract(kernel, pedestal * mask, out=particle, casting="same_kind")
    return particles, pedestals


def steer(
    particles: FloatArray,
    pedestals: FloatArray,
    spectrum: BankSpectrum,
    *,
    kept: int,
    lost_energy: float,
) -> tuple[SteeredBank, float]:
    """Express a bank by the fewest kernels, on the grid that keeps `kept` of every `UNIT` samples.

    Parameters
    ----------
    particles, pedestals : array, shape (n_angles, *box) and (n_angles,)
        Full-resolution views, centre at n // 2, and their constant part.
    spectrum : BankSpectrum
        Of the particles.
    kept : int
        1 … `UNIT`.
    lost_energy : float
        Share of any view's energy that may be lost, what the coarse grid loses included.

    Returns
    -------
    bank : SteeredBank
    lost : float
        The worst view's share that is lost.

    Notes
    -----
    Eigenvectors of the Gram matrix of the views, largest first: the truncated SVD.
    """
    scale = np.where(spectrum.norm > 0, spectrum.norm, 1.0)[:, None]
    # Side by side, real and imaginary parts are real vectors with the real part of the products.
    share = np.sqrt(spectrum.within[:, kept])
    held = share > 0
    inside = np.multiply(spectrum.values[:, held], share[held], order="C").view(np.float32)
    gram = (inside @ inside.T) / (scale * scale.T)
    eigenvalues, vectors = (part[..., ::-1] for part in np.linalg.eigh(gram))
    lost = (1 - np.cumsum(eigenvalues * vectors**2, axis=1)).max(axis=0)
    enough = np.flatnonzero(lost <= lost_energy)
    rank = int(enough[0]) + 1 if enough.size else len(particles)
    vectors = vectors[:, :rank]
    parts = (vectors / scale).T.astype(particles.dtype)
    basis = resampled(np.tensordot(parts, particles, 1), UNIT / kept)
    mixing = np.hstack([vectors * scale, pedestals[:, None]])
    bank = SteeredBank(basis.astype(np.float32), mixing.astype(np.float32), _stride(gram))
    return bank, max(float(lost[rank - 1]), 0.0)


def _stride(gram: FloatArray) -> int:
    """Return the largest stride through views that leaves each of them like one of those it meets."""
    size = np.sqrt(np.diag(gram))
    alike = gram / np.where(size > 0, np.multiply.outer(size, size), 1.0)
    strides = range(len(gram), 1, -1)
    return next((n for n in strides if alike[:, ::n].max(axis=1).min() >= ALIKE), 1)


def resampled(kernels: FloatArray, ratio: float) -> FloatArray:
    """Sample kernels, low-passed by the coarser grid's Nyquist frequency, `ratio` times coarser.

    Their products with a low-passed image sampled alike sum to the full-resolution products.

    Parameters
    ----------
    kernels : array, shape (n, *box)
        Centre at n // 2.
    ratio : float
        Coarse pixel in full-resolution pixels, ≥ 1.

    Returns
    -------
    array, shape (n, *coarse box)
        Odd boxes around the central sample.
    """
    for axis, n in enumerate(kernels.shape[1:], start=1):
        half = int((n // 2) / ratio)
        to_coarse = np.sinc(np.arange(-half, half + 1)[:, None] - (np.arange(n) - n // 2) / ratio)
        kernels = np.moveaxis(np.tensordot(to_coarse, kernels, (1, axis)), 0, axis)
    return kernels
