"""The README is true: its blocks are run, its transcript is what is printed."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from simkit.cli.app import app
from simkit.scenario.loading import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def simkit(*arguments: str, cwd: Path) -> Result:
    with contextlib.chdir(cwd):
        return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    for text in blocks("yaml"):
        name = re.match(r"# ([\w-]+\.yaml)", text)
        assert name, "a YAML block starts with a comment that names its file"
        (folder / name[1]).write_text(text, encoding="utf-8")
    return folder


def test_quick_start_is_two_one_line_commands() -> None:
    section = README.split("## Quick start")[1].split("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", section, flags=re.M | re.S)
    assert len(found) == 2
    assert all(command.count("\n") == 1 for command in found)
    assert "scenarios/lecture/hemocyanin.yaml" in found[0]
    assert "pytest" in found[1]


def test_quick_start_names_what_exists() -> None:
    command = shlex.split(blocks("sh")[0].split("&&")[-1])
    assert command[0] == ".venv/bin/simkit"
    assert simkit("check", command[-1], cwd=ROOT).exit_code == 0


@pytest.fixture(scope="module")
def transcript(folder: Path) -> Result:
    """Run the transcript's command, which leaves files that another scenario takes."""
    command = blocks("console")[0].split("\n")[0]
    assert command.startswith("$ simkit ")
    return simkit(*shlex.split(command.removeprefix("$ simkit ")), cwd=folder)


def test_the_transcript_is_what_is_printed(transcript: Result) -> None:
    assert transcript.exit_code == 0, transcript.stderr
    assert transcript.stdout.split() == blocks("console")[0].split("\n", 1)[1].split()


@pytest.mark.usefixtures("transcript")
def test_every_scenario_is_valid(folder: Path) -> None:
    for file in folder.glob("*.yaml"):
        load(file)


@pytest.mark.usefixtures("transcript")
def test_measured_micrographs_are_judged(folder: Path) -> None:
    done = simkit("run", "measured.yaml", "--json", cwd=folder)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["pickers"]["matched"]["all"]["recall"] > 0.9


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_blocks_run(folder: Path, number: int) -> None:
    code = blocks("python")[number]
    if "class Cross" in code:
        code += "\nfrom simkit.core.grid import Grid\nfrom simkit.shape.base import draw\n"
        code += "total = draw([Cross(length=40.0, width=10.0)], Grid((64, 64), 2.0))[0, 0].real * 4\n"
        code += "print(abs(total - 700.0) < 1e-9)"
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    told = printed.getvalue().strip()
    assert told in ("True", "1.0") or float(told) > 0.9


def words(text: str) -> list[str]:
    """Words without the markup of either text: list marks, bold, code, and the colon after a heading."""
    return re.sub(r"^- |\*\*(: )?|`|:", " ", text, flags=re.M).split()


def test_the_conventions_are_those_of_the_code() -> None:
    import simkit.core

    stated = (simkit.core.__doc__ or "").split("-----------")[1]
    quoted = README.split("## Conventions")[1].split("\n## ")[0]
    assert words(quoted) == words(stated)


def test_paths_named_in_the_readme_exist() -> None:
    for path in re.findall(r"`((?:scenarios|docs|tests|simkit)/[\w/.-]+)`", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).exists(), path
