"""Make the small micrographs of `scenarios/kinds/micrographs.yaml`: rings that electrons counted.

    python docs/make_sample_micrographs.py

One is an MRC file of 16-bit counts whose header says the pixel size, the other a PNG that says nothing;
the positions leave out every fifth particle, as a person who picks by hand would.
"""

from pathlib import Path

import mrcfile
import numpy as np
from PIL import Image

from simkit import Scenario, simulate

FOLDER = Path(__file__).parents[1] / "scenarios" / "kinds" / "micrographs"
PIXEL = 4.0
RING = {"kind": "ring", "radius": 60.0, "width": 24.0}
SCENE = {
    "schema_version": 1,
    "seed": 3,
    "image": {"shape": [168, 216], "pixel_size": PIXEL, "level": 1.0},
    "specimen": {
        "ring": {
            "unit_cell": {"kind": "shapes", "shapes": [RING]},
            "lattice": {"kind": "scattered", "count": 10, "min_distance": 180.0},
        }
    },
    "noise": {"shot": {"kind": "poisson", "dose": 0.5}},
}


def main() -> None:
    """Write both micrographs and what is known of them."""
    FOLDER.mkdir(exist_ok=True)
    for number, name in enumerate(("monday", "tuesday")):
        seen = simulate(Scenario.model_validate(SCENE), number)
        counts = np.asarray(seen.micrograph)
        if number == 0:
            with mrcfile.new(FOLDER / f"{name}.mrc", counts.astype(np.uint16), overwrite=True) as mrc:
                mrc.voxel_size = PIXEL
                mrc.header.label[0] = "counts"
        else:
            Image.fromarray(counts.astype(np.uint8)).save(FOLDER / f"{name}.png")
        y, x = (seen.truth[axis] / PIXEL for axis in ("y", "x"))
        rows = [f"{a:.1f},{b:.1f}" for i, (a, b) in enumerate(zip(x, y, strict=True)) if i % 5]
        (FOLDER / f"{name}.csv").write_text("\n".join(["x_px,y_px", *rows, ""]))


if __name__ == "__main__":
    main()
