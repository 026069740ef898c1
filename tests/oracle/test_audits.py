"""Audits against closed forms, and against evidence in which something is known to be wrong."""

import dataclasses

import numpy as np
import pytest
import scipy.ndimage

from simkit.audit import averaged_cell
from simkit.audit.averaged_cell import AveragedCell, cut_boxes
from simkit.audit.base import Evidence, SpeciesRecord
from simkit.audit.flip import Flip, distances, flipped
from simkit.audit.reciprocal_lattice import ReciprocalLattice, reciprocal
from simkit.audit.statistics import Statistics
from simkit.audit.theorem import Theorem, direct_operations, double_sum, fft_operations
from simkit.audit.transfer import Transfer
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Placements, Truth
from simkit.shape.base import turn_frequencies

BLOBS = [(1.0, -6.0, -9.0, 5.0), (0.7, 10.0, 4.0, 4.0), (0.5, -4.0, 12.0, 3.0)]
"""Weight, y, x and sigma (Å) of the Gaussians that make up a motif without any symmetry."""


def motif_at(dy, dx):
    """Value of the motif at a place relative to its centre."""
    return sum(w * np.exp(-((dy - y) ** 2 + (dx - x) ** 2) / (2 * s**2)) for w, y, x, s in BLOBS)


def motif_spectrum(grid, angle=0.0, mirror=False):
    ky, kx = turn_frequencies(grid.frequencies(), angle=angle, mirror=mirror)
    total = sum(
        w * 2 * np.pi * s**2 * np.exp(-2 * np.pi**2 * s**2 * (ky**2 + kx**2) - 2j * np.pi * (ky * y + kx * x))
        for w, y, x, s in BLOBS
    )
    return total / grid.pixel_size**2


def draw(grid, y, x, psi):
    """Draw motifs in real space, blob by blob; a Gaussian is the product of one along y and one along x."""
    rows, columns = (axis.ravel()[:, None] for axis in grid.positions())
    cos, sin = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    total = np.zeros(grid.shape)
    for w, dy, dx, s in BLOBS:
        along_y = np.exp(-((rows - (y + cos * dy + sin * dx)) ** 2) / (2 * s**2))
        along_x = np.exp(-((columns - (x + cos * dx - sin * dy)) ** 2) / (2 * s**2))
        total += w * along_y @ along_x.T
    return total


def crystal(shape=(200, 180), basis=((0.0, 52.0), (47.0, 9.0)), psi=0.0, noise=0.0):
    """Return the evidence of a crystal, with picks on every copy."""
    grid, basis = Grid(shape, 2.0), np.array(basis)
    hk = np.stack(np.meshgrid(*[np.arange(-16, 17)] * 2), axis=-1).reshape(-1, 2)
    sites = hk @ basis + [grid.extent[0] / 2 + 0.37, grid.extent[1] / 2 - 0.61]
    reaches_in = ((sites > -40) & (sites < np.array(grid.extent) + 40)).all(axis=1)
    y, x = sites[reaches_in].T
    density = draw(grid, y, x, psi)
    rng = np.random.default_rng(1)
    held = grid.contains(y, x)
    table = {"micrograph": "0000", "class": "motif", "y": y[held], "x": x[held], "psi": psi}
    return Evidence(
        grid=grid,
        boundary="open",
        species={"motif": SpeciesRecord(motif_spectrum, 30.0, Placements.at(y, x, psi=psi), basis)},
        density=density,
        ideal=density,
        micrographs=[density + noise * rng.standard_normal(shape)],
        transfer=np.ones((shape[0], shape[1] // 2 + 1)),
        truth=Truth(**table),
        picks={"perfect": Picks(**table)},
        micrograph_names=["0000"],
        templates={},
        rng=rng,
    )


# The theorem


@pytest.mark.parametrize("shape", [(7, 9), (11,)])
def test_the_double_sum_is_a_convolution(shape):
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((2, *shape))
    # scipy's origin is the same central pixel for odd kernels; rounding of about 100 terms.
    np.testing.assert_allclose(
        double_sum(image, kernel), scipy.ndimage.convolve(image, kernel, mode="wrap"), atol=1e-13
    )


def test_even_boxes_have_their_centre_at_half_their_size():
    image = np.arange(24.0).reshape(4, 6)
    delta = np.zeros((4, 6))
    delta[2, 3] = 1
    np.testing.assert_array_equal(double_sum(image, delta), image)


def test_operations_are_counted_by_the_formula():
    assert direct_operations(1024) == 2 * 1024**2
    assert fft_operations(1024) == 7.5 * 1024 * 10 + 3 * 1024


@pytest.mark.parametrize("with_species", [True, False])
def test_both_ways_agree_to_rounding(with_species):
    evidence = crystal()
    if not with_species:
        evidence = dataclasses.replace(evidence, species={})
    values = Theorem(sizes=(8, 15, 32)).measure(evidence).values
    # An FFT of N values errs by about eps·log2 N = 2e-15 of their root mean square.
    assert values["error"] < 1e-13
    assert values["speed_up"] == direct_operations(1024) / fft_operations(1024)


def test_a_wrong_convolution_is_noticed(monkeypatch):
    monkeypatch.setattr(fourier, "convolve", fourier.correlate)
    assert Theorem(sizes=(16,)).measure(crystal()).values["error"] > 0.1


# The flip


@pytest.mark.parametrize("shape", [(6, 9), (5, 8), (7,), (8,)])
def test_flipping_is_about_the_central_pixel(shape):
    image = np.random.default_rng(0).standard_normal(shape)
    turned = flipped(image)
    for index in np.ndindex(shape):
        opposite = tuple((2 * (n // 2) - i) % n for i, n in zip(index, shape, strict=True))
        assert turned[index] == image[opposite]


def test_distances_take_the_short_way_round_in_a_periodic_image():
    grid = Grid((20, 30), 2.0)
    assert distances(grid, (0.0, 0.0), periodic=False)[19, 29] == np.hypot(38, 58)
    assert distances(grid, (0.0, 0.0), periodic=True)[19, 29] == np.hypot(2, 2)


@pytest.mark.parametrize("box", [(25, 22), (24, 25)])
def test_only_correlation_finds_the_probe_where_it_was_cut(box):
    rng = np.random.default_rng(3)
    city = scipy.ndimage.gaussian_filter(rng.standard_normal((128, 150)), 2.0)
    top, left = 60, 31
    probe = city[top : top + box[0], left : left + box[1]]
    evidence = dataclasses.replace(
        crystal(shape=city.shape), micrographs=[city], templates={"probe": probe - probe.mean()}
    )
    place = [2.0 * (top + box[0] // 2), 2.0 * (left + box[1] // 2)]
    values = Flip(template="probe", at=place, radius=20.0).measure(evidence).values
    assert values["relation_error"] < 1e-13
    assert values["correlation_peak_distance"] == 0
    assert values["convolution_peak_distance"] > 20
    # The sum of products written out by scipy, on the same central pixel.
    scores = scipy.ndimage.correlate(city - city.mean(), probe - probe.mean(), mode="wrap")
    second = scores[distances(evidence.grid, tuple(place), periodic=False) > 20].max()
    assert values["contrast"] == pytest.approx(scores.max() / second, rel=1e-12)


def test_a_probe_larger_than_the_image_is_refused():
    evidence = dataclasses.replace(crystal(shape=(40, 40)), templates={"probe": np.ones((50, 30))})
    with pytest.raises(ScenarioError, match="larger than the image"):
        Flip(template="probe", at=[0, 0], radius=5.0).measure(evidence)


# The averaged cell


def test_boxes_are_cut_at_real_positions_and_turned_back():
    grid, box = Grid((90, 101), 2.0), Grid((20, 20), 2.0)
    y, x, psi = np.array([40.3, 121.7, 60.1]), np.array([52.9, 130.2, 139.6]), np.array([0.0, 37.0, -120.0])
    boxes = cut_boxes(draw(grid, y, x, psi), grid=grid, positions=(y, x), psi=psi, box=box, periodic=False)
    # Blobs are at least 3 Å wide: exp(−2π²·3²/4²) = 1.5e-5 of the narrowest lies beyond Nyquist; the
    # tails of the nearest neighbour, 30 Å from a box's corner, are below 1e-6.
    np.testing.assert_allclose(boxes, np.broadcast_to(motif_at(*box.offsets()), boxes.shape), atol=5e-5)


def test_a_box_across_the_border_is_cut_only_where_the_image_wraps():
    grid, box = Grid((90, 101), 2.0), Grid((20, 20), 2.0)
    place = {"positions": (np.array([10.0]), np.array([100.0])), "psi": np.zeros(1)}
    image = draw(grid, np.array([10.0, 190.0]), np.full(2, 100.0), 0.0)
    assert len(cut_boxes(image, grid=grid, box=box, periodic=False, **place)) == 0
    (wrapped,) = cut_boxes(image, grid=grid, box=box, periodic=True, **place)
    np.testing.assert_allclose(wrapped, motif_at(*box.offsets()), atol=5e-5)


def test_averaging_n_copies_gains_n_in_snr():
    values = AveragedCell(picker="perfect", box=44.0).measure(crystal((600, 560), noise=0.5)).values
    # Residual variances over 22² pixels are known to sqrt(2/484) = 6.4 % (one sd): 4 sd, false
    # alarm 6e-5, and the seed is fixed.
    assert values["count"] > 300
    assert values["snr_gain"] == pytest.approx(values["count"], rel=0.26)
    assert values["snr_average"] == pytest.approx(values["snr_single"] * values["snr_gain"])
    assert values["correlation"] > 0.98


def test_the_snr_of_one_copy_is_signal_over_noise_variance():
    audit = AveragedCell(picker="perfect", box=44.0)
    reference = audit.measure(crystal((600, 560))).panels[2].image
    found = audit.measure(crystal((600, 560), noise=0.5)).values["snr_single"]
    # The fitted signal power is off by 2 × the error of the average, 2·sqrt(1/(484·SNR)) = 1 %,
    # the noise variance over all boxes by 0.4 %.
    assert found == pytest.approx(reference.var() / 0.25, rel=0.05)


def test_the_unit_of_the_micrograph_does_not_matter():
    evidence = crystal(noise=1.0)
    counted = dataclasses.replace(evidence, micrographs=[40 * m + 7 for m in evidence.micrographs])
    audit = AveragedCell(picker="perfect", box=44.0)
    assert audit.measure(counted).values == pytest.approx(audit.measure(evidence).values, rel=1e-9)


def test_boxes_are_averaged_in_batches_of_any_size(monkeypatch):
    evidence, audit = crystal(noise=1.0), AveragedCell(picker="perfect", box=44.0)
    at_once = audit.measure(evidence).values
    monkeypatch.setattr(averaged_cell, "BATCH", 2 * 22**2)
    assert audit.measure(evidence).values == pytest.approx(at_once, rel=1e-9)


def test_misplaced_picks_are_seen_in_the_average():
    evidence = crystal(noise=0.3)
    shifted = evidence.picks["perfect"].replace(x=evidence.picks["perfect"]["x"] + 26)
    wrong = dataclasses.replace(evidence, picks={"perfect": shifted})
    audit = AveragedCell(picker="perfect", box=44.0)
    assert audit.measure(evidence).values["correlation"] > 0.95
    assert audit.measure(wrong).values["correlation"] < 0.3


# The reciprocal lattice


def test_the_reciprocal_basis_is_dual():
    basis = np.array([[3.0, 50.0], [41.0, -7.0]])
    np.testing.assert_allclose(reciprocal(basis) @ basis.T, np.eye(2), atol=1e-15)


@pytest.mark.parametrize("psi", [0.0, 25.0])
def test_a_crystal_samples_its_motif(psi):
    values = ReciprocalLattice(order=3).measure(crystal(psi=psi)).values
    # Between grid frequencies a band-limited copy is not exactly a shifted one: 1e-7 is what is left.
    assert values["motif_error"] < 1e-6
    assert values["spot_to_background"] > 100


def test_a_wrong_basis_is_noticed():
    evidence = crystal()
    record = evidence.species["motif"]
    wrong = dataclasses.replace(record, basis=record.basis[:, ::-1])
    values = ReciprocalLattice(order=3).measure(dataclasses.replace(evidence, species={"x": wrong})).values
    assert values["motif_error"] > 0.1
    assert values["spot_to_background"] < 10


def test_white_noise_has_no_spots():
    evidence = crystal()
    noise = np.random.default_rng(0).standard_normal(evidence.grid.shape)
    values = ReciprocalLattice(order=4).measure(dataclasses.replace(evidence, micrographs=[noise])).values
    # The mean of 40 independent exponential variables: sd 1/sqrt(40) = 0.16; 4 sd, false alarm 1e-4.
    assert values["spot_to_background"] == pytest.approx(1.0, abs=0.64)


def test_the_marks_stand_on_the_spots():
    panel = ReciprocalLattice(order=2).measure(crystal((400, 380))).panels[0]
    strongest = np.unravel_index(panel.image.argmax(), panel.image.shape)
    # The nearest grid frequency is at most half a step away on each axis.
    assert np.abs(panel.marks - strongest).max(axis=1).min() <= 0.5


def test_a_species_that_is_turned_at_random_is_no_crystal():
    evidence = crystal()
    record = evidence.species["motif"]
    n = len(record.placements)
    turned = Placements.at(record.placements.y, record.placements.x, psi=np.arange(n))
    species = {"motif": dataclasses.replace(record, placements=turned)}
    with pytest.raises(ScenarioError, match="orientations"):
        ReciprocalLattice().measure(dataclasses.replace(evidence, species=species))


# The transfer function


def imaged(declared, *, level=0.0, gain=1.0):
    """Return evidence whose ideal image went through exp(−30 k²) and that declares something else."""
    evidence = crystal()
    k = evidence.grid.frequency_radius()
    true = np.exp(-30 * k**2)
    contrast = fourier.inverse(fourier.forward(evidence.density) * true, evidence.grid.shape)
    return dataclasses.replace(evidence, ideal=level + gain * contrast, transfer=declared(k))


@pytest.mark.parametrize(("level", "gain"), [(0.0, 1.0), (1.0, 2.0), (5.0, -0.3)])
def test_the_declared_transfer_is_recovered_for_any_level_and_gain(level, gain):
    measured = Transfer().measure(imaged(lambda k: np.exp(-30 * k**2), level=level, gain=gain))
    assert measured.values["error"] < 1e-12
    seen, declared = measured.panels[0].series
    np.testing.assert_allclose(seen.y, declared.y, atol=1e-9)


def test_a_wrong_declaration_is_noticed():
    evidence = imaged(lambda k: np.exp(-60 * k**2))
    found = Transfer().measure(evidence).values["error"]
    # The definition, worked out without the audit's own shortcuts: full transforms, explicit weights.
    ky, kx = np.meshgrid(*[np.fft.fftfreq(n, 2.0) for n in evidence.grid.shape], indexing="ij")
    weight = np.abs(np.fft.fft2(evidence.density)) ** 2
    weight[0, 0] = 0
    true, declared = np.exp(-30 * (ky**2 + kx**2)), np.exp(-60 * (ky**2 + kx**2))
    gain = (weight * declared * true).sum() / (weight * declared**2).sum()
    expected = np.sqrt((weight * (true / gain - declared) ** 2).sum() / weight.sum())
    assert expected > 0.01
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_curve_of_a_round_transfer_is_that_transfer():
    (panel,) = Transfer(bins=40).measure(imaged(lambda k: np.exp(-30 * k**2))).panels
    curve = panel.series[0]
    low = curve.x < 0.1
    # Within a ring of width 0.00625 / Å the transfer varies by up to 4 %.
    np.testing.assert_allclose(curve.y[low], np.exp(-30 * curve.x[low] ** 2), rtol=0.04)


def test_an_empty_image_has_no_transfer():
    evidence = crystal()
    empty = np.zeros(evidence.grid.shape)
    with pytest.raises(ScenarioError, match="no contrast"):
        Transfer().measure(dataclasses.replace(evidence, density=empty, ideal=empty))


# Statistics


def test_statistics_of_known_values():
    evidence = dataclasses.replace(
        crystal(),
        micrographs=[np.array([[1, 2], [3, 6]], np.float32)],
        ideal=np.array([[0.0, 4.0]]),
        density=np.array([[-1.0, 1.0]]),
    )
    values = Statistics().measure(evidence).values
    assert [values[n] for n in ("minimum", "maximum", "mean", "sd")] == [1, 6, 3, np.sqrt(3.5)]
    assert [values[f"ideal_{n}"] for n in ("minimum", "maximum", "mean", "sd")] == [0, 4, 2, 2]
    assert [values[f"density_{n}"] for n in ("minimum", "maximum", "mean", "sd")] == [-1, 1, 0, 1]
