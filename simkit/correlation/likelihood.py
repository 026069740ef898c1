"""Where a peak is by maximum likelihood, and how surely: a second pass between pixels and between views.

The score of a template K at θ = (y, x, ψ) is S(θ) = ⟨f, K(θ)⟩ / ‖K(θ)‖. In noise of the metric's spectrum its
top is the maximum-likelihood place, amplitude and background being fitted along [1]_. With the gradient of K
at hand, the slope of S is a product with the image, and the curvature Λ of its expectation a product of the
gradient with itself, so that Gauss–Newton steps Λ⁻¹∇S / S climb to the top.

References
----------
.. [1] Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973) 413: amplitudes are projected out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.local import Mask
from simkit.correlation.peaks import Peak
from simkit.correlation.refinement import Field, Probe, Summit, fitted
from simkit.correlation.subpixel import with_derivatives
from simkit.correlation.whitening import NoiseSpectrum, white

STEPS = 8
"""Most steps from the quadratic's top: two or three do where there is a top."""

CLOSE = 3e-2
"""Last step, in lengths over which the score falls off: Newton's leaves a tenth of it or less, and noise
alone moves a particle of d′ by 1/d′ of them."""

SINGULAR = 1e12
"""Condition of the curvature from which on there is a direction along which nothing changes."""

FLATTEST = 0.25
"""Share of the expected curvature below which the observed one is not believed: it is 1 ± √2/d′."""

ROUND = 1e-3
"""Curvature along the angle (1/rad²) below which turning a template changes nothing that could be seen."""

Gram = Callable[[FloatArray], FloatArray]


def gram_under(spectrum: NoiseSpectrum, pixel_size: float) -> Gram:
    """Return what gives the covariance of products with images, shape (n, *box), in noise of a spectrum."""

    @functools.cache
    def weights(shape: tuple[int, ...]) -> FloatArray:
        grid = Grid(shape, pixel_size)
        counted = np.clip(spectrum(grid), 0, None) * fourier.hermitian_weights(shape) / grid.size
        return counted.astype(np.float32)

    def gram(images: FloatArray) -> FloatArray:
        if spectrum is white:
            flat = images.reshape(len(images), -1)
            return flat @ flat.T
        # Single precision will do for a curvature.
        images = images.astype(np.float32)
        shape = tuple(fourier.fast_length(2 * n - 1) for n in images.shape[1:])
        spectra = fourier.forward_stack(images, shape)
        weighed = (spectra * weights(shape)).reshape(len(images), -1)
        return np.asarray((weighed @ spectra.reshape(len(images), -1).conj().T).real, np.float64)

    return gram


@dataclass(frozen=True)
class Fit:
    """What a template at one place and angle says of an image; its amplitude is free.

    Attributes
    ----------
    products : array, shape (p + 1,)
        Of the image with the template and its gradient along θ: px, and radians of the angle last.
    bends : array, shape (p, p)
        Of the image with the template's second derivatives.
    gram : array, shape (p + 1, p + 1)
        Of the template and its gradient with one another, in the metric.
    """

    products: FloatArray
    bends: FloatArray
    gram: FloatArray

    @property
    def height(self) -> float:
        """The score S, for a template of unit norm."""
        return float(self.products[0] / math.sqrt(self.gram[0, 0]))

    @functools.cached_property
    def across(self) -> FloatArray:
        """What takes from the gradient its share along the template: shape (p, p + 1)."""
        return np.column_stack([-self.gram[1:, 0] / self.gram[0, 0], np.eye(len(self.gram) - 1)])

    @property
    def slope(self) -> FloatArray:
        """∇S."""
        return np.asarray(self.across @ self.products / math.sqrt(self.gram[0, 0]))

    @property
    def expected(self) -> FloatArray:
        """Curvature −∇∇S / S at a particle without noise."""
        return np.asarray(self.across @ self.gram @ self.across.T / self.gram[0, 0])

    @property
    def observed(self) -> FloatArray:
        """Curvature −∇∇S / S as it is; a norm that changes does so linearly."""
        drift = self.gram[1:, 0] / self.gram[0, 0]
        mixed = np.multiply.outer(self.products[1:], drift)
        bend = self.bends - mixed - mixed.T + 3 * self.products[0] * np.multiply.outer(drift, drift)
        return np.asarray(-bend / self.products[0])

    @functools.cached_property
    def curvature(self) -> FloatArray:
        """The observed curvature, or the expected where noise left nearly none in some direction."""
        flattest = np.linalg.eigvalsh(self.observed - FLATTEST * self.expected)[0]
        return self.observed if flattest > 0 else self.expected

    @functools.cached_property
    def step(self) -> FloatArray:
        """Step to the top: Newton's, or that of Gauss and Newton where the score has no top nearby."""
        return np.asarray(np.linalg.solve(self.curvature, self.slope) / self.height)


class Likelihood:
    """Moves the peaks of one field from the top of a quadratic to that of the likelihood.

    Parameters
    ----------
    field : Field
        The prepared image.
    noise : callable, optional
        Power spectrum of the noise in its values, in their own units. Without it no peak has a covariance.
    """

    def __init__(self, field: Field, noise: NoiseSpectrum | None = None) -> None:
        self._field = field
        self._pixel = field.frame.image.pixel_size
        self._metric = gram_under(field.weight, self._pixel)
        # Of one grid for every peak of a template.
        self._weight = functools.cache(field.weight)
        self._variance = noise and functools.cache(lambda grid: _variance(noise, grid))
        same = noise is field.weight
        self._noise = self._metric if same else noise and gram_under(noise, self._pixel)

    def at_top(self, probe: Probe, summit: Summit, peak: Peak) -> Peak:
        """Return a peak at the top of the likelihood, with its covariance.

        Parameters
        ----------
        summit : Summit
            The pixel and view whose neighbours a quadratic went through.
        peak : Peak
            The top of that. It is returned as it is where the likelihood has no top within a pixel and a
            view of the summit.
        """
        bank, place = probe.bank, np.array(summit.place)
        turn = (peak.psi - bank.angles[summit.view] + bank.period / 2) % bank.period - bank.period / 2
        theta = np.array(
            [*(peak.position / self._pixel + self._field.frame.before - place), math.radians(turn)]
        )
        reach = np.array([1.0] * len(place) + [math.radians(bank.step or 0.0)])
        gram, patch = None, self._patch(probe, summit)
        for _ in range(STEPS):
            images, found = self._fit(probe, summit, theta, patch, gram)
            if found is None:
                return peak
            theta[: len(found.step)] += found.step
            if not (np.abs(theta) <= reach).all():
                return peak
            if found.step @ found.expected @ found.step <= CLOSE**2:
                moved = self._moved(peak, probe, summit, theta, found)
                return self._with_errors(moved, found, images, _within(patch, probe.mask.shape))
            # What no mask cuts keeps its products with itself wherever it is moved.
            gram = found.gram if probe.mask.all() else None
        return peak

    def _fit(
        self, probe: Probe, summit: Summit, theta: FloatArray, patch: FloatArray, gram: FloatArray | None
    ) -> tuple[FloatArray, Fit | None]:
        mask = probe.mask
        gradient, bends = with_derivatives(_pattern(probe, summit.view), theta[: mask.ndim], float(theta[-1]))
        under = _under(gradient.astype(np.float64), mask)
        gram = self._metric(under) if gram is None else gram
        # Where it was not searched, or a turn changes nothing, the angle stays as it is.
        searched = len(fitted(probe.bank, summit.view)) == 3 and len(gram) > mask.ndim + 1
        n = mask.ndim + (searched and gram[-1, -1] > ROUND * gram[0, 0])
        under, gram = under[: n + 1], gram[: n + 1, : n + 1]
        # The mean under the mask is off the patch: it need not be taken off second derivatives.
        products = np.tensordot(under, _within(patch, mask.shape), mask.ndim)
        if not (gram[0, 0] > 0 and products[0] > 0):
            return under, None
        found = Fit(products, bends(patch)[:n, :n], gram)
        return under, found if np.linalg.cond(found.expected) < SINGULAR else None

    def _patch(self, probe: Probe, summit: Summit) -> FloatArray:
        """Return the field around a summit as it is compared: zero beyond the mask, of zero mean under it."""
        patch = np.zeros(_pattern(probe, summit.view).shape)
        box = probe.mask.shape
        corner = [p - n // 2 for p, n in zip(summit.place, box, strict=True)]
        part = self._field.values[tuple(slice(c, c + n) for c, n in zip(corner, box, strict=True))]
        _within(patch, box)[...] = _under(part, probe.mask)
        return patch

    def _moved(self, peak: Peak, probe: Probe, summit: Summit, theta: FloatArray, found: Fit) -> Peak:
        ndim = probe.mask.ndim
        norm = 1.0 if probe.norm is None else float(probe.norm[summit.place])
        top = (found.height + found.slope @ found.step / 2) / norm
        shift = theta[:ndim] + summit.place - self._field.frame.before
        psi = peak.psi
        if len(found.step) > ndim:
            psi = float((probe.bank.angles[summit.view] + math.degrees(theta[-1])) % probe.bank.period)
        return replace(
            peak,
            position=shift * self._pixel,
            psi=psi,
            score=float(top) if probe.norm is None else min(float(top), 1.0),
        )

    def _with_errors(self, peak: Peak, found: Fit, images: FloatArray, patch: FloatArray) -> Peak:
        if self._noise is None or self._variance is None:
            return peak
        noise = found.gram if self._noise is self._metric else self._noise(images)
        n, ndim = len(images) - 1, images.ndim - 1
        scale = np.array([self._pixel] * ndim + [1.0])
        result = np.full((ndim + 1, ndim + 1), np.nan)
        result[:n, :n] = covariance(found, noise) * np.multiply.outer(scale[:n], scale[:n])
        grid = Grid(patch.shape, self._pixel)
        seen = images[0]
        if self._field.weight is not white:
            seen = fourier.inverse(fourier.forward(seen) * self._weight(grid), grid.shape)
        left = patch - found.products[0] / found.gram[0, 0] * seen
        return replace(peak, covariance=result, unrest=unrest(found, images, left) / self._variance(grid))


def covariance(found: Fit, noise: FloatArray) -> FloatArray:
    """Return the covariance of the place and angle of a top in noise that need not be the metric's.

    Parameters
    ----------
    found : Fit
        At the top.
    noise : array, shape (p + 1, p + 1)
        Covariance of the products with the template and its gradient in the noise that is there.

    Returns
    -------
    array, shape (p, p)
        NaN where the height is no more than that of noise.

    Notes
    -----
    H⁻¹ C H⁻¹ / A² with C the covariance of ∇S and H the curvature of S / S [1]_; in noise of the metric's
    spectrum that is the Cramér–Rao limit as d′ grows. H is that of this very top: a flat one is known less
    well, and at d′ = 10 the errors are 5 to 10 % larger than the limit on account of it. The square of the
    height is that of the particle's amplitude A, and σ² + tr(H⁻¹C) of noise more.

    References
    ----------
    .. [1] White, Econometrica 50 (1982) 1: maximum likelihood in misspecified models, the sandwich.
    """
    scatter = found.across @ noise @ found.across.T / found.gram[0, 0]
    inverse = np.linalg.inv(found.curvature)
    square = found.height**2 - noise[0, 0] / found.gram[0, 0] - np.trace(inverse @ scatter)
    return np.asarray(inverse @ scatter @ inverse / (square if square > 0 else np.nan))


def _variance(spectrum: NoiseSpectrum, grid: Grid) -> float:
    """Return the variance of a pixel of noise."""
    return fourier.energy(spectrum(grid), grid.shape) / grid.size


def unrest(found: Fit, images: FloatArray, left: FloatArray) -> float:
    """Return the mean square of what is left of an image where it matters for the place and angle of a top.

    Parameters
    ----------
    found : Fit
        At the top.
    images : array, shape (p + 1, *box)
        The template and its gradient.
    left : array, shape box
        The image less the template. Of a pixel's variance the fit takes the share kᵀ(Σ kkᵀ)⁻¹k, k being the
        `images` there, which is given back [1]_.

    References
    ----------
    .. [1] MacKinnon & White, J. Econometrics 29 (1985) 305: HC2.
    """
    flat = images.reshape(len(images), -1)
    slopes = found.across @ flat
    steep = np.einsum("ix,ij,jx->x", slopes, np.linalg.inv(found.curvature), slopes)
    fitted = np.einsum("ix,ij,jx->x", flat, np.linalg.inv(flat @ flat.T), flat)
    return float(steep @ (left.ravel() ** 2 / (1 - fitted)) / steep.sum())


def _pattern(probe: Probe, view: int) -> FloatArray:
    """Return a view without a mask's rim, which could not be moved; single precision tells it well enough."""
    pattern = probe.kernels[view] if probe.mask.all() else probe.bank.images[view]
    return pattern.astype(np.float32)


def _within(images: FloatArray, box: tuple[int, ...]) -> FloatArray:
    """Return the part of images in a box of the same centre, smaller maybe."""
    shape = images.shape[images.ndim - len(box) :]
    begin = [n // 2 - m // 2 for n, m in zip(shape, box, strict=True)]
    index: tuple[Any, ...] = (..., *(slice(b, b + m) for b, m in zip(begin, box, strict=True)))
    return images[index]


def _under(images: FloatArray, mask: Mask) -> FloatArray:
    """Cut images to a mask of the same centre, in a smaller box maybe, and take off their mean there."""
    cut = _within(images, mask.shape)
    mean = (cut * mask).sum(axis=tuple(range(-mask.ndim, 0)), keepdims=True) / mask.sum()
    return np.asarray((cut - mean) * mask)
