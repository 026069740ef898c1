"""Bright disks in a micrograph: a band of sizes is let through, and what stands out of it is picked."""

import numpy as np
from scipy import ndimage


def pick(pixels, *, pixel_size, diameter, threshold=5.0, **_):
    """Return where the disks are, as simkit asks for it.

    Parameters
    ----------
    pixels : array, shape (rows, columns)
        A micrograph.
    pixel_size : float
        Å.
    diameter : float
        Of a particle, Å.
    threshold : float
        Least height of a peak, in standard deviations of the filtered image.

    Returns
    -------
    dict
        Columns `y` and `x`, in pixels from the centre of pixel (0, 0), and `score`.
    """
    # The Laplacian of a Gaussian answers a disk of diameter d most at σ = d / √8.
    filtered = -ndimage.gaussian_laplace(pixels.astype(float), diameter / pixel_size / np.sqrt(8))
    score = filtered / (1.4826 * np.median(np.abs(filtered - np.median(filtered))))
    width = 2 * round(0.5 * diameter / pixel_size) + 1
    y, x = np.nonzero((score == ndimage.maximum_filter(score, width)) & (score > threshold))
    return {"y": y, "x": x, "score": score[y, x]}
