"""What a sweep costs beside the runs themselves, how much two workers help, how soon it is gathered.

    python tests/benchmarks/sweep_speed.py [--size 512] [--cells 8] [--finished 10000]

Overhead: the wall time of a sweep on one process over that of the same cells run one by one by
`simkit.engine.pipeline.run_scenario`, taken in turns, the least of the rounds. Every process has one
thread of BLAS and FFT. Gathering: a store in which every cell has scores (of one real cell, copied), opened,
read and written anew.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from simkit.engine.pipeline import run_scenario
from simkit.scenario.loading import read_draft
from simkit.sweeps import running
from simkit.sweeps.completion import Manner
from simkit.sweeps.executors import Executor, Here, Processes
from simkit.sweeps.output import save
from simkit.sweeps.store import Store

SCENARIO = """\
schema_version: 1
image: {{shape: [{size}, {size}], pixel_size: 4 Å, boundary: periodic}}
specimen:
  ring:
    unit_cell: {{kind: shapes, shapes: [{{kind: ring, radius: 60 Å, width: 12 Å}}]}}
    lattice: {{kind: scattered, count: {copies}, min_distance: 160 Å}}
noise: {{film: {{kind: gaussian, snr: 0.5}}}}
templates: {{ring: {{kind: specimen, of: ring}}}}
pickers:
  matched: {{kind: matched_filter, threshold: {{kind: expected_false_picks, per_image: 1}}}}
  ncc: {{kind: ncc, threshold: {{kind: expected_false_picks, per_image: 1}}}}
score: {{radius: 30 Å, null_micrographs: 0}}
sweep:
  axes: {{snr: {{path: noise.film.snr, linspace: {{from: 0.05, to: 2, count: {cells}}}}}}}
  replicates: {replicates}
"""


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plan(folder: Path, **values: int) -> running.Plan:
    file = folder / "s.yaml"
    file.write_text(SCENARIO.format(**values))
    return running.plan(read_draft(file))


def swept(made: running.Plan, folder: Path, who: Executor, manner: Manner | None = None) -> None:
    save(running.run_sweep(made, Store(folder / "store"), who, manner=manner), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--replicates", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--finished", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = plan(folder, size=options.size, cells=options.cells, replicates=options.replicates, copies=20)
        cases = made.cases(made.cells, replicates=options.replicates)

        def one_by_one() -> None:
            with threadpool_limits(1):
                for case in cases:
                    run_scenario(case.scenario, workers=1)

        def sweep(who: Executor) -> Callable[[], None]:
            def work() -> None:
                shutil.rmtree(folder / "out", ignore_errors=True)
                swept(made, folder / "out", who)

            return work

        two = Processes(2)
        sweep(two)()  # processes are started, and everything is loaded
        ways = {"one by one": one_by_one, "one process": sweep(Here()), "two processes": sweep(two)}
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(options.rounds):
            for way, work in ways.items():
                least[way] = min(least[way], timed(work))
        cell = least["one by one"] / len(cases)
        print(f"{len(cases)} cells of {options.replicates} micrographs of {options.size}², {cell:.2f} s each")
        for way, seconds in least.items():
            print(f"  {way:14s} {seconds:7.2f} s")
        overhead = least["one process"] / least["one by one"] - 1
        gain = least["one process"] / least["two processes"]
        print(f"  overhead on one process   {overhead:+.1%} (asked: ≤ 5 %)")
        print(f"  two processes over one    {gain:.2f} × (asked: ≥ 1.8 ×)")
        two.close()
        gathered(folder, options.finished)


def gathered(folder: Path, cells: int) -> None:
    """Print how long it takes to gather a sweep of which every cell is finished."""
    single = plan(folder, size=64, cells=2, replicates=1, copies=1)
    store = Store(folder / "many/store")
    running.run_sweep(single, store, Here())
    (case, _) = single.cases(single.cells, replicates=1)
    record = store.plain("scores", case.keys.scores) or {}
    made = plan(folder, size=64, cells=cells, replicates=1, copies=1)
    for case in made.cases(made.cells, replicates=1):
        store.put_plain("scores", case.keys.scores, record)

    def again() -> None:
        swept(plan(folder, size=64, cells=cells, replicates=1, copies=1), folder / "many", Here())

    print(f"{cells} finished cells read, gathered and written again: {timed(again):.1f} s")


if __name__ == "__main__":
    main()
