"""A sweep's page: what every one must have, and that its words and figures say what the tables say."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import simkit
from simkit.cli.app import app
from simkit.judging.comparison import compare
from simkit.reports import (
    sweep_answer,
    sweep_cost,
    sweep_curves,
    sweep_layout,
    sweep_looks,
    sweep_maps,
    sweep_standing,
)
from simkit.reports.sweep_cells import command
from simkit.reports.sweep_page import render
from simkit.reports.sweep_table import Scores
from simkit.reports.wording import sure
from simkit.scenario.loading import read_draft
from simkit.sweeps.axes import levels
from simkit.sweeps.cells import Cell
from simkit.sweeps.duels import OWN, Duel, corrected, duels, level_duels, method_axes, pooled
from simkit.sweeps.output import save
from simkit.sweeps.places import place_text, value_text
from simkit.sweeps.results import AxisInfo, SweepResult
from simkit.sweeps.tallies import tallies, together

sys.path.insert(0, str(Path(__file__).parent))
from report_reading import Outline, embedded, words_of
from sweep_fixture import SCENARIO, draft, made

DOSES = "dose: {path: noise.film.snr, values: [1, 2, 4, 9]}"
SIZES = "size: {path: specimen.ring.unit_cell.shapes.0.radius, values: [20 Å, 3 nm]}"
COUNTS = "count: {path: specimen.ring.lattice.count, values: [1, 2]}"
CUTS = "cut: {path: pickers.old.threshold.value, values: [0.1, 0.2, 0.3]}"
HOSTILE = "<script>alert('x')</script> & \"$(rm -rf ~)\" `id`"
TITLES = f"what: {{path: title, values: [one, {json.dumps(HOSTILE)}]}}"

FOUND = (
    {
        "kind": "crossing",
        "along": "dose",
        "others": {},
        "value": 3.0,
        "low": 2.5,
        "high": 3.5,
        "text": "recall of old crosses 0.5 at dose 3 [2.5, 3.5] (4 cells)",
    },
)


def sought() -> SweepResult:
    sweep = (
        "{axes: {dose: {path: noise.film.snr, between: {from: 1, to: 9}}},"
        " find: {along: dose, picker: old, crosses: 0.5}}"
    )
    axis = draft(f"{{axes: {{{DOSES}}}}}").validated().scenario.sweep.axes["dose"]
    cells = tuple(Cell(n, {"dose": level}) for n, level in enumerate(levels("dose", axis, ())))
    return made(sweep, cells=cells, answers=FOUND)


def cuts_matter(picker: str, place: Any) -> float:
    return 0.7 - 2 * (place["cut"] - 0.21) ** 2 * 10


RUNS = {
    "one axis": lambda: made(f"{{axes: {{{DOSES}}}}}"),
    "two axes, a failure, a hole": lambda: made(
        f"{{axes: {{{DOSES}, {SIZES}}}, exclude: [{{dose: 9, size: 20 Å}}]}}",
        failed=[1],
        pickers=("new", "old"),
    ),
    "three axes": lambda: made(f"{{axes: {{{DOSES}, {SIZES}, {COUNTS}}}}}", pickers=("new", "old")),
    "cases": lambda: made(f"{{axes: {{{TITLES}}}}}", title=json.dumps(HOSTILE), limited=False),
    "a sample": lambda: made(
        "{axes: {dose: {path: noise.film.snr, between: {from: 1, to: 8}, scale: log},"
        " size: {path: specimen.ring.unit_cell.shapes.0.radius, between: {from: 20 Å, to: 30 Å}}},"
        " sample: {kind: random, count: 6}}"
    ),
    "a union": lambda: made(f"{{axes: {{{DOSES}}}, union: [{{axes: {{{SIZES}}}}}]}}", pickers=("old",)),
    "values of one picker": lambda: made(
        f"{{axes: {{{CUTS}, {COUNTS}}}}}", pickers=("old",), skill=cuts_matter
    ),
    "a search": sought,
    "few micrographs": lambda: made(f"{{axes: {{{DOSES}}}}}", micrographs=3),
    "all failed": lambda: made(f"{{axes: {{{DOSES}}}}}", failed=[0, 1, 2, 3]),
}


@pytest.fixture(scope="module")
def results() -> dict[str, SweepResult]:
    return {name: make() for name, make in RUNS.items()}


PAGES = ("two axes, a failure, a hole", "cases", "a sample", "values of one picker", "a search", "all failed")


@pytest.fixture(scope="module")
def pages(results: dict[str, SweepResult]) -> dict[str, str]:
    return {name: render(results[name], command="simkit sweep sweep.yaml") for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_else_and_runs_nothing(pages: dict[str, str], name: str) -> None:
    outline = Outline(pages[name])
    assert not [*outline.all("script", "iframe", "link", "object", "form")]
    assert "default-src 'none'" in next(
        tag["content"] for tag in outline.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"
    )
    sources = [tag["src"] for tag in outline.all("img")]
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"https?://(?!www\.w3\.org)", re.sub(r"data:[^\"]*", "", pages[name]))
    assert not [a for _, tag in outline.elements for a in tag if a.startswith("on")]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere_and_figures_have_words(pages: dict[str, str], name: str) -> None:
    outline = Outline(pages[name])
    ids = [tag["id"] for _, tag in outline.elements if "id" in tag]
    assert len(ids) == len(set(ids))
    assert {tag["href"] for tag in outline.all("a")} == {f"#{i}" for i in ids}
    assert {tag["aria-labelledby"] for tag in outline.all("section")} == set(ids)
    figures = [*outline.all("img")]
    assert all(len(tag["alt"]) > 20 for tag in figures)
    assert (name == "all failed") == (not figures)


@pytest.mark.parametrize("name", PAGES)
def test_every_cell_is_listed_with_its_numbers(
    pages: dict[str, str], results: dict[str, SweepResult], name: str
) -> None:
    text, scores = Outline(pages[name]).text, Scores.of(results[name])
    rows = [row for row in results[name].scores.to_pylist() if row["class"] == "all"]
    assert (
        len(rows)
        == len(scores.by_cell)
        == len(scores.pickers) * (len(scores.cells) - len({*_failed(results[name])}))
    )
    for row in rows:
        assert scores.value(row["cell"], row["picker"], "f1") == row["f1"]
        ends = None if row["f1_low"] is None else (row["f1_low"], row["f1_high"])
        assert sure(row["f1"], ends) in text
    for cell, settings in zip(scores.cells, results[name].settings, strict=True):
        assert command(scores, cell, settings) in text


def _failed(result: SweepResult) -> list[int]:
    return [failure["cell"] for failure in result.failures]


def test_hostile_text_stays_text(pages: dict[str, str]) -> None:
    page = pages["cases"]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert all(b"<script" not in svg for svg in embedded(page, "image/svg+xml"))
    assert "no <b>room</b> in 1" in Outline(pages["two axes, a failure, a hole"]).text


@pytest.mark.parametrize("name", ["cases", "two axes, a failure, a hole", "values of one picker"])
def test_a_cells_command_gives_that_cells_scenario(
    results: dict[str, SweepResult], tmp_path: Path, name: str
) -> None:
    result, scores = results[name], Scores.of(results[name])
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO.format(sweep="{axes: {x: {path: seed, values: [0]}}}", title="x"))
    for cell, settings in zip(scores.cells, result.settings, strict=True):
        words = shlex.split(command(scores, cell, settings))
        assert words[:3] == ["simkit", "run", "sweep.yaml"]
        assert words[3::2] == ["--set"] * len(words[4::2])
        got = read_draft(file, overrides=words[4::2]).validated().scenario
        for path, value in settings:
            assert str(_at(got, path)) in (value, value.removesuffix(" Å") + ".0", str(_unit(value)))
        if cell["micrographs"]:
            assert got.replicates == cell["micrographs"]


def _at(model: Any, path: str) -> Any:
    for part in path.split("."):
        model = (
            model[int(part)]
            if part.isdigit()
            else model[part]
            if isinstance(model, dict)
            else getattr(model, part)
        )
    return model


def _unit(value: str) -> Any:
    return 10.0 * float(value.removesuffix(" nm")) if value.endswith(" nm") else value


def test_the_answer_says_who_wins_where_and_how_surely(results: dict[str, SweepResult]) -> None:
    result = results["one axis"]
    scores, between = Scores.of(result), duels(result)
    (own, equal) = sweep_answer.answers(scores, between, (), {})
    mine = [d for d in between if d.basis == OWN and d.metric == "f1"]
    new, old = ([d for d in mine if d.winner == name] for name in ("new", "old"))
    assert (len(new), len(old)) == (2, 1)
    most = max(new, key=lambda duel: duel.difference)
    held = sum(duel.holds for duel in new)
    told = sure(most.difference, (most.low, most.high))
    assert own.text.startswith(
        f"new beats old in F1 in 2 of 4 cells ({held} after Holm’s correction for 4 tests), "
        f"most at dose 1: +{told}; old is better in 1, at dose 9: +"
    )
    whole = next(c for c in pooled(result, "new", "old") if c.metric == "f1")
    assert f"All cells together: new +{sure(whole.difference, whole.interval)}." in own.text
    assert equal.text.startswith("At equal false picks")
    assert not equal.main
    assert "told" not in own.text + equal.text


def test_of_three_pickers_the_ranking_comes_first() -> None:
    # The best of three is not told apart from the second in the first cell, and far ahead in the others.
    def skill(picker: str, place: Any) -> float:
        third = 0.9 if place["dose"] > 1 else 0.5
        return {"new": 0.5, "old": 0.2, "plain": third}[picker]

    result = made(f"{{axes: {{{DOSES}}}}}", skill=skill, pickers=("new", "old", "plain"))
    scores, between = Scores.of(result), duels(result)
    stood = sweep_standing.standings(scores, between)
    first, *others = sweep_answer.answers(scores, between, (), stood)
    count = sum(standing.best == "plain" for standing in stood.values())
    assert count >= 3
    assert f"plain in {count} (surely in 3)" in first.text
    assert first.text.endswith("and old in none.")
    assert [answer.main for answer in others] == [False] * 6


def test_no_sureness_without_intervals(results: dict[str, SweepResult], pages: dict[str, str]) -> None:
    few = results["few micrographs"]
    said = " ".join(a.text for a in sweep_answer.answers(Scores.of(few), duels(few), (), {}))
    assert "new is ahead of old in F1 in 3 of 4 cells and behind in 1; no cell has an interval" in said
    assert " beats " not in said
    assert "No cell has scores." in Outline(pages["all failed"]).text
    assert "4 of 4 cells failed" in Outline(pages["all failed"]).text


def test_a_search_is_told_and_drawn(pages: dict[str, str], results: dict[str, SweepResult]) -> None:
    assert FOUND[0]["text"] in Outline(pages["a search"]).text
    scores = Scores.of(results["a search"])
    (layout,) = sweep_layout.layouts(scores)
    drawn = {m: sweep_curves.chart(scores, layout, m, LOOKS).picture.source for m in ("recall", "f1")}
    assert "crossing" in words_of(drawn["recall"])
    assert "crossing" not in words_of(drawn["f1"])


LOOKS = sweep_looks.looks(["new", "old", "told"], ["told"])


def test_oracles_are_drawn_as_such_and_ceilings_where_there_are_some(results: dict[str, SweepResult]) -> None:
    for name, limited in (("one axis", True), ("cases", False)):
        scores = Scores.of(results[name])
        (layout,) = sweep_layout.layouts(scores)
        words = words_of(sweep_curves.chart(scores, layout, "f1", LOOKS).picture.source)
        assert "told (oracle)" in words
        assert ("ideal observer" in words) == limited
    assert LOOKS["told"].line["markerfacecolor"] == "white"
    told_apart = {(look.colour, look.marker, str(look.dash)) for look in LOOKS.values()}
    assert len(told_apart) == len({c for c, _, _ in told_apart}) == len({m for _, m, _ in told_apart}) == 3


def test_axes_are_drawn_to_their_scale() -> None:
    log = AxisInfo("dose", ("a",), "e/Å²", True, ("1", "5", "100"), (1.0, 5.0, 100.0), "log")
    for axis, scale in ((log, "log"), (dataclasses.replace(log, scale="linear"), "linear")):
        axes = Figure().add_subplot()
        sweep_looks.prepare(axes, axis)
        assert axes.get_xscale() == scale
        assert axes.get_xlabel() == "dose (e/Å²)"
    # Three values of a linear axis, two of them within a tenth of it, cannot all be written under it.
    assert [t.get_text() for t in axes.get_xticklabels()] != ["1", "5", "100"]


def test_cells_are_laid_out_as_they_were_declared(results: dict[str, SweepResult]) -> None:
    def of(name: str) -> tuple[sweep_layout.Layout, ...]:
        return sweep_layout.layouts(Scores.of(results[name]))

    (three,) = of("three axes")
    assert three.across.name == "dose"
    assert len(three.panels) == 4
    assert three.panels[0].title == "size 20 Å, count 1"
    assert [cell["dose"] for cell in three.panels[3].cells] == [1, 2, 4, 9]
    assert all(layout.scattered for layout in (*of("a sample"), *of("a union")))
    assert [len(layout.panels[0].cells) for layout in of("a union")] == [4, 2]
    assert [*sweep_layout.spread(range(100), 3)] == [0, 49, 99]


def test_maps_hold_a_number_for_every_cell_and_mark_what_failed(results: dict[str, SweepResult]) -> None:
    scores = Scores.of(results["two axes, a failure, a hole"])
    drawn = sweep_maps.score_map(scores, "f1")
    assert drawn is not None
    assert "Hatched" in drawn.caption
    assert "Empty" in drawn.caption
    written = re.findall(r"\d\.\d\d", words_of(drawn.picture.source))
    assert sorted(written) == sorted(f"{scores.value(*key, 'f1'):.2f}" for key in scores.by_cell)
    assert "new, dose 1, size 30 Å: failed" in drawn.picture.alt
    for name in ("a sample", "a search", "one axis", "a union"):
        assert sweep_maps.score_map(Scores.of(results[name]), "f1") is None


def test_cost_is_shown_against_what_it_buys_where_the_search_varies(results: dict[str, SweepResult]) -> None:
    scores = Scores.of(results["values of one picker"])
    drawn = sweep_cost.trade_off(scores, LOOKS)
    assert drawn is not None
    recall = scores.value(0, "old", "recall")
    assert f"cut 0.1: recall {recall:.3g} for 0.5 s" in drawn.picture.alt
    assert sweep_cost.trade_off(Scores.of(results["one axis"]), LOOKS) is None
    table = sweep_cost.cost_table(Scores.of(results["one axis"]))
    assert table is not None
    assert table.rows == [
        [name, *[f"{0.5 + turn:g}"] * 3] for turn, name in enumerate(("new", "old", "told"))
    ]


def test_who_wins_is_the_highest_and_sure_by_the_interval(results: dict[str, SweepResult]) -> None:
    result = results["two axes, a failure, a hole"]
    scores = Scores.of(result)
    found = sweep_standing.standings(scores, duels(result))
    rows = [r for r in result.comparisons.to_pylist() if r["basis"] == OWN and r["metric"] == "f1"]
    assert sorted(found) == [row["cell"] for row in rows]
    assert 1 not in found
    for row in rows:
        ahead = "new" if row["value_a"] >= row["value_b"] else "old"
        apart = row["low"] > 0 if ahead == "new" else row["high"] < 0
        assert (found[row["cell"]].best, found[row["cell"]].sure) == (ahead, apart)
    assert {standing.best for standing in found.values()} == {"new", "old"}


def test_values_of_an_axis_of_the_search_are_compared_on_the_same_micrographs(
    results: dict[str, SweepResult],
) -> None:
    result = results["values of one picker"]
    assert [axis.name for axis in method_axes(result)] == ["cut"]
    found = [d for d in level_duels(result) if d.metric == "f1"]
    assert len(found) == 2 * 3
    cells = {(row["cut"], row["count"]): row["cell"] for row in result.cells.to_pylist()}
    there = tallies(result.counts)
    for duel in found:
        a, b = (float(name.removeprefix("cut ")) for name in (duel.a, duel.b))
        sides = [there[cells[cut, duel.place["count"]], "old"] for cut in (a, b)]
        (expected,) = (c for c in compare(sides, basis=OWN, seed=0) if c.metric == "f1")
        assert (duel.difference, duel.p) == (expected.difference, expected.p)
        assert (duel.low, duel.high) == (expected.interval or (None, None))
    best = [text.text for text in sweep_answer.answers(Scores.of(result), (), level_duels(result), {})]
    assert best[0].startswith("old: at count 1 cut 0.2 has the highest F1, surely above 2 of 2 others")
    # No axis of the search in a sweep over doses, so nothing to compare across its cells.
    assert level_duels(results["one axis"]) == ()


def test_cells_together_are_summed_micrograph_by_micrograph(results: dict[str, SweepResult]) -> None:
    result = results["one axis"]
    counts = result.counts.to_pylist()
    sums = {
        (picker, name): np.array(
            [sum(r[name] for r in counts if (r["picker"], r["micrograph"]) == (picker, m)) for m in range(8)]
        )
        for picker in ("new", "old")
        for name in ("tp", "picks", "truths")
    }
    recall = [sums[p, "tp"].sum() / sums[p, "truths"].sum() for p in ("new", "old")]
    found = {c.metric: c for c in pooled(result, "new", "old")}
    assert found["recall"].difference == pytest.approx(recall[0] - recall[1], abs=1e-12)
    assert found["recall"].clusters == 8
    shorter = together("x", [tallies(result.counts)[0, "new"], *[tallies(result.counts)[1, "new"]] * 0])
    assert shorter.tp.sum() == sum(r["tp"] for r in counts if r["cell"] == 0 and r["picker"] == "new")


def test_holm_counts_all_cells() -> None:
    def duel(p: float | None, metric: str = "f1") -> Duel:
        return Duel("a", "b", {}, OWN, metric, 0.1, 0.05, 0.2, p, None, 8)

    found = corrected([duel(0.02), duel(0.01), duel(None), duel(0.04), duel(0.04, "recall")])
    # By hand: of three tests 3 × 0.01, then 2 × 0.02, then 1 × 0.04 but not less than the one before.
    assert [d.p_holm for d in found] == pytest.approx([0.04, 0.03, None, 0.04, 0.04])
    assert [d.holds for d in found] == [True, True, False, True, True]
    assert found[0].turned.winner == "a"
    assert found[0].turned.a == "b"
    assert found[0].turned.low == -0.2


def test_places_are_written_for_people() -> None:
    angle = AxisInfo("step", ("a",), "°", True, ("6 °",), (6.0,))
    length = AxisInfo("defocus", ("a",), "Å", True, ("1.5 µm",), (15000.0,))
    row = {"step": 6.0, "defocus": 15000.00001, "other": "x"}
    assert place_text([angle, length], row) == "step 6°, defocus 15000 Å"
    assert place_text([angle], {}) == "everywhere"
    assert value_text(angle, None) == "–"


def test_report_makes_a_sweeps_page_anew_from_its_tables(
    results: dict[str, SweepResult], pages: dict[str, str], tmp_path: Path
) -> None:
    result = results["cases"]
    save(result, tmp_path / "s", page="old")
    outcome = CliRunner().invoke(app, ["report", str(tmp_path / "s")])
    assert outcome.exit_code == 0, outcome.stderr
    page = (tmp_path / "s/report.html").read_text(encoding="utf-8")
    assert page == pages["cases"]
    assert outcome.stdout == f"report: {tmp_path / 's/report.html'}\n"
    assert CliRunner().invoke(app, ["report", str(tmp_path)]).exit_code == 2


def test_python_sweeps_and_opens(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    text = SCENARIO.format(sweep=f"{{axes: {{{CUTS}}}, replicates: 2}}", title="small")
    file.write_text(re.sub(r"  (new|told|plain):.*\n", "", text))
    result = simkit.sweep(file, folder=tmp_path / "out", workers=1)
    again = simkit.open_sweep(tmp_path / "out")
    assert result.passed
    assert isinstance(again, simkit.SweepResult)
    assert again.scores.equals(result.scores)
    assert again.cells.num_rows == 3
    assert "cut 0.1" in Outline((tmp_path / "out/report.html").read_text(encoding="utf-8")).text
