"""A run's directory as a RELION project: what RELION's own readers would find in it; and picks for others.

RELION does not run here. The reader below follows MetaDataTable::readStar and Preprocessing of RELION 5: of a
file read by name, the table of that name; of a coordinate file, the first table whatever its name; positions
cut down to integers; boxes from −(n // 2) on.
"""

from __future__ import annotations

import json
from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest
from typer.testing import CliRunner

import simkit
from simkit.cli.app import app
from simkit.io.coordinates import CoordinateFrame, read_coordinate_set, read_coordinates

SCENARIO = """
schema_version: 1
title: L
seed: 3
replicates: 2
image: {shape: [160, 240], pixel_size: 4 Å, boundary: open, model: phase}
specimen:
  dot:
    unit_cell: {kind: shapes, shapes: [{kind: gaussian, sigma: 10 Å, weight: 0.3}]}
    lattice: {kind: scattered, count: 6, min_distance: 100 Å, rotation: uniform}
psf:
  lens: {kind: ctf, voltage: 200 kV, defocus: 1.5 µm, astigmatism: 400 Å, astigmatism_angle: 30 °,
         spherical_aberration: 2.7 mm, amplitude_contrast: 0.07, b_factor: 50 Å²}
templates:
  dot: {kind: specimen, of: dot}
pickers:
  ncc: {kind: ncc, threshold: {kind: top, count: 6}}
score: {radius: 20 Å, null_micrographs: 0}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("relion")
    (folder / "s.yaml").write_text(SCENARIO, encoding="utf-8")
    result = simkit.run(simkit.load(folder / "s.yaml"), workers=1)
    simkit.report(result, folder / "run")
    return folder / "run"


def table(file: Path, name: str | None = None) -> dict[str, list[str]]:
    """Read a table as RELION does: by name, or the first one."""
    blocks = gemmi.cif.read_file(str(file))
    block = blocks[0] if name is None else next(b for b in blocks if b.name == name)
    loop = next(item.loop for item in block if item.loop is not None)
    return {tag: [gemmi.cif.as_string(v) for v in block.find_loop(tag)] for tag in loop.tags}


def test_micrographs_star_has_all_that_relion_asks_for(project: Path) -> None:
    optics = table(project / "micrographs.star", "optics")
    assert optics == {
        "_rlnOpticsGroupName": ["opticsGroup1"],
        "_rlnOpticsGroup": ["1"],
        "_rlnMicrographOriginalPixelSize": ["4"],
        "_rlnMicrographPixelSize": ["4"],
        "_rlnVoltage": ["200"],
        "_rlnSphericalAberration": ["2.7"],  # mm
        "_rlnAmplitudeContrast": ["0.07"],
    }
    micrographs = table(project / "micrographs.star", "micrographs")
    assert micrographs["_rlnMicrographName"] == ["micrographs/0000.mrc", "micrographs/0001.mrc"]
    assert micrographs["_rlnOpticsGroup"] == ["1", "1"]
    ctf = {tag: values[1] for tag, values in micrographs.items() if tag not in list(micrographs)[:2]}
    assert ctf == {
        "_rlnDefocusU": "15200",
        "_rlnDefocusV": "14800",
        "_rlnDefocusAngle": "30",
        "_rlnCtfBfactor": "50",
        "_rlnCtfScalefactor": "1",
        "_rlnPhaseShift": "0",
    }
    for name in micrographs["_rlnMicrographName"]:
        with mrcfile.open(project / name) as mrc:  # relative to the project, which is the run
            assert mrc.voxel_size.x == mrc.voxel_size.y == 4.0


@pytest.mark.parametrize("name", ["truth", "picks/ncc"])
def test_each_micrograph_has_its_coordinates(project: Path, name: str) -> None:
    listed = table(project / f"{name}_coordinates.star", "coordinate_files")
    assert list(listed) == ["_rlnMicrographName", "_rlnMicrographCoordinates"]
    micrographs = table(project / "micrographs.star", "micrographs")["_rlnMicrographName"]
    assert listed["_rlnMicrographName"] == micrographs  # RELION pairs them by equal text
    assert listed["_rlnMicrographCoordinates"] == [f"{name}/0000.star", f"{name}/0001.star"]
    one_file = table(project / f"{name}.star", "particles")
    for micrograph, file in zip(*listed.values(), strict=True):
        mine = table(project / file)
        rows = [i for i, of in enumerate(one_file["_rlnMicrographName"]) if of == micrograph]
        assert len(rows) == 6
        for tag, values in mine.items():
            assert values == [one_file[tag][i] for i in rows], tag
        # An optics group would make RELION take them for particles extracted before.
        allowed = {"CoordinateX", "CoordinateY", "AnglePsi", "ClassNumber", "AutopickFigureOfMerit"}
        assert set(mine) <= {f"_rln{tag}" for tag in allowed}
        assert mine["_rlnClassNumber"] == ["1"] * 6


def test_a_box_cut_out_as_relion_does_holds_the_particle(project: Path) -> None:
    listed = table(project / "truth_coordinates.star")
    half = 8
    for micrograph, file in zip(*listed.values(), strict=True):
        pixels = np.pad(mrcfile.read(project / micrograph), half, mode="mean")
        places = table(project / file)
        total = np.zeros((2 * half, 2 * half))
        for x, y in zip(places["_rlnCoordinateX"], places["_rlnCoordinateY"], strict=True):
            row, column = (
                int(float(y)),
                int(float(x)),
            )  # its first pixel is row − half, and padding moves it by half
            total += pixels[row : row + 2 * half, column : column + 2 * half]
        dark = np.unravel_index(np.argmin(total), total.shape)
        # Protein is dark, and cutting down to integers leaves it up to a pixel beyond the centre.
        assert all(half <= place <= half + 1 for place in dark)


def test_simkit_reads_its_own_project_in_every_form(project: Path) -> None:
    whole = read_coordinates(project / "picks/ncc.star")
    by_list = read_coordinates(project / "picks/ncc_coordinates.star", pixel_size=4.0)
    folder = read_coordinate_set(project / "picks/ncc", frame=CoordinateFrame(pixel_size=4.0))
    for other in (by_list, folder):
        for column in ("y", "x", "psi", "score"):
            assert np.array_equal(whole[column], other[column], equal_nan=True)
    assert by_list["micrograph"].tolist() == whole["micrograph"].tolist()
    assert sorted(set(folder["micrograph"].tolist())) == ["0000.star", "0001.star"]


@pytest.mark.parametrize(
    ("out", "written"),
    [
        ("*.box", {"0000.box", "0001.box"}),
        ("*_info.json", {"0000_info.json", "0001_info.json"}),
        ("picks.cs", {"picks.cs"}),
        ("picks.star", {"picks.star"}),
        ("picks.txt", {"picks.txt"}),
    ],
)
def test_picks_for_other_programs_are_scored_like_our_own(
    project: Path, tmp_path: Path, out, written
) -> None:
    runner, images = CliRunner(), [str(project / f"micrographs/000{i}.mrc") for i in (0, 1)]
    words = ["pick", str(project / "scenario.yaml"), *images, "--workers", "1"]
    picked = runner.invoke(app, [*words, "--out", str(tmp_path / out), "--box", "16"])
    assert picked.exit_code == 0, picked.stderr
    assert {file.name for file in tmp_path.iterdir()} == written
    words = ["score", str(tmp_path / out), str(project / "truth.star"), "--radius", "20 Å", "--json"]
    scored = runner.invoke(app, [*words, "--pixel-size", "4 Å"])
    assert scored.exit_code == 0, scored.stderr
    mine = json.loads((project / "scores.json").read_text())["pickers"]["ncc"]["all"]
    entry = json.loads(scored.stdout)["all"]
    assert [entry[name] for name in ("tp", "fp", "fn")] == [mine[name] for name in ("tp", "fp", "fn")]
    assert mine["tp"] == 12


def test_one_box_file_cannot_be_about_two_micrographs(project: Path, tmp_path: Path) -> None:
    images = [str(project / f"micrographs/000{i}.mrc") for i in (0, 1)]
    words = ["pick", str(project / "scenario.yaml"), *images, "--workers", "1", "--box", "16"]
    refused = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "picks.box")])
    assert refused.exit_code == 2
    assert "put * where its name should be" in refused.stderr
