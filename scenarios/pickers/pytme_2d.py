"""pyTME on single images: `pytme_2d.py OUT TEMPLATES PIXEL_SIZE STEP THRESHOLD MICROGRAPH…`.

Of single images `pytme match` (0.3.4) reads TIFF and not MRC, and `pytme postprocess` takes volumes alone: so
images are converted before, and the peaks of its score map found after. pyTME stays a program of its own.
"""

import subprocess
import sys
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import tifffile
from scipy import ndimage

out, templates, pixel_size, step, threshold, *micrographs = sys.argv[1:]
views = mrcfile.read(templates)
views = views.reshape(-1, *views.shape[-2:])  # one view alone is read as an image
rows = ["micrograph,x_px,y_px,score"]
for micrograph in micrographs:
    best = None
    tifffile.imwrite("image.tif", mrcfile.read(micrograph).astype(np.float32))
    for view in views:
        tifffile.imwrite("view.tif", view.astype(np.float32))
        files = ["-m", "image.tif", "-i", "view.tif", "-o", "scores.hdf5", "--sampling-rate", pixel_size]
        subprocess.run(
            ["pytme", "match", *files, "-s", "FLCSphericalMask", "-a", step, "-n", "1"], check=True
        )
        with h5py.File("scores.hdf5") as file:
            scores = file["item_0"][()]
        best = scores if best is None else np.maximum(best, scores)
    axis = np.arange(min(views.shape[1:])) - min(views.shape[1:]) // 2
    disk = np.hypot(axis, axis[:, None]) <= len(axis) / 3
    peaks = (ndimage.maximum_filter(best, footprint=disk) == best) & (best >= float(threshold))
    rows += [f"{Path(micrograph).name},{x},{y},{best[y, x]:.5f}" for y, x in np.argwhere(peaks)]
Path(out).write_text("\n".join(rows) + "\n")
