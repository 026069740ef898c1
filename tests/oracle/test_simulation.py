"""The forward model against direct sums, limits and counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Placements
from simkit.engine.imaging import copy_variance
from simkit.engine.realisation import covered_share, realise, truth_of
from simkit.engine.simulation import simulate_one, species_density
from simkit.scenario.spec import Scenario
from simkit.shape.disk import Disk
from simkit.shape.rectangle import Rectangle
from simkit.unit_cell.shapes import Shapes

L_SHAPE = Shapes(
    shapes=(
        Rectangle(size=[40.0, 12.0], centre=[0.0, -10.0]),
        Rectangle(size=[12.0, 24.0], centre=[14.0, 6.0]),
    )
)


def scenario(**sections: Any) -> Scenario:
    base: dict[str, Any] = {"schema_version": 1, "image": {"shape": [96, 120], "pixel_size": 2.0}}
    return Scenario.model_validate(base | sections)


def disks(at: list[list[float]], weight: float = 1.0) -> dict[str, Any]:
    return {
        "unit_cell": {"kind": "shapes", "shapes": [{"kind": "disk", "radius": 15.0, "weight": weight}]},
        "lattice": {"kind": "positions", "at": at},
    }


def test_cells_on_pixels_are_the_direct_sum_of_shifted_copies() -> None:
    grid = Grid((64, 75), 2.0)
    rows, cols = np.array([10, 40, 63]), np.array([3, 30, 74])
    product = species_density(L_SHAPE, Placements.at(rows * 2.0, cols * 2.0), grid)
    one = fourier.centre_to_corner(L_SHAPE.density(grid))
    direct = sum(np.roll(one, (r, c), (0, 1)) for r, c in zip(rows, cols, strict=True))
    # The non-uniform FFT is good to 1e-12 of the sum of the weights; the Nyquist terms are absent in both.
    np.testing.assert_allclose(product, direct, atol=1e-10)


def test_stamped_copies_equal_the_product_of_transforms() -> None:
    grid = Grid((150, 161), 2.0)
    rng = np.random.default_rng(1)
    y, x = rng.uniform(0, 300, 6), rng.uniform(0, 320, 6)
    psi = np.arange(6) * 37.0
    stamped = species_density(L_SHAPE, Placements.at(y, x, psi=psi), grid)
    product = sum(
        species_density(L_SHAPE, Placements.at(y[i : i + 1], x[i : i + 1], psi=psi[i]), grid)
        for i in range(6)
    )
    # What a stamp leaves out is the band limit's tail beyond its margin of 12 pixels.
    np.testing.assert_allclose(stamped, product, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(dy=st.floats(-9, 9), dx=st.floats(-9, 9))
def test_moving_every_copy_moves_the_specimen(dy: float, dx: float) -> None:
    grid = Grid((40, 45), 2.0)
    y, x = np.array([20.0, 61.3]), np.array([31.7, 55.5])
    still = species_density(L_SHAPE, Placements.at(y, x), grid)
    moved = species_density(L_SHAPE, Placements.at(y + dy, x + dx), grid)
    np.testing.assert_allclose(moved, fourier.shift(still, (dy / 2, dx / 2)), atol=1e-9)


def test_the_image_is_linear_in_the_weights() -> None:
    one = simulate_one(
        scenario(specimen={"a": disks([[90, 100]])}, psf={"lens": {"kind": "gaussian", "sigma": 5.0}})
    )
    two = simulate_one(
        scenario(
            specimen={"a": disks([[90, 100]], weight=2.5)}, psf={"lens": {"kind": "gaussian", "sigma": 5.0}}
        )
    )
    np.testing.assert_allclose(two.ideal, 2.5 * one.ideal, atol=1e-12)


@pytest.mark.parametrize("shape", [(96, 120), (95, 121), (50, 200)])
def test_an_open_image_is_a_window_on_a_larger_one(shape: tuple[int, int]) -> None:
    psf = {"lens": {"kind": "gaussian", "sigma": 6.0}}
    at = [[-12, 60], [30, 30], [2 * shape[0] + 10.0, 50], [60, 2 * shape[1] - 3.0]]
    open_image = simulate_one(
        scenario(image={"shape": shape, "pixel_size": 2.0}, specimen={"a": disks(at)}, psf=psf)
    )
    far = [[y + 200, x + 200] for y, x in at]
    large = {"shape": [shape[0] + 200, shape[1] + 200], "pixel_size": 2.0, "boundary": "periodic"}
    window = simulate_one(scenario(image=large, specimen={"a": disks(far)}, psf=psf))
    cut = window.ideal[100 : 100 + shape[0], 100 : 100 + shape[1]]
    # Both are exact but for the tails of the band limit, cut at the margin of the open image.
    np.testing.assert_allclose(open_image.ideal, cut, atol=2e-4)
    assert len(open_image.truth) == 2, "copies centred outside are drawn but not in the truth"


def test_edge_and_overlap_by_hand() -> None:
    values = scenario(specimen={"a": disks([[14.0, 100], [16.0, 200], [100, 100], [100, 115]])})
    truth = truth_of(values, realise(values, 0))
    # The image starts half a pixel (1 Å) above y = 0: a support of 15 Å fits from y = 14 Å on.
    assert truth["edge"].tolist() == [False, False, False, False]
    closer = scenario(specimen={"a": disks([[13.9, 100]])})
    assert truth_of(closer, realise(closer, 0))["edge"].tolist() == [True]
    # Two equal disks one radius apart share 2/3 − √3/(2π) = 0.391 of their area.
    np.testing.assert_allclose(
        truth["overlap"], [0, 0, 2 / 3 - 3**0.5 / (2 * np.pi), 2 / 3 - 3**0.5 / (2 * np.pi)]
    )


def test_overlap_wraps_in_a_periodic_image() -> None:
    image = {"shape": [50, 50], "pixel_size": 2.0, "boundary": "periodic"}
    values = scenario(image=image, specimen={"a": disks([[2.0, 50], [97.0, 50]])})
    truth = truth_of(values, realise(values, 0))
    assert (truth["overlap"] > 0.7).all()
    assert not truth["edge"].any(), "nothing is cut where the image wraps"


@pytest.mark.parametrize(
    ("d", "r", "s"),
    [(10.0, 15.0, 12.0), (4.0, 20.0, 8.0), (25.0, 15.0, 12.0), (0.0, 9.0, 9.0), (3.0, 5.0, 30.0)],
)
def test_covered_share_against_counting(d: float, r: float, s: float) -> None:
    points = np.random.default_rng(0).uniform(-r, r, (400_000, 2))
    inside = points[(points**2).sum(1) <= r * r]
    counted = float((((inside - [d, 0]) ** 2).sum(1) <= s * s).mean())
    # Binomial standard error below 1e-3; five of them.
    assert covered_share(np.array([d]), np.array([r]), np.array([s]), ndim=2)[0] == pytest.approx(
        counted, abs=5e-3
    )


def test_snr_is_the_variance_of_a_copy_over_that_of_the_noise() -> None:
    values = scenario(
        image={"shape": [400, 400], "pixel_size": 2.0},
        specimen={"a": disks([[400, 400]])},
        noise={"film": {"kind": "gaussian", "snr": 0.25}},
    )
    simulation = simulate_one(values)
    noise = np.asarray(simulation.micrograph) - simulation.ideal
    measured = copy_variance(values, "a") / noise.var()
    # The variance of 160,000 normal deviates has a relative sd of √(2/160000) = 0.35 %; five of them.
    assert measured == pytest.approx(0.25, rel=0.018)
    assert simulation.facts["snr.a"] == pytest.approx(0.25)


def test_underfocused_protein_is_dark_and_counts_follow_the_dose() -> None:
    cell = {
        "kind": "shapes",
        "shapes": [{"kind": "shell", "outer_radius": 60.0, "inner_radius": 0.0}],
        "potential": 2.5,
    }
    lens = {
        "kind": "ctf",
        "voltage": 300.0,
        "defocus": 15000.0,
        "spherical_aberration": 2.7e7,
        "amplitude_contrast": 0.1,
    }
    values = scenario(
        image={"shape": [128, 128], "pixel_size": 3.0, "model": "phase"},
        specimen={"ball": {"unit_cell": cell, "lattice": {"kind": "positions", "at": [[192, 192]]}}},
        psf={"lens": lens},
        noise={"shot": {"kind": "poisson", "dose": 20.0}},
    )
    simulation = simulate_one(values)
    assert simulation.ideal[64, 64] < 0.97, "0.2 rad of protein, its lowest frequencies lost to the CTF"
    expected = simulation.ideal * 20 * 9
    counts = np.asarray(simulation.micrograph, float)
    # Sum of 16384 Poisson counts: standard deviation √total; five of them.
    assert abs(counts.sum() - expected.sum()) < 5 * np.sqrt(expected.sum())
    assert simulation.facts["electrons_per_pixel"] == pytest.approx(180, rel=0.02)


def test_a_negative_intensity_is_refused_where_it_comes_from() -> None:
    dark = {"shape": [96, 120], "pixel_size": 2.0, "level": 0.5}
    with pytest.raises(
        ScenarioError, match=r"at most 0\.5.*safe weight is -0\.5, not -1\).*level to at least 1"
    ) as caught:
        simulate_one(scenario(image=dark, specimen={"hole": disks([[90, 100]], weight=-1.0)}))
    assert caught.value.path == ("specimen", "hole", "unit_cell")
    ok = simulate_one(
        scenario(image=dark | {"level": 1.01}, specimen={"hole": disks([[90, 100]], weight=-1.0)})
    )
    assert ok.ideal.min() >= 0


def test_streams_are_independent() -> None:
    scattered = {"kind": "scattered", "count": 5, "min_distance": 30.0}
    cell = disks([])["unit_cell"]
    noise = {"film": {"kind": "gaussian", "sd": 1.0}}
    one = scenario(specimen={"a": {"unit_cell": cell, "lattice": scattered}}, noise=noise)
    two = scenario(
        specimen={
            "a": {"unit_cell": cell, "lattice": scattered},
            "b": {"unit_cell": cell, "lattice": scattered},
        },
        noise=noise,
    )
    first, second = simulate_one(one), simulate_one(two)
    mine = second.truth.take(second.truth["class"] == "a")
    np.testing.assert_array_equal(mine["x"], first.truth["x"])
    np.testing.assert_allclose(
        np.asarray(first.micrograph) - first.ideal, np.asarray(second.micrograph) - second.ideal, atol=1e-6
    )
    third = simulate_one(one, 1)
    assert not np.array_equal(third.truth["x"], first.truth["x"])


def test_one_dimension() -> None:
    cell = {"kind": "shapes", "shapes": [{"kind": "gaussian", "sigma": 4.0}]}
    lattice = {"kind": "positions", "at": [[30.0], [90.5]]}
    image = {"shape": [128], "pixel_size": 1.0, "boundary": "periodic"}
    simulation = simulate_one(
        scenario(image=image, specimen={"bump": {"unit_cell": cell, "lattice": lattice}})
    )
    x = np.arange(128)
    expected = np.exp(-((x - 30) ** 2) / 32) + np.exp(-((x - 90.5) ** 2) / 32)
    # A Gaussian of 4 pixels has nothing beyond Nyquist above rounding (e^(−2π²·16/4) = 5e-35).
    np.testing.assert_allclose(simulation.ideal, expected, atol=1e-10)
    assert np.isnan(simulation.truth["y"]).all()


def test_disk_specimen_has_its_area() -> None:
    grid = Grid((64, 64), 2.0)
    density = species_density(Shapes(shapes=(Disk(radius=20.0),)), Placements.at([60.0], [64.0]), grid)
    assert density.sum() * 4 == pytest.approx(np.pi * 400, rel=1e-10)
