"""Suites under pytest, as its users know it: names, markers, `-k`, xdist, JUnit XML, places of failures."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.suites import baseline, case_report
from simkit.suites.running import Bench
from simkit.suites.spec import load_suite

LONE = ("-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
"""What a pytest within pytest can do without."""

SCENARIO = """\
schema_version: 1
replicates: 4
image: {shape: [48, 48], pixel_size: 4 Å}
specimen:
  dot:
    unit_cell: {kind: shapes, shapes: [{kind: gaussian, sigma: 8 Å}]}
    lattice: {kind: positions, at: [[100 Å, 90 Å]]}
noise: {film: {kind: gaussian, sd: 0.05}}
templates: {dot: {kind: specimen, of: dot}}
pickers: {plain: {kind: correlation, threshold: {kind: fixed, value: 0.2}}}
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
      - {picker: plain, metric: recall, baseline: {margin: 0.1}}
  dots:
    scenario: dot.yaml
    seed: 2
    expect:
      - {picker: plain, metric: rmse, at_most: 20 Å}
"""

BLIND = ("value: 0.2", "value: 99")
"""A threshold that no score reaches."""


def make(folder: Path) -> Path:
    """Write a suite whose baseline is accepted."""
    (folder / "dot.yaml").write_text(SCENARIO)
    (folder / "own.simkit.yaml").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = quick: fast\n")
    bench = Bench(load_suite(folder / "own.simkit.yaml"), folder / ".simkit/store")
    bench.evidence("dot")
    baseline.accept(bench.suite, bench.proposed, ["dot"], {"who": "me"})
    return folder


@dataclass(frozen=True)
class Session:
    code: int
    text: str
    folder: Path

    @property
    def cases(self) -> dict[str | None, ET.Element]:
        return {case.get("name"): case for case in ET.parse(self.folder / "j.xml").iter("testcase")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def session(folder: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> Session:
    code = pytest.main([*LONE, "--junitxml=j.xml", *arguments])
    return Session(int(code), capfd.readouterr().out, folder)


def edit(file: Path, was: str, becomes: str) -> None:
    text = file.read_text()
    assert was in text
    file.write_text(text.replace(was, becomes))


def test_a_failure_tells_all_that_its_reader_needs(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(project / "dot.yaml", *BLIND)
    seen = session(project, capfd, "-k", "recall-2")
    assert seen.code == pytest.ExitCode.TESTS_FAILED
    assert "own.simkit.yaml:8: dot: plain.recall-2 failed" in seen.text
    assert "FAIL baseline: 0, baseline 1: gain -1 [" in seen.text
    # Four of four particles missed: Wilson's interval of 0 of 4, and the baseline beside it.
    assert re.search(r"value +95 % interval +baseline", seen.text)
    assert re.search(r"recall +0 +\[0, 0\.4899\] +1\n", seen.text)
    assert "Traceback" not in seen.text
    properties = {p.get("name"): p.get("value") for p in seen.cases["plain.recall-2"].iter("property")}
    page = Path(str(properties["report"]))
    assert not page.is_absolute()
    assert f"report: {page}" in seen.text
    text = page.read_text()
    assert "2 of 2 expectations of the suite failed" in text
    assert "plain.recall-2" in text
    assert "at least 1.0" in text, (
        "the page tells all that is expected of the case, not only what was asked for"
    )
    assert "<img" in text or "<image" in text
    scenario = CliRunner().invoke(app, ["check", str(page.with_name("scenario.yaml"))])
    assert scenario.exit_code == 0, "the scenario beside the page can be run"


def test_the_command_of_a_failure_repeats_it(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project / "dot.yaml", *BLIND)
    monkeypatch.setattr(case_report, "write_case", lambda scenario, outcomes, folder, **_: folder / "page")
    seen = session(project, capfd, "-k", "recall-2")
    again = shlex.split(re.findall(r"again: simkit (.*)", seen.text)[0])
    told = CliRunner().invoke(app, [*again, "--workers", "1", "--report-dir", "pages"])
    assert told.exit_code == 1
    assert "own.simkit.yaml:8: dot: plain.recall-2 failed" in told.stdout
    assert "report: pages/own/dot/page" in told.stdout


def test_a_success_makes_no_report(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_report, "write_case", lambda *_, **__: pytest.fail("nobody asked for it"))
    # So small a suite is warned that it may not show a loss; a warning is no failure.
    assert session(project, capfd, "-W", "default").code == pytest.ExitCode.OK
    assert not (project / ".simkit/reports").exists()


def test_a_report_that_cannot_be_made_hides_no_failure(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> Path:
        raise OSError("no space left")

    edit(project / "dot.yaml", *BLIND)
    monkeypatch.setattr(case_report, "write_case", full)
    seen = session(project, capfd, "-k", "recall")
    assert "plain.recall failed" in seen.text
    assert "report: could not be made: no space left" in seen.text


def test_a_case_that_breaks_is_an_error_told_once_a_reason(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edit(
        project / "dot.yaml",
        "kind: correlation, threshold: {kind: fixed, value: 0.2}",
        "kind: python, call: 'nowhere:pick'",
    )
    seen = session(project, capfd, "-k", "rmse")
    assert seen.code == pytest.ExitCode.TESTS_FAILED
    assert "ERROR at setup of dots: plain.rmse" in seen.text
    assert "micrograph 0 and 3 more: pickers.plain.call: there is no package nowhere" in seen.text
    assert "Traceback" not in seen.text
    assert seen.cases["plain.rmse"].find("error") is not None


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (("-k", "dot and not dots"), ["dot::plain.recall", "dot::plain.recall-2"]),
        (("-m", "not quick"), ["dots::plain.rmse"]),
        (("own.simkit.yaml::dot",), ["dot::plain.recall", "dot::plain.recall-2"]),
        (("own.simkit.yaml::dot::plain.recall-2",), ["dot::plain.recall-2"]),
    ],
)
def test_what_pytest_names_it_selects(
    project: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], chosen: list[str]
) -> None:
    seen = session(project, capfd, "--collect-only", "-q", "--strict-markers", *arguments)
    assert re.findall(r"own\.simkit\.yaml::(\S+)", seen.text) == chosen


def test_a_marker_nobody_declared_is_refused_where_all_are_to_be(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edit(project / "own.simkit.yaml", "[quick]", "[unheard_of]")
    seen = session(project, capfd, "--collect-only", "--strict-markers")
    assert seen.code == pytest.ExitCode.INTERRUPTED
    assert "'unheard_of' not found in `markers`" in seen.text


def test_a_wrong_suite_is_told_with_its_place(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(project / "own.simkit.yaml", "metric: recall, at_least", "metric: recal, at_least")
    seen = session(project, capfd)
    assert seen.code == pytest.ExitCode.INTERRUPTED
    assert re.search(r"own\.simkit\.yaml:7:.*did you mean `recall`", seen.text)


COUNTED = """\
import os, time
def pick(pixels, **_):
    time.sleep(0.1)
    with open(os.environ["COUNTED"], "a") as file:
        file.write(f"{float(pixels.sum())}\\n")
    return {"y": [25.0], "x": [22.5]}
"""
"""Where the dot is, and a line for each micrograph that it has seen."""


def test_xdist_runs_a_case_once_however_its_tests_are_shared_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And shows names that can be typed again, and an unused baseline among the failures."""
    monkeypatch.setenv("COUNTED", str(project / "counted"))
    (project / "counted.py").write_text(COUNTED)
    called = "kind: python, call: 'counted:pick'"
    edit(project / "dot.yaml", "kind: correlation, threshold: {kind: fixed, value: 0.2}", called)
    # xdist hands out tests by two, so that the third of a case goes to the other worker at once.
    third = "margin: 0.1}}\n      - {picker: plain, metric: f1, at_least: 0.5}\n"
    edit(project / "own.simkit.yaml", "margin: 0.1}}\n", third)
    (project / "baselines/own/gone.yaml").write_text("schema_version: 1\nmicrographs: x\npickers: {}\n")
    shared = ("-n", "2", "--dist", "load", "-W", "default", "--junitxml=j.xml")
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-v", *shared]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seen = Session(done.returncode, done.stdout, project)
    workers = re.findall(r"\[(gw\d)\] .*PASSED own\.simkit\.yaml::dot::plain\.", seen.text)
    assert (len(workers), {*workers}) == (3, {"gw0", "gw1"}), seen.text
    looked = (project / "counted").read_text().split()
    assert len(looked) == len({*looked}) == 8, "four micrographs of either seed"
    assert "no case of the suite uses it" in seen.text
    failed = {name for name, case in seen.cases.items() if case.find("failure") is not None}
    assert failed == {"unused-baseline-1"}
    assert set(seen.cases) == {
        "plain.recall",
        "plain.recall-2",
        "plain.f1",
        "plain.rmse",
        "unused-baseline-1",
    }


def test_another_version_is_compared_with_as_by_the_command_line(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_report, "write_case", lambda scenario, outcomes, folder, **_: folder / "page")
    edit(
        project / "dot.yaml",
        "kind: correlation, threshold: {kind: fixed, value: 0.2}",
        "kind: command, argv: ['{python}', '{here}/none.py', '{out}'], output: {format: topaz}",
    )
    edit(project / "own.simkit.yaml", "metric: recall, at_least: 1", "metric: recall, at_least: 0")
    heading = "image_name\\tx_coord\\ty_coord\\tscore\\n"
    rows = "".join(f"000{n}\\t22.5\\t25\\t1\\n" for n in range(4))
    for name, text in (("none", heading), ("base", heading + rows)):
        (project / f"{name}.py").write_text(f"import sys; open(sys.argv[1], 'w').write('{text}')\n")
    other = "{python} base.py"
    seen = session(project, capfd, f"--simkit-against={other}", "-k", "recall")
    assert seen.code == pytest.ExitCode.TESTS_FAILED
    assert {name for name, case in seen.cases.items() if case.find("failure") is not None} == {
        "plain.recall-2"
    }
    failure = seen.cases["plain.recall-2"].find("failure")
    assert failure is not None
    told = CliRunner().invoke(
        app, ["suite", "run", "own.simkit.yaml", "--workers", "1", "--against", other, "-k", "recall"]
    )
    assert "4 of 4 particles lost, 0 found: 0, baseline 1: gain -1 [" in seen.text
    assert "again: simkit suite run own.simkit.yaml -k dot --against '{python} base.py'" in seen.text
    page = re.findall(r"boxes: (\S+)", seen.text)[0]
    assert page == ".simkit/reports/own/dot/against.html"
    assert "<figure" in (project / page).read_text()
    # The command line shows all cases of a suite on one page; every other line is the same.
    lines = [line for line in str(failure.text).splitlines() if line and "boxes: " not in line]
    assert len(lines) > 10
    assert [line for line in lines if line not in told.stdout] == []


def test_a_suite_of_which_there_is_no_other_version_is_skipped(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = session(project, capfd, "--simkit-against={python} base.py", "-rs")
    assert seen.code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "is another version of none of the pickers" in seen.text


def test_another_version_that_is_not_there_is_an_error(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = session(project, capfd, "--simkit-against=/nowhere/bin/python")
    assert seen.code == pytest.ExitCode.INTERRUPTED
    assert "there is no program '/nowhere/bin/python' here" in seen.text
    assert "Traceback" not in seen.text


def test_a_project_without_suites_loads_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\n\ndef test_light():\n    assert 'simkit.suites.plugin' in sys.modules\n"
        "    assert 'numpy' not in sys.modules and 'pydantic' not in sys.modules\n"
    )
    command = [sys.executable, "-m", "pytest", *LONE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
