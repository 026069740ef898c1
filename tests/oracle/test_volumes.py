"""Projections of density maps against closed forms: blobs, balls and ellipsoids seen from anywhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.orientation import View, orientation
from simkit.unit_cell.volume import Volume
from simkit.view.solid import Solid, solvent_at_zero, without_margin

ROOT = Path(__file__).parents[2]
SIGMA = 6.0
BLOBS = np.array([[20.0, 4.0, -9.0], [-12.0, 18.0, 14.0], [3.0, -21.0, 17.0]])
HEIGHTS = np.array([1.0, 0.6, 0.3])
angles = st.floats(-180, 180)


def coordinates(shape: tuple[int, ...], voxel: tuple[float, float, float]) -> list[FloatArray]:
    """Return x, y, z of the voxels, from the central one."""
    axes = [(np.arange(n) - n // 2) * v for n, v in zip(shape, voxel, strict=True)]
    return np.meshgrid(*axes, indexing="ij", sparse=True)[::-1]


def blobs(
    shape: tuple[int, ...] = (40, 41, 44), voxel: tuple[float, float, float] = (4.0, 4.0, 4.0)
) -> Solid:
    x, y, z = coordinates(shape, voxel)
    total = np.zeros(shape)
    for (cx, cy, cz), height in zip(BLOBS, HEIGHTS, strict=True):
        total += height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / (2 * SIGMA**2))
    return Solid(total, voxel)


def picture(solid: Solid, grid: Grid, turn: FloatArray) -> FloatArray:
    spectrum = next(solid.projections(grid, turn[None]))
    return fourier.corner_to_centre(fourier.inverse(spectrum, grid.shape))


def projected_blobs(grid: Grid, turn: FloatArray) -> FloatArray:
    """Return what Gaussian blobs project to: Gaussians where A r₀ is, √(2π) σ times as high."""
    y, x = grid.offsets()
    total = np.zeros(grid.shape)
    for centre, height in zip(BLOBS, HEIGHTS, strict=True):
        cx, cy, _ = turn @ centre
        total += height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * SIGMA**2))
    return total * np.sqrt(2 * np.pi) * SIGMA


# Exactness -----------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(angles, st.floats(0, 180), angles, st.booleans())
def test_blobs_project_to_blobs(rot: float, tilt: float, psi: float, mirror: bool) -> None:
    turn = orientation(rot, tilt, psi, mirror)
    for grid in (Grid((56, 61), 3.0), Grid((64, 64), 2.6)):
        # Height 15. The map ends where e^(−36/…) of a blob is left and its Nyquist is at e^(−11).
        assert np.abs(picture(blobs(), grid, turn) - projected_blobs(grid, turn)).max() < 1e-3


@pytest.mark.parametrize(
    ("shape", "voxel"),
    [((48, 40, 60), (3.3, 4.0, 2.7)), ((41, 41, 41), (3.9, 3.9, 3.9)), ((64, 43, 40), (2.5, 3.7, 4.0))],
)
def test_voxels_may_be_of_any_shape(shape: tuple[int, ...], voxel: tuple[float, float, float]) -> None:
    turn, grid = orientation(40, 65, 100), Grid((56, 56), 3.1)
    seen = picture(blobs(shape, voxel), grid, turn)
    np.testing.assert_allclose(seen, projected_blobs(grid, turn), atol=1e-3)


def test_slices_are_the_transform_itself() -> None:
    # Brute force: the triple sum at some frequencies. The NUFFT's own precision is 1e-6.
    rng = np.random.default_rng(2)
    volume, voxel = rng.normal(size=(9, 12, 10)), (2.0, 3.0, 2.5)
    k = rng.uniform(-0.16, 0.16, size=(3, 40))
    x, y, z = coordinates(volume.shape, voxel)
    direct = [(volume * np.exp(-2j * np.pi * (kz * z + ky * y + kx * x))).sum() for kz, ky, kx in k.T]
    found = fourier.volume_spectrum_at(volume, voxel, list(k))
    assert np.abs(found - direct).max() < 1e-6 * np.abs(volume).sum()
    beyond = fourier.volume_spectrum_at(volume, voxel, [np.zeros(2), np.array([0.17, 0.16]), np.zeros(2)])
    assert beyond[0] == 0
    assert beyond[1] != 0


@pytest.mark.parametrize("shape", [(8, 11, 13), (9, 12, 15)])
def test_the_top_view_is_the_sum_along_z(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(3).normal(size=shape)
    solid, grid = Solid(noise, (2.0, 2.0, 2.0)), Grid(shape[1:], 2.0)
    seen = fourier.inverse(next(solid.projections(grid, np.eye(3)[None])), grid.shape)
    summed = fourier.centre_to_corner(noise.sum(axis=0) * 2.0)
    expected = fourier.inverse(fourier.zero_nyquist(fourier.forward(summed), grid.shape), grid.shape)
    np.testing.assert_allclose(seen, expected, atol=1e-6 * np.abs(noise).sum())


@settings(max_examples=15, deadline=None)
@given(angles, st.floats(0, 180), st.integers(0, 3))
def test_turning_the_array_is_turning_the_solid(rot: float, tilt: float, quarters: int) -> None:
    solid, grid = blobs((41, 41, 41)), Grid((50, 50), 3.2)
    # np.rot90 in the plane (y, x), whose y points down, takes +x to −y: the solid turned by −90° about z,
    # which RELION's rot, turning axes and not bodies, undoes when it is 90° less.
    turned = Solid(np.rot90(solid.density, quarters, axes=(1, 2)), solid.voxel_size)
    seen = picture(turned, grid, orientation(rot - 90 * quarters, tilt))
    expected = picture(solid, grid, orientation(rot, tilt))
    # Either is exact to the NUFFT's 1e-6, of the largest value; their difference came to 1.1e-6 of it.
    np.testing.assert_allclose(seen, expected, atol=5e-6 * expected.max())


@settings(max_examples=10, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_projecting_is_linear(a: float, b: float) -> None:
    rng, grid, turn = np.random.default_rng(4), Grid((20, 20), 2.0), orientation(10, 20, 30)
    one, other = rng.normal(size=(2, 12, 12, 12))
    voxel = (2.0, 2.0, 2.0)
    both = picture(Solid(a * one + b * other, voxel), grid, turn)
    apart = a * picture(Solid(one, voxel), grid, turn) + b * picture(Solid(other, voxel), grid, turn)
    np.testing.assert_allclose(both, apart, atol=1e-4)


def test_many_copies_are_as_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    solid, grid = blobs(), Grid((40, 40), 4.0)
    turns = orientation(np.arange(7) * 30.0, np.arange(7) * 20.0, np.arange(7) * 50.0)
    together = list(solid.projections(grid, turns))
    monkeypatch.setattr("simkit.view.solid.POINTS_AT_ONCE", 2 * 40 * 21)
    for few, all_ in zip(solid.projections(grid, turns), together, strict=True):
        np.testing.assert_array_equal(few, all_)


# Solid bodies: what voxels leave of them ------------------------------------------------------------


def body(semi_axes: tuple[float, float, float], voxel: float = 2.0, side: int = 64, fine: int = 4) -> Solid:
    """Return an ellipsoid of density 1, every voxel the mean of fine³ points in it."""
    axis = ((np.arange(side * fine) + 0.5) / fine - 0.5 - side // 2) * voxel
    squares = [(axis / s) ** 2 for s in semi_axes]
    inside = squares[2][:, None, None] + squares[1][:, None] + squares[0] <= 1
    means = inside.reshape(side, fine, side, fine, side, fine).mean(axis=(1, 3, 5))
    return Solid(means, (voxel, voxel, voxel))


@pytest.mark.parametrize(("rot", "tilt"), [(0, 0), (0, 90), (35, 60), (120, 20)])
def test_an_ellipsoid_is_as_thick_as_its_chords(rot: float, tilt: float) -> None:
    semi = (40.0, 30.0, 20.0)
    turn, grid = orientation(rot, tilt), Grid((63, 63), 2.0)
    seen = picture(body(semi), grid, turn)
    # The chord along the beam through (x, y): with Q = A diag(1/s²) Aᵀ, 2 √(b² − a c) / a in z.
    q = turn @ np.diag(1 / np.square(semi)) @ turn.T
    y, x = grid.offsets()
    a, b = q[2, 2], q[0, 2] * x + q[1, 2] * y
    c = q[0, 0] * x**2 + 2 * q[0, 1] * x * y + q[1, 1] * y**2 - 1
    thickness = 2 * np.sqrt(np.clip(b**2 - a * c, 0, None)) / a
    deep = thickness > 0.4 * thickness.max()
    # Voxels of 2 Å are the error here: measured 1.6 % of the largest thickness away from the rim, where
    # the ripples of the cut-off at Nyquist are; blobs, which have no rim, project to 1e-4.
    assert np.abs(seen - thickness)[deep].max() < 0.02 * thickness.max()
    # The integral of a projection is the integral of the map.
    assert seen.sum() * 4 == pytest.approx(4 / 3 * np.pi * np.prod(semi), rel=2e-3)


def cell(tmp_path: Path, density: FloatArray, voxel: float = 2.0, **more: object) -> Volume:
    with mrcfile.new(tmp_path / "map.mrc", density.astype(np.float32), overwrite=True) as mrc:
        mrc.set_volume()
        mrc.voxel_size = voxel
    context = {"base_dir": str(tmp_path)}
    fields = {"file": "map.mrc", "views": {"kind": "uniform"}, **more}
    return Volume.model_validate(fields, context=context)


def test_a_uniform_ball_has_the_potential_that_is_written(tmp_path: Path) -> None:
    radius, sigma = 40.0, 6.5e-4
    ball = 3.7 + 12.0 * body((radius,) * 3).density
    drawn = cell(tmp_path, ball, potential=2.5, weight=0.5)
    grid = Grid((63, 63), 2.0)
    phase = drawn.density(grid, view=View(30, 40), interaction=sigma)
    # The rim's voxels, which are partly full, lower Σρ²/Σρ by 1.8 % of what is inside.
    assert phase[31, 31] == pytest.approx(0.5 * sigma * 2.5 * 2 * radius, rel=0.04)
    assert drawn.support == pytest.approx(radius, abs=4)  # and a voxel and a half
    top = drawn.density(grid, view=View(0, 0))
    assert top.max() == pytest.approx(0.5, rel=0.02)
    with pytest.raises(ScenarioError, match="potential of the particle") as caught:
        cell(tmp_path, ball).spectrum(grid, interaction=sigma)
    assert caught.value.path == ("potential",)


def test_the_level_of_a_map_weighs_density_by_itself() -> None:
    density = np.zeros((5, 5, 5))
    density[1, 1, :] = 1.0
    density[3, 3, :2] = 3.0
    density[0, 0, 0] = -1.0  # a ripple, not the particle
    assert Solid(density, (1.0, 1.0, 1.0)).level == pytest.approx((5 * 1 + 2 * 9) / (5 * 1 + 2 * 3))


def test_a_low_pass_leaves_half_of_the_amplitude(tmp_path: Path) -> None:
    grid = Grid((60, 60), 3.0)
    plain, smooth = (cell(tmp_path, blobs().density, 4.0, lowpass=d).spectrum(grid) for d in (None, 30.0))
    # Frequency 6 of 180 Å is 1/30 Å.
    assert smooth[0, 6] == pytest.approx(0.5 * plain[0, 6], rel=1e-9)
    assert smooth[0, 0] == pytest.approx(plain[0, 0], rel=1e-9)


# Maps that cannot be used ---------------------------------------------------------------------------


def test_the_solvent_is_what_the_faces_show() -> None:
    density = np.full((12, 12, 12), -0.3)
    density[4:8, 4:8, 4:8] = 2.0
    density[4, 4, 4] = 0.1
    assert np.count_nonzero(solvent_at_zero(density)) == 64
    kept = solvent_at_zero(density, contour=0.5)
    assert np.count_nonzero(kept) == 63
    assert kept.max() == pytest.approx(2.3)


def test_an_empty_margin_makes_no_difference() -> None:
    density = np.zeros((30, 31, 40))
    density[14:20, 2:13, 18:21] = np.random.default_rng(5).uniform(size=(6, 11, 3))
    cut = without_margin(density)
    assert cut.shape == (9, 27, 5)
    grid, turn = Grid((40, 40), 2.0), orientation(20, 50, 70)
    one, other = (picture(Solid(d, (2.0, 2.0, 2.0)), grid, turn) for d in (density, cut))
    np.testing.assert_allclose(one, other, atol=1e-5)
    full = np.ones((4, 5, 6))
    assert without_margin(full).shape == (4, 5, 6)


@pytest.mark.filterwarnings("ignore:Data array contains NaN")  # says mrcfile, and writes them
@pytest.mark.parametrize(
    ("values", "more", "message", "path"),
    [
        (np.ones((8, 8, 8)), {}, "denser than the faces", ("file",)),
        (np.full((8, 8, 8), np.nan), {}, "not finite", ("file",)),
        (-blobs((8, 8, 8), (12.0, 12.0, 12.0)).density, {}, "denser than the faces", ("file",)),
        (blobs((8, 8, 8), (12.0, 12.0, 12.0)).density, {"voxel": 0.0}, "size of a voxel", ("file",)),
        (blobs((8, 8, 8), (12.0, 12.0, 12.0)).density, {"contour": 7.0}, "must be between", ("contour",)),
    ],
)
def test_unusable_maps_are_located_errors(
    tmp_path: Path, values: FloatArray, more: dict, message: str, path: tuple[str, ...]
) -> None:
    bad = cell(tmp_path, values, **more)
    with pytest.raises(ScenarioError, match=message) as caught:
        _ = bad.support
    assert caught.value.path == path


@pytest.mark.parametrize("content", [b"", b"no map at all" * 100])
def test_files_that_are_no_maps_are_located_errors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "map.mrc").write_bytes(content)
    bad = Volume.model_validate(
        {"file": "map.mrc", "views": {"kind": "uniform"}}, context={"base_dir": str(tmp_path)}
    )
    with pytest.raises(ScenarioError, match=r"map\.mrc"):
        _ = bad.support


def test_a_picture_is_no_map(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.ones((8, 8)))
    flat = Volume.model_validate(
        {"file": "flat.npy", "voxel_size": 2.0, "views": {"kind": "uniform"}},
        context={"base_dir": str(tmp_path)},
    )
    with pytest.raises(ScenarioError, match="three dimensions"):
        _ = flat.support


# Doubts ---------------------------------------------------------------------------------------------


def sample() -> FloatArray:
    spec = importlib.util.spec_from_file_location("make_sample_map", ROOT / "docs" / "make_sample_map.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sample_map()


def test_the_scenarios_map_is_what_its_script_makes() -> None:
    stored = mrcfile.read(ROOT / "scenarios" / "kinds" / "unit_cell_volume.mrc")
    # Exponentials differ in the last bit from machine to machine.
    np.testing.assert_allclose(stored, sample(), atol=1e-6)


def test_a_symmetry_that_the_map_does_not_have_is_noticed(tmp_path: Path) -> None:
    right = cell(tmp_path, sample(), 7.0)
    assert right.map.likeness("D3") == pytest.approx(1, abs=1e-4)  # blobs are cut where 1e-5 is left
    assert right.symmetry_doubt("D3") is None
    assert right.symmetry_doubt("C3") is None
    assert right.map.likeness("C2") < 0.8  # its two-fold axes lie across z
    assert "not C2" in right.symmetry_doubt("C2")
    lying = cell(tmp_path, np.moveaxis(sample(), 0, 2), 7.0)
    assert "not D3" in lying.symmetry_doubt("D3")


def test_doubtful_maps_are_noticed(tmp_path: Path) -> None:
    good = cell(tmp_path, sample(), 7.0)
    assert good.map_doubt(7.0) is None
    assert "smoother than" in good.map_doubt(3.0)
    assert "central voxel" in cell(tmp_path, np.roll(sample(), 4, axis=1), 7.0).map_doubt(7.0)
    noisy = sample() + np.random.default_rng(1).normal(0, 0.05, (26, 26, 26))
    assert "contour" in cell(tmp_path, noisy, 7.0).map_doubt(7.0)
    assert cell(tmp_path, noisy, 7.0, contour=0.3).map_doubt(7.0) is None
