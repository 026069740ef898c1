"""Values between pixels, and the centred periodogram, against sums written out."""

import itertools

import numpy as np
import pytest

from simkit.core import fourier

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
