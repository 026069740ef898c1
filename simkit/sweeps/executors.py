"""Who does the work: this process, some processes of this machine, or a Dask cluster.

All three are asked in one way, ``submit(work, errand)``, and give the same results: an errand is text and
numbers, and what it finds goes to the store.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import Any, Protocol

from simkit.core.errors import ScenarioError, SimkitError
from simkit.sweeps.errand import Done, Errand

Work = Callable[[Errand], Done]

CONNECT = "10s"
"""How long a scheduler may take to answer."""


class LostWorkerError(SimkitError):
    """A process was killed while it worked; the errand can be sent again."""


class Executor(Protocol):
    """Whoever takes errands."""

    @property
    def workers(self) -> int:
        """How many errands are worked on at a time."""

    def submit(self, work: Work, errand: Errand) -> Future[Done]:
        """Send an errand; its future may fail with `LostWorkerError`."""


class Here:
    """The process itself, one errand after the other."""

    workers = 1

    def submit(self, work: Work, errand: Errand) -> Future[Done]:
        """See `Executor.submit`; it is done at once."""
        future: Future[Done] = Future()
        try:
            future.set_result(work(errand))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes:
    """Processes of this machine, kept from errand to errand; one that is killed is replaced.

    Parameters
    ----------
    workers : int
        How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        # Not joblib's own, which a run in the same process needs as it was.
        self._pool: Any = None
        # A process that has grown is replaced by a fresh one, which nobody needs to be told.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(kill_workers=True)
            self._pool = None

    def submit(self, work: Work, errand: Errand) -> Future[Done]:
        """See `Executor.submit`."""
        from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

        def send() -> Future[Any]:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self.workers, timeout=300)
            return self._pool.submit(work, errand)

        try:
            inner = send()
        except BrokenProcessPool:
            self._pool = None
            inner = send()
        outer: Future[Done] = Future()

        def settle(finished: Future[Any]) -> None:
            error = finished.exception()
            if isinstance(error, BrokenProcessPool):
                outer.set_exception(LostWorkerError(f"a worker process was lost: {error}"))
            elif error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(finished.result())

        inner.add_done_callback(settle)
        return outer


class Cluster:
    """The workers of a Dask cluster; lost ones are replaced by the scheduler's own means.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    """

    RETRIES = 3
    """How often an errand is sent again after it failed on a lost worker."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def workers(self) -> int:
        """Threads of all workers that are there now; at least one, for those may still be starting."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, work: Work, errand: Errand) -> Future[Done]:
        """See `Executor.submit`."""
        from distributed.scheduler import KilledWorker

        inner = self._client.submit(work, errand, pure=False, retries=self.RETRIES)
        outer: Future[Done] = Future()

        def settle(finished: Any) -> None:
            error = finished.exception()
            if isinstance(error, KilledWorker):
                outer.set_exception(LostWorkerError(str(error)))
            elif error is not None:
                outer.set_exception(error)
            else:
                outer.set_result(finished.result())

        inner.add_done_callback(settle)
        return outer


@contextmanager
def executor(workers: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Yield whoever is to do the work.

    Parameters
    ----------
    workers : int
        Processes of this machine; 1 for this process itself.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``, in place of processes.

    Raises
    ------
    ScenarioError
        If Dask is not installed or the scheduler cannot be reached.
    """
    if scheduler is None:
        if workers == 1:
            yield Here()
            return
        with closing(Processes(workers)) as processes:
            yield processes
        return
    try:
        from distributed import Client
    except ImportError:
        raise ScenarioError(
            "Dask is not installed; `pip install 'simkit[dask]'` in every environment that takes part"
        ) from None
    try:
        client = Client(scheduler, timeout=CONNECT)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ScenarioError(f"there is no scheduler to reach at {scheduler}: {error}") from None
    with client:
        yield Cluster(client)
