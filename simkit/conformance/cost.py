"""What a piece of work costs: seconds, seconds of processors, and memory at its peak.

Memory is read where Linux tells it, under ``/proc``; elsewhere it is not known. `ru_maxrss` would not do: it
is never reset, and of a child it counts what its parent held before the program began.
"""

from __future__ import annotations

import ctypes
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY = 0.05
"""Seconds between two looks at what the programs that were started hold."""

PROC = Path("/proc")


@dataclass
class Cost:
    """Of a piece of work, once it is done.

    Attributes
    ----------
    seconds : float
        By the clock.
    processor : float
        Seconds of all processors together, of the programs that were started too.
    memory : int or None
        Bytes at the peak: of the programs that were started, together; without any, what this process held
        more than before.
    """

    seconds: float = 0.0
    processor: float = 0.0
    memory: int | None = None


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure what is done inside; the numbers are there at its end."""
    cost = Cost()
    _give_back()
    before, began, worked = _own("VmRSS"), time.perf_counter(), _processor()
    with suppress(OSError):
        # Makes the highest so far the present one.
        (PROC / "self/clear_refs").write_text("5")
    with _Watch() as watch:
        yield cost
    cost.seconds, cost.processor = time.perf_counter() - began, _processor() - worked
    highest = _own("VmHWM")
    if watch.highest:
        cost.memory = watch.highest
    elif before is not None and highest is not None:
        cost.memory = max(highest - before, 0)


class _Watch(threading.Thread):
    """Looks again and again at what all programs hold that are started below this one meanwhile."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest = 0
        self._before = set(_below(os.getpid()))
        self._done = threading.Event()

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        """Look until it is over."""
        while not self._done.wait(LOOK_EVERY):
            started = [pid for pid in _below(os.getpid()) if pid not in self._before]
            self.highest = max(self.highest, sum(map(_held, started)))


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for file in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [child, *_below(child)]
    return found


def _held(pid: int) -> int:
    return _read(PROC / str(pid) / "status", "VmRSS") or 0


def _give_back() -> None:
    """Return to the system what was freed, which would otherwise be used again and not be seen."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _own(field: str) -> int | None:
    return _read(PROC / "self/status", field)


def _read(file: Path, field: str) -> int | None:
    """Return a size in bytes from a status file; None where there is none."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return None


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
