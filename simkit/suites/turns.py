"""Processes that need the same take turns, and one of them does it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def turn(file: Path, session: str) -> Iterator[bool]:
    """Wait until no other process has the turn; tell whether one of the same session had it and was done.

    Parameters
    ----------
    file : Path
        Stands for what is to be done; made if it is not there. It keeps who did it last.
    session : str
        What processes have in common that work together.

    Notes
    -----
    A process that is killed loses its turn. Where the file system knows no locks nobody waits, and what two
    processes begin at once is done twice.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as stream, _locked(stream):
        stream.seek(0)
        yield stream.read() == session
        stream.truncate(0)
        stream.write(session)
        stream.flush()


@contextlib.contextmanager
def _locked(stream: IO[str]) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        yield
        return
    with contextlib.suppress(OSError):
        fcntl.flock(stream, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # Closing would not do: processes that were forked meanwhile have the file open too.
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_UN)
