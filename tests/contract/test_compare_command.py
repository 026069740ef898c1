"""`simkit compare`: sweeps cell by cell, runs picker by picker, and only what can be compared."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

import simkit
from simkit.cli.app import app
from simkit.core.errors import ScenarioError
from simkit.engine import output
from simkit.judging.comparison import METRICS, compare
from simkit.statistics.bootstrap import interval
from simkit.statistics.paired import holm
from simkit.statistics.unpaired import difference_interval
from simkit.sweeps.compare import SweepComparison, compare_sweeps
from simkit.sweeps.output import save
from simkit.sweeps.results import SweepResult
from simkit.sweeps.tallies import tallies

sys.path.insert(0, str(Path(__file__).parent))
from sweep_fixture import SCENARIO, made

DOSES = "{axes: {dose: {path: noise.film.snr, values: [1, 2, 4]}}}"


def ask(*words: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, words)])


def told(*words: object) -> dict[str, Any]:
    result = ask(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def improved(picker: str, place: Any) -> float:
    return {"new": 0.8, "old": 0.3 + 0.12 * place["dose"], "told": 0.85}[picker]


def usual(picker: str, place: Any) -> float:
    return {"new": 0.8, "old": 0.5, "told": 0.85}[picker]


@pytest.fixture(scope="module")
def before() -> SweepResult:
    return made(DOSES, skill=usual)


@pytest.fixture(scope="module")
def after() -> SweepResult:
    return made(DOSES, skill=improved)


def changes(found: SweepComparison, picker: str, metric: str) -> list[Any]:
    return [change for change in found.changes if (change.picker, change.metric) == (picker, metric)]


def test_a_sweep_with_itself_has_not_changed(before: SweepResult) -> None:
    found = compare_sweeps(before, before)
    assert {change.difference for change in found.changes} == {0.0}
    assert {change.p_holm for change in (*found.changes, *found.together)} == {None}
    assert {change.verdict for change in found.changes} == {"open"}
    assert not (found.only_before)
    assert not (found.only_after)
    assert not (found.differing)


def test_cells_are_compared_micrograph_by_micrograph(before: SweepResult, after: SweepResult) -> None:
    found = compare_sweeps(before, after)
    a, b = tallies(before.counts), tallies(after.counts)
    for metric in METRICS:
        for change, cell in zip(changes(found, "old", metric), range(3), strict=True):
            (expected,) = (
                c for c in compare([b[cell, "old"], a[cell, "old"]], basis="", seed=0) if c.metric == metric
            )
            assert change.place == {"dose": [1, 2, 4][cell]}
            assert change.paired
            assert (change.before, change.after) == (expected.value_b, expected.value_a)
            assert (change.difference, change.p) == (expected.difference, expected.p)
            assert (change.low, change.high) == (expected.interval or (None, None))
        # Those of `new` and `told`, which did the same in every micrograph, are no tests.
        corrected = holm([change.p for change in changes(found, "old", metric)])
        assert [change.p_holm for change in changes(found, "old", metric)] == corrected.tolist()
    verdicts = [change.verdict for change in changes(found, "old", "recall")]
    assert verdicts[0] == "worse"
    assert verdicts[2] == "better"
    turned = compare_sweeps(after, before)
    for one, other in zip(found.changes, turned.changes, strict=True):
        assert other.difference == pytest.approx(-one.difference, abs=1e-12)


def test_all_cells_together_are_their_sums(before: SweepResult, after: SweepResult) -> None:
    found = {(c.picker, c.metric): c for c in compare_sweeps(before, after).together}
    for result, side in ((before, "before"), (after, "after")):
        rows = [row for row in result.counts.to_pylist() if row["picker"] == "old"]
        recall = sum(row["tp"] for row in rows) / sum(row["truths"] for row in rows)
        assert getattr(found["old", "recall"], side) == pytest.approx(recall, abs=1e-12)


def test_more_micrographs_are_compared_as_far_as_both_have_them(before: SweepResult) -> None:
    more = made(DOSES, skill=usual, micrographs=11)
    counts = more.counts.to_pylist()
    same = before.counts.to_pylist()
    # What both have is made the same, so that only a slip could find a difference.
    keyed = {(r["cell"], r["picker"], r["micrograph"]): r for r in same}
    mixed = [keyed.get((r["cell"], r["picker"], r["micrograph"]), r) for r in counts]
    found = compare_sweeps(before, dataclasses.replace(more, counts=pa.Table.from_pylist(mixed)))
    assert {change.difference for change in found.changes} == {0.0}
    assert {change.micrographs for change in found.changes} == {(8, 8)}


UNLIKE: dict[str, Callable[[SweepResult], SweepResult]] = {
    "seed": lambda r: dataclasses.replace(r, scenario=r.scenario.model_copy(update={"seed": 9})),
    "image": lambda r: dataclasses.replace(
        r,
        scenario=r.scenario.model_copy(
            update={"image": r.scenario.image.model_copy(update={"pixel_size": 5.0})}
        ),
    ),
}


@pytest.mark.parametrize("section", UNLIKE)
def test_other_micrographs_are_independent(before: SweepResult, after: SweepResult, section: str) -> None:
    found = compare_sweeps(before, UNLIKE[section](after))
    assert found.differing.startswith(section)
    assert not any(change.paired for change in found.changes)
    *_, change = changes(found, "old", "recall")
    a, b = (tallies(r.counts)[2, "old"] for r in (before, after))
    ends = [interval(t.sums, lambda s: {"recall": s["tp"] / s["truths"]}, seed=0)["recall"] for t in (a, b)]
    expected = difference_interval(b.value("recall"), ends[1], a.value("recall"), ends[0])
    assert (change.low, change.high) == pytest.approx(expected)
    assert 0 < change.p < 0.01


def test_values_that_an_axis_sets_do_not_make_micrographs_others(before: SweepResult) -> None:
    other = made(DOSES, skill=usual)
    noise = {"film": other.scenario.noise["film"].model_copy(update={"snr": 0.01})}
    other = dataclasses.replace(other, scenario=other.scenario.model_copy(update={"noise": noise}))
    assert compare_sweeps(before, other).differing == ""


def test_what_labels_stand_for_is_compared_too() -> None:
    def of(snr: float) -> SweepResult:
        return made(f"{{axes: {{film: {{cases: {{weak: {{noise.film.snr: {snr}}}}}}}}}}}", skill=usual)

    assert compare_sweeps(of(1.0), of(1.0)).differing == ""
    assert compare_sweeps(of(1.0), of(2.0)).differing == "what their axes set differs"


def test_other_particles_are_noticed_by_their_counts(before: SweepResult, after: SweepResult) -> None:
    rows = [row | {"truths": 31} for row in after.counts.to_pylist()]
    found = compare_sweeps(before, dataclasses.replace(after, counts=pa.Table.from_pylist(rows)))
    assert found.differing == "their particles are not the same"


def test_what_only_one_has_is_named(before: SweepResult) -> None:
    fewer = made(
        "{axes: {dose: {path: noise.film.snr, values: [2, 4, 8]}}}", skill=usual, pickers=("new", "old")
    )
    found = compare_sweeps(before, fewer)
    assert {tuple(change.place.values()) for change in found.changes} == {(2.0,), (4.0,)}
    assert found.only_after == ("new at dose 8", "old at dose 8")
    assert "told at dose 2" in found.only_before
    assert "new at dose 1" in found.only_before
    with pytest.raises(
        ScenarioError, match=r"first varies dose and has new, old, told, the second varies size"
    ):
        compare_sweeps(
            before,
            made(
                "{axes: {size: {path: specimen.ring.unit_cell.shapes.0.radius, values: [20 Å]}}}", skill=usual
            ),
        )


def test_the_command_tells_sweeps(before: SweepResult, after: SweepResult, tmp_path: Path) -> None:
    for name, result in (("a", before), ("b", after)):
        save(result, tmp_path / name)
    plain = told(tmp_path / "a", tmp_path / "b")
    assert plain["paired"]
    assert len(plain["cells"]) == 3 * 3 * 3
    found = compare_sweeps(before, after)
    for row, change in zip(plain["cells"], found.changes, strict=True):
        assert (row["a"], row["b"], row["difference"]) == (change.before, change.after, change.difference)
    result = ask(tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 0
    worst = changes(found, "old", "f1")[0]
    assert f"{worst.difference:+.3f}  [{worst.low:+.3f}, {worst.high:+.3f}]" in result.stdout
    assert "old: F1 better in 1 " in result.stdout
    assert ask(tmp_path / "a", tmp_path).exit_code == 2
    assert ask(tmp_path, tmp_path).exit_code == 2
    assert "name a folder of `simkit run` or `simkit sweep`" in ask(tmp_path, tmp_path).stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    text = SCENARIO.format(sweep="{axes: {x: {path: seed, values: [0]}}}", title="a run").split("sweep:")[0]
    lines = [line for line in text.splitlines() if not line.startswith(("  told:", "  plain:"))]
    (folder / "s.yaml").write_text("\n".join(lines))
    settings = {
        "one": [],
        "other": ["pickers.new.threshold.count=1"],
    }
    for name, overrides in settings.items():
        lean = ["replicates=7", "score.null_micrographs=0", *overrides]
        scenario = simkit.load(folder / "s.yaml", overrides=lean)
        output.save(simkit.run(scenario, workers=1), folder / name, page="")
    elsewhere = shutil.copytree(folder / "one", folder / "elsewhere")
    (elsewhere / "truth.csv").write_text((folder / "one/truth.csv").read_text().rsplit("\n0006", 1)[0] + "\n")
    return {name: folder / name for name in (*settings, "elsewhere")}


def test_runs_are_judged_side_by_side(runs: dict[str, Path]) -> None:
    plain = told(runs["one"], runs["other"])
    assert plain["paired"]
    scores = {
        name: json.loads((runs[name] / "scores.json").read_text())["pickers"] for name in ("one", "other")
    }
    for change in plain["changes"]:
        if change["basis"] == "own thresholds":
            for side, run in (("a", "one"), ("b", "other")):
                assert change[side] == scores[run][change["picker"]]["all"][change["metric"]]
    (recall,) = (
        c
        for c in plain["changes"]
        if (c["picker"], c["metric"], c["basis"]) == ("new", "recall", "own thresholds")
    )
    # One pick a micrograph in place of two of its two particles: all that B lacks, A alone has found.
    found = [scores[name]["new"]["all"]["tp"] for name in ("one", "other")]
    assert recall["found_by_a_alone"] - recall["found_by_b_alone"] == found[0] - found[1]
    assert found[0] > found[1]
    assert recall["verdict"] == "worse"
    assert recall["difference"] == pytest.approx((found[1] - found[0]) / 14)
    assert "A alone found" in ask(runs["one"], runs["other"]).stdout


def test_runs_of_other_micrographs_are_independent(runs: dict[str, Path]) -> None:
    plain = told(runs["one"], runs["elsewhere"])
    assert not plain["paired"]
    assert plain["differing"] == "their particles are not the same"
    result = ask(runs["one"], runs["elsewhere"])
    assert "cannot be compared one by one" in result.stderr
    assert "alone found" not in result.stdout
    assert {c["p"] for c in plain["changes"]} == {None}
    assert np.isfinite([c["difference"] for c in plain["changes"]]).all()
