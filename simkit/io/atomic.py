"""Files and directories that appear whole or not at all, whenever the program is stopped."""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simkit.core.errors import DataError

MARK = "provenance.json"
"""The file by which a directory is known to be one of ours, and may be replaced."""


def write_bytes_atomic(path: str | Path, data: bytes) -> None:
    """Write a file so that at any moment there is the old one or the whole new one.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    file = Path(path).resolve()
    temporary = _beside(file)
    with _located(file):
        try:
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replace_directory(path: str | Path) -> Iterator[Path]:
    """Build a directory out of sight and put it in place when, and only if, the block succeeds.

    A process killed at any moment leaves the whole old directory, none, or the whole new one. What
    it may leave hidden beside it is removed by the next call.

    Parameters
    ----------
    path : str or Path
        The directory to create or replace; its parents are created.

    Yields
    ------
    Path
        An empty directory in which to build.

    Raises
    ------
    DataError
        If there is something at `path` that simkit did not write, or it cannot be written.
    """
    target = Path(path).resolve()
    building, aside = _beside(target), _beside(target)
    with _located(target):
        refuse_foreign(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
    try:
        with _located(target):
            building.mkdir()
        yield building
        with _located(target):
            refuse_foreign(target)
            with suppress(FileNotFoundError):
                target.rename(aside)
            building.rename(target)
    finally:
        try:
            _settle(target, building, aside)
        finally:  # an interrupt may have cut the first short
            _settle(target, building, aside)


def _settle(target: Path, building: Path, aside: Path) -> None:
    """Leave either directory in place, and nothing beside it."""
    if aside.exists() and not target.exists():
        aside.rename(target)
    for leftover in (building, aside):
        shutil.rmtree(leftover, ignore_errors=True)


def refuse_foreign(target: Path) -> None:
    """Refuse to replace what simkit did not write.

    Raises
    ------
    DataError
        If there is a file, or a directory with files that are not an earlier run's.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise DataError("is a file; choose another directory to write to", str(target))
    if any(target.iterdir()) and not (target / MARK).is_file():
        raise DataError(
            f"holds files that simkit did not write (there is no {MARK}); "
            "choose another directory, or empty it yourself",
            str(target),
        )


def _beside(target: Path) -> Path:
    """Name a hidden sibling that tells which process it belongs to."""
    return target.with_name(f"{_prefix(target)}{os.getpid()}.{uuid.uuid4().hex[:8]}")


def _prefix(target: Path) -> str:
    return f".{target.name}.{platform.node()}."


def _remove_abandoned(target: Path) -> None:
    """Remove what processes of this machine left behind when they were killed."""
    for sibling in target.parent.iterdir():
        owner = sibling.name.removeprefix(_prefix(target)).split(".")[0]
        if sibling.name.startswith(_prefix(target)) and owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(sibling, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def _located(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror})", str(path)) from error
