"""How fast real data comes in and maps are projected, beside a peer and beside the floor, in one run.

    python tests/benchmarks/real_data_speed.py [--rounds 5]

A 4096² micrograph (the peer is mrcfile, the floor the bare bytes), 1,000 coordinate files of 100 rows
(the peer is gemmi's own parser, which checks nothing), and projections of a 92³ map (the peer turns the
array with SciPy and sums it; the floor is one transform of the map and one of every image). Every
time is the least of interleaved rounds, since other programs share the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import scipy.fft
from gemmi import cif
from scipy import ndimage

from simkit import CoordinateFrame, Grid, open_image, read_image
from simkit.core import fourier
from simkit.core.orientation import orientation
from simkit.io.coordinates import read_coordinate_set
from simkit.view.solid import Solid

SIDE, FILES, ROWS, VOXELS, COPIES = 4096, 1000, 100, 92, 20
Tasks = dict[str, Callable[[], object]]


def images(folder: Path) -> Tasks:
    file = folder / "micrograph.mrc"
    with mrcfile.new(file, np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)) as mrc:
        mrc.voxel_size = 1.5

    def peer() -> bool:
        with mrcfile.open(file, permissive=True) as mrc:
            return bool(np.isfinite(mrc.data.astype(np.float64)).all())

    def header() -> float:
        with mrcfile.mmap(file, permissive=True) as mrc:
            return float(mrc.voxel_size.x)

    return {
        "open: simkit": lambda: open_image(file).pixel_size,
        "open: mrcfile, memory-mapped": header,
        "read, cast and check: simkit": lambda: read_image(file).pixels,
        "read, cast and check: mrcfile": peer,
        "read: floor, the bytes": lambda: np.fromfile(file, np.float32),
    }


def coordinates(folder: Path) -> Tasks:
    stars = folder / "stars"
    stars.mkdir()
    rng = np.random.default_rng(1)
    for number in range(FILES):
        rows = "".join(f"{x:.3f} {y:.3f}\n" for x, y in rng.uniform(0, SIDE, (ROWS, 2)))
        text = f"data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}"
        (stars / f"m{number:04d}.star").write_text(text)
    frame = CoordinateFrame(pixel_size=1.5)
    return {
        f"{FILES} STAR files: simkit": lambda: read_coordinate_set(stars, frame=frame),
        f"{FILES} STAR files: gemmi alone": lambda: [cif.read_file(str(f)) for f in stars.iterdir()],
    }


def projections() -> Tasks:
    axes = np.meshgrid(*[np.arange(VOXELS) - VOXELS // 2] * 3, indexing="ij", sparse=True)
    blob = np.exp(-sum(((a - 5 * i) / (9.0 + i)) ** 2 for i, a in enumerate(axes)))
    solid, grid = Solid(blob, (5.0, 5.0, 5.0)), Grid((VOXELS, VOXELS), 5.0)
    rng = np.random.default_rng(2)
    turns = np.array([orientation(*rng.uniform(0, 180, 3)) for _ in range(COPIES)])
    centre = np.full(3, VOXELS // 2)

    def real_space() -> list[np.ndarray]:
        back = [turn[::-1, ::-1].T for turn in turns]
        return [ndimage.affine_transform(blob, m, centre - m @ centre, order=1).sum(axis=0) for m in back]

    return {
        f"{COPIES} projections: simkit, exact": lambda: [
            fourier.inverse(s, grid.shape) for s in solid.projections(grid, turns)
        ],
        f"{COPIES} projections: SciPy, trilinear": real_space,
        f"{COPIES} projections: floor, the FFTs": lambda: (
            scipy.fft.rfftn(blob),
            [scipy.fft.irfft2(scipy.fft.rfft2(blob[0])) for _ in range(COPIES)],
        ),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        for tasks in (images(Path(name)), coordinates(Path(name)), projections()):
            seconds = dict.fromkeys(tasks, np.inf)
            for _ in range(rounds):
                for task, work in tasks.items():
                    start = time.perf_counter()
                    work()
                    seconds[task] = min(seconds[task], time.perf_counter() - start)
            groups: dict[str, float] = {}
            for task, spent in seconds.items():
                ours = groups.setdefault(task.split(":")[0], spent)
                print(f"{task:45s} {1e3 * spent:9.2f} ms  {spent / ours:7.2f} ×")


if __name__ == "__main__":
    main()
