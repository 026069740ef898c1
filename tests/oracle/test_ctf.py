"""The electron and its lens, against published values and numerical derivatives and zeros."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.psf.ctf import Ctf, aberration_phase, ctf, delocalisation, first_zero
from simkit.theory.electron import interaction_constant, wavelength

LENS = {"voltage": 300.0, "spherical_aberration": 2.7e7, "amplitude_contrast": 0.1}


@pytest.mark.parametrize(
    ("voltage", "length", "sigma"),
    [
        (80, 0.041757, 1.00871e-3),
        (100, 0.037014, 9.24396e-4),
        (120, 0.033492, 8.63811e-4),
        (200, 0.025079, 7.28840e-4),
        (300, 0.0196875, 6.52616e-4),
    ],
)
def test_electron_constants(voltage, length, sigma):
    # Half a unit of the last digit of the table.
    assert wavelength(voltage) == pytest.approx(length, abs=5e-7)
    assert interaction_constant(voltage) == pytest.approx(sigma, rel=1e-5)


@pytest.mark.parametrize(
    ("defocus", "spacing"), [(0.5e4, 10.0), (1e4, 14.2), (1.5e4, 17.5), (2e4, 20.2), (3e4, 24.7)]
)
def test_first_zero_of_a_300_kv_lens(defocus, spacing):
    # Half a unit of the last published digit.
    assert 1 / first_zero(defocus=defocus, **LENS) == pytest.approx(spacing, abs=0.05)


@given(
    voltage=st.floats(60, 400),
    defocus=st.integers(-40000, 40000),
    aberration=st.integers(0, 30_000_000),
    percent=st.integers(0, 90),
)
def test_first_zero_is_where_the_sign_first_changes(voltage, defocus, aberration, percent):
    lens = {"voltage": voltage, "spherical_aberration": aberration, "amplitude_contrast": percent / 100}
    zero = first_zero(defocus=defocus, **lens)
    if not zero < 1:
        return
    before = ctf(np.zeros(1), np.linspace(0.001, 0.999, 400) * zero, defocus=defocus, **lens)
    assert (np.sign(before) == np.sign(before[0])).all()
    at = ctf(np.zeros(1), np.array([zero]), defocus=defocus, **lens)
    # The phase reaches hundreds of radians at worst: its rounding is below 1e-9.
    assert abs(at[0]) < 1e-9


def test_no_defocus_and_no_aberration_has_no_zero():
    assert first_zero(voltage=300, defocus=0, spherical_aberration=0, amplitude_contrast=0.1) == np.inf


def test_underfocused_protein_is_dark():
    grid = Grid((128, 128), 2.0)
    lens = Ctf(defocus=2e4, **LENS)
    blob = np.exp(-sum(offset**2 for offset in grid.offsets()) / (2 * 20.0**2))
    contrast = fourier.inverse(fourier.forward(blob) * lens.transfer(grid), grid.shape)
    assert np.unravel_index(np.abs(contrast).argmax(), grid.shape) == (64, 64)
    assert contrast[64, 64] < 0


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_astigmatism_points_from_x_towards_y(angle):
    """Along its angle the defocus is the larger, so the first zero is the closer."""
    frequency = np.linspace(1e-4, 0.1, 20000)

    def measured_zero(direction):
        values = ctf(
            frequency * np.sin(np.deg2rad(direction)),
            frequency * np.cos(np.deg2rad(direction)),
            defocus=1.5e4,
            astigmatism=4000.0,
            astigmatism_angle=angle,
            **LENS,
        )
        return frequency[np.flatnonzero(values > 0)[0]]

    # One step of the sampled frequency.
    assert measured_zero(angle) == pytest.approx(first_zero(defocus=1.7e4, **LENS), abs=5e-6)
    assert measured_zero(angle + 90) == pytest.approx(first_zero(defocus=1.3e4, **LENS), abs=5e-6)


def test_astigmatism_on_the_grid_has_the_rows_as_y():
    grid = Grid((64, 64), 4.0)
    astigmatic = Ctf(defocus=1.5e4, astigmatism=4000.0, astigmatism_angle=90.0, **LENS).transfer(grid)
    along_y, along_x = (Ctf(defocus=d, **LENS).transfer(grid) for d in (1.7e4, 1.3e4))
    # The phase is a few tens of radians.
    np.testing.assert_allclose(astigmatic[:32, 0], along_y[:32, 0], atol=1e-12)
    np.testing.assert_allclose(astigmatic[0, 1:], along_x[0, 1:], atol=1e-12)


def test_b_factor_is_an_envelope():
    grid = Grid((32, 33), 1.5)
    damped, free = (Ctf(defocus=1e4, b_factor=b, **LENS).transfer(grid) for b in (80.0, 0.0))
    np.testing.assert_allclose(damped, free * np.exp(-20 * grid.frequency_radius() ** 2), atol=1e-15)


def test_delocalisation_is_the_slope_of_the_phase():
    lens = {"voltage": 200.0, "defocus": 1.2e4, "spherical_aberration": 2e7}
    frequency, step = np.linspace(0.01, 0.4, 50), 1e-5
    slope = (aberration_phase(frequency + step, **lens) - aberration_phase(frequency - step, **lens)) / (
        2 * step
    )
    # Central differences err by step²/6 times a third derivative of below 1e6 Å³.
    np.testing.assert_allclose(delocalisation(frequency, **lens), np.abs(slope) / (2 * np.pi), atol=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"amplitude_contrast": 1.0}, {"spherical_aberration": -1.0}, {"voltage": 0.0}]
)
def test_impossible_lenses_are_refused(wrong):
    with pytest.raises(ValidationError):
        Ctf(**{"defocus": 1e4, **LENS, **wrong})
