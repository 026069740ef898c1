"""How long millions of coordinates take to be judged, and how much memory, beside a peer and the floor.

    python tests/benchmarks/scoring_speed.py [--full] [--rounds 2]

A thousand particles a micrograph of 4096² pixels, and as many picks: nine of ten on a particle within two
pixels or so, the others anywhere. `simkit score` runs as a process of its own, picks against truth, as one
CSV file each; with --full also as ten files a side, and with ten times the rows. Beside it: reading alone in
each format, `numpy.loadtxt` on the three columns of numbers of the same file, which is what a script would do
and leaves the names of micrographs unread, and reading the bare bytes, below which nobody gets. Each is a
process, held to one core: its seconds are those of the processor, since other programs share the machine,
and its peak memory is its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDE = 4096
PER_MICROGRAPH = 1000
PIXEL = 1.5
RADIUS = 15.0
SLICE = 100_000
"""Rows that are written at a time."""

HEADS = {
    "csv": "micrograph,x_px,y_px,score\n",
    "txt": "image_name\tx_coord\ty_coord\tscore\n",
    "star": "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    "_rlnAutopickFigureOfMerit #4\n",
    "box": "",
}
ROWS = {
    "csv": "mic_{0:05d}.mrc,{1:.2f},{2:.2f},{3:.4f}\n",
    "txt": "mic_{0:05d}\t{1:.0f}\t{2:.0f}\t{3:.6f}\n",
    "star": "mic_{0:05d}.mrc {1:12.6f} {2:12.6f} {3:10.6f}\n",
    "box": "{1:.0f}\t{2:.0f}\t200\t200\t{3:.6f}\n",
}
READ = """
from pathlib import Path
from simkit.io.sides import read_side
from simkit.io.coordinates import CoordinateFrame
side, _ = read_side(Path({file!r}), side="PICKS", frame=CoordinateFrame(1.5, binning=1.0001), format=None)
assert len(side.table) == {rows}
"""
LOADTXT = """
import numpy as np
assert len(np.loadtxt({file!r}, delimiter=",", skiprows=1, usecols=(1, 2, 3))) == {rows}
"""
BYTES = "open({file!r}, 'rb').read()"
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Cost:
    """Seconds of the processor and MB that a process took."""

    seconds: float
    megabytes: float


def write(file: Path, form: str, first: int, rows: int, *, picks: bool) -> None:
    """Write rows from `first` on, of the truth or of the picks: the same whatever file they are in."""
    with file.open("w") as stream:
        stream.write(HEADS[form])
        for start in range(first, first + rows, SLICE):
            known, found = np.random.default_rng([start, 0]), np.random.default_rng([start, 1])
            places = known.uniform(0, SIDE - 1, (SLICE, 2))
            if picks:
                anywhere = found.uniform(0, SIDE - 1, places.shape)
                near = places + found.normal(0, 1, places.shape)
                places = np.where(found.random((SLICE, 1)) < 0.9, near, anywhere)
            number = (start + np.arange(SLICE)) // PER_MICROGRAPH
            table = zip(number.tolist(), *places.T.tolist(), found.normal(size=SLICE).tolist(), strict=True)
            stream.writelines(ROWS[form].format(*row) for row in table)


def cost(command: Sequence[str], rounds: int) -> Cost:
    """Run a program and return the least that it took."""
    costs = []
    for _ in range(rounds):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | ONE_CORE
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"this failed: {' '.join(command)}")
        costs.append(Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return Cost(min(c.seconds for c in costs), min(c.megabytes for c in costs))


def python(code: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", code]


def score(picks: Path, truth: Path) -> list[str]:
    options = ["--radius", f"{RADIUS} Å", "--pixel-size", f"{PIXEL} Å", "--json"]
    return [*python("from simkit.cli.main import main; main()"), "score", str(picks), str(truth), *options]


def show(what: str, of: Cost, *peers: Cost) -> None:
    ratios = "".join(f"{of.seconds / peer.seconds:11.1f}" for peer in peers)
    print(f"  {what:34s}{of.seconds:8.2f} s{of.megabytes:8.0f} MB{ratios}", flush=True)


def measure(folder: Path, rows: int, rounds: int, *, in_files: int = 1) -> None:
    """Print what judging so many rows takes, a side in one file or in several."""
    sides = {}
    for side in ("picks", "truth"):
        (folder / side).mkdir(exist_ok=True, parents=True)
        share = rows // in_files
        files = [folder / side / f"{i}.csv" for i in range(in_files)]
        for i, file in enumerate(files):
            write(file, "csv", i * share, share, picks=side == "picks")
        sides[side] = folder / side if in_files > 1 else files[0]
    first = str(folder / "picks" / "0.csv")
    held = {"file": first, "rows": rows // in_files}
    floor, peer = (cost(python(code.format(**held)), rounds) for code in (BYTES, LOADTXT))
    print(f"\n{rows} picks, {rows} truths, {in_files} file{'s' * (in_files > 1)} a side")
    print(f"  {'':54s}{'÷ loadtxt':>11s}{'÷ bytes':>11s}")
    show("bytes of one file", floor, peer, floor)
    show("numpy.loadtxt, numbers of one file", peer, peer, floor)
    for form in HEADS if in_files == 1 else ():
        file = folder / f"one.{form}"
        write(file, form, 0, rows, picks=True)
        show(
            f"read one {form} file", cost(python(READ.format(file=str(file), rows=rows)), rounds), peer, floor
        )
        file.unlink()
    show("simkit score, start to end", cost(score(sides["picks"], sides["truth"]), rounds), peer, floor)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="ten files a side, and ten million rows, as well")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "million", 1_000_000, options.rounds)
        if options.full:
            measure(Path(folder) / "ten_files", 10_000_000, 1, in_files=10)
            measure(Path(folder) / "ten_million", 10_000_000, 1)


if __name__ == "__main__":
    main()
