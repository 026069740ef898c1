"""Programs that are not ours: started without a shell, watched, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from simkit.core.errors import OutsideError

PAUSE = 0.02
"""Seconds between two looks at what is running."""

GRACE = 2.0
"""Seconds that a program has to end itself before it is killed."""

KEPT = 1 << 20
"""Bytes kept of what a program prints on either channel: the last ones."""


@dataclass(frozen=True)
class Start:
    """A program to start.

    Attributes
    ----------
    argv : tuple of str
        The program and its arguments, as the program will see them.
    folder : Path
        Its working directory.
    log : Path
        Folder for what it prints.
    """

    argv: tuple[str, ...]
    folder: Path
    log: Path


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes
    ----------
    code : int or None
        Exit code, minus the signal's number if one ended it; None if its time was up.
    out, err : str
        What it printed.
    seconds : float
        How long it ran.
    """

    code: int | None
    out: str
    err: str
    seconds: float


class _Running:
    """A program while it runs, leader of a process group of its own."""

    def __init__(self, start: Start) -> None:
        self.start, self.began = start, time.monotonic()
        start.log.mkdir(parents=True, exist_ok=True)
        with (start.log / "stdout").open("wb") as out, (start.log / "stderr").open("wb") as err:
            try:
                # A group of its own: so it can be ended with all that it has started.
                self.process = subprocess.Popen(
                    start.argv,
                    cwd=start.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    process_group=0,
                )
            except OSError as error:
                raise OutsideError(f"{start.argv[0]} cannot be started ({error.strerror})") from error

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def stop(self) -> None:
        """End the program and all that it has started: kindly, then surely."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def ended(self, code: int | None) -> Ended:
        out, err = (_tail(self.start.log / channel) for channel in ("stdout", "stderr"))
        return Ended(code, out, err, self.seconds)


def run_programs(
    starts: Iterable[Start], *, at_once: int, timeout: float, ended: Callable[[int, Ended], None]
) -> None:
    """Run programs, several at a time.

    Parameters
    ----------
    starts : iterable of Start
        Taken one by one as there is room, so that what they need can be made ready then.
    at_once : int
        Most that run at a time.
    timeout : float
        Seconds after which a program is ended.
    ended : callable
        Called as ``ended(number, how)`` of each that has ended, in whatever order they do.

    Raises
    ------
    OutsideError
        If one cannot be started.

    Notes
    -----
    Whatever ends this, an error, an interrupt or SIGTERM, ends the programs and what they have started
    with it.
    """
    numbered = enumerate(starts)
    running: dict[int, _Running] = {}
    with _termination_unwinds():
        try:
            while True:
                while len(running) < at_once and (following := next(numbered, None)) is not None:
                    running[following[0]] = _Running(following[1])
                if not running:
                    return
                for number, program in list(running.items()):
                    code = program.process.poll()
                    if code is not None or program.seconds > timeout:
                        program.stop()
                        del running[number]
                        ended(number, program.ended(code))
                time.sleep(PAUSE)
        finally:
            for program in running.values():
                program.stop()


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """Let SIGTERM, which otherwise ends Python on the spot, unwind what is to be cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tail(file: Path) -> str:
    """Return what was printed, or its end where it is long; what is no text is shown as such."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - KEPT))
        return stream.read().decode(errors="replace")
