"""Make the density map of the scenarios in scenarios/kinds: a handed solid of D3 symmetry.

    python docs/make_sample_map.py

Two rings of three blobs, one above the other and turned against it by less than half a step, with arms
that lean to one side: the mirror image is another body.
"""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.symmetry import point_group

SIDE, VOXEL = 26, 7.0
"""Voxels along an edge, and Å along a voxel's."""

BLOBS = ((50.0, 10.0, 26.0, 11.0, 1.0), (28.0, 30.0, 50.0, 9.0, 0.8))
"""x, y, z and standard deviation in Å, and height, of the blobs that the group repeats."""


def sample_map() -> FloatArray:
    """Return the density, shape (26, 26, 26), 0 in the solvent."""
    axis = (np.arange(SIDE) - SIDE // 2) * VOXEL
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    density = np.zeros((SIDE,) * 3)
    for turn in point_group("D3"):
        for *centre, sigma, height in BLOBS:
            cx, cy, cz = turn @ centre
            density += height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / (2 * sigma**2))
    return density.astype(np.float32)


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "scenarios" / "kinds" / "unit_cell_volume.mrc"
    with mrcfile.new(target, sample_map(), overwrite=True) as mrc:
        mrc.set_volume()
        mrc.voxel_size = VOXEL
        mrc.header.label[0] = "a handed solid of D3 symmetry, for simkit's scenarios"
