"""ASPIRE's APPLE on an image of any shape: `apple_2d.py OUT PARTICLE MICROGRAPH`, its size in pixels.

APPLE (0.14.3) refuses an image that is not square and an MRC that says how large its pixels are, looks at
nothing within 100 px of the border, bins by 2, and takes two shares of all windows, 3 % for particles and
30 % for what may be some, as if every micrograph had 4000² pixels. So the image is mirrored to a square with
a margin to spare, is not binned, and the shares are those of its own windows. ASPIRE stays a program of its
own.
"""

import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np

BEFORE, AFTER = 99, 100
"""Pixels at a border that it discards."""

PARTICLES, PERHAPS = 0.03, 0.3
"""Shares of windows, as in its paper and its code."""

out, particle, micrograph = sys.argv[1:]
image = mrcfile.read(micrograph)
side = max(image.shape)
square = np.pad(image, [(BEFORE, AFTER + side - n) for n in image.shape], mode="symmetric")
with mrcfile.new("square.mrc") as file:
    file.set_data(square.astype(np.float32))

size = 2 * int(particle)  # it halves all sizes, binned or not
across = round(size * 2 / 3) // 4 * 2  # of a window, as it chooses it; there are two to its width
windows = (2 * side // across) ** 2
ended = subprocess.run(
    [
        *("aspire", "apple", "--mrc_path", "square.mrc", "--output_dir", "picks"),
        *("--particle_size", str(size), "--mrc_shrink_factor", "1"),
        *("--tau1", str(int(PARTICLES * windows)), "--tau2", str(int(PERHAPS * windows))),
    ]
)
if ended.returncode:
    sys.exit(ended.returncode)

rows = ["micrograph,x_px,y_px"]
star = Path("picks/square_applepick.star")  # without picks it writes none
for line in star.read_text().splitlines() if star.exists() else ():
    if line[:1].isdigit():
        x, y = (float(text) - BEFORE for text in line.split())
        if 0 <= x < image.shape[1] and 0 <= y < image.shape[0]:
            rows.append(f"{Path(micrograph).name},{x:g},{y:g}")
Path(out).write_text("\n".join(rows) + "\n")
