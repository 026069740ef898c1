"""A picker of its own, as `picker_command.yaml` starts it: `picker_command.py OUT RADIUS_PX MICROGRAPH…`.

It smooths every image with a disk of the particle's radius and writes the highest places, as Topaz would.
"""

import sys
from pathlib import Path

import mrcfile
import numpy as np


def highest(image: np.ndarray, side: int) -> np.ndarray:
    """Return the maximum of the square around every pixel."""
    for _ in range(2):
        padded = np.pad(image, ((0, 0), (side // 2, side // 2)), mode="edge")
        image = np.lib.stride_tricks.sliding_window_view(padded, side, axis=1).max(axis=-1).T
    return image


out, radius, *micrographs = sys.argv[1:]
rows = ["image_name\tx_coord\ty_coord\tscore"]
for file in micrographs:
    image = mrcfile.read(file).astype(float)
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in image.shape)
    disk = np.fft.rfft2(y[:, None] ** 2 + x**2 <= float(radius) ** 2)
    smooth = np.fft.irfft2(np.fft.rfft2(image - image.mean()) * disk, image.shape)
    score = smooth / np.sqrt(np.pi) / float(radius) / image.std()
    peaks = (highest(score, 2 * int(float(radius)) + 1) == score) & (score > 5)
    rows += [f"{Path(file).stem}\t{x}\t{y}\t{score[y, x]:.4f}" for y, x in np.argwhere(peaks)]
    sys.stdout.write(f"{Path(file).name}: {int(peaks.sum())} picks\n")
Path(out).write_text("\n".join(rows) + "\n")
