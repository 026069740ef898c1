"""The command line: exit codes, what goes to stdout and to stderr, and that every command explains itself."""

import csv
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.core.errors import OutsideError

COMMANDS = ("run", "check", "explain", "ceiling", "pick", "score", "new", "list", "schema", "report")
STARTERS = ("lecture", "cryoem", "crystal")
SMALL = """\
schema_version: 1
title: One disk
image: {shape: [48, 64], pixel_size: 4 Å, boundary: periodic}
specimen:
  disk:
    unit_cell: {kind: shapes, shapes: [{kind: disk, radius: 20 Å}]}
    lattice: {kind: positions, at: [[96 Å, 120 Å]]}
noise:
  detector: {kind: gaussian, sd: 0.05}
templates:
  disk: {kind: specimen, of: disk}
pickers:
  ncc: {kind: ncc, mask: circle, threshold: {kind: top, count: 1}}
score: {radius: 8 Å}
expect:
  - {picker: ncc, metric: recall, at_least: 1}
"""


@pytest.fixture
def simkit(tmp_path, monkeypatch):
    """Run the command in an empty folder that holds one small scenario."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    return lambda *words: CliRunner().invoke(app, list(words))


def refused(result, *told):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for text in told:
        assert text in result.stderr


# --- help ------------------------------------------------------------------------------------------


def test_help_names_every_command(simkit):
    result = simkit("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(simkit, command):
    words = simkit(command, "--help").stdout.split()
    assert words[words.index("Example:") + 1 :][:2] == ["simkit", command]


def loaded_by(*words, of):
    """Return what a command in a process of its own prints, and which of some modules it loads."""
    code = (
        "import sys; from simkit.cli.app import app\n"
        f"try: app({list(words)})\n"
        f"except SystemExit: print(*[m for m in {of} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr.split()


def test_help_needs_none_of_the_heavy_libraries():
    heavy = ("numpy", "scipy", "pydantic", "xarray", "matplotlib", "ruamel", "finufft")
    assert loaded_by("--help", of=heavy)[1] == []


def test_a_scenario_is_checked_without_what_only_a_run_needs(simkit):
    """Each takes a tenth of a second or more to load, which every check would pay."""
    heavy = ("pandas", "xarray", "pyarrow", "matplotlib", "scipy.stats", "scipy.optimize", "scipy.signal")
    assert loaded_by("check", "small.yaml", of=heavy) == ("small.yaml: valid\n", [])


def test_an_unknown_command_or_option_is_wrong_input(simkit):
    refused(simkit("simulate", "small.yaml"), "No such command")
    refused(simkit("run", "small.yaml", "--sede", "1"), "--seed")


# --- run and report --------------------------------------------------------------------------------


def files_of(folder):
    """Return every file of a run but the one that may differ."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "timings.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_prints_its_verdict_and_leaves_its_files(simkit):
    result = simkit("run", "small.yaml", "--workers", "1")
    assert result.exit_code == 0, result.stderr
    assert "ncc · all · recall" in result.stdout
    assert "all expectations met" in result.stdout
    assert "report: reports/small/report.html" in result.stdout
    assert "needs about" in result.stderr
    expected = "report.html scores.json scores.csv truth.star truth.csv picks/ncc.star picks/ncc.csv"
    expected += " scenario.yaml provenance.json micrographs/0000.mrc micrographs.star"
    expected += " truth_coordinates.star truth/0000.star picks/ncc_coordinates.star picks/ncc/0000.star"
    expected += " truth_coordinates.star truth/0000.star picks/ncc_coordinates.star picks/ncc/0000.star"
    assert set(expected.split()) == set(files_of(Path("reports/small")))


def test_the_resolved_scenario_and_its_report_repeat_the_run_bit_for_bit(simkit):
    assert simkit("run", "small.yaml", "--workers", "1", "--set", "noise.detector.sd=0.1").exit_code == 0
    first = files_of(Path("reports/small"))
    again = simkit("run", "reports/small/scenario.yaml", "--workers", "1", "--out", "again")
    assert again.exit_code == 0, again.stderr
    assert files_of(Path("again")) == first
    Path("again/report.html").unlink()
    assert simkit("report", "again", "--workers", "1").stdout == "report: again/report.html\n"
    assert files_of(Path("again")) == first


def test_a_failed_expectation_is_exit_code_1_and_still_leaves_a_report(simkit):
    result = simkit("run", "small.yaml", "--set", "expect.0.at_least=1.5", "--out", "out", "--workers", "1")
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert Path("out/report.html").is_file()


def test_json_is_the_file_and_nothing_else(simkit):
    words = ["run", "small.yaml", "--json", "--seed", "5", "--keep", "stages", "--workers", "1", "--out", "o"]
    result = simkit(*words)
    printed = json.loads(result.stdout)
    assert printed == json.loads(Path("o/scores.json").read_text(encoding="utf-8"))
    assert printed["seed"] == 5
    assert Path("o/stages.nc").is_file()


def test_errors_of_a_run_have_a_place(simkit):
    refused(
        simkit("run", "small.yaml", "--set", "image.pixel_size=4"), "--set image.pixel_size: 4 has no unit"
    )
    Path("far.yaml").write_text(SMALL.replace("120 Å]", "1 mm]"), encoding="utf-8")
    # The lattice finds out when it places copies, long after the file was read.
    refused(simkit("run", "far.yaml"), "far.yaml:7:37: specimen.disk.lattice.at.0: ")
    assert not Path("reports").exists()


def test_a_run_that_does_not_fit_is_refused_before_it_starts(simkit):
    refused(simkit("run", "small.yaml", "--set", "image.shape=[65536, 65536]"), "available")


def test_a_folder_of_others_is_not_replaced(simkit):
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    result = simkit("run", "small.yaml", "--out", "mine", "--workers", "1")
    refused(result, "mine", "did not write")
    assert "needs about" not in result.stderr  # refused before the work, not after it
    refused(simkit("report", "mine"), "scenario.yaml")


# --- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (RuntimeError("boom"), 3, "internal error: RuntimeError: boom; run again with --debug"),
        (OutsideError("the other program died"), 3, "error: the other program died"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 2, "out of memory"),
    ],
)
def test_faults_have_their_own_exit_codes_and_show_no_traceback(simkit, monkeypatch, error, code, told):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("simkit.scenario.loading.read_tree", fail)
    result = simkit("check", "small.yaml")
    assert result.exit_code == code
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    debugged = simkit("check", "small.yaml", "--debug")
    assert debugged.exit_code == code
    assert "Traceback" in debugged.stderr


def test_a_terminal_without_angstroms_is_no_fault(simkit):
    done = subprocess.run(
        [sys.executable, "-c", "from simkit.cli.main import main; main()", "list", "noise"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin"},
        check=False,
    )
    assert done.returncode == 0
    assert b"poisson" in done.stdout


# --- check and explain -----------------------------------------------------------------------------


def test_check_tells_valid_and_wrong_apart(simkit):
    assert simkit("check", "small.yaml").stdout == "small.yaml: valid\n"
    refused(simkit("check", "small.yaml", "--set", "score.radius=8"), "write `8 Å`")
    refused(simkit("check", "none.yaml"), "none.yaml: there is no such file")


def test_check_as_json_lists_every_problem(simkit):
    words = ["check", "small.yaml", "--json", "--set", "score.radius=8", "--set", "titel=x"]
    result = simkit(*words)
    assert result.exit_code == 2
    problems = json.loads(result.stdout)["problems"]
    assert {(p["where"], p["path"], p["severity"]) for p in problems} == {
        ("--set titel", "titel", "error"),
        ("--set score.radius", "score.radius", "error"),
    }


def test_doubts_are_warnings_on_stderr(simkit):
    result = simkit("check", "small.yaml", "--set", "templates.disk.finds=carbon")
    assert result.exit_code == 0
    assert "warning" in result.stderr
    assert "no species" in result.stderr


def test_explain_says_first_what_is_not_modelled(simkit):
    result = simkit("explain", "small.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("What is not modelled\n")
    assert "SNR" in result.stdout
    titles = [section["title"] for section in json.loads(simkit("explain", "small.yaml", "--json").stdout)]
    assert titles[:3] == ["What is not modelled", "What physics allows: disk", "Image"]


# --- pick and score --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    words = ["run", str(folder / "small.yaml"), "--workers", "1", "--out", str(folder / "out")]
    assert CliRunner().invoke(app, words).exit_code == 0
    return folder / "out"


@pytest.fixture
def micrograph(simkit, ran):
    """One run whose micrograph takes the place of a real one."""
    shutil.copytree(ran, "out")
    return "out/micrographs/0000.mrc"


@pytest.mark.parametrize("out", ["picks.star", "picks.csv"])
def test_picks_of_an_image_are_scored_against_its_truth(simkit, micrograph, out):
    picked = simkit("pick", "small.yaml", micrograph, "--out", out, "--workers", "1")
    assert picked.exit_code == 0, picked.stderr
    assert picked.stdout.split() == ["micrograph", "picks", "0000.mrc", "1"]
    scored = simkit("score", out, "out/truth.csv", "--radius", "0.8 nm", "--json")
    assert scored.exit_code == 0, scored.stderr
    values = json.loads(scored.stdout)
    assert set(values) >= {"knows", "oracle", "all"}
    assert [values["all"][name] for name in ("tp", "fp", "fn")] == [1, 0, 0]
    assert "precision" in simkit("score", out, "out/truth.csv", "--radius", "8 Å").stdout


def test_picks_go_to_stdout_without_a_file(simkit, micrograph):
    (row,) = csv.DictReader(simkit("pick", "small.yaml", micrograph, "--workers", "1").stdout.splitlines())
    # Noise of 5 % of the contrast moves the peak by far less than a pixel (4 Å).
    assert abs(float(row["x_A"]) - 120) < 1
    assert abs(float(row["y_A"]) - 96) < 1


def test_pick_refuses_what_it_cannot_do(simkit, micrograph):
    refused(simkit("pick", "small.yaml", micrograph, "--picker", "nnc"), "pickers", "ncc")
    refused(simkit("pick", "small.yaml", "none.mrc"), "none.mrc")
    refused(simkit("pick", "small.yaml", micrograph, "--out", "picks.xyz"), ".star")
    refused(simkit("pick", "small.yaml", micrograph, "--set", "image.pixel_size=3 Å"), "4 Å per pixel")


def points(path, rows, header="x_px,y_px"):
    Path(path).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_scores_are_those_of_the_definition(simkit):
    points("truth.csv", ["10,10", "50,10", "90,10", "90,90"])
    points("picks.csv", ["10,13", "50,10", "50,12", "30,30", "90,95"])
    result = simkit("score", "picks.csv", "truth.csv", "--radius", "8 Å", "--pixel-size", "2 Å", "--json")
    values = json.loads(result.stdout)["all"]
    # Within 4 px: (10,13), (50,10); (50,12) doubles a taken one, (30,30) and (90,95) are too far.
    assert [values[k] for k in ("tp", "fp", "fn", "duplicates")] == [2, 3, 2, 1]
    assert values["precision"] == pytest.approx(2 / 5)
    assert values["recall"] == pytest.approx(2 / 4)
    assert values["rmse"] == pytest.approx(np.sqrt((6**2 + 0) / 2))


def test_micrographs_are_kept_apart_and_chosen_by_name(simkit):
    header = "micrograph,x_A,y_A"
    points("truth.csv", ["a.mrc,10,10", "b.mrc,50,50"], header)
    points("picks.csv", ["data/a.mrc,10,10", "data/b.mrc,10,10"], header)
    points("plain.csv", ["50,50"], "x_A,y_A")
    radius = ("--radius", "5 Å", "--json")
    both = json.loads(simkit("score", "picks.csv", "truth.csv", *radius).stdout)["all"]
    assert (both["tp"], both["fp"], both["fn"]) == (1, 1, 1)
    one = json.loads(simkit("score", "picks.csv", "plain.csv", "--micrograph", "b", *radius).stdout)["all"]
    assert (one["tp"], one["fp"], one["fn"]) == (0, 1, 1)
    refused(simkit("score", "picks.csv", "plain.csv", *radius), "--micrograph")
    refused(simkit("score", "picks.csv", "truth.csv", "--micrograph", "c", *radius), "there are data/a.mrc")


@pytest.mark.parametrize(
    ("radius", "told"), [("80", "write `80 Å`"), ("-1 Å", "more than 0"), ("1e999 Å", "finite")]
)
def test_lengths_on_the_command_line_carry_units(simkit, radius, told):
    points("picks.csv", ["1,1"])
    refused(simkit("score", "picks.csv", "picks.csv", "--radius", radius), told)


# --- new, list, schema -----------------------------------------------------------------------------


@pytest.mark.parametrize("starter", STARTERS)
def test_each_starter_is_commented_runs_and_passes(simkit, starter):
    assert simkit("new", starter).stdout == f"{starter}.yaml\n"
    text = Path(f"{starter}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.count("#") > 8
    lean = ("--set", "replicates=1", "--set", "score.null_micrographs=0")
    result = simkit("run", f"{starter}.yaml", "--workers", "1", *lean)
    assert result.exit_code == 0, result.output
    assert "warning" not in result.stderr


def test_new_does_not_overwrite_unless_told(simkit):
    Path("mine.yaml").write_text("precious")
    refused(simkit("new", "lecture", "--out", "mine.yaml"), "--force")
    assert Path("mine.yaml").read_text() == "precious"
    assert simkit("new", "lecture", "--out", "mine.yaml", "--force").exit_code == 0
    assert simkit("check", "mine.yaml").exit_code == 0


def test_list_says_what_each_kind_is(simkit):
    everything = json.loads(simkit("list", "--json").stdout)
    assert {"disk", "ring", "barrel"} <= set(everything["shape"])
    silent = [
        (f, k) for f, kinds in everything.items() for k, text in kinds.items() if not text.endswith(".")
    ]
    assert silent == []
    assert "poisson" in simkit("list", "noise").stdout
    refused(simkit("list", "noises"), "noise")


def test_schema_prints_the_schema(simkit):
    from simkit.scenario.schema import json_schema

    assert json.loads(simkit("schema").stdout) == json_schema()


def test_examples_in_the_help_use_options_that_exist(simkit):
    for command in COMMANDS:
        text = " ".join(simkit(command, "--help").stdout.split())
        example = shlex.split(text.split("Example: ", 1)[1].split(" ╭", 1)[0])
        options = [word for word in example if word.startswith("--")]
        assert all(text.count(option) > 1 for option in options), (command, options)
