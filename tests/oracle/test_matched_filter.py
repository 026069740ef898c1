"""The matched filter against dense linear algebra, and a declared spectrum on other grids."""

from __future__ import annotations

import numpy as np
import pytest

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.whitening import sampled_spectrum, unit_noise, up_to, white, whitened
from simkit.picker.base import Sight
from simkit.picker.matched_filter import MatchedFilter


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


@pytest.mark.parametrize("shape", [(64, 60), (63, 75), (65,), (64,)])
@pytest.mark.parametrize("widest", [16, 17, 70])
def test_covariances_of_small_boxes_are_those_of_the_whole(shape: tuple[int, ...], widest: int) -> None:
    """To the rounding of single precision, of a spectrum that no axis mirrors; wider boxes are refused."""
    grid = Grid(shape, 1.0)
    image = np.random.default_rng(3).standard_normal(shape)

    def skew(grid: Grid) -> np.ndarray:
        return law(grid) * np.exp(np.cos(2 * np.pi * (sum(3 * k for k in grid.frequencies()))))

    values, weight = whitened(image, grid, skew)
    ours, near = whitened(image, grid, skew, widest=widest)
    np.testing.assert_array_equal(ours, values)
    box = Grid((min(widest, *shape),) * len(shape), 1.0)
    np.testing.assert_allclose(near(box), weight(box), atol=1e-6 * weight(box).max())
    if widest < min(shape):
        with pytest.raises(ValueError, match=f"kept for {widest} pixels, not for {widest + 1}"):
            near(Grid((widest + 1,) * len(shape), 1.0))


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


def test_what_is_finer_than_the_lowpass_is_left_out() -> None:
    grid = Grid((250, 240), 2.0)
    image = np.random.default_rng(4).standard_normal(grid.shape)
    spectrum = up_to(white, 1 / 12.0)
    values, weight = whitened(image, grid, spectrum)
    power = fourier.power(fourier.forward(values))
    beyond = grid.frequency_radius() > 1 / 12.0
    assert power[beyond].max() < 1e-12 * power.max()
    view = standardised(np.exp(-(sum(x**2 for x in Grid((17, 17), 1.0).offsets())) / 18)[None])
    kernel = unit_noise(view, weight)
    scores = fourier.inverse(
        fourier.forward(values) * np.conj(fourier.forward_stack(kernel, grid.shape)[0]), grid.shape
    )
    # About 60 000 / 60 independent places give the standard deviation to 2 %: 4 of those.
    assert scores.std() == pytest.approx(1.0, abs=0.09)


def test_a_lowpass_that_leaves_nothing_is_refused() -> None:
    grid = Grid((64, 64), 2.0)
    bank = TemplateBank("p", "p", standardised(np.eye(9)[None]), np.zeros(1), 2.0, 8.0, "C1")
    sight = Sight(np.zeros(grid.shape), grid, [bank], None, None, None, np.random.default_rng(0))
    cut = {"kind": "fixed", "value": 5}
    picker = MatchedFilter.model_validate(
        {"lowpass": "17 Å", "threshold": cut}, context={"units": "required"}
    )
    with pytest.raises(ScenarioError, match="leaves nothing of a template 16 Å across"):
        picker.pick(sight)
