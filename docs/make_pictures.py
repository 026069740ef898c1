"""Draw the picture of the README: a corner of the hemocyanin scenario, with what was picked in it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

import simkit
from simkit.core.grid import Grid
from simkit.reports.picture import picks_picture

ROOT = Path(__file__).parents[1]
ROWS, COLUMNS = 560, 1100


def main() -> None:
    """Write docs/hemocyanin.jpg."""
    scenario = simkit.load(ROOT / "scenarios" / "lecture" / "hemocyanin.yaml")
    micrograph = simkit.simulate(scenario).micrograph
    picks = simkit.pick(scenario, micrograph, "matched")
    pixel = scenario.image.pixel_size
    corner = np.asarray(micrograph)[-ROWS:, :COLUMNS]
    top = (scenario.image.grid.shape[0] - ROWS) * pixel
    inside = (picks["y"] >= top) & (picks["x"] < COLUMNS * pixel)
    kept = picks.take(inside)
    picture = picks_picture(
        corner,
        Grid(corner.shape, pixel),
        kept.replace(y=kept["y"] - top),
        supports={"top": 150.0, "side": 234.0},
        title="Simulated hemocyanin, found again: rings are top views, barrels side views at any angle",
    )
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.save(ROOT / "docs" / "hemocyanin.jpg", quality=80)


if __name__ == "__main__":
    main()
