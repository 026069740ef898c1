"""Unit cells against closed forms: protein volumes, phases, and resampling that loses nothing."""

import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import Grid
from simkit.core.vector import Vector
from simkit.scenario.checks import check
from simkit.scenario.spec import Scenario
from simkit.shape.disk import Disk
from simkit.shape.gaussian import Gaussian
from simkit.shape.shell import Shell
from simkit.unit_cell.globular import Globular, globular_radius
from simkit.unit_cell.image import Image, picture_density, picture_spectrum
from simkit.unit_cell.shapes import Shapes

GRID = Grid((80, 91), 2.0)
SIGMA_300KV = 6.52616e-4


@pytest.mark.parametrize("mass", [10.0, 100.0, 800.0])
def test_globular_proteins_have_the_radius_of_the_textbook(mass: float) -> None:
    # Erickson 2009, eq. 2.2: R = 0.066 nm (M/Da)^⅓; the 0.066 is rounded to two digits.
    assert globular_radius(mass) == pytest.approx(0.66 * (1000 * mass) ** (1 / 3), rel=0.01)


def test_globular_density_times_thickness_is_the_protein_volume() -> None:
    cell = Globular(mass=100, weight=0.7)
    assert cell.needs_potential
    integral = cell.density(GRID).sum() * GRID.pixel_size**2
    assert integral * 2 * cell.support == pytest.approx(0.7 * 121_000, rel=1e-9)


def test_solids_turn_the_phase_by_their_thickness_and_flat_shapes_by_their_weight() -> None:
    solid = Shell(outer_radius=40, inner_radius=25, weight=0.5)
    flat = Disk(radius=20, weight=0.1)
    cell = Shapes(shapes=(solid, flat), potential=2.5)
    phase = cell.density(GRID, interaction=SIGMA_300KV)
    expected = SIGMA_300KV * 2.5 * 2 * np.sqrt(40**2 - 25**2) * Shapes(shapes=(solid,)).density(
        GRID
    ) + Shapes(shapes=(flat,)).density(GRID)
    np.testing.assert_allclose(phase, expected, atol=1e-12)


def test_the_phase_of_a_ball_is_sigma_times_projected_potential() -> None:
    cell = Globular(mass=2000, potential=2.5)
    middle = cell.density(GRID, interaction=SIGMA_300KV)[40, 45]
    # The edge of one pixel (2 Å) lowers a profile 2√(R² − r²) at its top by σ²/R² of itself: 5e-4.
    assert middle == pytest.approx(SIGMA_300KV * 2.5 * 2 * globular_radius(2000), rel=1e-3)


def test_solids_without_a_potential_have_no_phase() -> None:
    cell = Shapes(shapes=(Shell(outer_radius=40, inner_radius=25),))
    assert cell.needs_potential
    with pytest.raises(ScenarioError, match="potential"):
        cell.spectrum(GRID, interaction=SIGMA_300KV)
    flat = Shapes(shapes=(Disk(radius=10),))
    assert not flat.needs_potential
    np.testing.assert_array_equal(flat.density(GRID, interaction=SIGMA_300KV), flat.density(GRID))


def test_a_cell_exists_where_all_its_shapes_do() -> None:
    blob, disk = Gaussian(sigma=3), Disk(radius=3)
    assert Shapes(shapes=(blob,)).dimension_error(1) is None
    assert "shape 2" in Shapes(shapes=(blob, disk)).dimension_error(1)
    assert Shapes(shapes=(blob, disk)).dimension_error(2) is None


def test_support_is_the_reach_of_the_farthest_shape() -> None:
    near, far = Disk(radius=30), Disk(radius=5, centre=Vector(y=30, x=-40))
    assert Shapes(shapes=(near, far)).support == 55


def test_resampled_pictures_keep_their_samples() -> None:
    rng = np.random.default_rng(3)
    picture = np.zeros((31, 40))
    picture[2:-2, 2:-2] = rng.normal(size=(27, 36))
    grid = Grid((2 * 45, 2 * 51), 1.5)  # half the picture's pixel; an odd number of whole ones
    spectrum = picture_spectrum(picture, 3.0, grid)
    drawn = np.fft.fftshift(np.fft.irfft2(spectrum, s=grid.shape))
    assert grid.shape[0] // 2 % 2 == 1  # the central pixel of the grid is then that of the picture
    shared = drawn[45 % 2 :: 2, 51 % 2 :: 2]
    expected = np.zeros((45, 51))
    expected[22 - 15 : 22 - 15 + 31, 25 - 20 : 25 - 20 + 40] = picture
    # Trigonometric interpolation goes through its points; the NUFFT is exact to 1e-12 of the sum.
    np.testing.assert_allclose(shared, expected, atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 30.0, -140.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_turned_picture_of_a_blob_is_the_blob_turned(tmp_path: Path, angle: float, mirror: bool) -> None:
    y, x = Grid((50, 61), 3.0).offsets()
    np.save(tmp_path / "blob.npy", 7 - 2 * np.exp(-((y - 12) ** 2 + (x - 24) ** 2) / (2 * 6**2)))
    cell = Image(file=str(tmp_path / "blob.npy"), pixel_size=3, weight=1.4, dark=True)
    turn, x0 = np.deg2rad(angle), -24.0 if mirror else 24.0
    cx, cy = np.cos(turn) * x0 - np.sin(turn) * 12, np.sin(turn) * x0 + np.cos(turn) * 12
    y, x = GRID.offsets()
    expected = 1.4 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 6**2))
    # A Gaussian of 2 px has e^(−20) = 3e-9 of its amplitude beyond Nyquist; 1e-8 for all of it.
    np.testing.assert_allclose(cell.density(GRID, angle=angle, mirror=mirror), expected, atol=1e-7)
    # exp(−r²/2σ²) = 1 % at 3.03 σ; whole pixels make it at most two larger.
    assert np.hypot(12, 24) + 3.03 * 6 - 3 < cell.support < np.hypot(12, 24) + 3.03 * 6 + 2 * 3


def test_grey_values_become_weights_above_the_border() -> None:
    picture = np.full((9, 9), 200.0)
    picture[3:6, 3:6] = 50.0
    picture[4, 4] = 250.0
    density = picture_density(picture)
    assert (density[0, 0], density[3, 3], density[4, 4]) == (0.0, -0.75, 0.25)
    np.testing.assert_array_equal(picture_density(picture, dark=True), -density)


def test_the_pixel_size_comes_from_the_header_or_must_be_written(tmp_path: Path) -> None:
    pixels = np.zeros((20, 20), np.float32)
    pixels[8:12, 8:12] = 1
    with mrcfile.new(tmp_path / "map.mrc") as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = 3.5
    np.save(tmp_path / "map.npy", pixels)
    from_header = Image(file=str(tmp_path / "map.mrc")).density(GRID)
    written = Image(file=str(tmp_path / "map.npy"), pixel_size=3.5).density(GRID)
    np.testing.assert_allclose(from_header, written, atol=1e-6)  # the header holds float32
    with pytest.raises(ScenarioError, match="pixel_size: "):
        Image(file=str(tmp_path / "map.npy")).density(GRID)
    lattice = {"kind": "positions", "at": [[10.0, 10.0]]}
    species = {"unit_cell": {"kind": "image", "file": str(tmp_path / "map.npy")}, "lattice": lattice}
    image = {"shape": [64, 64], "pixel_size": 2.0}
    (found,) = check(Scenario(schema_version=1, image=image, specimen={"motif": species}))
    assert found.path == ("specimen", "motif", "unit_cell", "pixel_size")


def test_a_picture_is_read_late_and_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "motif.npy"
    pixels = np.zeros((20, 20))
    pixels[10, 10] = 1
    np.save(file, np.ones((20, 20)))
    cell = Image(file=str(file), pixel_size=2)
    with pytest.raises(DataError, match="all pixels are equal"):
        cell.spectrum(GRID)
    np.save(file, pixels)
    os.utime(file, ns=(1, 1))  # a clock too coarse to tell the two writes apart must not hide one
    assert cell.density(GRID).sum() == pytest.approx(1.0)


def test_files_that_cannot_be_drawn_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="does not exist"):
        Image(file=str(tmp_path / "missing.mrc"), pixel_size=2)
    np.save(tmp_path / "line.npy", np.arange(20.0))
    with pytest.raises(ScenarioError, match="1-D"):
        Image(file=str(tmp_path / "line.npy"), pixel_size=2).density(GRID)


def test_a_line_can_be_a_picture(tmp_path: Path) -> None:
    line = np.zeros(21)
    line[8:15] = [1, 3, 2, 5, 2, 0, 1]
    np.save(tmp_path / "line.npy", line)
    drawn = Image(file=str(tmp_path / "line.npy"), pixel_size=2, weight=5).density(Grid((41,), 2.0))
    np.testing.assert_allclose(drawn[10:31], line, atol=1e-9)
