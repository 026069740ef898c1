"""Base against head: two versions of a picker of which it is known what one of them loses."""

from __future__ import annotations

import json
import re
import stat
import sys
import textwrap
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.core.errors import OutsideError
from simkit.core.quantity import UNITS_REQUIRED
from simkit.core.tables import Picks, Truth
from simkit.picker.base import Plate
from simkit.scenario.loading import load
from simkit.scenario.spec import Scenario
from simkit.scenario.yamltree import read_tree
from simkit.suites.against import Against
from simkit.suites.change import Change, change_of
from simkit.suites.choosing import chosen
from simkit.suites.evidence import Evidence, Scene, judge
from simkit.suites.rival import Environment, Replacement, rival_of
from simkit.suites.running import Bench
from simkit.suites.spec import load_suite
from simkit.suites.yardstick import Accepted
from simkit.sweeps.completion import Case
from simkit.sweeps.store import Store

SCENARIO = """\
schema_version: 1
replicates: 4
image: {shape: [64, 64], pixel_size: 4 Å}
specimen:
  dot:
    unit_cell: {kind: shapes, shapes: [{kind: gaussian, sigma: 6 Å}]}
    lattice:
      kind: positions
      at: [[40 Å, 40 Å], [40 Å, 200 Å], [120 Å, 120 Å], [200 Å, 40 Å], [200 Å, 200 Å]]
noise: {film: {kind: gaussian, sd: 0.02}}
templates: {dot: {kind: specimen, of: dot}}
pickers:
  mine:
    kind: command
    argv: ["{python}", "{here}/head.py", "{out}", "{micrographs}"]
    output: {format: topaz}
  own: {kind: correlation, threshold: {kind: top, count: 5}}
score: {radius: 12 Å}
"""

SUITE = """\
schema_version: 1
false_alarm: 0.1
cases:
  dots:
    scenario: dots.yaml
    expect:
      - {picker: mine, metric: recall, at_least: 0.5, baseline: {margin: 0.2}}
      - {picker: mine, metric: rmse, baseline: {margin: 0.5 Å}}
      - {picker: own, metric: recall, at_least: 0.5}
"""

CASE = Case.of(Scenario.model_validate(read_tree(SCENARIO).data, context=UNITS_REQUIRED))

PICKER = """
import array, pathlib, struct, sys
LOST, SHIFT, FALSE = {lost!r}, {shift}, {false!r}
rows = ["image_name\\tx_coord\\ty_coord\\tscore"]
for file in map(pathlib.Path, sys.argv[2:]):
    content = file.read_bytes()
    columns, = struct.unpack("<i", content[:4])
    values = array.array("f", content[1024:])
    for index, value in enumerate(values):
        y, x = divmod(index, columns)
        if value < 0.8: continue
        around = [values[index + j * columns + i] for j in (-1, 0, 1) for i in (-1, 0, 1)]
        if value == max(around) and (file.stem, y, x) not in LOST:
            rows.append(f"{{file.stem}}\\t{{x + SHIFT}}\\t{{y}}\\t{{value}}")
    rows += [f"{{stem}}\\t{{x}}\\t{{y}}\\t0.5" for stem, y, x in FALSE if stem == file.stem]
pathlib.Path(sys.argv[1]).write_text("\\n".join(rows) + "\\n")
"""
"""Brightest pixels of MRC files, which it knows by their definition alone; dots are centred on pixels."""

FORGETFUL = [("0001", 30, 30), ("0003", 50, 10)]
"""The third particle of the second micrograph, and the fourth of the last."""

LOST = ["0001#2", "0003#3"]


def write_picker(file: str, *, lost: Any = (), shift: float = 0.0, false: Any = ()) -> str:
    Path(file).write_text(PICKER.format(lost=set(lost), shift=shift, false=list(false)))
    return f"{{python}} {file}"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("dots.yaml").write_text(SCENARIO)
    Path("a.simkit.yaml").write_text(SUITE)
    write_picker("head.py")
    return tmp_path / "a.simkit.yaml"


def run(other: str, *arguments: str) -> tuple[Any, dict[str, Any]]:
    words = ["suite", "run", "a.simkit.yaml", "--workers", "1", "--json", "o.json", "--against", other]
    result = CliRunner().invoke(app, [*words, *arguments])
    return result, json.loads(Path("o.json").read_text()) if Path("o.json").exists() else {}


def compared(other: str, expression: str = "mine") -> tuple[dict[str, str], Change]:
    """Return expectation → what came of it, and the change."""
    loaded = load_suite("a.simkit.yaml")
    bench = Bench(loaded, Path("store"), rival=rival_of(other))
    outcomes = bench.run(chosen(loaded, expression))
    assert bench.against is not None
    (change,) = bench.against.changes
    return {outcome.expectation: outcome.status for outcome in outcomes}, change


def ids(plain: dict[str, Any], side: str) -> list[str]:
    return [particle["id"] for particle in plain[side]]


def test_what_a_version_loses_is_told_by_name_in_every_form(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The page of a failed case alone has tests of its own, and takes a second.
    monkeypatch.setattr("simkit.suites.case_report.write_case", lambda *_, **__: Path("case.html"))
    base = write_picker("base.py")
    write_picker("head.py", lost=FORGETFUL, false=[("0002", 5, 40)])
    result, plain = run(base, "--markdown", "m.md", "--junitxml", "j.xml")
    assert result.exit_code == 1
    (change,) = plain["against"]["changes"]
    assert (ids(change, "lost"), ids(change, "found")) == (LOST, [])
    assert [(p["micrograph"], p["y"], p["x"]) for p in change["lost"]] == [
        ("0001", 120, 120),
        ("0003", 200, 40),
    ]
    assert [(p["micrograph"], p["y"], p["x"]) for p in change["false_picks_new"]] == [("0002", 20, 160)]
    assert change["false_picks_gone"] == []
    assert change["gains"]["recall"]["gain"] == pytest.approx(-2 / 20)
    told = {outcome["expectation"]: outcome["status"] for outcome in plain["outcomes"]}
    assert (told["mine.recall"], told["own.recall"]) == ("failed", "passed")
    for text in (result.stdout, Path("m.md").read_text(), Path("j.xml").read_text()):
        assert "lost: 0001#2 (y 120.0 Å, x 120.0 Å), 0003#3 (y 200.0 Å, x 40.0 Å)" in text
        assert "2 of 20 particles lost, 0 found" in text
    names = [case.get("name") for case in ET.parse("j.xml").iter("testcase")]
    assert names == ["mine.recall", "mine.rmse", "own.recall", "mine against the other"]
    page = Path(plain["against"]["pages"]["a"]).read_text()
    assert all(
        f'<a href="#contest0-{name}">{name}</a>' in page and f'id="contest0-{name}"' in page for name in LOST
    )
    assert "1 of 3 expectations failed" in page or "2 of 3 expectations failed" in page


def test_two_copies_of_one_version_differ_in_nothing(suite: Path) -> None:
    result, plain = run(write_picker("base.py"), "-k", "mine")
    assert result.exit_code == 0, result.output
    (change,) = plain["against"]["changes"]
    assert (ids(change, "lost"), ids(change, "found")) == ([], [])
    assert all(gain["gain"] == gain["error"] == 0 for gain in change["gains"].values())
    assert "The two find the same particles" in Path(plain["against"]["pages"]["a"]).read_text()


def test_a_shift_of_a_pixel_loses_no_particle_and_is_caught(suite: Path) -> None:
    base = write_picker("base.py")
    write_picker("head.py", shift=1.0)
    told, change = compared(base)
    assert (told["mine.recall"], told["mine.rmse"]) == ("passed", "failed")
    assert (ids(change.plain, "lost"), ids(change.plain, "found")) == ([], [])
    # Dots are centred on pixels: the old distance is 0, and the new one that of a pixel.
    assert change.gains["rmse"].gain == pytest.approx(-4.0)


def test_a_changed_module_behind_an_unchanged_script_is_run_anew(suite: Path) -> None:
    for side in ("head", "base"):
        Path(side).mkdir()
        Path(side, "pick.py").write_text("import algorithm\n")
        write_picker(f"{side}/algorithm.py")
    Path("dots.yaml").write_text(SCENARIO.replace("head.py", "head/pick.py"))
    assert len(compared("{python} base/pick.py")[1].lost) == 0
    write_picker("head/algorithm.py", lost=FORGETFUL)
    assert ids(compared("{python} base/pick.py")[1].plain, "lost") == LOST


def test_a_whole_command_replaces_a_whole_command(suite: Path) -> None:
    base = write_picker("base.py", lost=FORGETFUL)
    whole = rival_of(f"{base} {{out}} {{micrographs}} --verbose")
    assert isinstance(whole, Replacement)
    mine = load("dots.yaml").scenario.pickers["mine"]
    here = str(Path.cwd())
    assert whole.of(mine).argv == ("{python}", f"{here}/base.py", "{out}", "{micrographs}", "--verbose")
    alone = rival_of("/opt/base/mypick")
    assert isinstance(alone, Replacement)
    assert alone.of(mine).argv == ("/opt/base/mypick", f"{here}/head.py", "{out}", "{micrographs}")


@pytest.mark.parametrize(
    ("other", "code", "told"),
    [
        ("", 2, "--against is empty"),
        ("'unclosed", 2, "No closing quotation"),
        ("{python} head.py extra", 2, "it would take the place of '{out}'"),
        ("mypick {input} {micrographs}", 2, "{input}"),
        ("/nowhere/mypick head.py", 3, "there is no program '/nowhere/mypick' here"),
        ("/nowhere/bin/python", 3, "there is no program '/nowhere/bin/python' here"),
        (".", 2, "no simkit is installed in this environment"),
        ("{python} broken.py", 3, "what went wrong"),
    ],
)
def test_another_version_that_does_not_work_says_why(suite: Path, other: str, code: int, told: str) -> None:
    Path("broken.py").write_text("import sys; sys.exit('what went wrong')")
    result, _ = run(other, "-k", "mine")
    assert result.exit_code == code, result.output
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_command_is_another_version_of_commands_alone(suite: Path) -> None:
    result, _ = run(write_picker("base.py"), "-k", "own")
    assert result.exit_code == 2
    assert "another version of none of the pickers" in result.output


def test_a_suite_without_another_version_is_skipped_and_said_to_be(suite: Path) -> None:
    Path("b.simkit.yaml").write_text(
        "schema_version: 1\n"
        "cases: {own: {scenario: dots.yaml, pickers: [own],\n"
        "  expect: [{picker: own, metric: recall, at_least: 0.5}]}}\n"
    )
    files = ["--junitxml", "j.xml", "--markdown", "m.md"]
    result, plain = run(write_picker("base.py"), "b.simkit.yaml", *files)
    assert result.exit_code == 0, result.output
    assert {outcome["suite"] for outcome in plain["outcomes"]} == {"a"}
    assert list(plain["against"]["skipped"]) == ["b.simkit.yaml"]
    for text in (result.stdout, Path("m.md").read_text(), Path("j.xml").read_text()):
        assert "is another version of none of the pickers" in text
    assert "b.simkit.yaml: skipped" in result.stdout


def environment(body: str) -> str:
    """Write an environment whose simkit is a script."""
    program = Path("venv/bin/simkit")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!{sys.executable}\n" + textwrap.dedent(body))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return "venv"


OWN = """
import sys
if "--version" in sys.argv: sys.exit(print("simkit 0.0"))
from simkit.engine import picking
whole = picking.pick_files
def forgetful(*positional, **named):
    picks, found = whole(*positional, **named)
    names = [name.removesuffix(".mrc") for name in picks["micrograph"].tolist()]
    places = zip(names, (picks["y"] / 4).round().tolist(), (picks["x"] / 4).round().tolist())
    return picks.take([place not in {lost!r} for place in places]), found
picking.pick_files = forgetful
from simkit.cli.main import main
main()
"""
"""This simkit as another version of itself, which forgets some picks."""


def test_an_environment_picks_the_same_pixels_with_its_own_simkit(suite: Path) -> None:
    told, change = compared(environment(OWN.format(lost=set(FORGETFUL))), "own")
    assert told == {"own.recall": "passed"}
    assert change.other == "venv (simkit 0.0)"
    assert (ids(change.plain, "lost"), ids(change.plain, "found")) == ([], LOST)
    # Scores to the last bit: pixels, templates and all that a picker draws at random are the same.
    kept = {tuple(row[name] for name in ("micrograph", "y", "x", "score")) for row in change.new.picks.rows()}
    assert {tuple(r[n] for n in ("micrograph", "y", "x", "score")) for r in change.old.picks.rows()} < kept


PIXELS = np.random.default_rng(3).normal(size=(64, 64)).astype(np.float32)


def picked(other: str) -> Picks:
    """Show two micrographs to another version."""
    images = {"0000": PIXELS, "0001": -PIXELS}
    grid = CASE.scenario.image.grid
    plates = [Plate(name, grid, lambda pixels=pixels: pixels) for name, pixels in images.items()]
    return rival_of(other).picks(CASE.scenario, "own", plates, workers=1)


SAYS = """
import os, sys
if "--version" in sys.argv: sys.exit(print("simkit 0.0"))
out = sys.argv[sys.argv.index("--out") + 1]
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sys.exit('simkit/scenario.yaml:1:1: schema_version: must be 0')", "schema_version: must be 0"),
        ("", "ended well and wrote no picks"),
        ("open(out, 'w').write('nonsense')", "wrote what cannot be used"),
        ("open(out, 'w').write('micrograph,y_A,x_A\\n9999.mrc,1,1\\n')", "gave picks on 9999.mrc"),
    ],
)
def test_an_environment_that_fails_says_why(suite: Path, body: str, told: str) -> None:
    with pytest.raises(OutsideError, match=re.escape(told)):
        picked(environment(SAYS + body))


def test_an_environment_stands_alone(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/head")
    body = "sys.exit(os.environ['PATH'].split(':')[0] + ' ' + str(os.environ.get('PYTHONPATH')))"
    with pytest.raises(OutsideError, match=f"{Path.cwd()}/venv/bin None"):
        picked(environment(SAYS + body))


def test_an_environment_has_the_very_pixels_and_what_the_file_says_and_no_more(suite: Path) -> None:
    body = """
    import array, json, pathlib
    asked = json.loads(pathlib.Path(sys.argv[sys.argv.index("pick") + 1]).read_text())
    files = sys.argv[sys.argv.index("--") + 1:]
    pixels = [array.array("f", pathlib.Path(file).read_bytes()[1024:]).tolist() for file in files]
    sys.exit(json.dumps([sorted(asked), asked["pickers"], files, pixels]))
    """
    with pytest.raises(OutsideError) as raised:
        picked(environment(SAYS + textwrap.dedent(body)))
    sections, pickers, files, pixels = json.loads(str(raised.value).splitlines()[-1])
    assert sections == ["image", "noise", "pickers", "schema_version", "specimen", "templates"]
    assert pickers == {"own": {"kind": "correlation", "threshold": {"kind": "top", "count": 5}}}
    assert files == ["0000.mrc", "0001.mrc"]
    assert np.array_equal(np.float32(pixels), np.stack([PIXELS.ravel(), -PIXELS.ravel()]))


def test_an_environment_is_known_by_its_folder_its_python_or_its_simkit(suite: Path) -> None:
    environment("print('simkit 0.0')")
    Path("venv/bin/python").symlink_to(sys.executable)
    program = str(Path("venv/bin/simkit").absolute())
    for text in ("venv", "venv/bin/python", "venv/bin/simkit"):
        rival = rival_of(text)
        assert isinstance(rival, Environment)
        assert rival.words == (program,), text
    module = rival_of(f"{sys.executable} -m simkit")
    assert isinstance(module, Environment)
    assert module.words[0] == sys.executable
    assert module.version == f"simkit {version('simkit')}"


def test_on_fresh_micrographs_both_chances_to_pass_share_alpha(suite: Path) -> None:
    loaded = load_suite(suite)
    rival = Replacement("x", ("x",))
    frozen, fresh = (Against(Accepted(loaded, fresh=f), rival, Store(Path("s"))) for f in (False, True))
    assert fresh.alpha == frozen.alpha / 2


POINTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 60)), max_size=8, unique=True
)


@settings(max_examples=25)
@given(POINTS, POINTS, POINTS)
def test_what_one_version_loses_the_other_finds(
    truth: list[tuple[int, int, int]], new: list[tuple[int, int, int]], old: list[tuple[int, int, int]]
) -> None:
    def columns(points: list[tuple[int, int, int]]) -> dict[str, Any]:
        m, y, x = (list(values) for values in zip(*points, strict=True)) if points else ([], [], [])
        return {"micrograph": [f"{n:04}" for n in m], "y": np.array(y) * 4.0, "x": np.array(x) * 4.0}

    case, scene = CASE, Scene(("0000", "0001", "0002", "0003"), Truth(**{"class": "dot", **columns(truth)}))

    def change(mine: Picks, other: Picks) -> Any:
        deeds = judge(case.scenario, scene, {"own": mine})
        evidence = Evidence(case, {}, scene, deeds)
        return change_of(evidence, other, suite="a", case="c", picker="own", other="o")

    sides = [Picks(**{"class": "dot", **columns(points)}) for points in (new, old)]
    there, back = change(*sides), change(*reversed(sides))
    assert there.lost.tolist() == back.found.tolist()
    assert there.found.tolist() == back.lost.tolist()
    assert (len(there.appeared), len(there.gone)) == (len(back.gone), len(back.appeared))
    assert not set(there.lost) & set(there.found)
    both = there.new.found & there.old.found
    assert there.old.vectors.tp.sum() == both.sum() + len(there.lost)
    assert there.new.vectors.tp.sum() == both.sum() + len(there.found)
    assert len(there.new.false) - len(there.appeared) == len(there.old.false) - len(there.gone)
