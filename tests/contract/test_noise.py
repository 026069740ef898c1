"""What every noise must keep; a new kind is found by itself and needs an example."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.noise import FAMILY, AnyNoise
from simkit.noise.base import Noise

EXAMPLES = {
    "silent": {},
    "gaussian": {"sd": 2.0},
    "coloured": {"sd": 2.0, "exponent": 1.5},
    "poisson": {"dose": "2 e/Å²"},
}
LEVEL = 1.5
SHAPES = [(256, 255), (128, 256), (40001,), (40000,)]


@pytest.fixture(params=FAMILY.builtins)
def noise(request):
    if request.param not in EXAMPLES:
        pytest.fail(f"noise {request.param!r} needs an example in {__file__}")
    return read({"kind": request.param, **EXAMPLES[request.param]})


@pytest.fixture(params=SHAPES, ids=str)
def grid(request, noise):
    if len(request.param) not in noise.dimensions:
        pytest.skip(f"{noise.kind} does not exist in {len(request.param)} dimensions")
    return Grid(request.param, 3.0)


def read(written):
    return TypeAdapter(AnyNoise).validate_python(written, context={"units": "required"})


def flat(grid):
    return np.full(grid.shape, LEVEL)


def test_written_back_it_is_the_same(noise):
    assert read(noise.model_dump(mode="json")) == noise


def test_it_is_frozen_and_refuses_unknown_keys(noise):
    with pytest.raises(ValidationError, match="frozen"):
        noise.kind = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(noise).model_validate({**noise.model_dump(), "colour": 1})


def test_the_base_cannot_be_used():
    with pytest.raises(TypeError, match="abstract"):
        Noise()


def test_same_stream_same_image(noise, grid):
    image = flat(grid)
    one, again, other = (noise.apply(image, grid, stream(7, "noise", name)) for name in "aab")
    assert one is not image
    assert (image == LEVEL).all()
    assert np.array_equal(one, again)
    assert noise.kind == "silent" or not np.array_equal(one, other)


def test_what_is_resolved_needs_no_copy(noise):
    def no_copy():
        raise AssertionError("a noise without snr has no business with the copies")

    assert noise.resolved(no_copy) == noise


def test_the_noise_has_its_declared_mean_and_spectrum(noise, grid):
    """Each bound is five standard errors: a false alarm in 2 million, for a handful of checks."""
    declared = noise.spectrum(grid, LEVEL)
    assert declared.shape == grid.frequency_radius().shape
    drawn = noise.apply(flat(grid), grid, stream(8, "noise")) - LEVEL * noise.gain(grid)
    at_zero = declared[(0,) * grid.ndim]
    assert abs(drawn.mean()) <= 5 * np.sqrt(at_zero / grid.size)
    if noise.kind == "silent":
        assert not declared.any()
        return
    # Of the half plane without its first and last column every coefficient is independent, and its
    # power over the declared one is exponential with mean and standard deviation 1.
    ratio = (fourier.power(fourier.forward(drawn)) / (grid.size * declared))[..., 1:-1]
    radius = np.broadcast_to(grid.frequency_radius(), declared.shape)[..., 1:-1]
    edges = np.quantile(radius, [0, 0.01, 0.1, 0.5, 1])
    for low, high in pairwise(edges):
        ring = ratio[(radius >= low) & (radius <= high)]
        assert abs(ring.mean() - 1) < 5 / np.sqrt(ring.size)


def test_the_mean_of_the_spectrum_is_the_variance(noise, grid):
    variance = fourier.energy(noise.spectrum(grid, LEVEL), grid.shape) / grid.size
    drawn = noise.apply(flat(grid), grid, stream(9, "noise"))
    # Five standard errors of the power of a coloured field; Poisson's excess adds 1/(2·27) to its square.
    error = np.sqrt(2.1 * fourier.energy(noise.spectrum(grid, LEVEL) ** 2, grid.shape)) / grid.size
    power = np.mean((drawn - LEVEL * noise.gain(grid)) ** 2)
    assert abs(power - variance) <= 5 * error
