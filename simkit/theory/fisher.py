"""How precisely any estimator can measure a copy: Fisher information and the Cramér–Rao limit.

An image y = μ(θ) + noise holds about its parameters θ the information F; no unbiased estimator of them has
a covariance below F⁻¹ [1]_. The derivatives of μ say what each parameter does to the image, the noise what
that is worth.

References
----------
.. [1] Kay, Fundamentals of Statistical Signal Processing: Estimation Theory (1993), chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid

NO_CHANGE = 1e-4
"""Share of the energy of its two halves, y ∂ρ/∂x and x ∂ρ/∂y, below which ∂ρ/∂ψ is nothing but the corners of
the square band limit: disks, rings, balls and blobs give 1e-8 to 3e-5. A turn then changes nothing."""

SINGULAR = 1e-12
"""Eigenvalue of the information matrix, scaled to a unit diagonal, that is taken as zero."""


def fisher_information(
    derivatives: FloatArray,
    *,
    noise_spectrum: FloatArray | float | None = None,
    variance: FloatArray | float | None = None,
) -> FloatArray:
    """Return the information that one image holds about its parameters.

    In stationary Gaussian noise F_ij = (1/N) Σ_k D_i(k) D_j*(k) / P(k) over the full Fourier plane; in noise
    that is independent from pixel to pixel F_ij = Σ_x ∂_i μ ∂_j μ / var(x). The latter is exact for counted
    electrons, with var = μ in electrons per pixel [1]_, and for Gaussian noise of given variance; for counts
    with added Gaussian noise, var = μ + s², it is what weighted least squares attains. Counts so few that
    they are seen one by one through that noise hold more: 1 to 2 % more where μ is 2 to 5, 6 % where μ and
    s² are 1, so that the limits that follow are too high by half of that.

    Parameters
    ----------
    derivatives : array, shape (p, *shape)
        ∂μ/∂θ_i, see `derivatives_of`.
    noise_spectrum : array in real-FFT layout or float, optional
        P, the noise variance per pixel at each frequency.
    variance : array of `shape` or float, optional
        Noise variance of every pixel; infinite where a pixel is not seen. Exactly one of the two.

    Returns
    -------
    array, shape (p, p)
        Infinite or NaN where there is signal without noise.

    Raises
    ------
    ValueError
        Unless exactly one of the two is given.

    Notes
    -----
    Where stationary coloured noise and counted electrons add up, no closed form is left. Then P is the
    coloured spectrum plus the mean variance of the pixels around the copy: relative to the exact value
    F is wrong by at most the relative deviation of the pixels' variance from that mean, and by its square
    where the deviations cancel, so by a few per cent at the contrast of a particle in ice.

    References
    ----------
    .. [1] Chao, Ward & Ober, J. Opt. Soc. Am. A 33 (2016) B36.
    """
    if (noise_spectrum is None) == (variance is None):
        raise ValueError("give exactly one of `noise_spectrum` and `variance`")
    images = np.asarray(derivatives, float)
    if noise_spectrum is not None:
        return _gram(whitened(images, noise_spectrum))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _gram(np.where(images == 0, 0.0, images / np.sqrt(variance)))  # type: ignore[arg-type]


def whitened(derivatives: FloatArray, noise_spectrum: FloatArray | float) -> FloatArray:
    """Return F⁻¹[D / √P] of every image: in these units the noise is white and has unit variance.

    Parameters
    ----------
    derivatives : array, shape (p, *shape)
        Images.
    noise_spectrum : array in real-FFT layout or float
        P, the noise variance per pixel at each frequency.
    """
    shape = derivatives.shape[1:]
    spectra = fourier.forward_stack(derivatives, shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(spectra == 0, 0.0, spectra / np.sqrt(noise_spectrum))
    return fourier.inverse(ratio, shape)


def _gram(images: FloatArray) -> FloatArray:
    flat = images.reshape(len(images), -1)
    return flat @ flat.T


def limits(information: FloatArray, *, wanted: Sequence[int]) -> FloatArray:
    """Return the Cramér–Rao limit on some parameters, all others being unknown too.

    Parameters
    ----------
    information : array, shape (..., p, p)
        Of all parameters; leading axes are a batch.
    wanted : sequence of int
        Which parameters.

    Returns
    -------
    array, shape (..., n, n)
        Covariance; NaN for a parameter without information or without noise, and for those that
        cannot be told from one another. They leave the limits of the rest alone.

    Notes
    -----
    The whole matrix is inverted, by its eigenvectors: nuisance parameters are marginalised, not held fixed.
    """
    matrix = np.asarray(information, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
        unit = np.where((size > 0) & np.isfinite(size), size, 1.0)
        scale = unit[..., :, None] * unit[..., None, :]
        scaled = matrix / scale
    unseen = ~np.isfinite(size)
    scaled = np.where(unseen[..., :, None] | unseen[..., None, :] | ~np.isfinite(scaled), 0.0, scaled)
    values, vectors = np.linalg.eigh(scaled)
    null = values <= SINGULAR * matrix.shape[-1]
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=~null)
    covariance = (vectors * inverse[..., None, :]) @ np.swapaxes(vectors, -1, -2) / scale
    loose = (vectors**2 * null[..., None, :]).sum(axis=-1) > np.sqrt(SINGULAR)
    covariance = np.where(loose[..., :, None] | loose[..., None, :], np.nan, covariance)
    return covariance[..., list(wanted), :][..., :, list(wanted)]


def derivatives_of(
    spectrum: ComplexArray, grid: Grid, *, transfer: FloatArray | ComplexArray | float = 1.0
) -> dict[str, FloatArray]:
    """Return what moving, turning, brightening and lifting a copy changes in its image.

    Parameters
    ----------
    spectrum : array in real-FFT layout
        Of the copy's density, centred on index 0, before the optics.
    grid : Grid
        Its grid; it must hold the copy and the fringes of the optics.
    transfer : array in real-FFT layout or float, optional
        Of the optics, sign and gain included.

    Returns
    -------
    dict
        Name of a parameter → image with the copy on the central pixel n // 2: `y`, `x` (per Å; 1-D has x
        alone), `psi` (per degree, in 2-D), `amplitude` (the imaged copy itself), `background` (ones).

    Notes
    -----
    A copy at p is t(r − p): ∂/∂p = −∂t/∂r. The density, not its image, is turned, +x towards +y: ∂ρ/∂ψ =
    y ∂ρ/∂x − x ∂ρ/∂y goes through the optics like ρ, which is exact for an astigmatic lens too. Where a
    turn changes nothing, `psi` is all zeros.
    """

    def imaged(density: ComplexArray) -> FloatArray:
        return fourier.corner_to_centre(fourier.inverse(density * transfer, grid.shape))

    slopes = [2j * np.pi * k * spectrum for k in grid.frequencies()]
    result = {axis: -imaged(slope) for axis, slope in zip(grid.axes, slopes, strict=True)}
    if grid.ndim == 2:
        result["psi"] = np.deg2rad(imaged(_turned(slopes, grid)))
    return {**result, "amplitude": imaged(spectrum), "background": np.ones(grid.shape)}


def _turned(slopes: Sequence[ComplexArray], grid: Grid) -> ComplexArray:
    y, x = (fourier.centre_to_corner(np.broadcast_to(r, grid.shape)) for r in grid.offsets())
    along_y, along_x = (fourier.inverse(slope, grid.shape) for slope in slopes)
    one, other = y * along_x, x * along_y
    turned = one - other
    if (turned**2).sum() <= NO_CHANGE * ((one**2).sum() + (other**2).sum()):
        turned = np.zeros(grid.shape)
    return fourier.forward(turned)


@dataclass(frozen=True)
class CopyLimits:
    """What can be known of a copy; arrays over the batch of information matrices.

    Attributes
    ----------
    d_prime : array
        Detectability by an observer who knows place, angle and background: d′² is the information on the
        amplitude, see `detectability`.
    sigma_y, sigma_x : array
        Limits on the position in Å; y is NaN in one dimension.
    sigma_psi : array
        Limit on the angle in degrees; NaN where turning changes nothing, and in one dimension.
    """

    d_prime: FloatArray
    sigma_y: FloatArray
    sigma_x: FloatArray
    sigma_psi: FloatArray


def copy_limits(information: FloatArray, parameters: Sequence[str] | Mapping[str, object]) -> CopyLimits:
    """Return the limits on a copy whose place, angle, amplitude and background are all unknown.

    Parameters
    ----------
    information : array, shape (..., p, p)
        See `fisher_information`.
    parameters : sequence of str
        Their names in order, as the keys of `derivatives_of`.
    """
    names = list(parameters)
    deviation = np.sqrt(np.diagonal(limits(information, wanted=range(len(names))), axis1=-2, axis2=-1))
    nothing = np.full(deviation.shape[:-1], np.nan)
    y, x, psi = (
        deviation[..., names.index(name)] if name in names else nothing for name in ("y", "x", "psi")
    )
    amplitude = names.index("amplitude")
    return CopyLimits(np.sqrt(information[..., amplitude, amplitude]), y, x, psi)
