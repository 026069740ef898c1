"""A program as others write them: `picker.py OUT TEMPLATES PIXEL_SIZE MICROGRAPH…`.

It reads MRC, correlates, and writes a STAR file with the number of the view as the class.
"""

import sys
from pathlib import Path

import mrcfile
import numpy as np


def highest(image: np.ndarray, side: int) -> np.ndarray:
    """Return the maximum around every pixel."""
    for _ in range(2):
        padded = np.pad(image, ((0, 0), (side // 2, side // 2)), mode="edge")
        image = np.lib.stride_tricks.sliding_window_view(padded, side, axis=1).max(axis=-1).T
    return image


def turned(view: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a view about its central pixel; every pixel takes the nearest one's value."""
    y, x = (np.arange(n) - n // 2 for n in view.shape)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    across = np.rint(c * y[:, None] - s * x).astype(int) + view.shape[0] // 2
    along = np.rint(s * y[:, None] + c * x).astype(int) + view.shape[1] // 2
    inside = (across >= 0) & (across < view.shape[0]) & (along >= 0) & (along < view.shape[1])
    return np.where(inside, view[across * inside, along * inside], 0.0)


out, templates, pixel_size, *micrographs = sys.argv[1:]
views = mrcfile.read(templates).astype(float)
views = views.reshape(-1, *views.shape[-2:])  # one view alone is read as an image
rows = []
for micrograph in micrographs:
    with mrcfile.open(micrograph) as file:
        image, size = file.data.astype(float), float(file.voxel_size.x)
    if not np.isclose(size, float(pixel_size), rtol=1e-5):
        sys.exit(f"{micrograph} has pixels of {size}, and {pixel_size} was said")
    if np.ptp(image) == 0:
        continue
    image = (image - image.mean()) / image.std()
    spectrum, scores = np.fft.rfft2(image), []
    for view in views:
        for angle in range(0, 360, 20):
            placed = np.zeros(image.shape)
            placed[: view.shape[0], : view.shape[1]] = turned(view, angle)
            placed = np.roll(placed, [-(n // 2) for n in view.shape], (0, 1))
            scores.append(np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(placed)), image.shape))
    best, number = np.max(scores, axis=0), np.argmax(scores, axis=0) // 18 + 1
    peaks = (highest(best, 25) == best) & (best > best.mean() + 3 * best.std())
    rows += [(x, y, number[y, x], best[y, x], Path(micrograph).name) for y, x in np.argwhere(peaks)]
    print(f"{micrograph}: {int(peaks.sum())} picks")

tags = "CoordinateX", "CoordinateY", "ClassNumber", "AutopickFigureOfMerit", "MicrographName"
head = "".join(f"_rln{tag} #{i}\n" for i, tag in enumerate(tags, start=1))
lines = "".join(f"{x} {y} {n} {score:.6f} {name}\n" for x, y, n, score, name in rows)
Path(out).write_text(f"\ndata_\n\nloop_\n{head}{lines}\n")
