"""The ideal observer's recall, curves and outliers against drawn score fields."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation.subpixel import quadratic_peak
from simkit.theory.fisher import copy_limits, derivatives_of, fisher_information
from simkit.theory.observer import ideal_curve, recall_above
from simkit.theory.outliers import expected_mse, outlier_probability
from simkit.theory.random_field import expected_maxima, spectral_moments

GRID = Grid((40, 40), 1.0)


def template(grid: Grid) -> np.ndarray:
    """A core with a dark surround: nearly zero-mean, unit energy, smooth on the pixels."""
    squared = sum(x**2 for x in grid.offsets())
    view = np.exp(-squared / 18) - 0.25 * np.exp(-squared / 72)
    return view / np.sqrt((view**2).sum())


def score_fields(grid: Grid, d_prime: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Scores of a matched filter in white noise, the particle on the central pixel."""
    probe = np.conj(fourier.forward(fourier.centre_to_corner(template(grid))))
    images = rng.standard_normal((count, *grid.shape)) + d_prime * template(grid)
    return fourier.inverse(fourier.forward_stack(images, grid.shape) * probe, grid.shape)


def top_near(field: np.ndarray) -> float:
    """Climb from the central pixel; the height of the top between the pixels."""
    y, x = (n // 2 for n in field.shape)
    while True:
        window = field[y - 1 : y + 2, x - 1 : x + 2]
        step = np.unravel_index(window.argmax(), window.shape)
        if step == (1, 1):
            return float(quadratic_peak(window[None])[1][0])
        y, x = y + int(step[0]) - 1, x + int(step[1]) - 1


@pytest.mark.parametrize(("d_prime", "closeness"), [(3.0, 0.035), (4.0, 0.015), (8.0, 0.01)])
def test_recall_of_the_top_near_a_particle(d_prime: float, closeness: float) -> None:
    """A share of 2000 is known to 0.011 at most; 12 of them to 3 sd: false alarm 3 %, at this seed none."""
    fields = score_fields(GRID, d_prime, 2000, stream(11, "recall", str(d_prime)))
    heights = np.array([top_near(field) for field in fields])
    for above in (-1.5, 0.0, 1.0, 1.5):
        level = d_prime + above
        share = (heights > level).mean()
        error = 3 * np.sqrt(share * (1 - share) / len(heights))
        assert abs(share - recall_above(level, d_prime)) < closeness + error
    at_the_place = fields[:, 20, 20]
    assert heights.mean() - at_the_place.mean() == pytest.approx(1 / d_prime, rel=0.2)
    assert (at_the_place > d_prime + 1).mean() == pytest.approx(
        recall_above(d_prime + 1, d_prime, gain=False), abs=0.02
    )


def test_the_gain_is_half_a_unit_of_d_prime_for_each_searched_dimension() -> None:
    """Mean height d′ + k/(2d′), from the integral of the recall over the level."""
    for dims in (1, 2, 3):
        mean, _ = quad(lambda u, k=dims: float(recall_above(u, 20.0, dims=k)), 0, 40, limit=200)
        assert mean == pytest.approx(20 + dims / 40, abs=2e-4)  # the next term is of order d′⁻³


@given(u=st.floats(1.8, 30), d=st.floats(0, 30), dims=st.integers(1, 3))
def test_searching_further_only_adds(u: float, d: float, dims: int) -> None:
    recall = recall_above(u, d, dims=dims)
    assert 0 <= recall <= 1
    assert recall >= recall_above(u, d, gain=False) - 1e-12
    assert recall_above(u, d, dims=dims + 1) >= recall - 1e-12
    assert recall_above(u + 0.1, d, dims=dims) <= recall + 1e-12
    assert recall_above(u, d + 0.1, dims=dims) >= recall - 1e-12


def test_without_a_search_it_is_the_known_place() -> None:
    np.testing.assert_allclose(
        recall_above([3.0, 5.0], [[4.0], [6.0]], gain=False), norm.sf([[-1, 1], [-3, -1]])
    )


def false_above(u: float) -> float:
    return 200 * float(norm.sf(u))


def test_a_curve_counts_what_is_expected() -> None:
    curve = ideal_curve(d_prime=[6.0, 8.0], weights=[30.0, 10.0], false_above=false_above, area=2.0, dims=2)
    assert curve.level[0] == pytest.approx(1.8)
    assert curve.level[-1] >= 12
    np.testing.assert_allclose(
        curve.recall, 0.75 * recall_above(curve.level, 6.0) + 0.25 * recall_above(curve.level, 8.0)
    )
    assert curve.particles_per_image == 40
    true, false = 40 * curve.recall, curve.false_per_image
    np.testing.assert_allclose(false, 200 * norm.sf(curve.level))
    np.testing.assert_allclose(curve.precision, true / (true + false))
    precision, recall = curve.precision, curve.recall
    np.testing.assert_allclose(curve.f1, 2 * precision * recall / (precision + recall))
    np.testing.assert_allclose(curve.false_per_area, false / 2)
    assert curve.recall_at(false_above(5.0)) == pytest.approx(
        float(np.interp(5.0, curve.level, recall)), abs=1e-3
    )
    assert curve.recall_at(1e9) == recall[0]


def test_copies_count_one_each_unless_weighted() -> None:
    levels = np.array([3.0, 4.0, 5.0])
    each = ideal_curve(d_prime=[5.0, 5.0, 7.0], false_above=false_above, area=1.0, dims=3, levels=levels)
    weighted = ideal_curve(
        d_prime=[5.0, 7.0], weights=[2.0, 1.0], false_above=false_above, area=1.0, dims=3, levels=levels
    )
    np.testing.assert_allclose(each.recall, weighted.recall)
    assert each.particles_per_image == weighted.particles_per_image == 3


def test_no_copies_have_no_recall() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ideal_curve(d_prime=[], false_above=false_above, area=1.0, dims=2)


def test_precision_of_nothing_does_not_exist() -> None:
    curve = ideal_curve(
        d_prime=[5.0], false_above=lambda u: 0.0, area=1.0, dims=2, levels=np.array([2.0, 90.0])
    )
    assert curve.precision[0] == 1
    assert np.isnan(curve.precision[1])
    assert curve.f1[1] == 0


# --- outliers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("d_prime", [0.5, 3.0, 5.0, 9.0])
def test_outlier_probability_is_the_integral_over_the_particles_own_top(d_prime: float, dims: int) -> None:
    """The share of tops between two levels is what recall loses from the one to the other."""
    levels = np.linspace(0.0, d_prime + 9, 4001)
    tops = -np.diff(recall_above(levels, d_prime, dims=dims))
    lost = [-np.expm1(-false_above(float(max(u, 1.8)))) for u in (levels[1:] + levels[:-1]) / 2]
    # Midpoints 0.004 wide under a tail that curves as u² cost 1e-5; the kink at 1.8, where E stops rising,
    # costs the trapezoidal rule up to 1e-4.
    assert outlier_probability(d_prime, false_above, dims=dims) == pytest.approx(tops @ lost, rel=3e-4)


def test_outliers_grow_fewer_with_detectability() -> None:
    many = outlier_probability([3.0, 5.0, 9.0], false_above)
    assert many.shape == (3,)
    assert (np.diff(many) < 0).all()
    assert outlier_probability(8.0, lambda u: 0.0) == 0


@pytest.mark.parametrize(("d_prime", "count"), [(4.0, 2000), (5.0, 2000)])
def test_outliers_and_their_error_in_drawn_fields(d_prime: float, count: int) -> None:
    """The highest peak of a 64-pixel window: how often it is not the particle's, and what that costs."""
    grid = Grid((64, 64), 1.0)
    rng = stream(12, "outliers", str(d_prime))
    places = [
        np.array(np.unravel_index(field.argmax(), grid.shape)) - 32
        for field in score_fields(grid, d_prime, count, rng)
    ]
    errors = np.array(places, float)
    gross = np.hypot(*errors.T) > 8
    moments = spectral_moments(template(grid)[None], pixel_size=1.0)
    predicted = float(
        outlier_probability(d_prime, lambda u: expected_maxima(u, area=64**2, moments=moments), dims=2)
    )
    # 3.3 standard deviations of a count (false alarm 1 in 1000), and 10 % for the closed form and pixels.
    expected = count * predicted
    assert abs(gross.sum() - expected) < 3.3 * np.sqrt(expected) + 0.1 * expected
    derivatives = derivatives_of(d_prime * fourier.forward(fourier.centre_to_corner(template(grid))), grid)
    limit = copy_limits(fisher_information(np.stack(list(derivatives.values())), variance=1.0), derivatives)
    mse = (errors**2).mean()
    assert mse == pytest.approx(float(expected_mse(limit.sigma_x**2, predicted, 64.0)), rel=0.25)
    # Below d′ = 6 the limit says nothing: the error is several times larger.
    assert np.sqrt(mse) > 2 * limit.sigma_x


def test_without_outliers_the_error_is_the_limit() -> None:
    assert expected_mse(4.0, 0.0, 100.0) == 4
    np.testing.assert_allclose(expected_mse([4.0, 1.0], [1.0, 0.5], 12.0), [12, 6.5])
