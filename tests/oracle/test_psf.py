"""Point spread functions against scipy, a numerical pupil and direct convolution."""

import mrcfile
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import j1

from simkit.core import fourier
from simkit.core.errors import DataError
from simkit.core.grid import Grid
from simkit.psf.airy import Airy, airy_transfer
from simkit.psf.gaussian import GaussianPsf
from simkit.psf.identity import Identity
from simkit.psf.kernel import Kernel


def imaged(psf, image, pixel_size):
    grid = Grid(image.shape, pixel_size)
    return fourier.inverse(fourier.forward(image) * psf.transfer(grid), grid.shape)


@pytest.mark.parametrize("shape", [(64,), (63,), (48, 48), (33, 50)])
def test_identity_changes_nothing(shape):
    image = np.random.default_rng(1).normal(size=shape)
    np.testing.assert_allclose(imaged(Identity(), image, 2.0), image, atol=1e-14)


@pytest.mark.parametrize("shape", [(64,), (63,), (48, 48), (33, 50)])
def test_gaussian_is_scipys(shape):
    image = np.random.default_rng(2).normal(size=shape)
    ours = imaged(GaussianPsf(sigma=4.0), image, 2.0)
    scipys = gaussian_filter(image, 2.0, mode="wrap", truncate=9)
    # scipy samples the Gaussian in space: at σ = 2 px that aliases e^(−π²σ²/2) = 3e-9 at Nyquist.
    np.testing.assert_allclose(ours, scipys, atol=1e-8)


def test_airy_transfer_is_the_autocorrelation_of_the_pupil():
    radius = 100
    rows, columns = np.mgrid[-256:256, -256:256]
    pupil = (np.hypot(rows, columns) <= radius).astype(float)
    overlap = fourier.correlate(pupil, pupil)[256, 256:]
    overlap /= overlap[0]
    frequency = np.arange(overlap.size) / radius  # in NA/λ
    expected = airy_transfer(frequency, wavelength=1.0, numerical_aperture=1.0)
    # A disk drawn in whole pixels has its area wrong by about R^(−3/2) = 1e-3.
    np.testing.assert_allclose(overlap, expected, atol=2e-3)


def test_airy_psf_is_the_airy_pattern():
    grid = Grid((512, 512), 10.0)
    lens = Airy(wavelength=100.0, numerical_aperture=1.0)
    psf = fourier.inverse(lens.transfer(grid), grid.shape)[0, :60]
    v = 2 * np.pi * 10.0 * np.arange(1, 60) / 100.0
    # Rings beyond half the field (v = 160) wrap around; there they are below 8/(π v³) = 1e-6 each.
    np.testing.assert_allclose(psf[1:] / psf[0], (2 * j1(v) / v) ** 2, atol=1e-5)


def test_airy_psf_is_nowhere_negative_and_stops_at_its_cut_off():
    grid = Grid((65, 64), 20.0)
    transfer = Airy(wavelength=100.0, numerical_aperture=1.0).transfer(grid)
    assert (transfer[grid.frequency_radius() >= 0.02] == 0).all()
    psf = fourier.inverse(transfer, grid.shape)
    assert psf.min() > -1e-15


@pytest.mark.parametrize("box", [(9, 9), (8, 8), (8, 9)])
@pytest.mark.parametrize("shape", [(32, 32), (33, 31)])
def test_a_delta_kernel_changes_nothing(tmp_path, box, shape):
    kernel = np.zeros(box)
    kernel[box[0] // 2, box[1] // 2] = 5.0
    np.save(tmp_path / "delta.npy", kernel)
    psf = Kernel(file=str(tmp_path / "delta.npy"), pixel_size=2.0)
    grid = Grid(shape, 2.0)
    one = fourier.zero_nyquist(np.ones(grid.frequency_radius().shape), shape)
    # Precision of the NUFFT.
    np.testing.assert_allclose(psf.transfer(grid), one, atol=1e-11)
    assert psf.support(grid) == 0


def test_a_kernel_convolves(tmp_path):
    rng = np.random.default_rng(3)
    image, kernel = rng.normal(size=(31, 33)), rng.normal(size=(31, 33))
    np.save(tmp_path / "k.npy", kernel)
    psf = Kernel(file=str(tmp_path / "k.npy"), pixel_size=1.0, normalise=False)
    # Sums of a thousand products at the NUFFT's precision of 1e-12.
    np.testing.assert_allclose(imaged(psf, image, 1.0), fourier.convolve(image, kernel), atol=1e-9)


def test_a_kernel_of_finer_pixels_is_resampled(tmp_path):
    offsets = Grid((81, 80), 1.0).offsets()
    np.save(tmp_path / "fine.npy", np.exp(-sum(o**2 for o in offsets) / (2 * 6.0**2)))
    psf = Kernel(file=str(tmp_path / "fine.npy"), pixel_size=1.0)
    grid = Grid((40, 41), 2.5)
    # The box cuts the Gaussian at 6.5 σ.
    np.testing.assert_allclose(psf.transfer(grid), GaussianPsf(sigma=6.0).transfer(grid), atol=1e-8)


def test_a_kernel_of_coarser_pixels_knows_nothing_beyond_its_nyquist(tmp_path):
    np.save(tmp_path / "coarse.npy", np.pad([[1.0]], 4))
    psf = Kernel(file=str(tmp_path / "coarse.npy"), pixel_size=4.0)
    grid = Grid((32, 32), 2.0)
    k_y, k_x = np.broadcast_arrays(*grid.frequencies())
    known = (np.abs(k_y) < 0.125) & (np.abs(k_x) < 0.125)
    np.testing.assert_allclose(psf.transfer(grid), known, atol=1e-11)


def test_pixel_size_of_a_kernel_comes_from_the_header(tmp_path):
    offsets = Grid((33, 33), 3.0).offsets()
    with mrcfile.new(tmp_path / "k.mrc") as mrc:
        mrc.set_data(np.exp(-sum(o**2 for o in offsets) / (2 * 9.0**2)).astype(np.float32))
        mrc.voxel_size = 3.0
    psf, grid = Kernel(file=str(tmp_path / "k.mrc")), Grid((32, 32), 3.0)
    expected = fourier.zero_nyquist(GaussianPsf(sigma=9.0).transfer(grid), grid.shape)
    # float32 pixels, and a box that ends at 5.3 σ.
    np.testing.assert_allclose(psf.transfer(grid), expected, atol=1e-5)
    assert Kernel(file=str(tmp_path / "k.mrc"), pixel_size=6.0).support(grid) == 2 * psf.support(grid)


@pytest.mark.parametrize(
    ("kernel", "pixel_size", "message"),
    [
        (np.ones((4, 4)), None, "pixel_size"),
        (np.array([[1.0, -1.0]]), 1.0, "normalise: false"),
        (np.ones(4), 1.0, "two-dimensional"),
    ],
)
def test_a_file_that_is_no_psf_is_refused_when_used(tmp_path, kernel, pixel_size, message):
    np.save(tmp_path / "wrong.npy", kernel)
    psf = Kernel(file=str(tmp_path / "wrong.npy"), pixel_size=pixel_size)
    with pytest.raises(DataError, match=message):
        psf.transfer(Grid((8, 8), 1.0))
