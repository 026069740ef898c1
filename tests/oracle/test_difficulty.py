"""What the truth says of every copy, against drawings of that copy alone and closed forms."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

import simkit
from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.tables import Placements
from simkit.engine import imaging
from simkit.engine.detection import noise_spectrum
from simkit.engine.simulation import simulate_one
from simkit.theory.fisher import copy_limits, derivatives_of, fisher_information

SHAPES = """
    unit_cell:
      kind: shapes
      shapes:
        - {kind: gaussian, sigma: 8 Å, weight: 0.2}
        - {kind: gaussian, sigma: 6 Å, weight: -0.1, centre: [6 Å, 14 Å]}
"""
SPOT = """
    unit_cell: {kind: shapes, shapes: [{kind: gaussian, sigma: 8 Å, weight: 0.2}]}
"""
SCATTERED = "    lattice: {kind: scattered, count: 12, min_distance: 90 Å, rotation: uniform}"


@pytest.fixture
def write(tmp_path: Path):
    def scenario(specimen: str, rest: str, image: str = "boundary: open, level: 1"):
        head = f"""\
        # A test.
        schema_version: 1
        title: Difficulty
        seed: 4
        image: {{shape: [160, 150], pixel_size: 3 Å, {image}}}
        """
        file = tmp_path / "scenario.yaml"
        text = textwrap.dedent(head) + "specimen:\n  it:" + specimen + "\n" + textwrap.dedent(rest)
        file.write_text(text, encoding="utf-8")
        return simkit.load(file)

    return scenario


def at(*places: tuple[float, float]) -> str:
    points = ", ".join(f"[{y} Å, {x} Å]" for y, x in places)
    return f"    lattice: {{kind: positions, at: [{points}]}}"


WHITE = "noise: {n: {kind: gaussian, sd: 0.05}}"
COUNTED = "noise: {n: {kind: poisson, dose: 20 e/Å²}}"
COLOURED = "noise: {n: {kind: coloured, sd: 0.1, exponent: 1}}"


def copy_alone(scenario, row, shape=(160, 150)):
    """One copy's derivatives at its own place on the whole image, in the micrograph's units."""
    image = scenario.image.grid
    cell = scenario.specimen["it"].unit_cell
    # Drawn on twice the image, so that nothing wraps into it.
    grid = image.padded(40, tuple(n + 80 for n in shape))
    spectrum = cell.spectrum(grid, angle=row["psi"])
    middle = derivatives_of(spectrum, grid, transfer=imaging.transfer(scenario, grid))
    counts = np.prod([member.gain(image) for member in scenario.noise.values()])
    shift = np.subtract((row["y"], row["x"]), grid.centre) / grid.pixel_size
    moved = {n: fourier.shift(d, shift) if n != "background" else d for n, d in middle.items()}
    return {n: counts * d[40:-40, 40:-40] for n, d in moved.items()}


@pytest.mark.parametrize("noise", [WHITE, COUNTED], ids=["white", "counted"])
def test_limits_are_those_of_every_copy_where_it_stands(write, noise: str) -> None:
    scenario = write(SHAPES + SCATTERED, noise)
    seen = simulate_one(scenario)
    assert seen.truth["edge"].any()
    assert not seen.truth["edge"].all()
    variance = 0.05**2 if noise == WHITE else seen.ideal * 20 * 9
    for row in seen.truth.rows():
        alone = copy_alone(scenario, row)
        oracle = copy_limits(fisher_information(np.stack(list(alone.values())), variance=variance), alone)
        # The background is unknown over a box rather than over the whole image, which matters to a copy of
        # which the border leaves too little to tell a slope from a shift.
        # The shot noise of a whole copy is taken up to half a pixel off.
        closeness = 0.02 if row["edge"] else 0.005
        for column in ("d_prime", "sigma_y", "sigma_x", "sigma_psi"):
            assert row[column] == pytest.approx(float(getattr(oracle, column)), rel=closeness), column


def test_a_shift_below_a_pixel_changes_nothing(write) -> None:
    """Whole copies of one pose share their limits: those drawn at any place between pixels are equal."""
    scenario = write(SHAPES + at((200.0, 201.0), (301.4, 250.7)), WHITE)
    truth = simulate_one(scenario).truth
    for column in ("d_prime", "sigma_y", "sigma_x", "sigma_psi"):
        assert truth[column][0] == truth[column][1]
    alone = [np.stack(list(copy_alone(scenario, row).values())) for row in truth.rows()]
    one, other = (fisher_information(images, variance=1.0)[:4, :4] for images in alone)
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(one).max())


def test_a_spot_in_white_noise(write) -> None:
    truth = simulate_one(write(SPOT + at((200.0, 201.0)), WHITE)).truth
    (d_prime,) = truth["d_prime"]
    assert d_prime == pytest.approx(0.2 * 8 * np.sqrt(np.pi) / 3 / 0.05, rel=1e-6)
    assert truth["sigma_y"][0] == pytest.approx(8 * np.sqrt(2) / d_prime, rel=1e-6)
    assert truth["sigma_x"][0] == pytest.approx(8 * np.sqrt(2) / d_prime, rel=1e-6)
    assert np.isnan(truth["sigma_psi"][0])


def test_in_coloured_noise_the_spectrum_is_the_images(write) -> None:
    """Long-range noise has another spectrum on a small box: d′ must be that of the whole image's."""
    scenario = write(SHAPES + at((240.0, 228.0)), COLOURED, "boundary: periodic, level: 1")
    seen = simulate_one(scenario)
    (row,) = seen.truth.rows()
    image = scenario.image.grid
    alone = derivatives_of(scenario.specimen["it"].unit_cell.spectrum(image), image)
    information = fisher_information(np.stack(list(alone.values())), noise_spectrum=seen.noise_spectrum)
    names = [n for n in alone if n != "psi"]
    kept = [list(alone).index(n) for n in names]
    oracle = copy_limits(information, alone), copy_limits(information[np.ix_(kept, kept)], names)
    # The spectrum is interpolated to a box of a third of the image.
    assert row["d_prime"] == pytest.approx(float(oracle[0].d_prime), rel=0.02)
    assert row["sigma_psi"] == pytest.approx(float(oracle[0].sigma_psi), rel=0.02)
    # The only copy lies at a known angle.
    assert row["sigma_y"] == pytest.approx(float(oracle[1].sigma_y), rel=0.02)
    assert row["sigma_x"] == pytest.approx(float(oracle[1].sigma_x), rel=0.02)


def test_counts_under_coloured_noise_act_at_the_local_level(write) -> None:
    """On a brighter level a copy is seen through more shot noise: d′² is the sum over frequencies there."""
    both = "noise: {shot: {kind: poisson, dose: 20 e/Å²}, more: {kind: coloured, sd: 5, exponent: 1}}"
    dim, bright = (
        simulate_one(write(SPOT + at((240.0, 228.0)), both, f"boundary: open, level: {level}")).truth
        for level in (1, 4)
    )
    image = Grid((160, 150), 3.0)
    for truth, level in ((dim, 1), (bright, 4)):
        shot = np.full(image.frequency_radius().shape, level * 180.0)
        scenario = write(SPOT + at((240.0, 228.0)), both)
        noise = shot + scenario.noise["more"].spectrum(image, 0.0)
        spectrum = 180 * scenario.specimen["it"].unit_cell.spectrum(image)
        d_prime = np.sqrt(fourier.energy(fourier.power(spectrum) / noise, image.shape) / image.size)
        # The level includes the copy itself, 0.2 at its top.
        assert truth["d_prime"][0] == pytest.approx(d_prime, rel=0.03)


def test_more_of_a_copy_on_the_image_tells_more(write) -> None:
    for noise in (WHITE, COUNTED, COLOURED):
        truth = simulate_one(
            write(SPOT + at((0.0, 225.0), (6.0, 90.0), (12.0, 360.0), (240.0, 225.0)), noise)
        ).truth
        assert (np.diff(truth["d_prime"]) > 0).all()
        assert (np.diff(truth["sigma_y"]) < 0).all()
        # Half of a spot, and the pixels of row 0 that straddle its middle.
        share = (truth["d_prime"][0] / truth["d_prime"][3]) ** 2
        assert share == pytest.approx(0.5 + 1.5 / (8 * np.sqrt(np.pi)), rel=0.05)


def test_background_leaves_the_copy_out(write) -> None:
    alone = simulate_one(write(SHAPES + at((200.0, 201.0)), WHITE)).truth
    assert alone["background"][0] == pytest.approx(1.0, abs=1e-6)
    cut = simulate_one(write(SHAPES + at((1.0, 201.0)), WHITE)).truth
    assert cut["background"][0] == pytest.approx(1.0, abs=1e-6)
    pair = simulate_one(write(SHAPES + at((200.0, 201.0), (200.0, 240.0)), WHITE)).truth
    scenario = write(SHAPES + at((200.0, 201.0), (200.0, 240.0)), WHITE)
    y, x = scenario.image.grid.positions()
    image = scenario.image.grid
    cell = scenario.specimen["it"].unit_cell
    for mine, other in ((0, 1), (1, 0)):
        neighbour = fourier.inverse(
            cell.spectrum(image)
            * fourier.delta_spectrum(image, Placements.at([200.0], [(201.0, 240.0)[other]]).positions(2)),
            image.shape,
        )
        centre = 3 * round(200 / 3), 3 * round((201.0, 240.0)[mine] / 3)
        near = np.hypot(y - centre[0], x - centre[1]) <= cell.support
        # The neighbour's own place is between the pixels, the disc's on one.
        assert pair["background"][mine] == pytest.approx(1 + neighbour[near].mean(), abs=1e-4)
    assert pair["background"][0] != pytest.approx(1.0, abs=1e-3)


def test_a_neighbour_across_a_periodic_border_is_background(write) -> None:
    """A copy at the left edge sees what lies at the right one, as one in the middle sees its neighbour."""
    across, inside = (
        simulate_one(
            write(SPOT + at((240.0, x), (240.0, other)), WHITE, "boundary: periodic, level: 1")
        ).truth
        for x, other in ((6.0, 438.0), (213.0, 195.0))  # 18 Å apart, the image 450 Å wide
    )
    np.testing.assert_allclose(across["background"], inside["background"], atol=1e-6)
    assert across["background"][0] > 1.01


def test_noise_before_the_counting_is_counted_too(write) -> None:
    """Its variance is multiplied by the square of the gain, that of the counts by the gain."""
    noise = write(
        SPOT + at((240.0, 228.0)), "noise: {ice: {kind: gaussian, sd: 0.2}, n: {kind: poisson, dose: 3 e/Å²}}"
    )
    grid, gain = noise.image.grid, 3 * 9.0
    found = noise_spectrum(noise.noise, grid, 1.5)
    np.testing.assert_allclose(found, 0.2**2 * gain**2 + 1.5 * gain, rtol=1e-12)


def test_distance_to_the_border_counts_from_the_outer_edge(write) -> None:
    truth = simulate_one(
        write(SPOT + at((0.0, 225.0), (237.0, 12.0), (470.0, 200.0), (240.0, 440.0)), WHITE)
    ).truth
    np.testing.assert_allclose(truth["border"], [1.5, 13.5, 478.5 - 470, 448.5 - 440])


def test_defocus_is_that_of_the_only_lens(write) -> None:
    lens = (
        "{kind: ctf, voltage: 300 kV, defocus: 1.5 µm, spherical_aberration: 2.7 mm, amplitude_contrast: 0.1}"
    )
    cell = "\n    unit_cell: {kind: globular, mass: 400 kDa, potential: 2.5 V}\n"
    seen = write(
        cell + at((240.0, 225.0)), f"psf: {{lens: {lens}}}\n{COUNTED}", "boundary: open, model: phase"
    )
    assert simulate_one(seen).truth["defocus"].tolist() == [15000.0]
    assert np.isnan(simulate_one(write(SPOT + at((240.0, 225.0)), WHITE)).truth["defocus"]).all()


def test_without_noise_there_are_no_limits(write) -> None:
    truth = simulate_one(write(SHAPES + SCATTERED, "")).truth
    for column in ("d_prime", "sigma_y", "sigma_x", "sigma_psi"):
        assert np.isnan(truth[column]).all()
    assert np.isfinite(truth["background"]).all()


def test_a_copy_on_a_dark_field(write) -> None:
    """Where no electron is expected nothing is known, and nothing is divided by."""
    truth = simulate_one(write(SPOT + at((240.0, 225.0)), COUNTED, "boundary: open, level: 0")).truth
    photons = 0.2 * 2 * np.pi * 64 * 20
    # s/√N; a floor under the variance at 1e-3 of its top costs 1 %.
    assert truth["sigma_x"][0] == pytest.approx(8 / np.sqrt(photons), rel=0.02)


def test_in_one_dimension(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(
        textwrap.dedent(
            """\
            # A test.
            schema_version: 1
            title: Difficulty
            image: {shape: [300], pixel_size: 2 Å, level: 1}
            specimen:
              it:
                unit_cell: {kind: shapes, shapes: [{kind: gaussian, sigma: 8 Å, weight: 0.5}]}
                lattice: {kind: chain, spacing: 120 Å}
            noise: {n: {kind: gaussian, sd: 0.2}}
            """
        ),
        encoding="utf-8",
    )
    truth = simulate_one(simkit.load(file)).truth
    assert len(truth) == 5
    whole = truth["border"] > 40
    d_prime = 0.5 / 0.2 * np.sqrt(8 * np.sqrt(np.pi) / 2)
    np.testing.assert_allclose(truth["d_prime"][whole], d_prime, rtol=1e-6)
    # Periodic: the image cuts nothing.
    np.testing.assert_allclose(truth["d_prime"], d_prime, rtol=1e-6)
    np.testing.assert_allclose(truth["sigma_x"], 8 * np.sqrt(2) / d_prime, rtol=1e-6)
    assert np.isnan(truth["sigma_y"]).all()
    assert np.isnan(truth["sigma_psi"]).all()
