"""What a pick says of itself, against the error it makes: place, height, standard errors, doubts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.curvature import Fit, covariance
from simkit.correlation.likelihood import Likelihood
from simkit.correlation.normalised import holding_radius
from simkit.correlation.padding import Frame
from simkit.correlation.refinement import climb, peaks_at
from simkit.io.coordinates import read_coordinates, write_coordinates
from simkit.io.csv_tables import table_csv
from simkit.metric.efficiency import unbiased_height
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Found, Sight
from simkit.picker.correlation import Correlation
from simkit.picker.matched_filter import MatchedFilter
from simkit.picker.ncc import OUTSIDE, Ncc
from simkit.picker.phase import Phase
from simkit.theory.fisher import fisher_information, whitened
from simkit.theory.peak_limits import peak_limits
from simkit.threshold.fdr import Fdr
from simkit.threshold.fixed import Fixed
from simkit.threshold.top import Top

PIXEL = 2.0
SIDE = 35
SUPPORT = 15.0
NEAR = 7.5
"""Pixels within which a pick is in its place: half of the particle's radius."""


def hammer(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """A handle and a head to one side of it, no symmetry, within 15 px of the centre."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    handle = np.exp(-((along + 2) ** 2 / 60 + across**2 / 6))
    return handle + 1.3 * np.exp(-((along - 6) ** 2 / 10 + (across - 3) ** 2 / 30))


def drop(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """Round."""
    return np.exp(-(y**2 + x**2) / 18) + 0 * psi


def bank(angles: np.ndarray, side: int = SIDE, shape=hammer) -> TemplateBank:
    axis = np.arange(side) - side // 2
    views = np.stack([shape(axis[:, None], axis[None, :], a) for a in angles])
    return TemplateBank("t", "t", standardised(views), angles, PIXEL, SUPPORT * PIXEL, "C1")


def look(pixels: np.ndarray, *banks: TemplateBank) -> Sight:
    grid = Grid(pixels.shape, PIXEL)
    white = np.ones((pixels.shape[0], pixels.shape[1] // 2 + 1))
    return Sight(pixels, grid, banks, None, white, None, np.random.default_rng(0))


def scattered(
    d_prime: float, seed: int, rows: int = 6, pitch: int = 64, shape=hammer, sign: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return white noise of unit variance with particles far apart, and their (y, x, ψ) in px and degrees."""
    rng = stream(seed, "scattered")
    pixels = rng.standard_normal((rows * pitch, rows * pitch))
    axis = np.arange(pitch)
    alone = shape(axis[:, None] - pitch / 2, axis[None, :] - pitch / 2, 0.0)
    energy = (alone**2).sum() - alone.sum() ** 2 / SIDE**2  # a template's mean counts for nothing
    truth = []
    for row, column in np.ndindex(rows, rows):
        y, x = pitch / 2 + rng.uniform(-2, 2, 2)
        psi = rng.uniform(0, 360)
        copy = shape(axis[:, None] - y, axis[None, :] - x, psi)
        pixels[row * pitch : (row + 1) * pitch, column * pitch : (column + 1) * pitch] += (
            sign * d_prime / np.sqrt(energy) * copy
        )
        truth.append((row * pitch + y, column * pitch + x, psi))
    return pixels, np.array(truth)


def errors_and_sigma(found: Found, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and predicted standard errors of y, x (Å) and ψ of every particle; all must be found."""
    picks = found.picks
    places = np.stack([picks["y"], picks["x"]], axis=1) / PIXEL
    gap = np.linalg.norm(places[:, None] - truth[:, :2], axis=2)
    assert (gap.min(axis=0) < 4).all()
    rows = gap.argmin(axis=0)
    turn = (picks["psi"][rows] - truth[:, 2] + 180) % 360 - 180
    error = np.stack([*(PIXEL * (places[rows] - truth[:, :2])).T, turn], axis=1)
    return error, np.stack([picks[f"sigma_{name}"][rows] for name in ("y", "x", "psi")], axis=1)


PICKERS = {
    "matched_filter": MatchedFilter(noise="declared", threshold=Fixed(value=5.0)),
    "correlation": Correlation(threshold=Fixed(value=5.0)),
    "ncc": Ncc(threshold=Fixed(value=0.2)),
}

ROWS, PITCH = 14, 64
"""A field of 196 particles, one in every cell but anywhere in it: in rows, they would have Bragg spots."""


def slow(shape: tuple[int, int]) -> np.ndarray:
    """Noise power that falls fourteenfold within a tenth of a cycle per pixel."""
    k = Grid(shape, 1.0).frequency_radius()
    return 0.3 + 4 * np.exp(-((k / 0.08) ** 2))


def one_step(copy: Callable[..., np.ndarray], at: np.ndarray, image: np.ndarray, power: np.ndarray | float):
    """Return the efficient estimator's error, which needs the truth, and the Cramér–Rao covariance.

    A step of Fisher's scoring from the truth: linear in the noise, so that its covariance is the limit.
    """
    steps = 1e-3 * np.eye(3)
    slopes = [(copy(*(at + e)) - copy(*(at - e))) / 2e-3 for e in steps]
    derivatives = np.stack([*slopes, copy(*at), np.ones(image.shape)])
    information = fisher_information(derivatives, noise_spectrum=power)
    weighed = whitened(np.concatenate([derivatives, (image - copy(*at))[None]]), power).reshape(6, -1)
    return (np.linalg.inv(information) @ (weighed[:5] @ weighed[5]))[:3], np.linalg.inv(information)[:3, :3]


@functools.cache
def crowd(noise: str, d_prime: float = 15.0):
    """Return an image of 196 particles, where they are, the efficient estimator's errors and the limits."""
    rng, n = stream(0, "crowd"), ROWS * PITCH
    power = np.ones((n, n // 2 + 1)) if noise == "white" else slow((n, n))
    pixels = fourier.inverse(fourier.forward(rng.standard_normal((n, n))) * np.sqrt(power), (n, n))
    axis, near = np.arange(PITCH), 1.0 if noise == "white" else slow((PITCH, PITCH))
    truth, copies = [], []
    for corner in PITCH * np.indices((ROWS, ROWS)).reshape(2, -1).T:
        at = np.array([*(PITCH / 2 + rng.uniform(-12, 12, 2)), rng.uniform(0, 360)])
        shape = hammer(axis[:, None] - at[0], axis[None, :] - at[1], at[2])
        energy = (whitened((shape - shape.mean())[None], near) ** 2).sum()
        copies.append((corner, at, d_prime / np.sqrt(energy)))
        cell = tuple(slice(c, c + PITCH) for c in corner)
        pixels[cell] += copies[-1][2] * shape
        truth.append([*(corner + at[:2]), at[2]])
    efficient, limits = [], []
    for corner, at, height in copies:
        cell = tuple(slice(c, c + PITCH) for c in corner)

        def copy(y: float, x: float, psi: float, height: float = height) -> np.ndarray:
            return height * hammer(axis[:, None] - y, axis[None, :] - x, psi)

        error, limit = one_step(copy, at, pixels[cell], near)
        efficient.append(error * [PIXEL, PIXEL, 1])
        limits.append(np.sqrt(np.diag(limit)) * [PIXEL, PIXEL, 1])
    sight = look(pixels)
    return replace(sight, noise_spectrum=power), np.array(truth), np.array(efficient), np.array(limits)


@functools.cache
def seen(kind: str, noise: str, step: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors and predicted standard errors of a picker's best 196 picks of the crowd."""
    sight, truth, _, _ = crowd(noise)
    picker = PICKERS[kind].model_copy(update={"threshold": Top(count=len(truth))})
    found = picker.pick(replace(sight, banks=(bank(np.arange(0, 360, step), side),)))
    return errors_and_sigma(found, truth)


@pytest.mark.parametrize(
    ("kind", "noise", "step", "side"),
    [
        ("matched_filter", "white", 10.0, 35),
        ("matched_filter", "slow", 15.0, 34),
        ("correlation", "slow", 10.0, 34),
        ("ncc", "slow", 10.0, 35),
    ],
)
def test_errors_are_as_large_as_predicted(kind: str, noise: str, step: float, side: int) -> None:
    error, sigma = seen(kind, noise, step, side)
    normal = error / sigma
    # A standard deviation of 588 numbers is known to 2.9 %: of one field in 1700, 10 % is a false alarm.
    assert np.sqrt((normal**2).mean()) == pytest.approx(1, abs=0.10)
    # That of y, x or ψ alone, of 196, to 5.1 %: the same chance of being 17 % off.
    assert np.sqrt((normal**2).mean(axis=0)) == pytest.approx(np.ones(3), abs=0.17)
    # Four standard errors of a mean. Half a pixel would be two σ and more.
    assert np.abs(normal.mean(axis=0)).max() < 4 / np.sqrt(len(normal))


@pytest.mark.parametrize(("noise", "step", "side"), [("white", 10.0, 35), ("slow", 15.0, 34)])
def test_errors_are_hardly_larger_than_the_limit(noise: str, step: float, side: int) -> None:
    _, _, efficient, limits = crowd(noise)
    # The oracle itself is at the limit: four standard errors of a variance.
    variance = ((efficient / limits) ** 2).mean(axis=0)
    assert variance == pytest.approx(np.ones(3), abs=4 * np.sqrt(2 / len(limits)))
    # Made by the same noise, the two errors differ by what is quadratic in it, 2 to 4 % at d′ = 15.
    error, _ = seen("matched_filter", noise, step, side)
    assert (np.sqrt((error**2).sum(axis=0) / (efficient**2).sum(axis=0)) < 1.05).all()


def test_a_list_is_cut_sooner_where_picks_may_be_in_wrong_places() -> None:
    """A hammer turned by half fits nearly as well elsewhere: weak ones are found a few pixels off.

    Without their chances a fifth too many picks are listed, most of them off their particles.
    """
    pixels, truth = weak_crowd()
    sight = look(pixels, bank(np.arange(0, 360, 10.0)))

    def listed(**how: float) -> np.ndarray:
        picker = MatchedFilter(noise="declared", threshold=Fdr(q=0.1, **how))
        picks = picker.pick(sight).picks
        places = np.stack([picks["y"], picks["x"]], axis=1) / PIXEL
        return np.linalg.norm(places[:, None] - truth[:, :2], axis=2).min(axis=1) > NEAR

    wrong, careless = listed(), listed(within=1e4)
    assert len(wrong) < len(careless)
    assert wrong.mean() < careless.mean()
    # Three standard deviations of a list of which one in ten is wrong: false alarm 1e-3.
    assert wrong.mean() < 0.1 + 3 * np.sqrt(0.1 * 0.9 / len(wrong))


def weak_crowd() -> tuple[np.ndarray, np.ndarray]:
    """Return white noise with 196 hammers of d′ from 3 to 9."""
    rng, axis = stream(1, "weak"), np.arange(PITCH)
    pixels, truth = rng.standard_normal((ROWS * PITCH, ROWS * PITCH)), []
    for corner in PITCH * np.indices((ROWS, ROWS)).reshape(2, -1).T:
        at = np.array([*(PITCH / 2 + rng.uniform(-12, 12, 2)), rng.uniform(0, 360)])
        copy = hammer(axis[:, None] - at[0], axis[None, :] - at[1], at[2])
        copy *= rng.uniform(3, 9) / np.linalg.norm(copy - copy.mean())
        pixels[tuple(slice(c, c + PITCH) for c in corner)] += copy
        truth.append([*(corner + at[:2]), at[2]])
    return pixels, np.array(truth)


def test_errors_in_counted_noise_are_those_predicted() -> None:
    """Bright particles are noisier than the ground: σ that knows the ground alone is a fifth too small.

    Of 196 particles and three axes an observed deviation is known to 3 %, so that 10 % are three deviations.
    """
    level, axis = 4.0, np.arange(PITCH)
    rng, truth = stream(2, "counted"), []
    means = np.full((ROWS * PITCH, ROWS * PITCH), level)
    for corner in PITCH * np.indices((ROWS, ROWS)).reshape(2, -1).T:
        at = np.array([*(PITCH / 2 + rng.uniform(-12, 12, 2)), rng.uniform(0, 360)])
        copy = hammer(axis[:, None] - at[0], axis[None, :] - at[1], at[2])
        copy *= 25 * np.sqrt(level) / np.linalg.norm(copy - copy.mean())
        means[tuple(slice(c, c + PITCH) for c in corner)] += copy
        truth.append([*(corner + at[:2]), at[2]])
    sight = look(rng.poisson(means).astype(float), bank(np.arange(0, 360, 5.0)))
    picker = MatchedFilter(threshold=Top(count=len(truth)))
    error, sigma = errors_and_sigma(picker.pick(sight), np.array(truth))
    assert np.sqrt(np.mean((error / sigma) ** 2)) == pytest.approx(1, abs=0.1)


def likeliest(image: np.ndarray, start: np.ndarray, compared: np.ndarray | None, power: np.ndarray | float):
    """Return the likeliest (y, x, ψ) by SciPy, the hammer drawn anew at every trial over the whole image."""
    rows, columns = np.indices(image.shape)

    def centred(images: np.ndarray) -> np.ndarray:
        if compared is not None:
            return np.where(compared, images - images[compared].mean(), 0)
        return whitened((images - images.mean())[None], power)[0]

    values = centred(image)

    def loss(at: np.ndarray) -> float:
        model = centred(hammer(rows - at[0], columns - at[1], 10 * at[2]))
        return -float((values * model).sum() / np.linalg.norm(model))

    best = minimize(loss, start / [1, 1, 10], method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9})
    return best.x * [1, 1, 10]


@pytest.mark.parametrize(
    ("kind", "noise"), [("matched_filter", "white"), ("matched_filter", "slow"), ("ncc", "white")]
)
@pytest.mark.parametrize("side", [47, 48])
def test_a_pick_is_at_the_likeliest_place(kind: str, noise: str, side: int) -> None:
    rng, n = stream(side, "one"), 96
    power = np.ones((n, n // 2 + 1)) if noise == "white" else slow((n, n))
    pixels = fourier.inverse(fourier.forward(rng.standard_normal((n, n))) * np.sqrt(power), (n, n))
    rows, columns = np.indices(pixels.shape)
    at = np.array([48.4, 47.7, 123.0])
    pixels += 1.2 * hammer(rows - at[0], columns - at[1], at[2])
    sight = replace(look(pixels, bank(np.arange(0, 360, 10.0), side)), noise_spectrum=power)
    picks = PICKERS[kind].model_copy(update={"threshold": Top(count=1)}).pick(sight).picks
    ours = np.array([picks["y"][0] / PIXEL, picks["x"][0] / PIXEL, picks["psi"][0]])
    start = ours + np.array([0.05, -0.05, 1.0])
    compared = [None]
    if kind == "ncc":  # It compares within a circle around one of the pixels nearby.
        radius = holding_radius(sight.banks[0].images, OUTSIDE)
        around = np.floor(ours[:2]) + np.indices((2, 2)).reshape(2, -1).T
        compared = [np.hypot(rows - p, columns - q) <= radius for p, q in around]
    best = [likeliest(pixels, start, circle, power) for circle in compared]
    off = np.abs(np.array(best) - ours) / [1e-3, 1e-3, 2e-2]
    # The noise itself moves the top by 0.1 px and 1°. The declared spectrum is interpolated.
    assert off.max(axis=1).min() < 1


@pytest.mark.parametrize("side", [SIDE, SIDE - 1])
def test_heights_are_those_of_the_top(side: int) -> None:
    pixels, _ = scattered(20.0, 7)
    found = PICKERS["matched_filter"].pick(look(pixels, bank(np.arange(0, 360, 10.0), side)))
    height = unbiased_height(float(found.picks["score"][:36].mean()), 3)
    # The best of whole pixels and angles would be 2.5 % lower; a template in a box a pixel smaller is 0.5 %.
    assert height == pytest.approx(20, abs=4 / 6 + 0.1)


WIDE = 47
EVERY_TEN = bank(np.arange(0, 360, 10.0), WIDE)


@settings(max_examples=20, deadline=None)
@given(y=st.floats(-0.5, 0.5), x=st.floats(-0.5, 0.5), psi=st.floats(0, 360))
def test_the_score_is_that_of_the_template_where_the_particle_is(y: float, x: float, psi: float) -> None:
    pixels = np.zeros((90, 96))
    rows, columns = np.indices(pixels.shape)
    pixels += hammer(rows - 44 - y, columns - 47 - x, psi)
    alone = bank(np.array([psi]), WIDE).images[0]
    axis = np.arange(WIDE) - WIDE // 2
    under = hammer(axis[:, None], axis[None, :], psi)
    for picker, expected in ((PICKERS["correlation"], (under * alone).sum()), (PICKERS["ncc"], 1.0)):
        sight = look(pixels, EVERY_TEN)
        frame = Frame.around(sight.grid, WIDE)
        field, (probe,) = picker.prepare(frame.pad(pixels - pixels.mean()), frame, sight)
        start = (44 + frame.before, 47 + frame.before), round(psi / 10) % 36
        summits = climb(field, probe, [start])
        (rough,) = peaks_at(field, probe, summits, 0)
        (peak,) = Likelihood(field).at_tops(probe, summits, [rough])
        # The quadratic's own errors between pixels and angles, with a handle of √3 px: over a net of 441
        # places and angles at most 0.067 px and 1.04°, a tenth of a step.
        assert rough.position / PIXEL == pytest.approx([44 + y, 47 + x], abs=0.1)
        assert (rough.psi - psi + 180) % 360 - 180 == pytest.approx(0, abs=1.5)
        # What is left is what the hammer still is at the rim of its box, 1e-5 of its height.
        assert peak.score == pytest.approx(expected, rel=1e-4)
        assert peak.score <= 1 or picker.kind != "ncc"
        assert peak.position / PIXEL == pytest.approx([44 + y, 47 + x], abs=1e-3)
        assert (peak.psi - psi + 180) % 360 - 180 == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("kind", ["correlation", "ncc"])
def test_peaks_taken_to_their_tops_together_are_those_taken_alone(kind: str) -> None:
    pixels = 0.05 * np.random.default_rng(2).standard_normal((90, 160))
    rows, columns = np.indices(pixels.shape)
    # The farther from pixels and angles, the more steps: not all end at once.
    particles = [(44.0, 40.0, 30.0), (45.45, 80.3, 74.6), (43.2, 118.4, 203.0)]
    for y, x, psi in particles:
        pixels += hammer(rows - y, columns - x, psi)
    picker, sight = PICKERS[kind], look(pixels, EVERY_TEN)
    frame = Frame.around(sight.grid, WIDE)
    field, (probe,) = picker.prepare(frame.pad(pixels - pixels.mean()), frame, sight)
    starts = [
        ((round(y) + frame.before, round(x) + frame.before), round(psi / 10) % 36) for y, x, psi in particles
    ]
    summits = climb(field, probe, starts)
    rough, likelihood = peaks_at(field, probe, summits, 0), Likelihood(field, field.weight)
    together = likelihood.at_tops(probe, summits, rough)
    for summit, start, peak in zip(summits, rough, together, strict=True):
        (alone,) = likelihood.at_tops(probe, [summit], [start])
        assert peak.position == pytest.approx(alone.position, abs=1e-9)
        assert (peak.psi, peak.score, peak.unrest) == pytest.approx((alone.psi, alone.score, alone.unrest))
        np.testing.assert_allclose(peak.covariance, alone.covariance, rtol=1e-9)
        assert np.abs(peak.position - start.position).max() > 1e-6


def test_slope_and_curvature_are_those_of_the_normalised_product() -> None:
    rng = np.random.default_rng(3)
    root = rng.standard_normal((5, 4))
    gram = root.T @ root + np.diag([5.0, 0, 0, 0])
    products, bends = np.array([20.0, 1.0, -2.0, 0.5]), -rng.uniform(1, 9) * np.eye(3)

    def score(theta: np.ndarray) -> float:
        product = products[0] + products[1:] @ theta + theta @ bends @ theta / 2
        return product / np.sqrt(gram[0, 0] + 2 * gram[0, 1:] @ theta)

    found, steps = Fit(products, bends, gram), 1e-3 * np.eye(3)
    slope = [(score(e) - score(-e)) / 2e-3 for e in steps]
    bend = [[score(e + f) - score(e - f) - score(f - e) + score(-e - f) for f in steps] for e in steps]
    # Central differences of step 1e-3.
    np.testing.assert_allclose(found.slope, slope, rtol=1e-4)
    np.testing.assert_allclose(-found.height * found.observed, np.array(bend) / 4e-6, rtol=1e-3, atol=1e-3)


def test_the_covariance_is_the_limit_of_a_particle_freed_of_what_noise_adds() -> None:
    moments, sd, height = np.diag([0.5, 0.4, 3.0]), 2.0, 20.0
    gram = np.diag([1.0, *np.diag(moments)])
    found = Fit(np.array([height, 0, 0, 0]), -height * moments, gram)
    # 4 of the 400 are the height's own noise, 12 what the best of all places and angles gains.
    expected = sd**2 * np.linalg.inv(moments) / (height**2 - sd**2 * (1 + 3))
    np.testing.assert_allclose(covariance(found, sd**2 * gram), expected, rtol=1e-12)
    # Twice the slope's variance is twice the place's, half the curvature four times; either gains 24 not 12.
    rough = covariance(found, sd**2 * gram @ np.diag([1.0, 2, 2, 2]))
    np.testing.assert_allclose(rough, 2 * expected * 384 / 372, rtol=1e-12)
    flat = covariance(Fit(found.products, found.bends / 2, gram), sd**2 * gram)
    np.testing.assert_allclose(flat, 4 * expected * 384 / 372, rtol=1e-12)
    assert np.isnan(covariance(Fit(np.array([3.0, 0, 0, 0]), -3 * moments, gram), sd**2 * gram)).all()


def test_limits_of_a_peak_are_the_inverse_of_its_information() -> None:
    moments = np.array([[[0.5, 0.1, 0.2], [0.1, 0.4, 0.0], [0.2, 0.0, 3.0]]])
    covariance = np.linalg.inv(10.0**2 * moments[0])
    np.testing.assert_allclose(
        peak_limits(moments, np.array([10.0]), period=2 * np.pi)[0], np.sqrt(np.diag(covariance)), rtol=1e-12
    )
    assert np.isnan(peak_limits(moments, np.array([5.9]))).all()
    assert np.isnan(peak_limits(moments, np.array([np.nan]))).all()
    weak = np.diag([0.5, 0.5, 1e-4])[None]
    sigma = peak_limits(weak, np.array([10.0]), period=2 * np.pi)[0]
    assert np.isnan(sigma[2])  # 10 rad
    assert sigma[0] == pytest.approx(0.1 / np.sqrt(0.5), rel=1e-12)


def test_nothing_is_predicted_where_nothing_can_be() -> None:
    pixels, _ = scattered(20.0, 3, rows=2, shape=drop)
    picks = PICKERS["matched_filter"].pick(look(pixels, bank(np.arange(0, 360, 30.0), shape=drop))).picks
    assert len(picks) >= 4
    assert np.isnan(picks["sigma_psi"]).all()  # round
    assert np.isfinite(picks["sigma_y"][:4]).all()
    still = PICKERS["matched_filter"].pick(look(pixels, bank(np.zeros(1), shape=drop))).picks
    assert np.isnan(still["sigma_psi"]).all()  # not searched
    phase = Phase(threshold=Top(count=4)).pick(look(pixels, bank(np.zeros(1), shape=drop))).picks
    assert np.isnan(phase["sigma_x"]).all()


def flags(found: Found) -> list[set[str]]:
    return [set(words.split()) for words in found.picks["flags"]]


@pytest.mark.parametrize(
    "picker",
    # Of a circle with ground around the particle coefficients are lower, those of side lobes the more so.
    [PICKERS["matched_filter"], PICKERS["correlation"], Ncc(threshold=Fixed(value=0.15))],
)
def test_the_wrong_contrast_is_suspected(picker: TemplateSearch) -> None:
    turned = bank(np.arange(0, 360, 15.0))
    right = picker.pick(look(scattered(18.0, 5, rows=4, shape=hammer)[0], turned))
    wrong = picker.pick(look(scattered(18.0, 5, rows=4, shape=hammer, sign=-1.0)[0], turned))
    assert not any("inverted" in words for words in flags(right)[:16])
    assert "opposite_contrast" not in right.notes
    assert np.mean(["inverted" in words for words in flags(wrong)]) > 0.8
    assert wrong.notes["opposite_contrast"] > 0.8


def test_cut_and_crowded_picks_are_flagged() -> None:
    places = [(60, 60), (60, 100), (160, 160), (10, 160)]
    pixels = 0.02 * stream(0, "flags").standard_normal((220, 220))
    rows, columns = np.indices(pixels.shape)
    for y, x in places:
        pixels += hammer(rows - y, columns - x, 0.0)
    picker = Correlation(threshold=Top(count=4))
    found = picker.pick(look(pixels, bank(np.arange(0, 360, 15.0))))
    said = {(round(y / PIXEL), round(x / PIXEL)): words for y, x, words in
            zip(found.picks["y"], found.picks["x"], flags(found), strict=True)}  # fmt: skip
    # 40 px apart is less than 1.5 diameters of 30 px; 10 px from the border is less than a radius.
    assert said == {(60, 60): {"crowded"}, (60, 100): {"crowded"}, (160, 160): set(), (10, 160): {"edge"}}


def test_significance_falls_with_the_score() -> None:
    pixels, _ = scattered(12.0, 2, rows=4)
    found = MatchedFilter(noise="declared", threshold=Fixed(value=4.0)).pick(
        look(pixels, bank(np.arange(0, 360, 10.0)))
    )
    p, q = found.candidates["p_value"], found.candidates["q_value"]
    assert (np.diff(p) >= 0).all()
    assert (np.diff(q) >= 0).all()
    assert ((p >= 0) & (p <= 1) & (q >= 0) & (q <= 1)).all()
    assert p[:16].max() < 1e-6
    assert p[-1] > 0.5


@pytest.mark.parametrize("kind", [MatchedFilter, Correlation, Ncc, Phase])
def test_damaged_images_give_no_nonsense(kind: type[TemplateSearch]) -> None:
    turned = bank(np.arange(0, 360, 30.0))
    pixels, _ = scattered(15.0, 1, rows=3)
    broken = pixels.copy()
    broken[:, :30], broken[50:60, 70:90], broken[100, 100] = 0.0, np.nan, np.inf
    for image in (broken, np.full((80, 90), 7.0), np.full((80, 90), np.nan)):
        found = kind(threshold=Top(count=20)).pick(look(image, turned))
        assert np.isfinite(found.picks["score"]).all()
        assert np.isfinite([found.picks["y"], found.picks["x"], found.picks["psi"]]).all()
        if kind is Ncc:
            assert (np.abs(found.picks["score"]) <= 1).all()
        if image is not broken:
            assert len(found.picks) == 0


def test_what_a_pick_says_of_itself_is_written_and_read_back(tmp_path: Path) -> None:
    pixels, _ = scattered(12.0, 2, rows=2)
    picks = PICKERS["matched_filter"].pick(look(pixels, bank(np.arange(0, 360, 30.0)))).picks
    header, *rows = [line.split(",") for line in table_csv(picks).splitlines()]
    for name in ("sigma_y_A", "sigma_x_A", "sigma_psi_deg", "p_value", "q_value"):
        column = picks[name.removesuffix("_A").removesuffix("_deg")]
        cells = [float(row[header.index(name)] or "nan") for row in rows]
        np.testing.assert_array_equal(cells, column)
    file = tmp_path / "picks.csv"
    file.write_text(table_csv(picks.replace(micrograph=["m"] * len(picks))))
    back = read_coordinates(file)
    write_coordinates(tmp_path / "again.csv", back, pixel_size=PIXEL)
    again = read_coordinates(tmp_path / "again.csv")
    for name in ("sigma_y", "sigma_x", "sigma_psi", "p_value", "q_value", "flags"):
        np.testing.assert_array_equal(back[name], picks[name])
        np.testing.assert_array_equal(again[name], picks[name])
    silent = table_csv(Picks(y=[1.0], x=[2.0]))
    assert "sigma" not in silent
    assert "flags" not in silent
    assert "value" not in silent
