"""Atomic writing: processes killed at random moments leave the old, nothing, or the new."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simkit.core.errors import DataError
from simkit.io.atomic import MARK, replace_directory, write_bytes_atomic

FILES = 40


def fill(folder: Path, content: str) -> None:
    for i in range(FILES):
        (folder / f"{i}.txt").write_text(content)
    (folder / MARK).write_text(content)


def state(folder: Path) -> str | None:
    """Return what a whole directory holds, None if there is none; fail on half a one."""
    if not folder.exists():
        return None
    files = sorted(folder.iterdir())
    contents = {file.read_text() for file in files}
    assert len(files) == FILES + 1
    assert len(contents) == 1
    return contents.pop()


def hidden(parent: Path) -> list[str]:
    return [entry.name for entry in parent.iterdir() if entry.name.startswith(".")]


def test_build_then_replace(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "report"
    for content in ("old", "new"):
        with replace_directory(target) as folder:
            assert folder != target
            fill(folder, content)
            assert state(target) == (None if content == "old" else "old")
        assert state(target) == content
    assert hidden(target.parent) == []


def fail_with(error: type[BaseException], target: Path) -> None:
    with replace_directory(target) as folder:
        fill(folder, "new")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "report"
    for before in (None, "old"):
        with pytest.raises(error):
            fail_with(error, target)
        assert state(target) == before
        assert hidden(tmp_path) == []
        with replace_directory(target) as folder:
            fill(folder, "old")


def test_an_interrupt_in_the_middle_of_the_swap_restores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report"
    with replace_directory(target) as folder:
        fill(folder, "old")
    rename, calls = Path.rename, []

    def interrupted(self: Path, to: Path) -> Path:
        calls.append(self)
        if len(calls) == 2:  # the old one is aside, the new one not yet in place
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replace_directory(target) as folder:
        fill(folder, "new")
    assert state(target) == "old"
    assert hidden(tmp_path) == []


def test_never_replaces_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years")
    with pytest.raises(DataError, match="did not write"), replace_directory(tmp_path / "thesis"):
        pass
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years"
    with pytest.raises(DataError, match="is a file"), replace_directory(tmp_path / "thesis/chapter.txt"):
        pass
    with (
        pytest.raises(DataError, match="cannot be written"),
        replace_directory(tmp_path / "thesis/chapter.txt/x"),
    ):
        pass
    assert hidden(tmp_path) == hidden(tmp_path / "thesis") == []


def test_files_put_there_meanwhile_survive(tmp_path: Path) -> None:
    target = tmp_path / "report"
    building = replace_directory(target)
    fill(building.__enter__(), "new")
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="did not write"):
        building.__exit__(None, None, None)
    assert (target / "notes.txt").read_text() == "mine"
    assert hidden(tmp_path) == []


def test_an_interrupt_while_cleaning_up_leaves_nothing_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, calls = shutil.rmtree, []

    def interrupted(path: Path, **options: bool) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fail_with(ValueError, tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    with replace_directory(tmp_path / "report") as folder:
        fill(folder, "new")
    assert state(tmp_path / "report") == "new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "elsewhere")
    with replace_directory(tmp_path / "report") as folder:
        fill(folder, "new")
    assert (tmp_path / "report").is_symlink()
    assert state(tmp_path / "elsewhere") == "new"


VICTIM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_atomic import fill
from simkit.io.atomic import replace_directory
print("ready", flush=True)
for turn in range(100000):
    with replace_directory(Path(sys.argv[1])) as folder:
        fill(folder, str(turn))
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_at_random_moments(tmp_path: Path, blow: signal.Signals) -> None:
    target = tmp_path / "report"
    moments = random.Random(3)
    for _ in range(4):
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(target), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with victim:
            assert victim.stdout is not None
            victim.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.1))
            victim.send_signal(blow)
            victim.wait()
        state(target)  # fails on half a directory
    with replace_directory(target) as folder:
        fill(folder, "after")
    assert state(target) == "after"
    assert hidden(tmp_path) == []  # what the dead left behind is gone


def test_what_a_living_process_builds_is_left_alone(tmp_path: Path) -> None:
    with replace_directory(tmp_path / "report") as mine, replace_directory(tmp_path / "report") as other:
        assert mine.is_dir()
        fill(mine, "mine")
        fill(other, "other")
    assert state(tmp_path / "report") == "mine"


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "picks.star"
    for content in (b"old", b"new" * 1000):
        write_bytes_atomic(file, content)
        assert file.read_bytes() == content
    assert hidden(tmp_path) == []
    umask = os.umask(0)
    os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "picks.star"
    write_bytes_atomic(file, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"picks\.star: cannot be written \(No space"):
        write_bytes_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert hidden(tmp_path) == []
    with pytest.raises(DataError, match="cannot be written"):
        write_bytes_atomic(tmp_path / "none" / "a.csv", b"")
