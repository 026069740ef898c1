"""A sweep killed ten times at random moments, and resumed each time, gives the same tables bit for bit.

    python tests/benchmarks/sweep_kills.py [--kills 10] [--seed 0]

Every kill is SIGKILL to the whole group of processes, after 5 to 30 % of the time that the undisturbed sweep
took, so that most of them meet it at work.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simkit.sweeps.output import TABLES

SCENARIO = """\
schema_version: 1
image: {shape: [192, 192], pixel_size: 4 Å, boundary: periodic}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 40 Å, width: 12 Å}]}
    lattice: {kind: scattered, count: 8, min_distance: 120 Å}
noise: {film: {kind: gaussian, snr: 0.5}}
templates: {ring: {kind: specimen, of: ring}}
pickers:
  matched: {kind: matched_filter, threshold: {kind: expected_false_picks, per_image: 1}}
  plain: {kind: correlation, threshold: {kind: expected_false_picks, per_image: 1}}
score: {radius: 30 Å}
sweep:
  axes:
    snr: {path: noise.film.snr, logspace: {from: 0.02, to: 2, count: 8}}
    cut: {path: pickers.plain.threshold.per_image, values: [0.1, 1]}
  replicates: 6
"""


def start(file: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "simkit.cli.main",
        "sweep",
        str(file),
        "--out",
        str(out),
        "--workers",
        "2",
    ]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "s.yaml"
        file.write_text(SCENARIO)
        began = time.perf_counter()
        start(file, folder / "whole").wait()
        whole = time.perf_counter() - began
        print(f"undisturbed: {whole:.1f} s")
        for kill in range(options.kills):
            process = start(file, folder / "killed")
            moment = whole * rng.uniform(0.05, 0.3)
            try:
                process.wait(timeout=moment)
                print(f"kill {kill}: came too late, it was finished")
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                done = len(list((folder / "killed/store/picks").rglob("*.npz")))
                print(f"kill {kill}: after {moment:.1f} s, {done} searches kept")
        start(file, folder / "killed").wait()
        same = [
            (folder / "whole" / f"{table}.csv").read_bytes()
            == (folder / "killed" / f"{table}.csv").read_bytes()
            for table in TABLES
            if table != "costs"
        ]
        print(f"tables the same, bit for bit: {sum(same)} of {len(same)}")
        sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
