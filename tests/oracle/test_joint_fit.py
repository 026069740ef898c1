"""Overlapping particles: the joint fit against exact images, brute force and counted noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import linear_sum_assignment
from scipy.special import expit
from scipy.stats import chi2, poisson

from simkit.core.grid import FloatArray, Grid
from simkit.core.random import stream
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.joint import JointFit, closest
from simkit.correlation.models import Painter, Particle
from simkit.correlation.padding import Frame
from simkit.correlation.refinement import Field, boxed_probes
from simkit.correlation.rescan import Rescan, of_other_values
from simkit.correlation.search import scan
from simkit.correlation.whitening import unit_noise, white, whitened
from simkit.picker.base import Found, Sight
from simkit.picker.correlation import Correlation
from simkit.picker.matched_filter import MatchedFilter
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fixed import Fixed

PIXEL = 2.0
SIDE = 41
DIAMETER = 22.0


def hammer(y: FloatArray, x: FloatArray, psi: float) -> FloatArray:
    """A handle and a head to one side of it, no symmetry, within 15 px of the centre."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    handle = np.exp(-((along + 2) ** 2 / 60 + across**2 / 6))
    return handle + 1.3 * np.exp(-((along - 6) ** 2 / 10 + (across - 3) ** 2 / 30))


def disk(y: FloatArray, x: FloatArray, psi: float) -> FloatArray:
    """A disk with a rim two pixels wide."""
    return expit((DIAMETER / 2 - np.hypot(y, x)) * 2) + 0 * psi


def bank(shape=hammer, angles: FloatArray | None = None, scale: float = 1.0) -> TemplateBank:
    angles = np.arange(0, 360, 5.0) if angles is None else angles
    axis = (np.arange(SIDE) - SIDE // 2) / scale
    views = np.stack([shape(axis[:, None], axis[None, :], a) for a in angles])
    return TemplateBank("t", "t", standardised(views), angles, PIXEL, DIAMETER / 2 * PIXEL, "C1")


DISKS = bank(disk, np.zeros(1))


def image(side: int, particles: FloatArray, shape=hammer) -> FloatArray:
    """Return particles (y, x, ψ, d′) in px and degrees, d′ in white noise of unit variance."""
    axis = np.arange(side, dtype=float)
    alone = shape(axis[:, None] - side / 2, axis[None, :] - side / 2, 0.0)
    unit = alone / np.sqrt((alone**2).sum() - alone.sum() ** 2 / SIDE**2)
    scale = unit.max() / alone.max()
    total = np.zeros((side, side))
    for y, x, psi, d_prime in particles:
        total += d_prime * scale * shape(axis[:, None] - y, axis[None, :] - x, psi)
    return total


def coloured(grid: Grid) -> FloatArray:
    return 0.5 + 1 / (0.02 + (grid.frequency_radius() * grid.pixel_size) ** 2) / 25


def prepared(pixels: FloatArray, of: TemplateBank, spectrum=white):
    frame = Frame.around(Grid(pixels.shape, PIXEL), SIDE)
    if spectrum is white:
        field, kernels = Field(frame, frame.pad(pixels), white, noise_sd=1.0, noise=white), of.images
    else:
        values, weight = whitened(frame.pad(pixels), frame.grid, spectrum)
        field, kernels = Field(frame, values, weight, spectrum, 1.0, weight), unit_noise(of.images, weight)
    return field, boxed_probes(field, [of], [kernels])


def pick(pixels: FloatArray, overlaps: str, of: TemplateBank, per_image: float = 1.0, **options) -> Found:
    flat = np.ones((pixels.shape[0], pixels.shape[1] // 2 + 1))
    sight = Sight(pixels, Grid(pixels.shape, PIXEL), [of], None, flat, None, np.random.default_rng(0))
    threshold = ExpectedFalsePicks(per_image=per_image)
    return MatchedFilter(threshold=threshold, noise="declared", overlaps=overlaps, **options).pick(sight)


def matched(found: Found, truth: FloatArray, radius: float) -> tuple[FloatArray, FloatArray]:
    """Return rows of picks and of particles that are closest to one another, within a radius (px)."""
    places = np.column_stack([found.picks["y"], found.picks["x"]]) / PIXEL
    gaps = np.linalg.norm(places[:, None] - truth[None, :, :2], axis=2)
    rows, columns = linear_sum_assignment(np.minimum(gaps, radius))
    near = gaps[rows, columns] < radius
    return rows[near], columns[near]


TRIPLE = np.array([[60.3, 60.8, 33.0, 12.0], [66.1, 69.4, 140.0, 10.0], [50.0, 75.0, 250.0, 9.0]])


@pytest.mark.parametrize("spectrum", [white, coloured])
def test_without_noise_overlapping_particles_are_found_exactly(spectrum) -> None:
    field, probes = prepared(image(128, TRIPLE), bank(), spectrum)
    fit = JointFit(Painter(field, probes), field.values.copy())
    rng = stream(1, "starts")
    starts = TRIPLE[:, :3] + rng.normal(0, [0.7, 0.7, 4.0], (3, 3))
    names = [fit.add(Particle(0, s[:2] + field.frame.before, s[2])) for s in starts]
    fit.refine(names)
    ours = [fit.particles[n] for n in names]
    # A cubic between angles 5° apart leaves 1e-3 of a particle; steps end at 0.05 standard deviations, each a
    # hundred times shorter than the one before.
    np.testing.assert_allclose([p.place - field.frame.before for p in ours], TRIPLE[:, :2], atol=0.02)
    np.testing.assert_allclose([p.psi for p in ours], TRIPLE[:, 2], atol=0.1)
    amplitudes = np.array([p.amplitude for p in ours])
    # Colour changes what a particle is worth, hardly differently at different angles.
    np.testing.assert_allclose(amplitudes / amplitudes[0], TRIPLE[:, 3] / TRIPLE[0, 3], rtol=0.01)
    assert np.abs(fit.values).max() < 0.01 * np.abs(field.values).max()


def test_the_covariance_is_that_of_brute_force() -> None:
    pair = TRIPLE[:2]
    field, probes = prepared(image(128, pair), bank())
    fit = JointFit(Painter(field, probes), field.values.copy())
    names = [fit.add(Particle(0, p[:2] + field.frame.before, p[2])) for p in pair]
    fit.refine(names)
    axis = np.arange(128.0)

    def views(particle: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return template and particle: the first has no mean over its box."""
        bare = image(128, [[*particle[:3], 1.0]])
        box = np.abs(np.stack(np.meshgrid(axis, axis, indexing="ij")) - particle[:2, None, None].round())
        inside = (box <= SIDE // 2).all(axis=0)
        return bare - inside * bare.sum() / SIDE**2, bare

    asked, left = [], []
    for particle in pair:
        steps = [np.zeros(3), *np.eye(3) * 1e-3]
        ahead, behind = ([views(particle[:3] + s * side) for s in steps] for side in (1, -1))
        for kind, images in ((asked, 0), (left, 1)):
            slopes = [(a[images] - b[images]) / 2e-3 for a, b in zip(ahead[1:], behind[1:], strict=True)]
            slopes[2] *= 180 / np.pi
            kind += [ahead[0][images].ravel(), *[particle[3] * s.ravel() for s in slopes]]
    inverse = np.linalg.inv(np.array(asked) @ np.array(left).T)
    covariance = inverse @ (np.array(asked) @ np.array(asked).T) @ inverse.T
    for i, name in enumerate(names):
        estimate = fit.estimate(name)
        rows = slice(4 * i, 4 * i + 4)
        variance = covariance[rows, rows].diagonal()
        # Finite differences against a cubic between views: 2 % of a variance.
        assert estimate.score == pytest.approx(pair[i, 3] / np.sqrt(variance[0]), rel=0.01)
        # Ours are of the amplitude of which the bias, four times its variance, was taken off.
        unbiased = 1 - 4 * variance[0] / pair[i, 3] ** 2
        np.testing.assert_allclose(estimate.covariance.diagonal() * unbiased, variance[1:], rtol=0.02)


def test_what_is_searched_again_is_what_a_search_of_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simkit.correlation.rescan.BLOCK", 8)
    rng = stream(2, "rescan")
    field, probes = prepared(image(200, TRIPLE) + rng.standard_normal((200, 200)), bank())
    found = scan(field, probes, lost_energy=1e-3)
    field, probes = of_other_values(field, probes, field.values.copy())
    fit, again = JointFit(Painter(field, probes), field.values), Rescan(found, field, probes)
    for particle in TRIPLE:
        name = fit.add(Particle(0, particle[:2] + field.frame.before, particle[2]))
        shown = fit.shown(name)
        again.changed(replace(shown, values=-shown.values))
    assert 0 < len(again.searched()) < np.prod(found.best.shape) / 8**2 / 2
    anew = scan(field, probes, lost_energy=1e-3)
    # A sinc cut off four samples away keeps all but some per cent of what it is multiplied with at the rim.
    assert np.abs(again.found.best - anew.best).max() < 0.05
    assert np.abs(anew.best - found.best).max() > 5


def test_the_closest_pair_is_known_half_as_well_as_one_alone() -> None:
    field, probes = prepared(np.zeros((128, 128)), DISKS)
    distance = closest(Painter(field, probes), 0, int(DIAMETER))
    fit = JointFit(Painter(field, probes), field.values.copy())

    def sure(gap: float) -> float:
        fit.values[:] = field.frame.pad(image(128, [[64, 64, 0, 10], [64, 64 + gap, 0, 10]], disk))
        places = [np.array([64.0, x]) + field.frame.before for x in (64, 64 + gap)]
        names = [fit.add(Particle(0, place, 0.0)) for place in places]
        fit.refine(names)
        score = fit.estimate(names[0]).score
        for name in names:
            fit.drop(name)
        return score

    assert sure(distance) >= 5 * (1 - 1e-2) > sure(distance - 1)
    assert distance < DIAMETER / 3


def test_pairs_are_told_apart_as_well_as_is_possible() -> None:
    rng = stream(3, "pairs")
    error, wrong, alone = 0.0, 0, 0
    gaps = np.linspace(0.4, 1.0, 16)
    for gap in gaps * DIAMETER:
        turn = rng.uniform(0, np.pi)
        along = np.array([np.sin(turn), np.cos(turn)]) * gap / 2
        middle = 60 + rng.uniform(-1, 1, 2)
        truth = np.array([[*(middle + s * along), 0.0, 15.0] for s in (-1, 1)])
        pixels = image(120, truth, disk) + rng.standard_normal((120, 120))
        found = pick(pixels, "joint", DISKS, per_image=0.01)
        rows, columns = matched(found, truth, 0.25 * DIAMETER)
        wrong += len(found.picks) + len(truth) - 2 * len(rows)
        places = np.column_stack([found.picks["y"], found.picks["x"]])[rows] / PIXEL
        sigma = np.column_stack([found.picks["sigma_y"], found.picks["sigma_x"]])[rows] / PIXEL
        error += float((((places - truth[columns, :2]) / sigma) ** 2).sum())
        alone += len(matched(pick(pixels, "separate", DISKS, per_image=0.01), truth, 0.25 * DIAMETER)[0])
    assert wrong == 0
    assert alone < 0.8 * 2 * len(gaps)
    # Predicted variances are the bound's: squared errors in units of them sum to χ². False alarm 0.1 %.
    assert chi2.ppf(0.0005, 4 * len(gaps)) < error < chi2.ppf(0.9995, 4 * len(gaps))


def test_noise_gives_as_many_picks_as_are_expected() -> None:
    rng = stream(4, "noise")
    expected, picked = 0.0, 0
    for _ in range(6):
        found = pick(rng.standard_normal((256, 256)), "joint", DISKS, per_image=2.0)
        assert found.expected_false is not None
        expected, picked = expected + found.expected_false, picked + len(found.picks)
    # False alarm 1 %.
    assert poisson.ppf(0.005, expected) <= picked <= poisson.ppf(0.995, expected)


def test_particles_that_stand_alone_are_picked_as_ever() -> None:
    rng = stream(5, "alone")
    truth = np.array([[60 + 90 * i, 60 + 90 * j, 0, 12.0] for i in range(3) for j in range(3)])
    pixels = image(300, truth, disk) + rng.standard_normal((300, 300))
    joint, separate = (pick(pixels, o, DISKS, per_image=0.01) for o in ("joint", "separate"))
    assert len(joint.picks) == len(truth)
    for column in ("y", "x", "score", "sigma_y", "sigma_x"):
        np.testing.assert_array_equal(joint.picks[column], separate.picks[column])


def crowd(rng: np.random.Generator, side: int, cover: float, d_prime: float) -> FloatArray:
    """Return disks that cover a share of an image, no two closer than 0.6 diameters."""
    truth: list[list[float]] = []
    while len(truth) < cover * side**2 / (np.pi * DIAMETER**2 / 4):
        place = rng.uniform(8, side - 9, 2)
        if all(np.hypot(*(place - t[:2])) > 0.6 * DIAMETER for t in truth):
            truth.append([*place, 0.0, d_prime])
    return np.array(truth)


def test_a_crowd_is_picked_whole() -> None:
    rng = stream(6, "crowd")
    truth = crowd(rng, 160, 0.35, 10.0)
    pixels = image(160, truth, disk) + rng.standard_normal((160, 160))
    joint, separate = (pick(pixels, o, DISKS) for o in ("joint", "separate"))
    radius = 0.3 * DIAMETER
    rows, columns = matched(joint, truth, radius)
    assert len(rows) >= 0.97 * len(truth)
    assert len(matched(separate, truth, radius)[0]) < 0.8 * len(truth)
    # One false pick is expected in noise. False alarm 0.4 %.
    assert len(joint.picks) - len(rows) <= poisson.ppf(0.996, 1.0)
    scores = joint.picks["score"][rows]
    assert (scores < 1.3 * truth[columns, 3]).all()


@pytest.mark.parametrize("scale", [0.95, 1.05])
def test_the_misfit_of_a_bright_particle_is_not_picked(scale: float) -> None:
    rng = stream(7, "misfit")
    truth = np.array([[60.3, 61.8, 0.0, 60.0]])
    pixels = image(120, truth, disk) + rng.standard_normal((120, 120))
    found = pick(pixels, "joint", bank(disk, np.zeros(1), scale), per_image=0.01)
    assert len(found.picks) == 1


def test_the_plain_correlation_takes_overlaps_apart_too() -> None:
    rng = stream(8, "plain")
    truth = np.array([[50.0, 50.0, 0.0, 15.0], [50.0, 66.0, 0.0, 15.0]])
    pixels = image(110, truth, disk) + rng.standard_normal((110, 110))
    sight = Sight(pixels, Grid(pixels.shape, PIXEL), [DISKS], None, None, None, rng)
    found = Correlation(threshold=Fixed(value=6.0), overlaps="joint").pick(sight)
    assert len(found.picks) == len(matched(found, truth, 3.0)[0]) == 2


def test_a_crowd_is_not_searched_along_a_lattice() -> None:
    with pytest.raises(ValidationError, match="overlaps"):
        MatchedFilter(threshold=Fixed(value=5.0), overlaps="joint", lattice="fitted")


def test_two_bells_on_a_line_that_have_one_top_are_two() -> None:
    axis, line = np.arange(SIDE) - SIDE // 2, np.arange(300.0)
    of = TemplateBank(
        "t", "t", standardised(np.exp(-(axis**2) / 30)[None]), np.zeros(1), PIXEL, 5.5 * PIXEL, "C1"
    )
    truth = np.array([100.0, 109.5])
    pixels = 6 * np.exp(-((line[:, None] - truth) ** 2) / 30).sum(axis=1)
    pixels += stream(10, "line").standard_normal(300)
    sight = Sight(pixels, Grid((300,), PIXEL), [of], None, np.ones(151), None, np.random.default_rng(0))
    found = MatchedFilter(threshold=Fixed(value=5.0), noise="declared", overlaps="joint").pick(sight)
    # Their places are known to about 0.5 px; four times that is reached once in 10⁴.
    np.testing.assert_allclose(np.sort(found.picks["x"]) / PIXEL, truth, atol=2.0)
