"""False picks and detectability: closed forms against drawn fields and covariance matrices."""

import numpy as np
import pytest
from scipy.linalg import circulant
from scipy.ndimage import maximum_filter
from scipy.stats import norm

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.theory.detectability import detectability
from simkit.theory.random_field import (
    HIGHEST_LEVEL,
    LOWEST_LEVEL,
    expected_maxima,
    level_for,
    spectral_moments,
)


def gaussian(grid, *sigmas, angle=0.0):
    """Draw an elliptic Gaussian of standard deviations (y, x) before it is turned."""
    if grid.ndim == 1:
        return np.exp(-(grid.offsets()[0] ** 2) / (2 * sigmas[0] ** 2))
    y, x = grid.offsets()
    cos, sin = np.cos(angle), np.sin(angle)
    across, along = cos * y - sin * x, cos * x + sin * y
    return np.exp(-(across**2) / (2 * sigmas[0] ** 2) - along**2 / (2 * sigmas[1] ** 2))


def turned(grid, *sigmas, step):
    return np.stack([gaussian(grid, *sigmas, angle=a) for a in np.arange(0, np.pi - step / 2, step)])


def matched(view):
    """Return the conjugate transform of a view, scaled so that white noise scores unit variance."""
    spectrum = fourier.forward(fourier.centre_to_corner(view))
    return np.conj(spectrum) / np.sqrt((view**2).sum())


def scores(views, rng):
    noise = fourier.forward(rng.standard_normal(views.shape[1:]))
    return np.stack([fourier.inverse(noise * matched(view), views.shape[1:]) for view in views])


def maxima_above(field, level):
    return int(((maximum_filter(field, 3, mode="wrap") == field) & (field > level)).sum())


def test_moments_of_an_elliptic_gaussian():
    """Σ(2πk)²|t̂|² = 1/(2σ²) along an axis, and (σ₁² − σ₂²)² / (4σ₁²σ₂²) in the angle."""
    grid, step = Grid((81, 81), 2.0), np.pi / 180
    moments = spectral_moments(turned(grid, 8.0, 16.0, step=step), pixel_size=2.0, angle_step=step)
    assert moments.shape == (180, 3, 3)
    expected = np.diag([1 / 128, 1 / 512, 192**2 / (4 * 64 * 256)])
    # The Gaussian ends at 5 σ of the longer axis; a chord of 1° is shorter than its arc by 1e-4 of it.
    np.testing.assert_allclose(moments[0], expected, rtol=1e-3, atol=1e-6)
    # Every view is the same template: its moments turn with it.
    np.testing.assert_allclose(np.linalg.det(moments), np.linalg.det(moments[0]), rtol=1e-4)
    np.testing.assert_allclose(moments[90, :2, :2], np.diag([1 / 512, 1 / 128]), atol=1e-6)


def test_the_moments_of_some_views_are_theirs():
    step = np.pi / 18
    views = turned(Grid((41, 40), 1.0), 3.0, 6.0, step=step)
    every = spectral_moments(views, pixel_size=1.0, angle_step=step)
    some = spectral_moments(views, pixel_size=1.0, angle_step=step, wanted=[17, 4, 5])
    np.testing.assert_array_equal(some, every[[17, 4, 5]])


def test_moments_do_not_depend_on_scale_or_place():
    grid = Grid((48, 50), 1.0)
    views = gaussian(grid, 3.0, 5.0, angle=0.4)[None]
    moved = fourier.shift(-7 * views[0], (1.3, -2.6))[None]
    once, again = (spectral_moments(v, pixel_size=1.0) for v in (views, moved))
    np.testing.assert_allclose(again, once, atol=1e-6)


def test_whitening_divides_the_energy_by_the_noise():
    """A Gaussian over Gaussian-shaped noise is a narrower Gaussian in space: variances subtract."""
    grid = Grid((64, 65), 1.0)
    noise = np.exp(-2 * np.pi**2 * grid.frequency_radius() ** 2)
    view = gaussian(grid, 5.0, 5.0)[None]
    moments = spectral_moments(view, pixel_size=1.0, noise_spectrum=noise)
    # |t̂|² falls as e^(−4π²·25k²) and the noise as e^(−4π²·0.5k²); the box ends at 6.4 σ.
    np.testing.assert_allclose(moments[0], np.eye(2) / (2 * 24.5), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("level", [2.0, 4.0])
def test_the_closed_form_as_it_is_published(level):
    moments = np.array([[[0.03, 0.01, 0.02], [0.01, 0.05, -0.01], [0.02, -0.01, 1.5]]])
    plane, solid = np.linalg.det(moments[0, :2, :2]), np.linalg.det(moments[0])
    tail = np.exp(-(level**2) / 2)
    in_plane = 900 * np.sqrt(plane) * (2 * np.pi) ** -1.5 * level * tail
    turning = 900 * 2 * np.pi * np.sqrt(solid) * (2 * np.pi) ** -2 * (level**2 - 1) * tail
    many = np.repeat(moments, 100, axis=0)
    found = expected_maxima(level, area=900, moments=many, angle_range=2 * np.pi)
    assert found == pytest.approx(in_plane + turning, rel=1e-12)
    assert expected_maxima(level, area=900, moments=moments[:, :2, :2]) == pytest.approx(in_plane, rel=1e-12)
    in_line = 900 * np.sqrt(0.03) / (2 * np.pi) * tail
    assert expected_maxima(level, area=900, moments=moments[:, :1, :1]) == pytest.approx(in_line, rel=1e-12)


def test_views_too_far_apart_count_as_independent():
    moments = np.diag([0.1, 0.1, 1e6])[None].repeat(3, axis=0)
    one = expected_maxima(3.0, area=100, moments=moments[:, :2, :2])
    assert expected_maxima(3.0, area=100, moments=moments, angle_range=6.28) == pytest.approx(3 * one)
    searched = expected_maxima(3.0, area=100, moments=moments, angle_range=6.28, views=30)
    assert searched == pytest.approx(30 * one)


def test_maxima_of_a_smooth_plane_of_noise():
    """Counted: within four standard errors (6e-5) and 4 %, by which maxima outnumber caps at 2.5 σ."""
    grid, images, level = Grid((256, 256), 1.0), 48, 2.5
    view = gaussian(grid, 3.0, 3.0)[None]
    rng = stream(11, "plane")
    counted = sum(maxima_above(scores(view, rng)[0], level) for _ in range(images))
    moments = spectral_moments(view, pixel_size=1.0)
    expected = expected_maxima(level, area=images * grid.area, moments=moments)
    assert abs(counted - expected) < 4 * np.sqrt(expected) + 0.04 * expected


def test_maxima_of_a_smooth_line_of_noise():
    """As above, in one dimension, where at 2.5 σ hardly a cap has two tops (2 %)."""
    grid, level = Grid((2**18,), 0.5), 2.5
    box = Grid((101,), 0.5)
    template = np.zeros(grid.shape)
    template[:101] = gaussian(box, 4.0)
    rng = stream(12, "line")
    counted = sum(maxima_above(scores(template[None], rng)[0], level) for _ in range(4))
    moments = spectral_moments(gaussian(box, 4.0)[None], pixel_size=0.5)
    expected = expected_maxima(level, area=4 * grid.area, moments=moments)
    assert abs(counted - expected) < 4 * np.sqrt(expected) + 0.02 * expected


def test_a_search_over_angles_is_bounded_safely():
    """The closed form is 1 to 1.9 times the maxima that are counted once per place.

    About 180 are counted, so the ratio of 1.3 is known to 0.1: three standard errors above 1.
    """
    grid, step, images, level = Grid((256, 256), 1.0), np.pi / 18, 12, 3.0
    views = turned(grid, 2.5, 7.0, step=step)
    rng = stream(13, "turned")
    counted = sum(maxima_above(scores(views, rng).max(axis=0), level) for _ in range(images))
    moments = spectral_moments(views, pixel_size=1.0, angle_step=step)
    expected = expected_maxima(level, area=images * grid.area, moments=moments, angle_range=np.pi)
    assert counted < expected < 1.9 * counted


@pytest.mark.parametrize("count", [1e-6, 0.1, 1.0, 20.0])
def test_the_level_for_a_count_gives_that_count(count):
    moments = np.diag([0.02, 0.02, 4.0])[None].repeat(90, axis=0)

    def expected_above(u):
        return expected_maxima(u, area=1e5, moments=moments, angle_range=np.pi)

    # The level is found to 1e-11 and the count falls by a factor e^u per unit of it.
    assert expected_above(level_for(count, expected_above)) == pytest.approx(count, rel=1e-9)


def test_levels_stay_where_the_closed_form_holds():
    assert level_for(100.0, lambda u: 50 * norm.sf(u)) == LOWEST_LEVEL
    assert level_for(1e-320, lambda u: 1e6 * norm.sf(u)) == HIGHEST_LEVEL


@pytest.mark.parametrize("shape", [(20, 21), (32,), (9, 8)])
def test_detectability_in_white_noise_is_energy_over_variance(shape):
    copy = np.random.default_rng(14).normal(size=shape)
    found = detectability(fourier.forward(copy), noise_spectrum=0.25, shape=shape)
    assert found == pytest.approx(2 * np.sqrt((copy**2).sum()), rel=1e-12)


@pytest.mark.parametrize("n", [24, 25])
def test_detectability_in_coloured_noise_is_that_of_the_covariance(n):
    """d′² = tᵀ C⁻¹ t, with C built from the autocorrelation."""
    copy = np.random.default_rng(15).normal(size=n)
    power = 1 / (0.1 + np.fft.rfftfreq(n))
    covariance = circulant(np.fft.irfft(power, n))
    expected = np.sqrt(copy @ np.linalg.solve(covariance, copy))
    found = detectability(fourier.forward(copy), noise_spectrum=power, shape=(n,))
    assert found == pytest.approx(expected, rel=1e-10)


def test_signal_without_noise_is_seen_for_certain():
    copy = np.eye(1, 16)[0]
    assert detectability(fourier.forward(copy), noise_spectrum=np.zeros(9), shape=(16,)) == np.inf
    assert detectability(np.zeros(9), noise_spectrum=np.zeros(9), shape=(16,)) == 0
