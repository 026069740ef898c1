"""`simkit conformance`: what it takes for a picker, what it prints, its page and its exit codes."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.conformance.bench import Bench, PickerFailedError, PickerSubject
from simkit.conformance.card import TRIALS, Card, examine
from simkit.conformance.choosing import picker_of
from simkit.conformance.cost import measured
from simkit.conformance.handing import SPECIES, collection, subject_of
from simkit.conformance.scene import PIXEL_SIZE, field
from simkit.conformance.tables import cannot, cell, happened, number, told
from simkit.conformance.trial import Outcome, Verdict
from simkit.core.errors import OutsideError, ScenarioError
from simkit.io.images import read_image
from simkit.reports.conformance_page import render

THEIRS = '''
"""Dark blobs: minima of a smoothed image, deeper than four deviations."""
import numpy as np
from scipy.ndimage import gaussian_filter, minimum_filter

def blobs(pixels, *, pixel_size, cut=4.0, **_):
    smooth = gaussian_filter(pixels - np.nanmedian(pixels), 20 / pixel_size)
    depth = -smooth / (1.4826 * np.nanmedian(abs(smooth)) + 1e-9)
    y, x = np.nonzero((smooth == minimum_filter(smooth, 15)) & (depth > cut))
    return {"y": y, "x": x, "score": depth[y, x]}

def transposed(pixels, **keywords):
    found = blobs(pixels, **keywords)
    return {**found, "y": found["x"], "x": found["y"]}
'''

PROGRAM = """
held = b"x" * (60 << 20)
import sys
import mrcfile
import theirs
out, *files = sys.argv[1:]
with open(out, "w") as stream:
    print("image_name\\tx_coord\\ty_coord\\tscore", file=stream)
    for file in files:
        found = theirs.blobs(mrcfile.read(file).astype(float), pixel_size=4.0)
        for y, x, score in zip(found["y"], found["x"], found["score"]):
            print(file.rsplit("/", 1)[1][:-4], x, y, score, sep="\\t", file=stream)
"""


@pytest.fixture
def simkit(tmp_path, monkeypatch):
    """Run the command in a folder that holds a picker of somebody else's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.py").write_text(THEIRS)
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield lambda *words: CliRunner().invoke(app, ["conformance", *words])
    sys.modules.pop("theirs", None)


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """Let what is in that folder be imported, as if it were installed."""
    monkeypatch.syspath_prepend(str(tmp_path))


def refused(result, *told):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for text in told:
        assert text in result.stderr


# --- cards ------------------------------------------------------------------------------------------


def test_a_function_of_somebody_elses_takes_every_trial(simkit, tmp_path):
    page = tmp_path / "card.html"
    result = simkit("--picker", "theirs:blobs", "--quick", "--json", "--report", str(page))
    (card,) = json.loads(result.stdout)["cards"]
    assert card["picker"] == "theirs:blobs"
    assert [trial["name"] for trial in card["trials"]] == [trial.name for trial in TRIALS]
    verdicts = {trial["name"]: trial["verdict"] for trial in card["trials"]}
    assert verdicts["coordinates"] == "holds"
    assert verdicts["one particle"] == "passed"
    assert verdicts["promise"] == verdicts["two species"] == "does not apply"
    assert result.exit_code == (0 if card["laws"]["hold"] == card["laws"]["of"] else 1)
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "theirs:blobs" in text
    failed = [trial for trial in card["trials"] if trial["verdict"] == "failed" and trial["sort"] == "task"]
    assert failed
    for trial in failed:
        assert f"<h3>{trial['name']} <span" in text
    assert text.count("<figure") >= len(failed)
    # What failed is told by a symbol, words and a colour: by none of them alone.
    wrong = [trial for trial in card["trials"] if trial["verdict"] in ("failed", "does not hold", "crashed")]
    assert text.count('<tr class="failed">') == len(wrong)
    for trial in wrong:
        verdict = re.escape(f"✗ {trial['verdict'].upper()}")
        row = rf'<tr class="failed"><th scope="row">{trial["name"]}<.*<td class="words failed">{verdict}</td>'
        assert re.search(row, text)


def test_a_broken_law_is_exit_code_1_and_is_told_in_words(simkit):
    result = simkit("--picker", "theirs:transposed", "--quick")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    (line,) = [line for line in lines if re.match("✗ DOES NOT HOLD +coordinates ", line)]
    assert "exchanged" in line
    assert "\x1b" not in result.stdout
    # Last of all, so that it is what a terminal shows: what it cannot do.
    assert "laws hold" in lines[-3]
    assert lines[-2].startswith("✗ breaks laws: whole-pixel shift, ")
    assert lines[-1].startswith("✗ fails: one particle, ")


def test_several_stand_side_by_side_in_markdown(simkit):
    result = simkit("--picker", "theirs:blobs", "--picker", "theirs:transposed", "--quick", "--markdown")
    lines = result.stdout.strip().splitlines()
    assert lines[0] == "|  | theirs:blobs | theirs:transposed |"
    assert len(lines) == 4 + len(TRIALS)
    (row,) = [line for line in lines if line.startswith("| coordinates")]
    assert [cell.strip()[:1] for cell in row.split("|")[2:4]] == ["✓", "✗"]


LAW, TASK, MEASURE = (
    next(trial for trial in TRIALS if trial.sort == sort) for sort in ("law", "task", "measure")
)
SAID = "it broke down: sh ended with exit code 1; the last it said:\n  reading <mine.mrc>\n  ValueError: NaN"


def test_what_a_picker_cannot_do_is_said_in_three_lines_the_worst_first():
    fell = Outcome(False, 3.0, "so it went")
    verdicts = [
        Verdict(LAW, Outcome(True, 0.0, "")),
        Verdict(LAW, fell),
        Verdict(TASK, fell),
        Verdict(TASK, Outcome(False, None, SAID), crashed=True),
        Verdict(TASK, Outcome(None, None, "it gives none")),
        Verdict(MEASURE, fell),
    ]
    assert cannot(Card("theirs", "nowhere", False, verdicts)) == [
        f"✗ broke down: {TASK.name}",
        f"✗ breaks a law: {LAW.name}",
        f"✗ fails: {TASK.name}, {MEASURE.name}",
    ]
    assert cannot(Card("theirs", "nowhere", False, verdicts[:1])) == ["✓ nothing failed"]
    assert [told(verdict) for verdict in verdicts] == [
        "✓ holds", "✗ DOES NOT HOLD", "✗ FAILED", "✗ CRASHED", "– does not apply", "✗ FAILED",
    ]  # fmt: skip
    assert [cell(verdict) for verdict in verdicts] == ["✓ 0", "✗ 3", "✗ 3", "✗ crashed", "–", "✗ 3"]


def test_of_what_a_program_said_before_it_broke_down_a_row_has_the_last_and_the_page_all():
    crash = Verdict(TASK, Outcome(False, None, SAID), crashed=True)
    assert happened(crash) == "it broke down: sh ended with exit code 1; the last it said: ValueError: NaN"
    verdicts = [crash if trial is TASK else Verdict(trial, Outcome(True, 0.0, "well")) for trial in TRIALS]
    text = render([Card("theirs", "nowhere", False, verdicts)])
    assert "<pre>reading &lt;mine.mrc&gt;\nValueError: NaN</pre>" in text
    assert '<span aria-hidden="true">✗</span> broke down</span></h2>' in text
    # The line at the top leads to it.
    (link,) = re.findall(rf'<a href="#([^"]+)">{TASK.name}</a>', text)
    assert f'<article id="{link}">' in text


# --- what is taken for a picker -----------------------------------------------------------------------


@pytest.mark.usefixtures("importable")
def test_a_command_is_started_with_files_and_what_it_costs_is_measured(simkit, tmp_path):
    command = f"{sys.executable} {tmp_path}/program.py {{out}} {{micrographs}}"
    bench = Bench(PickerSubject("theirs", picker_of(command, format="topaz")))
    with measured() as cost:
        (seen,) = bench.look([field()])
    ours = Bench(PickerSubject("function", picker_of("theirs:blobs"))).look([field()])[0]
    assert len(seen.match.truth) == len(ours.match.truth) >= 20
    assert sorted(seen.picks["y"]) == pytest.approx(sorted(ours.picks["y"]))
    assert cost.processor > 0
    assert cost.seconds > 0
    if cost.memory is not None:
        assert 60 << 20 < cost.memory < 1 << 30


def test_memory_of_our_own_is_what_is_held_besides(simkit):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as left:
        # What was there before is no part of it.
        with measured() as cost:
            np.ones(8 << 20).sum()
            time.sleep(0.1)
        left.communicate(b"\n")
    # 64 MiB, less what of it the process had free already.
    if cost.memory is not None:
        assert 32 << 20 < cost.memory < 90 << 20


def test_a_function_in_the_current_folder_is_left_alone_where_python_is_told_to(tmp_path):
    (tmp_path / "mine.py").write_text("def blobs(pixels, **_):\n    return {'y': [], 'x': []}\n")
    words = [sys.executable, "-P", "-m", "simkit.cli.main", "conformance", "--picker", "mine:blobs"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no package mine" in done.stderr


@pytest.mark.usefixtures("importable")
def test_options_are_those_of_a_scenario(simkit):
    assert picker_of("kind:log").diameter == 80
    matched = picker_of("kind:matched_filter", options=["threshold={kind: top, count: 25}", "lowpass=12 Å"])
    assert (matched.threshold.count, matched.lowpass) == (25, 12)
    theirs = picker_of("theirs:blobs", options=["options.cut=5"])
    assert theirs.options == {"cut": 5}
    command = picker_of("mine {micrograph}", format="box", options=["per=micrograph", "output.binning=4"])
    assert (command.per, command.output.binning, command.argv) == ("micrograph", 4, ("mine", "{micrograph}"))


def test_a_program_here_is_found_though_it_is_started_elsewhere(simkit, tmp_path):
    command = picker_of("python program.py {out} {micrographs}", format="topaz")
    assert command.argv == ("python", str(tmp_path / "program.py"), "{out}", "{micrographs}")


def test_a_card_calls_a_picker_by_the_name_of_what_runs():
    from simkit.cli.conformance import _name

    assert _name("kind:matched_filter") == "matched_filter"
    assert _name("{python} tools/mypick.py {out} {micrographs}") == "mypick.py"
    assert _name("/opt/venv/bin/python3.12 tools/mypick.py {out} {micrographs}") == "mypick.py"
    assert _name("package.module:function") == "package.module:function"


def test_what_makes_no_picker_is_refused_with_what_would(simkit):
    refused(simkit(), "--picker")
    refused(simkit("--picker", "mine {micrographs} --out {out}"), "--format")
    refused(simkit("--picker", "mine {micrograhps}", "--format", "box"), "{micrographs}")
    refused(simkit("--picker", "kind:mathced_filter"), "matched_filter")
    refused(simkit("--picker", "kind:log", "--option", "diameter=80"), "Å")
    refused(simkit("--picker", "kind:log", "--option", "diameter"), "name=value")
    refused(simkit("--picker", "kind:matched_filter", "--option", "noise=declared"), "true noise")
    refused(simkit("--picker", "nobodys.package:function"), "nobodys")
    refused(simkit("--picker", "kind:log", "--picker", "kind:log"), "two of one name")
    result = simkit("--picker", "there-is-no-such-program {micrographs} {out}", "--format", "box")
    assert result.exit_code == OutsideError.exit_code
    with pytest.raises(ScenarioError, match="no command"):
        picker_of("mine 'unclosed", format="box")


def test_the_pickers_of_a_scenario_are_found_by_name(simkit, tmp_path, monkeypatch):
    (tmp_path / "some.yaml").write_text(
        textwrap.dedent("""\
        schema_version: 1
        image: {pixel_size: 4 Å}
        pickers:
          theirs: {kind: python, call: "theirs:blobs"}
          other: {kind: python, call: "theirs:transposed"}
        """)
    )
    # A scenario may come from anywhere: what it calls is installed, and not what happens to be in the folder.
    refused(simkit("--scenario", "some.yaml", "--picker", "theirs"), "theirs", "install it")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = simkit("--scenario", "some.yaml", "--picker", "theirs", "--quick", "--json")
    assert [card["picker"] for card in json.loads(result.stdout)["cards"]] == ["theirs"]
    refused(simkit("--scenario", "some.yaml", "--picker", "thiers"), "theirs, other")
    refused(simkit("--scenario", "some.yaml", "--picker", "theirs", "--format", "box"), "--format")


def test_micrographs_are_handed_out_and_picks_handed_in(simkit, tmp_path):
    result = simkit("--micrographs", "out", "--quick")
    assert result.exit_code == 0
    exposures = collection(quick=True)
    assert {file.stem for file in (tmp_path / "out").rglob("*.mrc")} == set(exposures)
    assert [file.stem for file in (tmp_path / "out" / SPECIES).glob("*.mrc")] == ["species"]
    image = read_image(tmp_path / "out" / "field0.mrc")
    assert image.pixel_size == pytest.approx(PIXEL_SIZE)
    assert np.array_equal(image.pixels, field().pixels)
    with open("mine.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["micrograph", "y_px", "x_px"])
        for name, exposure in exposures.items():
            truth = exposure.truth
            rows.writerows(
                [name, y, x] for y, x in zip(truth["y"] / PIXEL_SIZE, truth["x"] / PIXEL_SIZE, strict=True)
            )
    card = examine(subject_of("mine", picker_of("files:mine.csv"), quick=True), quick=True)
    assert {verdict.word for verdict in card.of("law")} == {"holds", "does not apply"}
    assert {verdict.word for verdict in card.of("task")} == {"passed", "does not apply"}
    assert card["determinism"].word == card["time"].word == card["memory"].word == "does not apply"


@pytest.mark.usefixtures("importable")
def test_a_picker_that_raises_anything_at_all_is_said_to_have_failed(simkit, tmp_path):
    (tmp_path / "theirs.py").write_text("def broken(pixels, **_):\n    raise ZeroDivisionError('by 0')\n")
    bench = Bench(PickerSubject("broken", picker_of("theirs:broken")))
    with pytest.raises(PickerFailedError, match="by 0"):
        bench.look([field()])


def test_numbers_have_three_digits_and_no_power_of_ten():
    assert [number(value) for value in (1420.3, 548.2, 0.0286, 1e-5, None)] == [
        "1420",
        "548",
        "0.0286",
        "0",
        "",
    ]
