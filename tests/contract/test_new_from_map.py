"""`simkit new cryoem --map`: a working scenario for anybody's own particle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from scipy.ndimage import affine_transform
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.core.grid import FloatArray
from simkit.core.orientation import orientation
from simkit.engine.pipeline import run_scenario
from simkit.io.volumes import read_volume
from simkit.scenario.loading import load
from simkit.unit_cell.volume import Volume
from simkit.view.solid import Solid

ROOT = Path(__file__).parents[2]
MAPS = ROOT.parent / "shared" / "data" / "maps"
SEEN = ("--dose", "40 e/Å²", "--defocus", "1.5 µm")

measured = pytest.mark.skipif(not MAPS.exists(), reason="the maps are not beside the repository")


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `simkit new cryoem` in a folder that holds a map."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    shutil.copy(ROOT / "scenarios" / "kinds" / "unit_cell_volume.mrc", tmp_path / "maps" / "body.mrc")
    return lambda *words: CliRunner().invoke(app, ["new", "cryoem", *words])


def test_it_suits_the_map_and_says_nothing_doubtful(new: Callable[..., Any]) -> None:
    told = new("--map", "maps/body.mrc", *SEEN, "--symmetry", "D3", "--out", "mine/own.yaml")
    assert told.exit_code == 0, told.output
    assert told.stdout == "mine/own.yaml\n"
    assert "warning" not in told.stderr
    text = Path("mine/own.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert '"../maps/body.mrc"' in text
    scenario = load("mine/own.yaml").scenario
    cell = scenario.specimen["particle"].unit_cell
    assert isinstance(cell, Volume)
    assert scenario.image.pixel_size == 7.0  # the map's own
    assert scenario.noise["shot"].dose == 40.0
    assert scenario.psf["lens"].defocus == 15000.0
    assert scenario.specimen["particle"].symmetry == "D3"
    assert scenario.specimen["particle"].lattice.min_distance > 2 * cell.support
    explained = CliRunner().invoke(app, ["explain", "mine/own.yaml"]).stdout
    assert explained.startswith("What is not modelled\n")
    for missing in ("ice", "detector", "damage", "particles"):
        assert missing in explained.split("\n\n")[0]


def test_it_runs_and_finds_the_particle(new: Callable[..., Any]) -> None:
    assert new("--map", "maps/body.mrc", *SEEN, "--symmetry", "D3").exit_code == 0
    quick = ("replicates=1", "templates.particle.views.step=30°", "templates.particle.rotations.step=20°")
    words = [word for setting in quick for word in ("--set", setting)]
    told = CliRunner().invoke(app, ["run", "body.yaml", "--workers", "1", *words])
    assert told.exit_code == 0, told.output


def test_wishes_are_kept(new: Callable[..., Any]) -> None:
    told = new(
        "--map", "maps/body.mrc", *SEEN, "--voxel-size", "1 Å", "--contour", "0.01", "--symmetry", "C3"
    )
    assert told.exit_code == 0, told.output
    scenario = load("body.yaml").scenario
    cell = scenario.specimen["particle"].unit_cell
    assert (cell.voxel_size, cell.contour) == (1.0, 0.01)
    assert scenario.image.pixel_size == 1.0
    again = new("--map", "maps/body.mrc", *SEEN, "--pixel-size", "9 Å", "--force")
    assert again.exit_code == 0, again.output
    assert load("body.yaml").scenario.image.pixel_size == 9.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--map", "maps/body.mrc", "--dose", "4 e/Å²"), "--defocus"),
        (("--map", "maps/body.mrc", "--dose", "40", "--defocus", "1 µm"), "no unit"),
        (("--map", "nowhere.mrc", *SEEN), "does not exist"),
        (("--map", "maps", *SEEN), "is a folder"),
        (("--map", "empty.mrc", *SEEN), "empty.mrc"),
        (("--map", "zero.mrc", *SEEN), "--voxel-size"),
        (("--map", "maps/body.mrc", *SEEN, "--contour", "99"), "must be between"),
        (("--map", "maps/body.mrc", *SEEN, "--contour", "nan"), "--contour: Input should be a finite"),
        (("--map", "maps/body.mrc", *SEEN, "--pixel-size", "0.001 Å"), "8 to 2048 make sense"),
        (("--map", "maps/body.mrc", *SEEN, "--pixel-size", "500 Å"), "8 to 2048 make sense"),
        (("--map", "maps/body.mrc", *SEEN, "--symmetry", "D0"), "not a point group"),
        (SEEN, "--map"),
    ],
)
def test_what_cannot_be_is_said(new: Callable[..., Any], words: tuple[str, ...], told: str) -> None:
    Path("empty.mrc").write_bytes(b"")
    with mrcfile.new("zero.mrc", read_volume("maps/body.mrc").values) as mrc:
        mrc.set_volume()
    result = new(*words)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
    assert not list(Path().glob("*.yaml"))


def test_a_symmetry_that_is_not_there_is_noticed_at_once(new: Callable[..., Any]) -> None:
    assert "the map is not C7" in new("--map", "maps/body.mrc", *SEEN, "--symmetry", "C7").stderr


# Measured maps -----------------------------------------------------------------------------------------


def scores(file: str, *overrides: str) -> dict[str, Any]:
    """What is found in one micrograph; that its nulls are searched too the run of the command above shows."""
    lean = ["replicates=1", "score.null_micrographs=0", *overrides]
    result = run_scenario(load(file, overrides=lean).scenario, workers=1)
    return result.scores["pickers"]["matched"]["all"]


def aligned_proteasome() -> FloatArray:
    """Turn the map, which lies as its crystal did, so that its axes are those of D7."""
    values = read_volume(MAPS / "proteasome_20S_3j9i_5A.mrc").values.astype(float)
    centre = np.array([37, 37, 37])
    # Its longest axis of inertia, and the ψ at which it is likest itself under D7 about its centre of mass.
    turn = orientation(129.805, 84.302, 21.758)[::-1, ::-1].T
    mass = np.array([np.average(axis, weights=values) for axis in np.indices(values.shape)])
    return affine_transform(values, turn, offset=mass - turn @ centre, order=3)


@measured
@pytest.mark.real_data
def test_the_proteasome_is_found_whatever_its_view(new: Callable[..., Any]) -> None:
    aligned = aligned_proteasome()
    assert Solid(aligned, (5.0, 5.0, 5.0)).likeness("D7") > 0.99
    with mrcfile.new("proteasome.mrc", aligned.astype(np.float32)) as mrc:
        mrc.set_volume()
        mrc.voxel_size = 5.0
    told = new("--map", "proteasome.mrc", *SEEN, "--symmetry", "D7")
    assert "warning" not in told.stderr
    few = ("templates.particle.views.step=20°", "image.shape=[192, 192]", "image.pixel_size=10 Å")
    found = scores("proteasome.yaml", *few)
    # 20 copies; measured recall 1, precision 1, 4.5° between orientations with directions 20° apart.
    assert found["recall"] >= 0.95
    assert found["precision"] >= 0.95
    assert found["orientation_median_error"] < 10


@measured
@pytest.mark.real_data
def test_the_crystals_axes_are_not_those_of_the_point_group(new: Callable[..., Any]) -> None:
    told = new("--map", str(MAPS / "proteasome_20S_3j9i_5A.mrc"), *SEEN, "--symmetry", "D7")
    assert "like itself to 0.52 only" in " ".join(told.stderr.split())


@measured
@pytest.mark.real_data
def test_the_ribosome_is_found_whatever_its_view(new: Callable[..., Any]) -> None:
    assert new("--map", str(MAPS / "ribosome_70S_4v4r_5A.mrc"), *SEEN, "--out", "r.yaml").exit_code == 0
    # 347 Å across, in voxels of 5 Å: 48 pixels are enough to find it.
    assert load("r.yaml").scenario.image.pixel_size == 7.2
    few = (
        "templates.particle.views.step=40°",
        "templates.particle.rotations.step=20°",
        "image.shape=[136, 136]",
        "image.pixel_size=14.4 Å",
    )
    found = scores("r.yaml", *few, "specimen.particle.lattice.count=10")
    # 10 copies seen from anywhere, 32 directions.
    assert found["recall"] >= 0.9
    assert found["precision"] >= 0.9
    assert found["orientation_median_error"] < 20
