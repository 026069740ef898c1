"""Values between pixels, and the centred periodogram, against sums written out; views moved and turned."""

import itertools

import numpy as np
import pytest

from simkit.core import fourier
from simkit.correlation.subpixel import turned, with_derivatives

SHAPES = [(9,), (8,), (7, 10), (8, 9)]


def written_out(image, index):
    """Sum c(m) e^(2πi m·x/n) over the modes strictly below Nyquist."""
    shape = np.array(image.shape)
    pixels = np.stack(np.indices(image.shape), axis=-1)
    total = 0.0
    for mode in itertools.product(*[range(-((n - 1) // 2), (n - 1) // 2 + 1) for n in shape]):
        turns = np.array(mode) / shape
        coefficient = (image * np.exp(-2j * np.pi * (pixels @ turns))).sum() / image.size
        total += (coefficient * np.exp(2j * np.pi * np.dot(turns, index))).real
    return total


@pytest.mark.parametrize("shape", SHAPES)
def test_between_pixels_an_image_is_its_trigonometric_polynomial(shape):
    rng = np.random.default_rng(0)
    image = rng.standard_normal(shape)
    points = rng.uniform(-1, 2, (12, len(shape))) * shape
    expected = [written_out(image, point) for point in points]
    # The NUFFT's own precision is 1e-12 of the largest value.
    np.testing.assert_allclose(fourier.interpolate(image, points.T), expected, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_interpolating_at_shifted_pixels_shifts_the_image(shape):
    image = np.random.default_rng(1).standard_normal(shape)
    moved = [axis + d for axis, d in zip(np.indices(shape), (0.3, -1.7), strict=False)]
    back = fourier.shift(image, [-0.3, 1.7][: len(shape)])
    np.testing.assert_allclose(fourier.interpolate(image, moved), back, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_periodogram_keeps_the_energy_and_has_its_zero_in_the_middle(shape):
    image = np.random.default_rng(2).standard_normal(shape)
    power = fourier.periodogram(image)
    assert power.sum() == pytest.approx(image.size * (image**2).sum(), rel=1e-12)
    assert power[tuple(n // 2 for n in shape)] == pytest.approx(image.sum() ** 2, rel=1e-9)


def comma(y, x, psi):
    """No symmetry, features of 2 px, and next to nothing 18 px from its centre."""
    along, across = np.cos(psi) * x + np.sin(psi) * y, np.cos(psi) * y - np.sin(psi) * x
    return np.exp(-(along**2 / 24 + across**2 / 8)) + np.exp(-((along - 5) ** 2 + (across - 3) ** 2) / 8)


@pytest.mark.parametrize("shape", [(41, 41), (40, 42)])
@pytest.mark.parametrize(("offset", "turn"), [((0.3, -0.45), 0.12), ((-0.2, 0.5), -0.06), ((0.0, 0.4), 0.0)])
def test_a_view_moved_and_turned_is_the_same_thing_drawn_there(shape, offset, turn):
    y, x = (np.arange(n) - n // 2 for n in shape)

    def drawn(at):
        return 3 + comma(y[:, None] - at[0], x[None, :] - at[1], 0.7 + at[2])

    gradient, bends = with_derivatives(drawn((0, 0, 0)), np.array(offset), turn)
    at, steps = np.array([*offset, turn]), 1e-3 * np.eye(3)
    rng = np.random.default_rng(3)
    # Central differences of step 1e-3 are off by 1e-6 of a third derivative, and a Gaussian of 2 px by 3e-5
    # of its height, mostly beyond Nyquist; derivatives weigh that by up to π and by 10 px.
    np.testing.assert_allclose(gradient[0], drawn(at) - 3, atol=3e-5)
    for i, e in enumerate(steps):
        slope = (drawn(at + e) - drawn(at - e)) / 2e-3
        np.testing.assert_allclose(gradient[1 + i], slope, atol=3e-4 * np.abs(slope).max())
        for j, d in enumerate(steps):
            bend = (drawn(at + e + d) - drawn(at + e - d) - drawn(at - e + d) + drawn(at - e - d)) / 4e-6
            for _ in range(5):
                f = rng.standard_normal(shape)
                # Of a sum of n random terms the error is √n times theirs.
                assert bends(f)[i, j] == pytest.approx((f * bend).sum(), abs=2e-3 * np.linalg.norm(bend))


def test_in_one_dimension_a_view_only_moves():
    x = np.arange(31) - 15
    gradient, bends = with_derivatives(np.exp(-(x**2) / 8), np.array([0.3]))
    at = x - 0.3
    np.testing.assert_allclose(gradient, [np.exp(-(at**2) / 8), at / 4 * np.exp(-(at**2) / 8)], atol=1e-5)
    bend = [bends(pixel)[0, 0] for pixel in np.eye(31)]
    np.testing.assert_allclose(bend, (at**2 / 16 - 1 / 4) * np.exp(-(at**2) / 8), atol=1e-4)


def test_a_quarter_turn_in_small_ones_is_an_exchange_of_axes():
    y, x = np.indices((41, 41)) - 20
    picture = comma(y, x, 0.2)
    image = picture
    for _ in range(9):
        image = turned(image, np.deg2rad(10))
    # +x to +y: what was at (y, x) is at (x, −y).
    np.testing.assert_allclose(image, picture[::-1].T, atol=1e-4)
