"""The matched filter against dense linear algebra, its noise scale, and the spectrum it whitens by."""

from __future__ import annotations

import numpy as np
import pytest

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.correlation.bank import standardised
from simkit.correlation.padding import Frame
from simkit.correlation.whitening import radial_spectrum, sampled_spectrum, unit_noise, white, whitened


def law(grid: Grid) -> np.ndarray:
    """A smooth coloured spectrum."""
    return 0.5 + 1.0 / (0.02 + (grid.frequency_radius() * grid.pixel_size) ** 2) / 25


def coloured(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    spectrum = fourier.forward(rng.standard_normal(grid.shape)) * np.sqrt(law(grid))
    return fourier.inverse(spectrum, grid.shape)


@pytest.mark.parametrize("shape", [(12, 10), (11, 13)])
def test_equals_the_generalised_least_squares_estimate(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    grid = Grid(shape, 1.0)
    image = rng.standard_normal(shape)
    view = standardised(rng.standard_normal((1, 5, 5)))
    values, weight = whitened(image, grid, law)
    kernel = unit_noise(view, weight)[0]
    # The covariance matrix C of noise with that spectrum; tᵀC⁻¹y / sqrt(tᵀC⁻¹t) on the same periodic grid.
    row = fourier.inverse(law(grid).astype(complex), shape)
    places = list(np.ndindex(*shape))
    C = np.array([[row[tuple(np.subtract(a, b))] for b in places] for a in places])
    template = np.zeros(shape)
    template[:5, :5] = view[0]
    for y, x in [(0, 0), (3, 4), (6, 2)]:
        t = np.roll(template, (y, x), (0, 1)).ravel()
        whole = np.ones(t.size) / np.sqrt(t.size)
        y0 = image.ravel() - whole * (whole @ image.ravel())  # the zero frequency is left out
        expected = t @ np.linalg.solve(C, y0) / np.sqrt(t @ np.linalg.solve(C, t))
        ours = (np.roll(values, (-y, -x), (0, 1))[:5, :5] * kernel).sum()
        assert ours == pytest.approx(expected, rel=1e-5)  # 1/P is transformed in single precision


def test_scores_of_noise_have_unit_standard_deviation() -> None:
    grid = Grid((256, 240), 2.0)
    image = coloured(grid, np.random.default_rng(4))
    view = standardised(np.exp(-(sum(x**2 for x in Grid((17, 17), 1.0).offsets())) / 18)[None])
    frame = Frame.around(grid, 17)
    spectrum = radial_spectrum(image - image.mean(), grid, 33)
    values, weight = whitened(frame.pad(image - image.mean()), frame.grid, spectrum)
    probe = np.zeros(frame.shape)
    probe[:17, :17] = unit_noise(view, weight)[0]
    probe = np.roll(probe, (-8, -8), (0, 1))
    scores = frame.cut(
        fourier.inverse(fourier.forward(values) * np.conj(fourier.forward(probe)), frame.shape)
    )
    # About 60 000 / 100 independent places give the sd to 3 %, the estimate of P is good to 5 %: 4 sd.
    assert scores.std() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("shape", [(512, 512), (400, 301), (128, 128), (4096,)])
def test_estimated_spectrum_is_that_of_the_noise(shape: tuple[int, ...]) -> None:
    grid = Grid(shape, 1.5)
    image = coloured(grid, np.random.default_rng(5))
    estimate, truth = radial_spectrum(image, grid, 64)(grid), law(grid)
    band = (grid.frequency_radius() > 0.05 / 1.5) & (grid.frequency_radius() < grid.nyquist)
    # Blocks of an image share few frequencies: 1000 independent values a ring in 2-D, 60 in 1-D.
    assert np.abs(np.log(estimate / truth)[band]).max() < (0.25 if len(shape) == 2 else 0.6)


def test_particles_spots_and_lines_do_not_move_the_estimate() -> None:
    grid = Grid((512, 512), 1.0)
    rng = np.random.default_rng(6)
    noise = rng.standard_normal(grid.shape)
    y, x = np.indices(grid.shape)
    dirty = noise + 2 * np.cos(2 * np.pi * (0.11 * y + 0.07 * x))  # a Bragg pair, 1000 times the noise
    dirty += np.linspace(-2, 2, 512)  # a ramp, whose jump at the border makes a cross
    for cy, cx in rng.uniform(40, 470, (8, 2)):
        dirty += 4 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 200)
    estimate = radial_spectrum(dirty - dirty.mean(), grid, 48)(grid)
    inside = (grid.frequency_radius() < 0.5) & (grid.frequency_radius() > 0.03)
    mean, _ = fourier.radial_average(fourier.power(fourier.forward(dirty)) / dirty.size, grid, 24)[::-1]
    assert mean[1:].max() > 20  # what averaging the periodogram would say of unit noise
    # Noise alone gives 1 ± 0.05; a third of the blocks holds a particle, which shifts a median a little.
    assert np.median(np.abs(estimate - 1)[inside]) < 0.05
    assert estimate[inside].max() < 1.6


def test_an_image_without_noise_is_not_divided_by_nothing() -> None:
    grid = Grid((64, 64), 1.0)
    assert np.isfinite(radial_spectrum(np.zeros(grid.shape), grid, 20)(grid)).all()
    assert (radial_spectrum(np.zeros(grid.shape), grid, 20)(grid) > 0).all()


@pytest.mark.parametrize("shape", [(64, 64), (63, 50), (65,)])
def test_a_declared_spectrum_is_interpolated(shape: tuple[int, ...]) -> None:
    grid = Grid(shape, 2.0)
    ours = sampled_spectrum(law(grid), grid)
    away = np.ones(ours(grid).shape, bool)
    away[(0,) * len(shape)] = False
    np.testing.assert_allclose(ours(grid)[away], law(grid)[away], rtol=1e-12)
    other = Grid(tuple(2 * n + 24 for n in shape), 2.0)
    high = other.frequency_radius() > 0.1
    # Linear interpolation of a smooth law between samples 1/64 apart.
    np.testing.assert_allclose(ours(other)[high], law(other)[high], rtol=0.05)
    np.testing.assert_allclose(sampled_spectrum(3 * white(grid), grid)(other), 3.0)
