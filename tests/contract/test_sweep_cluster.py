"""A sweep on a Dask cluster: the same tables, also when a worker is killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")
from distributed import LocalCluster

from simkit.core.errors import ScenarioError
from simkit.scenario.loading import read_draft
from simkit.sweeps import executors, running
from simkit.sweeps.errand import Done, Errand
from simkit.sweeps.executors import Here, Work, executor
from simkit.sweeps.output import TABLES
from simkit.sweeps.results import SweepResult
from simkit.sweeps.store import Store

SCENARIO = """\
schema_version: 1
seed: 5
image: {shape: [64, 64], pixel_size: 4 Å, boundary: periodic}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 24 Å, width: 8 Å}]}
    lattice: {kind: scattered, count: 3, min_distance: 80 Å}
noise: {film: {kind: gaussian, snr: 1.0}}
templates: {ring: {kind: specimen, of: ring}}
pickers: {plain: {kind: correlation, threshold: {kind: top, count: 3}}}
score: {radius: 20 Å}
sweep:
  axes: {snr: {path: noise.film.snr, values: [0.05, 0.2, 1.0]}}
  replicates: 4
"""


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as made:
        yield made


def swept(folder: Path, store: str, who: Any) -> SweepResult:
    made = running.plan(read_draft(folder / "s.yaml"))
    return running.run_sweep(made, Store(folder / store), who)


class Deadly:
    """An executor whose third errand comes with the death of a worker."""

    def __init__(self, inner: Any, cluster: LocalCluster) -> None:
        self.inner, self.cluster, self.sent, self.killed = inner, cluster, 0, 0

    @property
    def workers(self) -> int:
        return self.inner.workers

    def submit(self, work: Work, errand: Errand) -> Future[Done]:
        self.sent += 1
        if self.sent == 3:
            threading.Timer(0.05, self.kill).start()
        return self.inner.submit(work, errand)

    def kill(self) -> None:
        worker = next(iter(self.cluster.workers.values()))
        os.kill(worker.process.process.pid, signal.SIGKILL)
        self.killed += 1


@pytest.mark.filterwarnings("ignore")  # a nanny tells of the worker it lost
def test_a_killed_worker_loses_nothing(tmp_path: Path, cluster: LocalCluster) -> None:
    (tmp_path / "s.yaml").write_text(SCENARIO)
    alone = swept(tmp_path, "here", Here())
    with executor(1, cluster.scheduler_address) as who:
        deadly = Deadly(who, cluster)
        far = swept(tmp_path, "far", deadly)
    assert deadly.killed == 1
    assert deadly.sent > 3
    assert far.failures == ()
    assert all(getattr(far, name).equals(getattr(alone, name)) for name in TABLES if name != "costs")


def test_without_a_scheduler_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT", "1s")
    told = pytest.raises(ScenarioError, match=r"no scheduler to reach at tcp://127\.0\.0\.1:9")
    with told, executor(1, "tcp://127.0.0.1:9"):
        pass
