"""A particle picker in eighty lines: slide a template over the image, at every angle, and keep the peaks.

    python picker.py                  reads micrograph.mrc and template.mrc, writes picks.csv
    simkit convention picks.csv       tells whether its coordinates are right

It is here to be replaced by yours. What it writes is what simkit expects:

    x_px, y_px   centre of the particle, in pixels; the centre of the first pixel is 0, 0 and y points down
    psi_deg      how far the particle is turned: its +x axis towards +y, clockwise on the screen
    score        any number, larger is better
"""

import argparse
import csv

import mrcfile
import numpy as np
from scipy import fft, ndimage


def correlate(image, kernel):
    """c(x) = Σ f(x + t) h(t), t from the kernel's central pixel n // 2: F(c) = F(f) · conj F(h)."""
    padded = np.zeros_like(image)
    height, width = kernel.shape
    padded[:height, :width] = kernel
    padded = np.roll(padded, (-(height // 2), -(width // 2)), axis=(0, 1))
    return fft.irfft2(fft.rfft2(image) * np.conj(fft.rfft2(padded)), image.shape)


def normalised_correlation(image, template, mask):
    """Correlation coefficient of the template with the image under the mask, −1 to 1 everywhere."""
    weight = mask / mask.sum()
    centred = (template - (template * weight).sum()) * mask
    mean = correlate(image, weight)
    variance = correlate(image**2, weight) - mean**2
    energy = np.sqrt((centred**2).sum() * mask.sum() * np.maximum(variance, 1e-12))
    return correlate(image, centred) / energy


def search(image, template, step):
    """Return the best coefficient of every pixel, and the angle in degrees that gave it."""
    height, width = template.shape
    y, x = np.ogrid[:height, :width]
    mask = (np.hypot(y - height // 2, x - width // 2) <= min(height, width) // 2).astype(float)
    best, psi = np.full(image.shape, -np.inf), np.zeros(image.shape)
    for angle in np.arange(0, 360, step):
        # scipy turns against the clock on the screen, ψ goes with it
        turned = ndimage.rotate(template, -angle, reshape=False, order=3, mode="nearest")
        score = normalised_correlation(image, turned, mask)
        better = score > best
        best[better], psi[better] = score[better], angle
    return best, psi


def vertex(left, middle, right):
    """Where between the pixels the parabola through three neighbours has its maximum."""
    curvature = left - 2 * middle + right
    return 0.0 if curvature == 0 else 0.5 * (left - right) / curvature


def peaks(score, threshold, distance):
    """Yield y, x of every maximum above the threshold that is highest within the distance, to sub-pixels."""
    highest = score == ndimage.maximum_filter(score, 2 * int(distance) + 1)
    for y, x in np.argwhere(highest & (score > threshold)):
        if 0 < y < score.shape[0] - 1 and 0 < x < score.shape[1] - 1:
            dy, dx = vertex(*score[y - 1 : y + 2, x]), vertex(*score[y, x - 1 : x + 2])
            yield y, x, y + dy, x + dx


def main():
    """Read, search, write."""
    arguments = argparse.ArgumentParser(description="Find a template in a micrograph.")
    arguments.add_argument("micrograph", nargs="?", default="micrograph.mrc")
    arguments.add_argument("--template", default="template.mrc")
    arguments.add_argument("--out", default="picks.csv")
    arguments.add_argument("--step", type=float, default=5, help="degrees between the angles tried")
    arguments.add_argument("--threshold", type=float, default=0.5, help="least correlation coefficient")
    options = arguments.parse_args()

    image = mrcfile.read(options.micrograph).astype(float)
    template = mrcfile.read(options.template).astype(float)
    score, psi = search(image - image.mean(), template, options.step)
    with open(options.out, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["x_px", "y_px", "psi_deg", "score"])
        for row, column, y, x in peaks(score, options.threshold, min(template.shape) / 2):
            table.writerow([f"{x:.3f}", f"{y:.3f}", f"{psi[row, column]:g}", f"{score[row, column]:.4f}"])


if __name__ == "__main__":
    main()
