"""`simkit lattice`: what a person reads, what a program reads, what is written, and how it says no."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from simkit.cli.app import app
from simkit.core.grid import FloatArray

FILES = {"sites.csv", "lattice.json", "lattice.png", "provenance.json"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["lattice", *map(str, arguments)])


def crystal(missing: int | None = None) -> FloatArray:
    """Draw a 10 × 12 pixel crystal without noise to speak of."""
    y, x = np.arange(120.0)[:, None], np.arange(130.0)
    image = 0.02 * np.random.default_rng(0).normal(size=(120, 130))
    for number, (row, column) in enumerate((r, c) for r in range(5, 120, 10) for c in range(6, 130, 12)):
        if number != missing:
            image += np.exp(-((y - row) ** 2) / 8) @ np.exp(-((x - column) ** 2) / 8)[None]
    return image


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "crystal.npy"
    np.save(file, crystal(missing=60))
    return file


def as_json(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_a_person_reads_the_cell_with_its_errors(image: Path) -> None:
    result = run(image, "--pixel-size", "0.5 Å")
    assert result.exit_code == 0
    lines = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert lines["a"].split()[1].startswith(("5.0", "4.99"))
    assert "±" in lines["b"]
    assert " Å" in lines["b"]
    assert "rectangular" in lines["net"]
    assert lines["vacancies"].split()[1] == "1"
    assert "high" in lines["confidence"]
    assert "pixel size" not in result.stderr


def test_without_a_pixel_size_lengths_are_in_pixels_and_that_is_said(image: Path) -> None:
    result = run(image)
    assert "10.0" in result.stdout or "9.99" in result.stdout
    assert " px" in result.stdout
    assert "Å" not in result.stdout
    assert "in pixels" in result.stderr


def test_a_program_reads_the_same_in_json(image: Path) -> None:
    data = as_json(image, "--pixel-size", "0.5 Å")
    assert data["found"]
    assert data["unit"] == "Å"
    assert data["cell"]["a"]["value"] == pytest.approx(5.0, abs=0.01)
    assert data["cell"]["b"]["value"] == pytest.approx(6.0, abs=0.01)
    assert 0 < data["cell"]["a"]["standard_error"] < 0.01
    assert data["sites"]["vacant"] == 1
    in_pixels = as_json(image)
    assert in_pixels["unit"] == "px"
    assert in_pixels["cell"]["a"]["value"] == pytest.approx(2 * data["cell"]["a"]["value"])


def test_the_directory_holds_the_table_the_numbers_and_the_picture(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    assert run(image, "--pixel-size", "0.5 Å", "--out", out).exit_code == 0
    assert {file.name for file in out.iterdir()} == FILES
    assert json.loads((out / "lattice.json").read_text()) == as_json(image, "--pixel-size", "0.5 Å")
    with (out / "sites.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {"h", "k", "y_A", "x_A", "y_px", "x_px", "dy_A", "dx_A", "height", "vacant"} <= set(rows[0])
    assert len(rows) == 12 * 11
    (vacancy,) = [row for row in rows if row["vacant"] == "1"]
    # The 61st site drawn: row 5 + 10·5, column 6 + 12·5.
    assert float(vacancy["y_px"]) == pytest.approx(55, abs=0.2)
    assert float(vacancy["x_px"]) == pytest.approx(66, abs=0.2)
    assert vacancy["dy_A"] == ""
    assert float(vacancy["height"]) < 0.3
    for row in rows:
        assert float(row["y_A"]) == pytest.approx(0.5 * float(row["y_px"]))
    picture = np.asarray(Image.open(out / "lattice.png").convert("RGB"))
    assert min(picture.shape[:2]) > 500


def test_the_same_image_gives_the_same_bytes(image: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(image, "--out", tmp_path / name)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_directory_of_somebody_else_is_left_alone(image: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    result = run(image, "--out", mine)
    assert result.exit_code == 2
    assert "did not write" in result.stderr
    assert [file.name for file in mine.iterdir()] == ["thesis.tex"]
    assert run(image, "--out", tmp_path / "again").exit_code == 0
    assert run(image, "--out", tmp_path / "again").exit_code == 0


def test_no_lattice_is_an_answer_with_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "noise.npy"
    np.save(file, np.random.default_rng(2).normal(size=(90, 80)))
    out = tmp_path / "found"
    result = run(file, "--out", out)
    assert result.exit_code == 1
    assert result.stdout.startswith("no lattice found: ")
    assert {f.name for f in out.iterdir()} == {"lattice.json", "provenance.json"}
    told = run(file, "--json")
    assert told.exit_code == 1
    data = json.loads(told.stdout)
    assert data["found"] is False
    assert data["reason"]


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros(100), "two dimensions"),
        (np.full((40, 40), np.nan), "not finite"),
        (np.zeros((3, 40, 40)), "image is needed"),
    ],
    ids=["one dimension", "nan", "stack"],
)
def test_what_is_no_image_is_refused(pixels: FloatArray, words: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.npy"
    np.save(file, pixels)
    result = run(file)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_wrong_pixel_size_or_file_is_refused(image: Path, tmp_path: Path) -> None:
    assert run(image, "--pixel-size", "0.5").exit_code == 2
    assert run(image, "--pixel-size", "-1 Å").exit_code == 2
    missing = run(tmp_path / "none.mrc")
    assert missing.exit_code == 2
    assert "none.mrc" in missing.stderr


def test_spots_without_power_leave_valid_json(tmp_path: Path) -> None:
    y, x = np.mgrid[:40, :40]
    np.save(tmp_path / "a.npy", 127 + 60 * np.cos(2 * np.pi * x / 20) + 60 * np.cos(2 * np.pi * y / 25))
    found = run(tmp_path / "a.npy", "--json")
    assert found.exit_code == 1, found.output
    assert json.loads(found.stdout)["found"] is False
