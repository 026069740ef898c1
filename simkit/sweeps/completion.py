"""Cells made complete: what is missing is searched and judged, what is there is taken as it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from simkit.core.errors import SimkitError
from simkit.scenario.spec import Scenario
from simkit.sweeps.errand import Done, Errand, Failure, scenario_of, text_of
from simkit.sweeps.executors import Executor, LostWorkerError, Work
from simkit.sweeps.judge import judge
from simkit.sweeps.keys import Keys
from simkit.sweeps.store import Store
from simkit.sweeps.work import search

T = TypeVar("T")

ATTEMPTS = 3
"""How often an errand is sent whose worker was killed: it may be the errand that kills them."""

IN_FLIGHT = 2
"""Errands a worker that are sent at a time, so that none waits for work and a stop comes soon."""

PER_ERRAND = 8
"""Parts a worker that the micrographs of a group of cells are split into at most."""

MOST_CELLS = 25
"""Cells of one errand: their scenarios travel with it."""


class StoppedError(SimkitError):
    """A cell failed, and the sweep was to end at once."""

    exit_code = 1


@dataclass(frozen=True)
class Case:
    """A cell's scenario and its keys.

    Attributes
    ----------
    scenario : Scenario
        Without a sweep.
    keys : Keys
        Of its results.
    """

    scenario: Scenario
    keys: Keys

    @classmethod
    def of(cls, scenario: Scenario) -> Case:
        """Return the case of a scenario."""
        return cls(scenario, Keys(scenario))

    @property
    def numbers(self) -> range:
        """Its micrographs."""
        real = self.scenario.micrographs
        return range(self.scenario.replicates if real is None else len(real.files))


@dataclass(frozen=True)
class Manner:
    """How a sweep is run.

    Attributes
    ----------
    images : bool
        Whether pixels of simulated micrographs are kept for pickers to come.
    again : tuple of str
        Pickers whose earlier results do not count.
    rerun_failed : bool
        Whether what failed before is tried again.
    fail_fast : bool
        Whether the first failure ends the sweep.
    collect : bool
        Whether nothing is run, and only what is there is gathered.
    """

    images: bool = True
    again: tuple[str, ...] = ()
    rerun_failed: bool = False
    fail_fast: bool = False
    collect: bool = False


Tell = Callable[["Progress"], None]


@dataclass
class Progress:
    """How far a sweep has come.

    Attributes
    ----------
    done, total : int
        Pieces of work: one for a micrograph of a group of cells that share it, one for a cell that is judged.
    failures : int
        So far.
    seconds : dict
        Stage → seconds of work, of all workers.
    """

    total: int = 0
    done: int = 0
    failures: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, done: Done, pieces: int) -> None:
        """Count what came back."""
        self.done += pieces
        self.failures += len(done.failures)
        for stage, seconds in done.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


def complete(
    cases: Sequence[Case],
    store: Store,
    executor: Executor,
    *,
    manner: Manner | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> None:
    """Search and judge whatever cells are still without scores, so that their results are in the store.

    Parameters
    ----------
    cases : sequence of Case
        Some may be alike.
    store : Store
        Where results are and go.
    executor : Executor
        Who does the work.
    manner : Manner, optional
        How.
    progress : Progress, optional
        Counts on, over several calls.
    tell : callable, optional
        Called with `progress` whenever something was done.

    Raises
    ------
    StoppedError
        If something failed and `fail_fast` is asked for.

    Notes
    -----
    Cells that share their micrographs are sent together, so that each micrograph is simulated once.
    """
    manner = manner or Manner()
    if manner.collect:
        return
    progress = progress if progress is not None else Progress()
    missing = list(_unique(case for case in cases if _wanting(case, store, manner)))
    groups = [group for members in _alike(missing) for group in _split(members, MOST_CELLS)]
    errands = [piece for group in groups for piece in _searches(group, store, executor, manner)]
    progress.total += sum(len(errand.numbers) for errand in errands) + len(missing)
    run = _Run(executor, store, progress, tell or (lambda _: None), manner.fail_fast)
    run.all(search, errands, lambda errand: len(errand.numbers))
    ready = [case for case in missing if _searched(case, store) and not _gave_up(case, store, manner)]
    progress.done += len(missing) - len(ready)
    run.all(judge, [_errand([case], [], store, manner) for case in ready], lambda _: 1)


def _wanting(case: Case, store: Store, manner: Manner) -> bool:
    return not store.has("scores", case.keys.scores) or any(
        picker in manner.again for picker in case.scenario.pickers
    )


def _unique(cases: Iterator[Case]) -> Iterator[Case]:
    seen = set()
    for case in cases:
        if case.keys.scores not in seen:
            seen.add(case.keys.scores)
            yield case


def _alike(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases in groups that share their micrographs."""
    groups: dict[tuple[str, int], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.keys.micrographs, len(case.numbers)), []).append(case)
    return list(groups.values())


def _split(things: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), most):
        yield things[start : start + most]


def _searches(cases: Sequence[Case], store: Store, executor: Executor, manner: Manner) -> Iterator[Errand]:
    """Yield the errands that search what is missing of cells that share their micrographs."""
    numbers = [n for n in cases[0].numbers if any(_unsearched(case, n, store, manner) for case in cases)]
    size = max(1, -(-len(numbers) // (PER_ERRAND * executor.workers)))
    for chunk in _split(numbers, size):
        yield _errand(cases, chunk, store, manner)


def _errand(cases: Sequence[Case], numbers: Sequence[int], store: Store, manner: Manner) -> Errand:
    texts = tuple(text_of(case.scenario) for case in cases)
    return Errand(texts, tuple(numbers), str(store.root), manner.images, manner.again)


def _unsearched(case: Case, number: int, store: Store, manner: Manner) -> bool:
    """Tell whether anything of a micrograph is missing that did not fail before, or is to be tried again."""
    micrograph = case.keys.micrograph(number)
    failed = not manner.rerun_failed and store.has("failures", micrograph)
    if case.scenario.micrographs is None and not store.has("truth", micrograph):
        return not failed
    for picker in case.scenario.pickers:
        key = case.keys.picks(picker, number)
        absent = picker in manner.again or not store.has("picks", key)
        if absent and (manner.rerun_failed or not store.has("failures", key)):
            return True
    return False


def _searched(case: Case, store: Store) -> bool:
    simulated = case.scenario.micrographs is None
    return all(
        (not simulated or store.has("truth", case.keys.micrograph(number)))
        and all(store.has("picks", case.keys.picks(picker, number)) for picker in case.scenario.pickers)
        for number in case.numbers
    )


def _gave_up(case: Case, store: Store, manner: Manner) -> bool:
    """Tell whether the judge failed before, and is not to try again."""
    return not manner.rerun_failed and store.has("failures", case.keys.scores)


def failures(case: Case, store: Store) -> list[Failure]:
    """Return why a cell has no scores, as far as it was recorded."""
    keys = [case.keys.scores, *(case.keys.micrograph(number) for number in case.numbers)]
    keys += [case.keys.picks(picker, n) for n in case.numbers for picker in case.scenario.pickers]
    found = [store.plain("failures", key) for key in keys]
    return [Failure(**what) for what in found if what is not None]


@dataclass
class _Run:
    """Errands on their way, a few for each worker at a time."""

    executor: Executor
    store: Store
    progress: Progress
    tell: Tell
    fail_fast: bool

    def all(self, work: Work, errands: Sequence[Errand], pieces: Callable[[Errand], int]) -> None:
        waiting: deque[tuple[Errand, int]] = deque((errand, 1) for errand in errands)
        flying: dict[Future[Done], tuple[Errand, int]] = {}
        while waiting or flying:
            while waiting and len(flying) < IN_FLIGHT * self.executor.workers:
                errand, attempt = waiting.popleft()
                flying[self.executor.submit(work, errand)] = errand, attempt
            finished, _ = wait(flying, return_when=FIRST_COMPLETED)
            # In the order they were sent, so that the first failure is the same whoever is quicker.
            for future in [sent for sent in flying if sent in finished]:
                errand, attempt = flying.pop(future)
                done = self._result(future, errand, attempt)
                if done is None:
                    waiting.append((errand, attempt + 1))
                else:
                    self._count(done, pieces(errand))

    def _result(self, future: Future[Done], errand: Errand, attempt: int) -> Done | None:
        """Return what came back; None if the errand is to be sent again."""
        try:
            return future.result()
        except LostWorkerError as error:
            if attempt < ATTEMPTS:
                return None
            return Done(tuple(self._lost(errand, f"{error}, {ATTEMPTS} times; out of memory?")))

    def _lost(self, errand: Errand, message: str) -> Iterator[Failure]:
        """Record, in place of the workers who cannot, that an errand came to nothing."""
        keys = Keys(scenario_of(errand.texts[0]))
        lost = [(f"micrograph {n}", keys.micrograph(n)) for n in errand.numbers] or [("scores", keys.scores)]
        for what, key in lost:
            failure = Failure(key, what, LostWorkerError.__name__, message)
            self.store.put_plain("failures", key, vars(failure))
            yield failure

    def _count(self, done: Done, pieces: int) -> None:
        self.progress.add(done, pieces)
        self.tell(self.progress)
        if self.fail_fast and done.failures:
            first = done.failures[0]
            raise StoppedError(f"{first.what}: {first.message}")


def scores_of(case: Case, store: Store) -> dict[str, Any] | None:
    """Return a cell's record; None where there is none."""
    return store.plain("scores", case.keys.scores)
