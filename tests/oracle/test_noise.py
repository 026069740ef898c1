"""Noise laws in closed form, and the ways a noise can be declared wrongly."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core import fourier
from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.noise import AnyNoise
from simkit.noise.coloured import Coloured, power_law
from simkit.noise.gaussian import GaussianNoise
from simkit.noise.poisson import Poisson

GRID = Grid((256, 256), 2.0)


def test_snr_is_resolved_to_a_standard_deviation():
    resolved = GaussianNoise(snr=0.25).resolved(lambda: 4.0)
    assert resolved == GaussianNoise(sd=4.0)
    assert Coloured(snr=0.25, exponent=1.0).resolved(lambda: 4.0) == Coloured(sd=4.0, exponent=1.0)


@pytest.mark.parametrize("noise", [GaussianNoise(snr=0.5), Coloured(snr=0.5, exponent=1.0)])
def test_snr_must_be_resolved_before_use(noise):
    for use in (lambda: noise.apply(np.zeros(GRID.shape), GRID, stream(1)), lambda: noise.spectrum(GRID, 0)):
        with pytest.raises(ScenarioError, match="sd") as caught:
            use()
        assert caught.value.path == ("snr",)


def test_snr_of_a_copy_without_contrast_is_refused():
    with pytest.raises(ScenarioError, match="no contrast"):
        GaussianNoise(snr=0.5).resolved(lambda: 0.0)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"kind": "gaussian"}, "exactly one of `sd:`"),
        ({"kind": "gaussian", "sd": 1.0, "snr": 1.0}, "exactly one of `sd:`"),
        ({"kind": "gaussian", "sd": 0.0}, "greater than 0"),
        ({"kind": "coloured", "sd": 1.0}, "exactly one of `exponent:`"),
        ({"kind": "coloured", "exponent": 1.0}, "exactly one of `sd:`"),
        ({"kind": "coloured", "sd": 1.0, "file": "nowhere.txt"}, "does not exist"),
        ({"kind": "coloured", "sd": 1.0, "exponent": 11.0}, "less than or equal to 10"),
        ({"kind": "poisson", "dose": 20}, "has no unit"),
        ({"kind": "poisson", "dose": "0 e/Å²"}, "more than 0"),
    ],
)
def test_wrong_declarations_are_refused(written, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(AnyNoise).validate_python(written, context={"units": "required"})


@pytest.mark.parametrize("shape", [(64, 64), (63, 50), (101,), (100,), (1, 1), (1, 7)])
@pytest.mark.parametrize("exponent", [-1.0, 0.0, 2.0])
def test_coloured_variance_is_exact(shape, exponent):
    grid = Grid(shape, 3.0)
    spectrum = Coloured(sd=2.0, exponent=exponent).spectrum(grid, 0.0)
    full = np.fft.ifftn(_full_plane(spectrum, shape)).real
    # The autocorrelation at 0 by an independent route; rounding of a few thousand terms.
    assert full[(0,) * len(shape)] == pytest.approx(4.0, rel=1e-12)


def _full_plane(half, shape):
    full = np.empty(shape)
    full[..., : half.shape[-1]] = half
    for index in np.ndindex(*shape):
        if index[-1] >= half.shape[-1]:
            full[index] = half[tuple(-i % n for i, n in zip(index, shape, strict=True))]
    return full


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_coloured_noise_has_its_slope(exponent):
    noise = Coloured(sd=1.0, exponent=exponent)
    drawn = noise.apply(np.zeros(GRID.shape), GRID, stream(2, "coloured"))
    power = fourier.power(fourier.forward(drawn))[:, 1:-1].ravel()
    position = np.log(GRID.frequency_radius()[:, 1:-1].ravel())
    position -= position.mean()
    slope = (position @ np.log(power)) / (position @ position)
    # ln of an exponential variable has standard deviation π/√6; five standard errors of the fit.
    assert abs(slope + exponent) < 5 * np.pi / np.sqrt(6 * (position @ position))


def test_zero_frequency_has_the_power_of_the_lowest():
    spectrum = power_law(Grid((40, 60), 2.0), exponent=2.0)
    assert spectrum[0, 0] == spectrum[0, 1] == 1.0
    assert spectrum[0, 4] == pytest.approx(1 / 16)


def test_a_spectrum_file_is_interpolated_with_constant_ends(tmp_path):
    file = tmp_path / "spectrum.txt"
    file.write_text("# 1/Å, power\n0.05 4\n\n0.10, 2  # comma and comment\n0.20 1\n", encoding="utf-8")
    grid = Grid((400,), 1.0)
    spectrum = Coloured(sd=1.0, file=str(file)).spectrum(grid, 0.0)
    relative = spectrum / spectrum[40]
    for k, power in [(0.0, 4), (0.025, 4), (0.05, 4), (0.075, 3), (0.1, 2), (0.15, 1.5), (0.2, 1), (0.5, 1)]:
        assert relative[round(k * 400)] == pytest.approx(power / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("0.1 1\n0.2 high\n", 2, "two numbers"),
        ("0.1 1 3\n", 1, "two numbers"),
        ("0.1\n", 1, "two numbers"),
        ("0.1 1\n\n0.1 2\n", 3, "must rise"),
        ("0.1 -1\n", 1, "not negative"),
        ("nan 1\n", 1, "finite"),
        ("0.1 inf\n", 1, "finite"),
        ("# nothing\n", None, "no power"),
        ("0.1 0\n", None, "no power"),
        ("0.1 0\n100 0\n101 1\n", None, "any frequency of this image"),
    ],
)
def test_a_wrong_spectrum_file_names_its_line(tmp_path, text, line, message):
    file = tmp_path / "spectrum.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        Coloured(sd=1.0, file=str(file)).spectrum(GRID, 0.0)
    assert (caught.value.file, caught.value.line) == (str(file), line)


def test_a_spectrum_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "spectrum.bin"
    file.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="cannot be read"):
        Coloured(sd=1.0, file=str(file)).spectrum(GRID, 0.0)


@pytest.mark.parametrize(
    ("dose", "pixel_size", "intensity"), [(20, 1.0, 1.0), (0.01, 2.0, 0.5), (50, 4.4, 1.2)]
)
@pytest.mark.parametrize("ndim", [1, 2])
def test_poisson_counts_have_the_mean_and_variance_of_their_dose(dose, pixel_size, intensity, ndim):
    grid = Grid((200, 200) if ndim == 2 else (40000,), pixel_size)
    counts = Poisson(dose=dose).apply(np.full(grid.shape, intensity), grid, stream(3, "shot"))
    expected = intensity * dose * pixel_size**2
    assert np.array_equal(counts, np.round(counts))
    # Five standard errors; the fourth central moment of a Poisson variable is 3λ² + λ.
    assert abs(counts.mean() - expected) < 5 * np.sqrt(expected / grid.size)
    spread = np.mean((counts - expected) ** 2)
    assert abs(spread - expected) < 5 * np.sqrt((2 * expected**2 + expected) / grid.size)


def test_shot_noise_follows_the_local_intensity():
    image = np.repeat([[0.0], [1.0], [3.0]], 20000, axis=1)
    grid = Grid(image.shape, 1.0)
    counts = Poisson(dose=10.0).apply(image, grid, stream(4, "shot"))
    assert not counts[0].any()
    for row, expected in ((1, 10.0), (2, 30.0)):
        assert abs(counts[row].mean() - expected) < 5 * np.sqrt(expected / 20000)
    assert Poisson(dose=10.0).spectrum(grid, float(image.mean()))[0, 0] == pytest.approx(40 / 3)


def test_negative_intensity_is_refused_with_the_remedy():
    image = np.ones(GRID.shape)
    image[3, 4] = -0.25
    with pytest.raises(ScenarioError, match=r"falls to -0.25.*level / \(level \+ 0.25\)"):
        Poisson(dose=1.0).apply(image, GRID, stream(5))


def test_more_electrons_than_can_be_counted_are_refused():
    with pytest.raises(ScenarioError, match="lower the dose") as caught:
        Poisson(dose=1e12).apply(np.full(GRID.shape, 1e9), GRID, stream(6))
    assert caught.value.path == ("dose",)
