"""A newcomer's way: write the example picker, run it, ask whether its coordinates are right."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from simkit.cli.app import app
from simkit.cli.convention import known_micrograph
from simkit.io.coordinates import write_coordinates

Row = dict[str, str]


def simkit(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, written and run once."""
    target = tmp_path_factory.mktemp("newcomer") / "mypicker"
    assert simkit("new", "picker", "--out", target).exit_code == 0
    done = subprocess.run(
        [sys.executable, "picker.py"], cwd=target, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return target


def rewritten(folder: Path, out: Path, change: Callable[[Row], Row]) -> Path:
    with (folder / "picks.csv").open(newline="") as file:
        rows = [change(row) for row in csv.DictReader(file)]
    with out.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return out


def test_the_example_is_short_and_whole(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {
        "README.md",
        "micrograph.mrc",
        "micrograph.yaml",
        "picker.py",
        "picks.csv",
        "template.mrc",
    }
    assert len((folder / "picker.py").read_text().splitlines()) <= 100


def test_the_example_picker_is_right(folder: Path) -> None:
    result = simkit("convention", folder / "picks.csv")
    assert result.exit_code == 0
    assert result.stdout.startswith("the coordinates are right")
    found = json.loads(simkit("convention", folder / "picks.csv", "--json").stdout)
    assert (found["right"], found["errors"], found["recall"]) == (True, [], 1.0)
    # Angles are tried 5° apart: the median error is a quarter of that at best.
    assert found["angle_error"] < 2
    assert found["rmse"] < 0.5


MISTAKES: dict[str, tuple[Callable[[Row], Row], str]] = {
    "transposed": (
        lambda r: r | {"x_px": r["y_px"], "y_px": r["x_px"]},
        "x and y are exchanged: simkit's y is your x, x is your y.",
    ),
    "flipped": (
        lambda r: r | {"y_px": f"{399 - float(r['y_px'])}", "psi_deg": f"{-float(r['psi_deg'])}"},
        "y counts from the bottom: simkit's y is 399 − yours, ψ is −yours.",
    ),
    "corner": (
        lambda r: r | {"x_px": f"{float(r['x_px']) - 22}", "y_px": f"{float(r['y_px']) - 22}"},
        "positions are corners of boxes of about 44 px, not centres: "
        "simkit's y is yours + 22, x is yours + 22.",
    ),
    "angle": (
        lambda r: r | {"psi_deg": f"{-float(r['psi_deg'])}"},
        "angles turn the other way: simkit's ψ is −yours.",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_in_a_sentence(mistake: str, folder: Path, tmp_path: Path) -> None:
    change, sentence = MISTAKES[mistake]
    result = simkit("convention", rewritten(folder, tmp_path / "picks.csv", change))
    assert result.exit_code == 1
    assert result.stdout.split("\n")[0] == sentence


def test_the_micrograph_is_the_one_that_is_judged(folder: Path) -> None:
    known = known_micrograph()
    with mrcfile.open(folder / "micrograph.mrc") as mrc:
        assert np.array_equal(mrc.data, known.micrograph.to_numpy())
        assert mrc.voxel_size.x == pytest.approx(2.5)
    template = mrcfile.read(folder / "template.mrc")
    assert template.shape == (51, 51)
    # One dark particle alone, in the middle: darker than all around it, and whole.
    assert template.min() < 0.75
    border = np.concatenate([template[0], template[-1], template[:, 0], template[:, -1]])
    assert np.ptp(border) < 1e-3


def test_the_micrograph_settles_every_frame() -> None:
    """No flip, turn or exchange of axes brings the particles onto one another, whatever the offset."""
    truth = known_micrograph().truth
    points = np.stack([truth["y"], truth["x"]], 1) / 2.5
    assert 20 <= len(points) <= 30
    assert len(set((points % 1 // 0.1).ravel())) == 10, "sub-pixel positions are of all kinds"
    for swap in (False, True):
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            other = (points[:, ::-1] if swap else points) * signs
            steps = (points[:, None] - other[None]).reshape(-1, 2)
            near = (np.abs(steps[:, None] - steps[None]) <= 4).all(axis=2).sum(axis=1).max()
            assert near == 26 if (not swap and signs == (1, 1)) else near < 10


def test_truth_in_any_format_is_right(tmp_path: Path) -> None:
    truth = known_micrograph().truth
    for name, options in {
        "t.star": {},
        "t.csv": {},
        "t.box": {"box": 44},
        "t.cs": {"shape": (400, 520)},
    }.items():
        write_coordinates(tmp_path / name, truth, pixel_size=2.5, **options)
        assert simkit("convention", tmp_path / name).exit_code == 0, name


def test_binned_picks_need_not_know_the_micrograph(tmp_path: Path) -> None:
    truth = known_micrograph().truth
    text = "x_px,y_px\n" + "".join(
        f"{(r['x'] / 2.5 - 1.5) / 4},{(r['y'] / 2.5 - 1.5) / 4}\n" for r in truth.rows()
    )
    (tmp_path / "picks.csv").write_text(text)
    result = simkit("convention", tmp_path / "picks.csv")
    assert result.exit_code == 1
    assert "--binning 4" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "picks.csv"),
        ("x_px,y_px\n1,two\n", "picks.csv:2"),
        ("x_px,y_px\n1,nan\n", "picks.csv:2"),
        ("micrograph,x_px,y_px\na.mrc,1,2\nb.mrc,1,2\n", "several micrographs"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_2(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "picks.csv").write_text(content)
    result = simkit("convention", tmp_path / "picks.csv")
    assert result.exit_code == 2
    assert message in result.stderr
    assert simkit("convention", tmp_path / "nothing.csv").exit_code == 2


def test_no_picks_are_not_right(tmp_path: Path) -> None:
    (tmp_path / "picks.csv").write_text("x_px,y_px\n")
    result = simkit("convention", tmp_path / "picks.csv")
    assert result.exit_code == 1
    assert result.stdout.startswith("there are no picks in it.")


def test_picks_of_other_micrographs_are_passed_over(tmp_path: Path) -> None:
    truth = known_micrograph().truth
    rows = [f"micrographs/micrograph.mrc,{r['x']},{r['y']}" for r in truth.rows()]
    (tmp_path / "picks.csv").write_text("\n".join(["micrograph,x_A,y_A", *rows, "other.mrc,1,2"]))
    result = simkit("convention", tmp_path / "picks.csv")
    assert result.exit_code == 0
    assert "26 of 27 picks are on micrograph.mrc" in result.stderr


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "picker"
    target.mkdir(parents=True)
    (target / "picker.py").write_text("mine")
    result = simkit("new", "picker", "--out", target)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert [file.name for file in target.iterdir()] == ["picker.py"]
    assert (target / "picker.py").read_text() == "mine"
    assert simkit("new", "picker", "--out", target, "--force").exit_code == 0
    assert "def main" in (target / "picker.py").read_text()


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = simkit("new", "picker", "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert "file" in result.stderr


def test_the_readme_runs_as_it_stands(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    text = Path("README.md").read_text()
    outputs = {}
    lines = [line.strip() for line in text.splitlines() if line.startswith(("    python ", "    simkit "))]
    assert lines[:2] == ["python picker.py", "simkit convention picks.csv"]  # done by the tests above
    for line in lines[2:]:
        program, *arguments = shlex.split(line)
        if program == "python":
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=120)
        else:
            result = simkit(*arguments)
            assert result.exit_code == 0, result.output
            outputs[arguments[0]] = result.stdout
    assert list(outputs) == ["run", "score"]
    scores = dict(line.split()[:2] for line in outputs["score"].split("\n\n")[0].splitlines())
    # All 26 and nothing else when it was written; a few may go as the simulation is refined.
    assert float(scores["recall"]) > 0.8
    assert float(scores["precision"]) > 0.8
