"""The repository that is shown to a picker's author: its workflow runs, step by step, as it is written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / "docs" / "picker-repository"
WORKFLOW = LAYOUT / ".github" / "workflows" / "simkit.yml"
JOBS: dict[str, Any] = YAML(typ="safe").load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]

PROGRAM = """\
#!{python}
import os, sys
os.cpu_count = lambda: 1
sys.path.insert(0, {project!r})
from simkit.cli.main import main
main()
"""
"""Stands for the simkit of an environment in which a version of the picker is installed, on one core."""


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def installs(command: str) -> bool:
    return "pip install" in command


@pytest.mark.parametrize("job", list(JOBS))
def test_what_is_installed_exists(job: str) -> None:
    project = tomllib.loads((LAYOUT / "pyproject.toml").read_text())["project"]
    found = [extra for c in commands(job) if installs(c) for extra in re.findall(r"\[(\w+)\]", c)]
    assert found
    assert set(found) <= set(project["optional-dependencies"])
    assert "simkit" in project["optional-dependencies"]["test"]
    assert "index" not in WORKFLOW.read_text()


@pytest.mark.parametrize("job", list(JOBS))
def test_a_job_runs_as_it_is_written(job: str, tmp_path: Path) -> None:
    head = tmp_path / "head"
    shutil.copytree(LAYOUT, head)
    if job == "base-against-head":
        _check_out_base(head)
    _install(head, tmp_path / "bin")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CI": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "OMP_NUM_THREADS": "1",
    }
    for command in (c for c in commands(job) if not installs(c)):
        done = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=head,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    told = (tmp_path / "summary").read_text()
    assert "4 of 4 expectations hold" in told
    cases = list(ET.parse(head / "results" / "junit.xml").iter("testcase"))
    assert len(cases) >= 4
    if job == "base-against-head":
        assert re.search(r"0 of \d+ particles lost, [1-9]\d* found", told)


def _check_out_base(head: Path) -> None:
    """Lay out a base that finds less, and an environment that has it."""
    base = head / "base"
    shutil.copytree(LAYOUT, base)
    picking = base / "mypicker" / "picking.py"
    text = picking.read_text()
    assert "threshold=5.0" in text
    picking.write_text(text.replace("threshold=5.0", "threshold=5.3"))
    _install(base, head / ".base" / "bin")


def _install(project: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    program = folder / "simkit"
    program.write_text(PROGRAM.format(python=sys.executable, project=str(project)))
    program.chmod(0o755)


def test_the_readme_shows_what_is_in_the_workflow() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yml\n(.*?)^```$", readme, flags=re.M | re.S)
    assert shown
    assert all(block in WORKFLOW.read_text(encoding="utf-8") for block in shown)
