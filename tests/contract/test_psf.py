"""What every point spread function must keep; a new kind is found by itself and needs an example."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.psf import FAMILY, AnyPsf
from simkit.psf.base import Psf
from simkit.psf.gaussian import gaussian_transfer

EXAMPLES = {
    "identity": {},
    "gaussian": {"sigma": "6 Å"},
    "airy": {"wavelength": "1 nm", "numerical_aperture": 0.8},
    "ctf": {
        "voltage": "300 kV",
        "defocus": "1 µm",
        "astigmatism": "1000 Å",
        "astigmatism_angle": "30°",
        "spherical_aberration": "2.7 mm",
        "amplitude_contrast": 0.1,
        "b_factor": "50 Å²",
    },
    "kernel": {"file": "kernel.npy", "pixel_size": "3 Å"},
}
GAIN_AT_ZERO = {"ctf": -0.1}
PIXEL = 2.0
SHAPES = [(32, 32), (33, 33), (32, 47), (33, 20), (32,), (33,)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("psf")
    rows, columns = np.mgrid[-10:11, -8:9]
    np.save(path / "kernel.npy", np.exp(-((rows - 0.5) ** 2) / 8 - columns**2 / 4))
    return path


@pytest.fixture(params=FAMILY.builtins)
def psf(request, folder):
    if request.param not in EXAMPLES:
        pytest.fail(f"psf {request.param!r} needs an example in {__file__}")
    return read({"kind": request.param, **EXAMPLES[request.param]}, folder)


def read(written, folder):
    return TypeAdapter(AnyPsf).validate_python(written, context={"units": "required", "base_dir": folder})


def grids(psf):
    return [Grid(shape, PIXEL) for shape in SHAPES if len(shape) in psf.dimensions]


def test_written_back_it_is_the_same(psf, folder):
    assert read(psf.model_dump(mode="json"), folder) == psf


def test_it_is_frozen_and_refuses_unknown_keys(psf):
    with pytest.raises(ValidationError, match="frozen"):
        psf.kind = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(psf).model_validate({**psf.model_dump(), "colour": 1})


def test_the_base_cannot_be_used():
    with pytest.raises(TypeError, match="abstract"):
        Psf()


def test_transfer_is_that_of_a_real_psf(psf):
    for grid in grids(psf):
        transfer = fourier.zero_nyquist(psf.transfer(grid), grid.shape)
        assert transfer.shape == grid.frequency_radius().shape
        assert np.isfinite(transfer).all()
        again = fourier.forward(fourier.inverse(transfer, grid.shape))
        # Rounding of two FFTs of a few thousand points.
        np.testing.assert_allclose(again, transfer, atol=1e-13)


def test_gain_at_zero_frequency(psf):
    for grid in grids(psf):
        at_zero = psf.transfer(grid)[(0,) * grid.ndim]
        # The kernel goes through a NUFFT of relative precision 1e-12.
        assert at_zero == pytest.approx(GAIN_AT_ZERO.get(psf.kind, 1.0), abs=1e-11)


def test_support_holds_the_image_of_a_point(psf):
    """The point is drawn like every shape, with an edge of one pixel; 4 px further it has faded."""
    grid = Grid((257,) * max(psf.dimensions), PIXEL)
    point = gaussian_transfer(grid.frequency_radius(), sigma=PIXEL)
    image = fourier.corner_to_centre(fourier.inverse(point * psf.transfer(grid), grid.shape))
    distance = np.sqrt(sum(offset**2 for offset in grid.offsets()))
    beyond = distance > psf.support(grid) + 4 * PIXEL
    assert beyond.any()
    assert (image[beyond] ** 2).sum() < 1e-3 * (image**2).sum()


def test_support_depends_on_the_pixel_size_alone(psf):
    ndim = max(psf.dimensions)
    assert psf.support(Grid((1,) * ndim, PIXEL)) == psf.support(Grid((64,) * ndim, PIXEL))


def test_voltage_is_known_of_electron_lenses_alone(psf):
    assert psf.electron_voltage == (300.0 if psf.kind == "ctf" else None)
