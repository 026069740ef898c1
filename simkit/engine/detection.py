"""How the detector limits what can be known of a copy: its gain, and its noise around the copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.correlation.whitening import sampled_spectrum
from simkit.noise.base import Noise
from simkit.theory.fisher import whitened

DARKEST = 1e-3
"""Least variance of a pixel relative to the largest around a copy: where no electron is expected, ripples of
the band limit are no information."""

WHITE = 1e-9
"""Relative deviation from a constant below which a noise spectrum is white."""


@dataclass(frozen=True)
class Detection:
    """Gain and noise of the detector.

    The noise power rises linearly with the intensity where electrons are counted, and else not at all.

    Attributes
    ----------
    gain : float
        Micrograph units per unit of intensity.
    dark : array in real-FFT layout of the image
        Noise variance per pixel where the intensity is 0, in the micrograph's units.
    slope : float
        Variance added per unit of intensity: 0 unless electrons are counted.
    """

    gain: float
    dark: FloatArray
    slope: float

    @classmethod
    def of(cls, noise: Mapping[str, Noise], image: Grid, spectrum: FloatArray, level: float) -> Detection:
        """Describe noise members whose joint spectrum in this image at a mean level is known."""
        few = Grid((4,) * image.ndim, image.pixel_size)
        gain = float(np.prod([member.gain(image) for member in noise.values()]))
        slope = float((noise_spectrum(noise, few, 1.0) - noise_spectrum(noise, few, 0.0)).flat[0])
        return cls(gain, np.maximum(spectrum - slope * level, 0.0), slope)


def noise_spectrum(noise: Mapping[str, Noise], grid: Grid, level: float) -> FloatArray:
    """Return the power spectrum of all noise members together, in the micrograph's units.

    Parameters
    ----------
    noise : mapping
        Members in written order, every `snr` resolved.
    grid : Grid
        The image: coloured noise of a given strength has another spectrum in an image of another size.
    level : float
        Mean intensity of the image.

    Returns
    -------
    array in real-FFT layout, variance per pixel at each frequency
    """
    total = np.zeros(grid.frequency_radius().shape)
    for member in noise.values():
        total = total * member.gain(grid) ** 2 + member.spectrum(grid, level)
        level *= member.gain(grid)
    return total


@dataclass(frozen=True)
class PixelNoise:
    """A detection as it acts on a box around a copy: of white noise `dark` is one number."""

    gain: float
    dark: FloatArray | float
    slope: float

    @classmethod
    def of(cls, detection: Detection, image: Grid, box: Grid) -> PixelNoise:
        """Take the detection from an image to a box of the same pixels."""
        white = float(np.ptp(detection.dark)) <= WHITE * float(detection.dark.max())
        dark = float(detection.dark.flat[0]) if white else sampled_spectrum(detection.dark, image)(box)
        return cls(detection.gain, dark, detection.slope)

    @property
    def silent(self) -> bool:
        """Whether there is no noise: everything can then be known exactly."""
        return self.slope == 0 and not np.any(self.dark)

    def information(self, derivatives: FloatArray, windows: FloatArray, level: float) -> FloatArray:
        """Return what the pixels of every window tell about the copy in its middle.

        Parameters
        ----------
        derivatives : array, shape (p, *box)
            Of the noise-free image with respect to each parameter, in intensities.
        windows : array, shape (n, pixels)
            The noise-free image around every copy; NaN beyond the image's border.
        level : float
            Mean intensity, at which noise is taken that is not independent from pixel to pixel.

        Returns
        -------
        array, shape (n, p, p)
        """
        images = self.gain * derivatives
        weights = np.isfinite(windows).astype(float)
        if not isinstance(self.dark, float):
            images = whitened(images, self.dark + self.slope * level)
        elif not self.silent:
            variance = self.dark + self.slope * np.where(weights > 0, windows, 0.0)
            weights /= np.maximum(variance, DARKEST * variance.max(axis=1, keepdims=True))
        flat = images.reshape(len(images), -1)
        i, j = np.triu_indices(len(flat))
        information = np.empty((len(windows), len(flat), len(flat)))
        information[:, i, j] = information[:, j, i] = weights @ (flat[i] * flat[j]).T
        return information
