"""Suites under pytest, as its users know it: names, markers, `-k`, xdist, JUnit XML, places of failures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

pytest_plugins = ["pytester"]

PLAIN = ("-p", "no:xdist", "-p", "no:hypothesispytest")
"""Compiled modules cannot be loaded twice in one process, so each pytest has its own."""

SCENARIO = """\
schema_version: 1
replicates: 2
image: {shape: [48, 48], pixel_size: 4 Å}
specimen:
  dot:
    unit_cell: {kind: shapes, shapes: [{kind: gaussian, sigma: 8 Å}]}
    lattice: {kind: positions, at: [[100 Å, 90 Å]]}
noise: {film: {kind: gaussian, sd: 0.05}}
templates: {dot: {kind: specimen, of: dot}}
pickers: {plain: {kind: correlation, threshold: {kind: top, count: 1}}}
score: {radius: 20 Å}
"""

SUITE = """\
schema_version: 1
cases:
  dot:
    scenario: dot.yaml
    markers: [quick]
    expect:
      - {picker: plain, metric: recall, at_least: 1}
      - {picker: plain, metric: rmse, at_most: 0.0001 Å}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makefile(".yaml", dot=SCENARIO)
    pytester.path.joinpath("own.simkit.yaml").write_text(SUITE)
    pytester.makeini("[pytest]\nmarkers = quick: fast\n")
    return pytester


def test_each_expectation_is_a_test_and_a_failure_tells_all(project: pytest.Pytester) -> None:
    folder = project.path / "baselines" / "own"
    folder.mkdir(parents=True)
    (folder / "gone.yaml").write_text("schema_version: 1\nmicrographs: x\npickers: {}\n")
    result = project.runpytest_subprocess(
        "-n",
        "2",
        "--strict-markers",
        "-k",
        "quick or unused",
        "--junitxml=j.xml",
        "-p",
        "no:hypothesispytest",
    )
    result.assert_outcomes(passed=1, failed=2)
    shown = result.stdout.str()
    assert re.search(r"own\.simkit\.yaml:8: dot: plain\.rmse failed", shown)
    assert "again: simkit suite run" in shown
    assert "no case of the suite uses it" in shown
    assert "Traceback" not in shown
    cases = {case.get("name"): case for case in ET.parse(project.path / "j.xml").iter("testcase")}
    assert cases["plain.rmse"].find("failure") is not None
    assert cases["plain.recall"].find("failure") is None


def test_a_wrong_suite_is_told_with_its_place(project: pytest.Pytester) -> None:
    project.path.joinpath("own.simkit.yaml").write_text(SUITE.replace("recall", "recal"))
    wrong = project.runpytest_subprocess(*PLAIN)
    assert wrong.ret == pytest.ExitCode.INTERRUPTED
    wrong.stdout.fnmatch_lines(["*own.simkit.yaml:7:*did you mean `recall`*"])


def test_a_project_without_suites_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n\ndef test_light():\n    assert 'simkit.suites.plugin' in sys.modules\n"
        "    assert 'numpy' not in sys.modules and 'pydantic' not in sys.modules\n"
    )
    pytester.runpytest_subprocess(*PLAIN).assert_outcomes(passed=1)
