"""`simkit sweep` as it is used: what is done stays done, whatever fails and whenever it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.engine.pipeline import run_scenario
from simkit.scenario.loading import read_draft
from simkit.sweeps import running
from simkit.sweeps.completion import Manner, StoppedError, complete
from simkit.sweeps.executors import Here, LostWorkerError, Processes
from simkit.sweeps.output import TABLES, open_sweep, save
from simkit.sweeps.results import SweepResult
from simkit.sweeps.store import Store

SCENARIO = """\
schema_version: 1
title: Rings in noise
seed: 5
image: {shape: [64, 64], pixel_size: 4 Å, boundary: periodic}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 24 Å, width: 8 Å}]}
    lattice: {kind: scattered, count: 3, min_distance: 80 Å}
noise: {film: {kind: gaussian, snr: 1.0}}
templates: {ring: {kind: specimen, of: ring}}
pickers:
  plain: {kind: correlation, threshold: {kind: top, count: 3}}
  other: {kind: phase, threshold: {kind: top, count: 3}}
score: {radius: 20 Å}
sweep:
  axes:
    snr: {path: noise.film.snr, values: [0.05, 1.0]}
    cut: {path: pickers.plain.threshold.count, values: [2, 3]}
  replicates: 2
"""


def scenario(tmp_path: Path, text: str = SCENARIO) -> Path:
    file = tmp_path / "rings.yaml"
    file.write_text(text)
    return file


def swept(
    tmp_path: Path, *overrides: str, manner: Manner | None = None, store: str = "store", executor: Any = None
) -> SweepResult:
    made = running.plan(read_draft(tmp_path / "rings.yaml", overrides=overrides))
    return running.run_sweep(made, Store(tmp_path / store), executor or Here(), manner=manner)


def tables(folder: Path) -> dict[str, bytes]:
    """Every table of a sweep that does not say how long something took."""
    return {name: (folder / f"{name}.csv").read_bytes() for name in TABLES if name != "costs"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of the sweep when nothing happens to it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    scenario(folder)
    result = swept(folder)
    assert result.failures == ()
    save(result, folder / "out")
    return tables(folder / "out")


def test_every_stage_is_done_once(tmp_path: Path) -> None:
    scenario(tmp_path)
    first = swept(tmp_path)
    # Two signal-to-noise ratios of two micrographs; the cells that only cut elsewhere share them.
    assert len(list((tmp_path / "store/truth").rglob("*.npz"))) == 4
    assert set(first.seconds) == {"simulation", "templates", "picker plain", "picker other", "scoring"}
    assert swept(tmp_path).seconds == {}
    assert set(swept(tmp_path, "score.radius=10 Å").seconds) == {"scoring"}
    more = swept(tmp_path, "pickers.third={kind: correlation, threshold: {kind: top, count: 1}}")
    assert set(more.seconds) == {"templates", "picker third", "scoring"}
    noisier = swept(tmp_path, "sweep.axes.snr.values=[0.05, 1.0, 2.0]")
    assert noisier.cells.num_rows == 6
    assert len(list((tmp_path / "store/truth").rglob("*.npz"))) == 6


def test_a_cell_is_what_simkit_run_makes_of_it(tmp_path: Path) -> None:
    scenario(tmp_path)
    result = swept(tmp_path, "sweep.axes.cut.values=[3]")
    for cell, written in enumerate(result.settings):
        sets = [f"{path}={value}" for path, value in written]
        draft = read_draft(tmp_path / "rings.yaml", overrides=[*sets, "replicates=2"])
        alone = run_scenario(draft.validated().scenario, workers=1)
        rows = [row for row in result.scores.to_pylist() if row["cell"] == cell]
        for row in rows:
            values = alone.judgements[row["picker"]].values[row["class"]]
            for metric in ("tp", "fp", "fn", "f1", "rmse", "average_precision"):
                assert row[metric] == values[metric], (cell, row["picker"], metric)


def test_a_sweep_is_opened_again_as_it_was(tmp_path: Path) -> None:
    scenario(tmp_path)
    result = swept(tmp_path)
    save(result, tmp_path / "out")
    again = open_sweep(tmp_path / "out")
    assert again.dataset.identical(result.dataset)
    assert again.axes == result.axes
    assert again.settings == result.settings
    assert all(getattr(again, name).equals(getattr(result, name)) for name in TABLES)
    import xarray as xr

    with xr.open_dataset(tmp_path / "out/sweep.nc", engine="h5netcdf") as kept:
        assert kept["f1"].equals(result.dataset["f1"])
        assert dict(kept.sizes) == {"snr": 2, "cut": 2, "picker": 2, "class": 2}
        assert kept["rmse"].attrs["units"] == "Å"


def test_what_is_excluded_is_nan(tmp_path: Path) -> None:
    scenario(tmp_path)
    data = swept(tmp_path, "sweep.exclude=[{snr: 0.05, cut: 2}]").dataset
    assert data["f1"].sel(snr=0.05, cut=2).isnull().all()
    assert data["f1"].sel(snr=0.05, cut=3).notnull().all()
    assert int(data["micrographs"].sel(snr=0.05, cut=2)) == 0


def test_scattered_cells_are_a_list(tmp_path: Path) -> None:
    scenario(tmp_path)
    axes = (
        "{s: {path: noise.film.snr, between: {from: 0.5, to: 2}}, "
        "r: {path: score.radius, between: {from: 9 Å, to: 20 Å}}}"
    )
    data = swept(tmp_path, f"sweep.axes={axes}", "sweep.sample={kind: latin_hypercube, count: 5}").dataset
    assert data["f1"].dims == ("cell", "picker", "class")
    assert data["s"].dims == ("cell",)
    assert data["r"].attrs["units"] == "Å"


def test_a_failing_cell_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    # Only at one count are there more copies than places.
    text = SCENARIO.replace(
        "cut: {path: pickers.plain.threshold.count, values: [2, 3]}",
        "count: {path: specimen.ring.lattice.count, values: [3, 11]}",
    ).replace("min_distance: 80 Å", "min_distance: 79 Å")
    file = scenario(tmp_path, text)
    out = tmp_path / "out"
    ran = CliRunner().invoke(app, ["sweep", str(file), "--out", str(out), "--workers", "1"])
    assert ran.exit_code == 1
    assert "failures" in ran.output
    result = open_sweep(out)
    failed = {row["cell"] for row in result.cells.to_pylist() if row["failed"]}
    assert failed == {1, 3}
    assert {failure["kind"] for failure in result.failures} == {"ScenarioError"}
    assert result.dataset["f1"].sel(count=3).notnull().all()
    assert result.dataset["f1"].sel(count=11).isnull().all()
    # What failed is finished: the same command tries nothing again, unless it is told to.
    assert swept_cli(file, out, "--collect").exit_code == 1
    before = sorted((out / "store").rglob("*.npz"))
    assert swept_cli(file, out).exit_code == 1
    assert sorted((out / "store").rglob("*.npz")) == before
    assert swept_cli(file, out, "--rerun-failed").exit_code == 1


def swept_cli(file: Path, out: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["sweep", str(file), "--out", str(out), "--workers", "1", *options])


def test_a_sweep_of_which_nothing_comes_is_still_there(tmp_path: Path) -> None:
    file = scenario(
        tmp_path, SCENARIO.replace("count: 3, min_distance: 80 Å", "count: 11, min_distance: 79 Å")
    )
    ran = swept_cli(file, tmp_path / "out")
    assert ran.exit_code == 1, ran.output
    result = open_sweep(tmp_path / "out")
    assert len(result.failures) >= 4
    assert result.scores.num_rows == 0
    assert dict(result.dataset.sizes) == {"snr": 2, "cut": 2, "picker": 0, "class": 0}


def test_the_first_failure_can_end_it(tmp_path: Path) -> None:
    text = SCENARIO.replace("count: 3, min_distance: 80 Å", "count: 11, min_distance: 79 Å")
    scenario(tmp_path, text)
    with pytest.raises(StoppedError, match="micrograph 0"):
        swept(tmp_path, manner=Manner(fail_fast=True))


class Mortal(Processes):
    """Processes of which one is killed with the third errand."""

    sent = 0

    def submit(self, work: Any, errand: Any) -> Any:
        future = super().submit(work, errand)
        self.sent += 1
        if self.sent == 3:
            os.kill(next(iter(self._pool._processes)), signal.SIGKILL)
        return future


def test_processes_give_the_same_tables_and_one_that_is_killed_is_replaced(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    scenario(tmp_path)
    with closing(Mortal(2)) as mortal:
        save(swept(tmp_path, executor=mortal), tmp_path / "out")
    assert mortal.sent > 8  # four micrographs and four judgements, and what was sent again
    assert tables(tmp_path / "out") == undisturbed
    # A run in the same process has processes of its own.
    alone = read_draft(tmp_path / "rings.yaml", overrides=["replicates=2"]).validated().scenario
    assert run_scenario(alone, workers=2).judgements["plain"].values["all"]["tp"] > 0


class Deadly:
    """An executor whose workers are killed by every errand."""

    workers = 1

    def submit(self, work: Any, errand: Any) -> Any:
        future: Future[Any] = Future()
        future.set_exception(LostWorkerError("a worker process was lost"))
        return future


def test_what_kills_every_worker_is_a_failure_and_not_silence(tmp_path: Path) -> None:
    scenario(tmp_path)
    result = swept(tmp_path, executor=Deadly())
    assert not result.passed
    assert {failure["cell"] for failure in result.failures} == {0, 1, 2, 3}
    assert {failure["kind"] for failure in result.failures} == {"LostWorkerError"}
    # It is not tried again until it is asked for.
    assert swept(tmp_path).scores.num_rows == 0
    assert swept(tmp_path, manner=Manner(rerun_failed=True)).passed


def test_an_oracle_in_one_cell_is_told_what_its_neighbours_are_not(tmp_path: Path) -> None:
    scenario(tmp_path)
    kinds = {"blind": "estimated", "told": "declared"}
    for order in (["blind", "told"], ["told", "blind"]):
        cases = ", ".join(
            f"{name}: {{kind: matched_filter, noise: {kinds[name]}, threshold: {{kind: top, count: 3}}}}"
            for name in order
        )
        axes = f"sweep.axes={{it: {{path: pickers.plain, cases: {{{cases}}}}}}}"
        # The pixels are there already, and were kept when nobody asked for the noise.
        swept(tmp_path, "sweep.axes.snr.values=[1.0]", store=order[0])
        assert swept(tmp_path, axes, store=order[0]).failures == ()


def test_a_picker_whose_program_changed_is_run_again(tmp_path: Path) -> None:
    scenario(tmp_path)
    swept(tmp_path)
    assert set(swept(tmp_path, manner=Manner(again=("plain",))).seconds) == {
        "templates",
        "picker plain",
        "scoring",
    }


def test_collecting_runs_nothing(tmp_path: Path) -> None:
    scenario(tmp_path)
    result = swept(tmp_path, manner=Manner(collect=True))
    assert result.scores.num_rows == 0
    assert not (tmp_path / "store").exists()
    assert result.cells.num_rows == 4


def test_the_plan_runs_one_micrograph_and_says_what_all_cost(tmp_path: Path) -> None:
    file = scenario(tmp_path)
    ran = CliRunner().invoke(app, ["sweep", str(file), "--out", str(tmp_path / "out"), "--plan", "--json"])
    assert ran.exit_code == 0
    told = json.loads(ran.stdout)
    assert (told["micrographs"], told["searches"], len(told["cells"])) == (4, 12, 4)
    assert told["core_seconds"] > 0
    assert told["cells"][3]["settings"] == {"noise.film.snr": "1.0", "pickers.plain.threshold.count": "3"}
    assert len(list((tmp_path / "out/store/truth").rglob("*.npz"))) == 1
    assert not (tmp_path / "out/sweep.json").exists()


def test_a_scenario_without_a_sweep_says_so(tmp_path: Path) -> None:
    file = scenario(tmp_path, SCENARIO.split("sweep:")[0])
    ran = CliRunner().invoke(app, ["sweep", str(file)])
    assert ran.exit_code == 2
    assert "declares no sweep" in ran.output


def test_real_micrographs_are_read_once_and_judged_as_a_run_judges_them(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "scenarios/kinds/micrographs.yaml"
    (picker, *_) = read_draft(file).validated().scenario.pickers
    sweep = f"sweep={{axes: {{far: {{path: pickers.{picker}.min_distance, values: [60 Å, 300 Å]}}}}}}"
    made = running.plan(read_draft(file, overrides=[sweep]))
    result = running.run_sweep(made, Store(tmp_path), Here())
    assert result.failures == ()
    assert not (tmp_path / "images").exists()
    for row in result.scores.to_pylist():
        alone = read_draft(file, overrides=[f"pickers.{picker}.min_distance={row['far']} Å"]).validated()
        values = run_scenario(alone.scenario, workers=1).judgements[row["picker"]].values[row["class"]]
        assert (row["tp"], row["f1"]) == (values["tp"], values["f1"])


SWEEPS = sorted((Path(__file__).parents[2] / "scenarios/sweeps").glob("*.yaml"))
COARSE = ("image.pixel_size=8.8 Å", "image.shape=[192, 192]", "specimen.side.lattice.count=2")
SMALL = {
    "dose": (*COARSE, "specimen.top.lattice.count=2", "templates.side.rotations.step=15°"),
    "mismatch": COARSE,
    "spacing": ("image.shape=[128, 128]", "score.ignore.border=0 Å"),
    "angular_step": (
        *COARSE,
        "pickers.exhaustive.search=coarse",
    ),
}


@pytest.mark.parametrize("file", SWEEPS, ids=[file.stem for file in SWEEPS])
def test_every_sweep_that_comes_with_simkit_runs(tmp_path: Path, file: Path) -> None:
    made = running.plan(read_draft(file, overrides=SMALL[file.stem]))
    assert len(made.cells) >= 5
    (case,) = made.cases(made.cells[:1], replicates=1)
    complete([case], Store(tmp_path), Here())
    scores = Store(tmp_path).plain("scores", case.keys.scores)
    assert scores is not None
    assert set(scores["pickers"]) == set(made.scenario.pickers)


KILLED = """\
import os, random, signal, time
from simkit.cli.app import app

def sweep(out):
    app(["sweep", "rings.yaml", "--out", out, "--workers", "1"], standalone_mode=False)

sweep("whole")  # loads what the children share
whole = time.process_time()
rng, kills = random.Random(1), 0
for _ in range(5):
    moment = whole * rng.uniform(0.02, 0.15)
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, moment)
        try:
            sweep("out")
        finally:
            os._exit(0)
    kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
sweep("out")
print("kills", kills)
"""
"""Sweeps in children that share what is loaded; a signal that nobody handles ends each in the middle."""


def test_killed_at_any_moment_it_goes_on_to_the_same_tables(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """Again and again, at random moments (tests/benchmarks/sweep_kills.py: SIGKILL, several processes)."""
    scenario(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # a process with threads is not to be forked
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout.split()[-1]) >= 3
    assert tables(tmp_path / "out") == undisturbed
    assert not list((tmp_path / "out/store/unfinished").iterdir())
    assert pyarrow.parquet.read_table(tmp_path / "out/cells.parquet").num_rows == 4
