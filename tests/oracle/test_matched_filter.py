"""The matched filter against dense linear algebra, and a declared spectrum on other grids."""

from __future__ import annotations

import numpy as np
import pytest

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.correlation.bank import standardised
from simkit.correlation.whitening import sampled_spectrum, unit_noise, white, whitened


def law(grid: Grid) -> np.ndarray:
    """A smooth coloured spectrum."""
    return 0.5 + 1.0 / (0.02 + (grid.frequency_radius() * grid.pixel_size) ** 2) / 25


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
