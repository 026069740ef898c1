"""Suites as they are used: what passes, what fails and how it is told."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.scenario.source import InvalidScenarioError
from simkit.suites import baseline, case_report
from simkit.suites.choosing import chosen
from simkit.suites.outcome import Outcome
from simkit.suites.running import Bench
from simkit.suites.spec import load_suite

SHIPPED = Path(__file__).parents[2] / "suites" / "everyday.simkit.yaml"

SCENARIO = """\
schema_version: 1
title: Rings in noise
seed: 5
replicates: 4
image: {shape: [64, 64], pixel_size: 4 Å, boundary: periodic}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 24 Å, width: 8 Å}]}
    lattice: {kind: scattered, count: 3, min_distance: 80 Å}
noise: {film: {kind: gaussian, snr: 0.5}}
templates: {ring: {kind: specimen, of: ring}}
pickers:
  plain: {kind: correlation, threshold: {kind: top, count: 3}}
  other: {kind: phase, threshold: {kind: top, count: 3}}
score: {radius: 20 Å}
"""

SUITE = """\
schema_version: 1
cases:
  rings:
    scenario: rings.yaml
    set: {noise.film.snr: 1.0}
    markers: [quick]
    pickers: [plain]
    expect:
      - {picker: plain, metric: recall, at_least: 0.9}
      - {picker: plain, metric: f1, baseline: {margin: 0.05}}
      - {picker: plain, metric: normalised_bias_x, within: theory}
"""

FEWER = ["--set", "pickers.plain.threshold.count=2"]


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rings.yaml").write_text(SCENARIO)
    (tmp_path / "a.simkit.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    # What a failure's page says `test_suite_plugin.py` looks at.
    monkeypatch.setattr(case_report, "write_case", lambda _, outcomes, folder, **__: folder / "page")
    return tmp_path / "a.simkit.yaml"


def simkit(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["suite", *arguments])


def run(*arguments: str) -> Any:
    return simkit("run", "a.simkit.yaml", "--workers", "1", *arguments)


def accept() -> Any:
    return simkit("accept", "a.simkit.yaml", "--reason", "because")


def test_a_suite_from_its_first_run_to_a_loss(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run()
    assert first.exit_code == 1
    assert "there is no baseline of plain" in first.stdout
    assert "simkit suite accept --reason" in first.stdout
    monkeypatch.setenv("CI", "true")
    assert accept().exit_code == 2
    monkeypatch.delenv("CI")
    assert accept().exit_code == 0
    kept = baseline.read(Path("baselines/a/rings.yaml"))
    assert kept.accepted["why"] == "because"
    assert kept.accepted["who"]
    assert kept.pickers["plain"].tp == (3, 3, 3, 3)
    assert run().exit_code == 0
    assert "unchanged" in accept().stdout

    files = ["--junitxml", "j.xml", "--json", "o.json", "--markdown", "m.md"]
    lost = run(*FEWER, *files)
    assert lost.exit_code == 1
    assert "a.simkit.yaml:10: rings: plain.f1 failed" in lost.stdout
    assert (
        "again: simkit suite run a.simkit.yaml -k rings --set pickers.plain.threshold.count=2" in lost.stdout
    )
    told = {entry["expectation"]: entry["status"] for entry in json.loads(Path("o.json").read_text())}
    assert told == {"plain.recall": "failed", "plain.f1": "failed", "plain.normalised_bias_x": "passed"}
    xml = ET.parse("j.xml").getroot()[0]
    assert (xml.get("tests"), xml.get("failures"), xml.get("errors")) == ("3", "2", "0")
    assert "1 of 3 expectations hold" in Path("m.md").read_text()


def test_baselines_of_other_micrographs_and_of_nobody_fail(suite: Path) -> None:
    run()
    accept()
    other = run("--set", "seed=6")
    assert other.exit_code == 1
    assert "is of other micrographs" in other.stdout
    Path("baselines/a/gone.yaml").write_text(Path("baselines/a/rings.yaml").read_text())
    surplus = run("-k", "recall")
    assert surplus.exit_code == 1
    assert "no case of the suite uses it" in surplus.stdout


def test_a_case_that_breaks_is_an_error_not_a_failure(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("broken.py").write_text("def pick(pixels, **_):\n    raise ValueError('no luck')\n")
    monkeypatch.syspath_prepend(".")
    broken = run("--set", "pickers.plain={kind: python, call: 'broken:pick'}")
    assert broken.exit_code == 3
    assert "no luck" in broken.stdout


def test_results_of_changed_code_are_not_those_of_the_old(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = Path("own_picker.py")
    code.write_text("def pick(pixels, **_):\n    return {'y': [1.0], 'x': [1.0]}\n")
    monkeypatch.syspath_prepend(".")
    other = load_suite(suite, overrides=["pickers.plain={kind: python, call: 'own_picker:pick'}"])
    before = Bench(other).store.root
    code.write_text("def pick(pixels, **_):\n    return {'y': [1.0], 'x': [2.0]}\n")
    assert Bench(other).store.root != before


def test_fresh_micrographs_are_others_and_a_failure_is_confirmed(suite: Path) -> None:
    bench = Bench(load_suite(suite), fresh=3)
    assert bench.outcome("rings", 0).passed
    suite.write_text(SUITE.replace("at_least: 0.9", "at_most: 0.5"))
    outcome = Bench(load_suite(suite), fresh=3).outcome("rings", 0)
    assert not outcome.passed
    assert len(outcome.checks) == 2, "once, and once more with yet other micrographs"


@pytest.mark.parametrize(
    ("was", "becomes", "where", "told"),
    [
        ("metric: recall", "metric: recal", "9:", "did you mean `recall`"),
        ("noise.film.snr: 1.0", "noise.film.sn: 1.0", "5:", "no such key"),
        ("margin: 0.05", "margin: 0.05 Å", "10:", "pure number"),
        ("margin: 0.05", "margin: 0", "10:", "more than 0"),
        ("metric: f1", "metric: jaccard", "10:", "a baseline holds nothing of jaccard"),
        ("metric: normalised_bias_x", "metric: f1", "11:", "theory says nothing of f1"),
        ("pickers: [plain]", "pickers: [plan]", "7:", "did you mean `plain`"),
        ("scenario: rings.yaml", "scenario: ring.yaml", "4:", "there is no such file"),
        ("pickers: [plain]", "replicates: 3", "10:", "at least 4 micrographs"),
        ("within: theory}", "within: theory, sigmas: 1}", "1:", "raise it"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    suite: Path, was: str, becomes: str, where: str, told: str
) -> None:
    suite.write_text(SUITE.replace(was, becomes))
    with pytest.raises(InvalidScenarioError) as raised:
        load_suite(suite)
    assert told in str(raised.value)
    assert any(f"a.simkit.yaml:{where}" in problem.where for problem in raised.value.problems)


def test_a_scenario_says_that_comparisons_belong_in_a_suite(suite: Path) -> None:
    for demand in ("baseline: {margin: 0.1}", "within: theory"):
        Path("own.yaml").write_text(f"{SCENARIO}expect:\n  - {{picker: plain, metric: recall, {demand}}}\n")
        result = CliRunner().invoke(app, ["check", "own.yaml"])
        assert result.exit_code == 2
        assert "belongs in a suite" in result.output


def test_suites_of_one_name_stay_apart(suite: Path) -> None:
    for folder, count in (("one", 2), ("two", 1)):
        Path(folder).mkdir()
        Path(folder, "rings.yaml").write_text(
            SCENARIO.replace("count: 3}}\n  other", f"count: {count}}}}}\n  other")
        )
        Path(folder, "a.simkit.yaml").write_text(SUITE)
    result = simkit("run", "one", "two", "--workers", "1", "--json", "o.json", "--junitxml", "j.xml")
    assert "report: .simkit/reports/one/a/rings/page" in result.stdout
    assert "report: .simkit/reports/two/a/rings/page" in result.stdout
    assert {o["suite"] for o in json.loads(Path("o.json").read_text())} == {"one/a", "two/a"}
    assert [s.get("name") for s in ET.parse("j.xml").getroot()][:2] == ["one/a", "two/a"]
    for folder, tp in (("one", 2), ("two", 1)):
        simkit("accept", f"{folder}/a.simkit.yaml", "--reason", "because")
        kept = baseline.read(Path(folder, "baselines/a/rings.yaml"))
        assert kept.pickers["plain"].tp == (tp,) * 4
    outside = load_suite(suite, root="one").place
    assert outside == suite.with_name("a").relative_to("/")


def test_expressions_choose_by_name_and_marker(suite: Path) -> None:
    loaded = load_suite(suite)
    numbers = {
        expression: [number for _, number in chosen(loaded, expression)]
        for expression in ("quick", "recall or f1", "not (recall or f1)", "rings and not theory and f1")
    }
    assert numbers == {
        "quick": [0, 1, 2],
        "recall or f1": [0, 1],
        "not (recall or f1)": [2],
        "rings and not theory and f1": [1],
    }
    with pytest.raises(ValueError, match="bracket"):
        chosen(loaded, "(recall")


def test_the_shipped_suite_catches_every_mutant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from suite_mutants import MUTATIONS

    def judged(mutation: str) -> list[Outcome]:
        call = f"{{kind: python, call: 'suite_mutants:pick', options: {{mutation: {mutation}}}}}"
        loaded = load_suite(SHIPPED, overrides=[f"pickers.filter={call}"])
        return Bench(loaded, tmp_path).run(chosen(loaded, "wedges"))

    whole = judged("none")
    assert [o.story for o in whole if not o.passed] == []
    for mutation in MUTATIONS:
        assert any(o.status == "failed" for o in judged(mutation)), mutation
