"""What a template at one place and angle says of an image: the score's slope and curvature, and how sure.

The score of a template K at θ = (y, x, ψ) is S(θ) = ⟨f, K(θ)⟩ / ‖K(θ)‖, the amplitude being fitted
along [1]_. With the gradient of K at hand, the slope of S is a product with the image, and the curvature Λ of
its expectation a product of the gradient with itself.

References
----------
.. [1] Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973) 413: amplitudes are projected out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.core.products import products
from simkit.correlation.whitening import NoiseSpectrum, white

CLOSE = 3e-2
"""Last step, in lengths over which the score falls off: Newton's leaves a tenth of it or less, and noise
alone moves a particle of d′ by 1/d′ of them."""

SINGULAR = 1e12
"""Condition of the curvature from which on there is a direction along which nothing changes."""

FLATTEST = 0.25
"""Share of the expected curvature below which the observed one is not believed: it is 1 ± √2/d′."""

Gram = Callable[[FloatArray], FloatArray]
Rows = npt.NDArray[np.bool_]


def gram_under(spectrum: NoiseSpectrum, pixel_size: float) -> Gram:
    """Return what gives the covariance of products with images, shape (m, n, *box), in noise."""

    @functools.cache
    def weights(shape: tuple[int, ...]) -> FloatArray:
        grid = Grid(shape, pixel_size)
        counted = np.clip(spectrum(grid), 0, None) * fourier.hermitian_weights(shape) / grid.size
        return counted.astype(np.float32)

    def gram(images: FloatArray) -> FloatArray:
        if spectrum is white:
            rows = flat(images)
            return products(rows, rows)
        # Single precision will do for a curvature.
        shape = tuple(fourier.fast_length(2 * n - 1) for n in images.shape[2:])
        spectra = fourier.forward_stack(images.astype(np.float32), shape)
        weighed, plain = flat(spectra * weights(shape)), flat(spectra)
        return np.asarray(products(weighed, plain.conj()).real, np.float64)

    return gram


@dataclass(frozen=True)
class Fit:
    """What templates, each at one place and angle, say of an image; their amplitudes are free.

    Attributes
    ----------
    products : array, shape (…, p + 1)
        Of the image with the template and its gradient along θ: px, and radians of the angle last.
    bends : array, shape (…, p, p)
        Of the image with the template's second derivatives.
    gram : array, shape (…, p + 1, p + 1)
        Of the template and its gradient with one another, in the metric.
    """

    products: FloatArray
    bends: FloatArray
    gram: FloatArray

    def of(self, which: Rows) -> Fit:
        """Return the fit of some of the templates."""
        return Fit(self.products[which], self.bends[which], self.gram[which])

    @property
    def sound(self) -> Rows:
        """Whether there is a template and its product is positive, and every parameter changes something."""
        known = (self.gram[..., 0, 0] > 0) & (self.products[..., 0] > 0)
        known[known] = np.linalg.cond(self.of(known).expected) < SINGULAR
        return known

    @property
    def height(self) -> FloatArray:
        """The score S, for a template of unit norm."""
        return np.asarray(self.products[..., 0] / np.sqrt(self.gram[..., 0, 0]))

    @functools.cached_property
    def drift(self) -> FloatArray:
        """Half of what the template's square changes by along θ, in units of it: shape (…, p)."""
        return np.asarray(self.gram[..., 1:, 0] / self.gram[..., :1, 0])

    @functools.cached_property
    def across(self) -> FloatArray:
        """What takes from the gradient its share along the template: shape (…, p, p + 1)."""
        unit = np.broadcast_to(np.eye(self.drift.shape[-1]), self.bends.shape)
        return np.concatenate([-self.drift[..., None], unit], axis=-1)

    def scatter(self, gram: FloatArray) -> FloatArray:
        """Return the covariance of ∇S where that of the products is `gram`."""
        return np.asarray(self.across @ gram @ self.across.swapaxes(-1, -2) / self.gram[..., :1, :1])

    @property
    def slope(self) -> FloatArray:
        """∇S."""
        return _times(self.across, self.products) / np.sqrt(self.gram[..., :1, 0])

    @functools.cached_property
    def expected(self) -> FloatArray:
        """Curvature −∇∇S / S at a particle without noise."""
        return self.scatter(self.gram)

    @property
    def observed(self) -> FloatArray:
        """Curvature −∇∇S / S as it is; a norm that changes does so linearly."""
        drift, product = self.drift, self.products[..., :1, None]
        mixed = self.products[..., 1:, None] * drift[..., None, :]
        bend = self.bends - mixed - mixed.swapaxes(-1, -2)
        return np.asarray(-bend / product - 3 * drift[..., None] * drift[..., None, :])

    @functools.cached_property
    def curvature(self) -> FloatArray:
        """The observed curvature, or the expected where noise left nearly none in some direction."""
        observed = self.observed
        flattest = np.linalg.eigvalsh(observed - FLATTEST * self.expected)[..., :1, None]
        return np.where(flattest > 0, observed, self.expected)

    @functools.cached_property
    def step(self) -> FloatArray:
        """Step to the top: Newton's, or that of Gauss and Newton where the score has no top nearby."""
        return np.linalg.solve(self.curvature, self.slope[..., None])[..., 0] / self.height[..., None]

    @property
    def far(self) -> Rows:
        """Whether the step is too long to be the last."""
        return np.asarray((self.step * _times(self.expected, self.step)).sum(axis=-1) > CLOSE**2)


def covariance(found: Fit, noise: FloatArray) -> FloatArray:
    """Return the covariance of the place and angle of a top in noise that need not be the metric's.

    Parameters
    ----------
    found : Fit
        At the top.
    noise : array, shape (…, p + 1, p + 1)
        Covariance of the products with the template and its gradient in the noise that is there.

    Returns
    -------
    array, shape (…, p, p)
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
    scatter, inverse = found.scatter(noise), np.linalg.inv(found.curvature)
    gained = np.trace(inverse @ scatter, axis1=-2, axis2=-1)
    square = found.height**2 - noise[..., 0, 0] / found.gram[..., 0, 0] - gained
    return np.asarray(inverse @ scatter @ inverse / np.where(square > 0, square, np.nan)[..., None, None])


def unrest(found: Fit, images: FloatArray, left: FloatArray) -> FloatArray:
    """Return the mean square of what is left of images where it matters for the place and angle of a top.

    Parameters
    ----------
    found : Fit
        At the top.
    images : array, shape (n, p + 1, *box)
        The template and its gradient.
    left : array, shape (n, *box)
        The image less the template. Of a pixel's variance the fit takes the share kᵀ(Σ kkᵀ)⁻¹k, k being the
        `images` there, which is given back [1]_.

    Returns
    -------
    array, shape (n,)

    References
    ----------
    .. [1] MacKinnon & White, J. Econometrics 29 (1985) 305: HC2.
    """
    columns, square = flat(images), left.reshape(len(left), -1) ** 2
    slopes = found.across @ columns
    steep = _quadratic(slopes, np.linalg.inv(found.curvature))
    # An angle that changes nothing takes no share.
    fitted = _quadratic(columns, np.linalg.pinv(products(columns, columns), hermitian=True))
    return np.asarray((steep * square / (1 - fitted)).sum(axis=-1) / steep.sum(axis=-1))


def _quadratic(columns: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return kᵀMk of every column k: shape (n, n_columns)."""
    return np.asarray((matrix @ columns * columns).sum(axis=-2))


def _times(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Return the product of every matrix with its vector."""
    return np.asarray((matrix @ vector[..., None])[..., 0])


def flat(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return images, shape (n, p + 1, *box), as rows."""
    return images.reshape(*images.shape[:2], -1)
