"""The estimated noise spectrum against the law that made the noise, with and without particles in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.noise_estimate import estimated_spectrum
from simkit.correlation.rings import Rings
from simkit.correlation.whitening import unit_noise, whitened

Law = Callable[[Grid], np.ndarray]


def white(grid: Grid) -> np.ndarray:
    return np.ones_like(grid.frequency_radius())


def pink(grid: Grid) -> np.ndarray:
    return 1 / np.maximum(grid.frequency_radius() * grid.pixel_size, 1 / 8192)


def steep(grid: Grid) -> np.ndarray:
    return 1 + (0.03 / np.maximum(grid.frequency_radius() * grid.pixel_size, 1 / 8192)) ** 2


LAWS = [white, pink, steep]


def noise(shape: tuple[int, ...], law: Law, seed: int) -> np.ndarray:
    """A piece of a field twice as large: its opposite borders do not fit together."""
    large = Grid(tuple(2 * n for n in shape), 1.0)
    field = np.random.default_rng(seed).standard_normal(large.shape)
    field = fourier.inverse(fourier.forward(field) * np.sqrt(law(large)), large.shape)
    return field[tuple(slice(0, n) for n in shape)]


def view(side: int, ndim: int = 2) -> np.ndarray:
    """A hollow particle that reaches 4 pixels less than its box, on a ground of 0."""
    r = np.sqrt(sum(x**2 for x in Grid((side,) * ndim, 1.0).offsets()))
    radius = side // 2 - 4
    return np.exp(-(((r - 0.72 * radius) / (0.1 * radius)) ** 2) / 2)


def bank(side: int, ndim: int = 2, pixel_size: float = 1.0) -> TemplateBank:
    views = standardised(view(side, ndim)[None])
    return TemplateBank("p", "p", views, np.zeros(1), pixel_size, (side // 2 - 4) * pixel_size, "C1")


def energy(bank: TemplateBank, spectrum: Law, power: Law | None = None) -> float:
    """Σ|T|² / P, or Σ|T|² P₀ / P², as a template meets them."""
    grid = Grid(tuple(fourier.fast_length(4 * n) for n in bank.grid.shape), bank.pixel_size)
    seen = fourier.power(fourier.forward_stack(bank.images, grid.shape))[0] * fourier.hermitian_weights(
        grid.shape
    )
    seen[(0,) * grid.ndim] = 0
    return float((seen * (power(grid) if power else spectrum(grid)) / spectrum(grid) ** 2).sum())


def with_copies(image: np.ndarray, side: int, places: np.ndarray, d_prime: float, law: Law) -> np.ndarray:
    grid = Grid(image.shape, 1.0)
    one = view(side) / np.sqrt(((view(side) - view(side).mean()) ** 2).sum())
    own = bank(side)
    size = np.prod([fourier.fast_length(4 * n) for n in own.grid.shape])
    copies = fourier.delta_spectrum(grid, tuple(places.T)) * fourier.forward_stack(one, grid.shape)
    return image + d_prime / np.sqrt(energy(own, law) / size) * fourier.inverse(copies, grid.shape)


def apart(shape: tuple[int, int], distance: float, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    places: list[np.ndarray] = []
    while len(places) < count:
        place = rng.uniform(0, np.array(shape) - 1)
        if not places or np.linalg.norm(np.array(places) - place, axis=1).min() > distance:
            places.append(place)
    return np.array(places)


@pytest.mark.parametrize("law", LAWS)
def test_scores_of_noise_have_unit_standard_deviation(law: Law) -> None:
    own = bank(33)
    ratios = []
    for seed in range(4):
        image = noise((512, 384), law, seed)
        estimate = estimated_spectrum(image - image.mean(), Grid(image.shape, 1.0), [own])
        ratios.append(np.sqrt(energy(own, estimate, law) / energy(own, estimate)))
    # One image scatters by 1 %, the mean of four by half of that; 0.5 % goes with what stands out by chance.
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("d_prime", [10.0, 30.0])
def test_particles_on_a_third_of_the_area_hardly_move_it(law: Law, d_prime: float) -> None:
    side, shape = 41, (512, 512)
    places = apart(shape, 33, 98, seed=1)
    image = with_copies(noise(shape, law, 2), side, places, d_prime, law)
    estimate = estimated_spectrum(image - image.mean(), Grid(shape, 1.0), [bank(side)])
    # η of detection. Of noise and particles together it would be 0.4 at d′ = 10 and 0.1 at 30.
    assert energy(bank(side), estimate) / energy(bank(side), law) == pytest.approx(1.0, abs=0.06)


def of_everything(image: np.ndarray) -> Law:
    """The mean power of each ring, Bragg spots and all: what whitens a crystal away."""
    grid = Grid(image.shape, 1.0)
    bins = np.rint(grid.frequency_radius() * 512).astype(int)
    power = fourier.power(fourier.forward(image - image.mean())) / grid.size
    mean = np.bincount(bins.ravel(), power.ravel()) / np.bincount(bins.ravel())
    return lambda g: np.interp(g.frequency_radius() * 512, np.arange(len(mean))[1:], mean[1:])


def separation(image: np.ndarray, own: TemplateBank, spectrum: Law, sites: np.ndarray) -> float:
    """How far the scores at the sites of a crystal stand above those between them, in standard deviations."""
    grid = Grid(image.shape, 1.0)
    values, weight = whitened(image - image.mean(), grid, spectrum)
    kernel = fourier.forward_stack(unit_noise(own.images, weight), grid.shape)[0]
    scores = fourier.inverse(fourier.forward(values) * np.conj(kernel), grid.shape)
    # Sites are those of the corners of copies and of the template alike; the rim is left out.
    inner = np.s_[40:-40, 40:-40]
    away = np.ones(grid.shape, bool)
    away[tuple(np.rint(sites).astype(int).T)] = False
    distance = ndimage.distance_transform_edt(away)
    peaks, between = scores[inner][~away[inner]], scores[inner][(distance > 12)[inner]]
    return float((peaks.mean() - between.mean()) / between.std())


@pytest.mark.parametrize("law", [white, steep])
@pytest.mark.parametrize("d_prime", [5.0, 20.0])
def test_a_crystal_that_fills_the_field_is_not_whitened_away(law: Law, d_prime: float) -> None:
    side, shape = 31, (512, 512)
    turn = np.deg2rad(12)
    basis = 30 * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    sites = np.stack(np.meshgrid(*[np.arange(-40, 40)] * 2), axis=-1).reshape(-1, 2) @ basis
    sites = sites[((sites >= 0) & (sites < 511)).all(axis=1)]
    own = bank(side)
    image = with_copies(noise(shape, law, 3), side, sites, d_prime, law)
    estimate = estimated_spectrum(image - image.mean(), Grid(shape, 1.0), [own])
    # Height of a peak, relative to that of whoever knows the spectrum: within 10 %.
    assert np.sqrt(energy(own, estimate) / energy(own, law)) == pytest.approx(1.0, abs=0.1)
    # And how far peaks stand out of what is between them; whitened by all that is there they lose a third.
    told = separation(image, own, law, sites)
    assert separation(image, own, estimate, sites) == pytest.approx(told, rel=0.1)
    assert separation(image, own, of_everything(image), sites) < 0.7 * told


def test_lines_ramps_and_dead_borders_do_not_move_it() -> None:
    shape = (512, 400)
    y, x = np.indices(shape)
    image = noise(shape, white, 5)
    image += 2 * np.cos(2 * np.pi * (0.11 * y + 0.07 * x)) + np.linspace(-2, 2, 400)
    valid = np.ones(shape, bool)
    valid[:60] = valid[200:230, 100:300] = False
    estimate = estimated_spectrum(np.where(valid, image, 0.0), Grid(shape, 1.0), [bank(33)], valid=valid)
    assert energy(bank(33), estimate) / energy(bank(33), white) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("law", LAWS)
def test_it_exists_in_one_dimension(law: Law) -> None:
    image = noise((20000,), law, 6)
    own = bank(33, ndim=1)
    estimate = estimated_spectrum(image - image.mean(), Grid(image.shape, 1.0), [own])
    # 20 000 pixels hold some 4000 frequencies that the template sees: 3 %; four times that.
    assert energy(own, estimate) / energy(own, law) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("shape", [(64, 64), (33, 33), (5, 7), (3, 3), (9,), (3,)])
@pytest.mark.parametrize("image", [np.zeros, lambda s: np.indices(s).sum(axis=0) % 2.0 - 0.5])
def test_images_without_noise_and_small_ones_are_not_divided_by_nothing(
    shape: tuple[int, ...], image: Callable[[tuple[int, ...]], np.ndarray]
) -> None:
    grid = Grid(shape, 1.0)
    dot = np.zeros((1, *(3,) * len(shape)))
    dot[(0, *(1,) * len(shape))] = 1
    own = TemplateBank("p", "p", standardised(dot), np.zeros(1), 1.0, 1.0, "C1")
    estimate = estimated_spectrum(image(shape), grid, [own])(grid)
    assert np.isfinite(estimate).all()
    assert (estimate > 0).all()


def test_it_scales_with_the_image_and_not_with_the_pixel() -> None:
    image = noise((256, 256), pink, 7)
    one = estimated_spectrum(image, Grid(image.shape, 1.0), [bank(33)])
    other = estimated_spectrum(1e6 * image, Grid(image.shape, 2.5), [bank(33, pixel_size=2.5)])
    box, same = Grid((50, 50), 1.0), Grid((50, 50), 2.5)
    np.testing.assert_allclose(other(same), 1e12 * one(box), rtol=1e-3)  # single precision inside


def test_the_level_of_a_ring_is_the_mean_of_what_is_below_four_times_it() -> None:
    """Worked out again from its definition: of exponential powers, a mean cut at 4 keeps 0.925."""
    rings = Rings.of(Grid((96, 96), 1.0), side=32.0, periodograms=2)
    power = np.random.default_rng(3).exponential(size=(2, *rings.index.shape))
    power[0, 10:14] = 30.0
    for ring, found in enumerate(rings.levels(power)):
        values = power[:, rings.index == ring]
        level = np.median(values) / np.log(2)
        for _ in range(3):
            level = values[values < 4 * level].mean() / (1 - 4 / (np.exp(4) - 1))
        assert found == pytest.approx(level, rel=1e-12)


def test_rings_return_a_power_law_and_the_level_under_spots() -> None:
    grid = Grid((96, 80), 1.5)
    rings = Rings.of(grid, side=20.0)
    law = rings.radius**-1.7
    np.testing.assert_allclose(rings.smoothed(law), law, rtol=1e-10)
    np.testing.assert_allclose(rings.spectrum(law)(Grid((len(law),), 1.0))[0], law[0])  # flat below the first
    power = np.random.default_rng(1).exponential(size=(8, *rings.index.shape))
    clean = rings.levels(power)
    spots = np.random.default_rng(3).random(power.shape) < 0.05
    # One frequency in twenty is a spot: it shifts the mean by 5 and the level by a few per cent.
    assert np.abs(rings.levels(np.where(spots, 100.0, power)) / clean - 1).max() < 0.25
    # Mean of n exponentials, n ≥ 192: 5 standard deviations of the clipped mean.
    assert np.abs(clean - 1).max() < 5 * 1.2 / np.sqrt(24 * 8)


@pytest.mark.parametrize("shape", [(40, 31), (31, 40), (1, 6), (50,)])
def test_levels_of_rings_are_on_any_grid_what_they_are_at_its_frequencies(shape: tuple[int, ...]) -> None:
    whole = Grid((64,) * len(shape), 2.0)
    rings = Rings.of(whole, side=20.0)
    levels = 1 + np.arange(len(rings.radius)) ** 2
    grid = Grid(shape, 2.0)
    at = np.log(np.maximum(grid.frequency_radius(), rings.radius[0]))
    expected = np.exp(np.interp(at, np.log(rings.radius), np.log(levels)))
    np.testing.assert_array_equal(rings.spectrum(levels)(grid), expected)
