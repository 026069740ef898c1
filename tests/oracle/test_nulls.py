"""The null: images without particles, what is picked in them against what is predicted, and ghosts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.orientation import View
from simkit.core.random import stream
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank, standardised
from simkit.engine.ghost import FEWEST_BOXES, Stack, ghost_of, stacks
from simkit.engine.null_search import null_run, null_search
from simkit.engine.picking import draw_banks, pick_image
from simkit.engine.simulation import simulate_one
from simkit.engine.variants import null_variants, variant_of, without_phases
from simkit.picker.base import Found, Sight
from simkit.picker.correlation import Correlation
from simkit.scenario.spec import Scenario
from simkit.threshold.fixed import Fixed

PIXEL = 2.0


# Phases drawn anew


@pytest.mark.parametrize("shape", [(24, 31), (25, 30), (16, 16), (40,), (41,)])
def test_phases_alone_are_drawn(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).normal(3.0, 1.0, shape)
    drawn = fourier.phase_randomised(image, np.random.default_rng(2))
    before, after = fourier.forward(image), fourier.forward(drawn)
    assert drawn.dtype == np.float64
    # Two transforms round to a few 1e-16 of the largest term, and no |F| here is 1000 times smaller.
    np.testing.assert_allclose(fourier.power(after), fourier.power(before), rtol=1e-12)
    assert drawn.mean() == pytest.approx(image.mean(), rel=1e-12)
    # The two images share their power and nothing else: r of n pixels has sd 1/√n, so once in 16 000.
    assert abs(np.corrcoef(image.ravel(), drawn.ravel())[0, 1]) < 4 / np.sqrt(image.size)


def test_the_phases_are_uniform_and_belong_to_the_stream() -> None:
    image = np.random.default_rng(3).standard_normal((64, 64))
    drawn = fourier.phase_randomised(image, np.random.default_rng(4))
    # Frequencies that are not their own opposite, each pair once; false alarm 1 in 1000.
    phases = np.angle(fourier.forward(drawn)[:, 1:-1]).ravel()
    assert stats.kstest(phases, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    assert np.array_equal(drawn, fourier.phase_randomised(image, np.random.default_rng(4)))
    assert not np.allclose(drawn, fourier.phase_randomised(image, np.random.default_rng(5)))


def test_pixels_become_gaussian() -> None:
    """A few bright points are as far from Gaussian as can be; false alarm 1 in 1000."""
    image = np.zeros((128, 130))
    image[[3, 70, 90], [9, 50, 100]] = [1.0, -2.0, 1.5]
    assert stats.normaltest(image.ravel()).pvalue < 1e-100
    drawn = fourier.phase_randomised(image, np.random.default_rng(6))
    assert stats.normaltest(drawn.ravel()).pvalue > 1e-3


# Variants of a simulation


def scenario(**sections: object) -> Scenario:
    written = {
        "schema_version": 1,
        "seed": 11,
        "image": {"shape": [200, 180], "pixel_size": "4 Å", "boundary": "periodic"},
        "specimen": {
            "blob": {
                "unit_cell": {"kind": "shapes", "shapes": [{"kind": "gaussian", "sigma": "12 Å"}]},
                "lattice": {"kind": "scattered", "count": 8, "min_distance": "120 Å"},
            }
        },
        "noise": {"film": {"kind": "gaussian", "snr": 0.2}},
        "templates": {"blob": {"kind": "specimen", "of": "blob"}},
        "pickers": {
            "told": {
                "kind": "matched_filter",
                "noise": "declared",
                "threshold": {"kind": "expected_false_picks", "per_image": 1},
            }
        },
        "score": {"radius": "30 Å"},
        **sections,
    }
    return Scenario.model_validate(written, context={"units": "required"})


def test_noise_alone_is_the_same_noise() -> None:
    slope = {"slope": {"kind": "gradient", "amplitude": 0.5, "angle": "30°"}}
    whole = scenario(image={"shape": [200, 180], "pixel_size": "4 Å", "level": 2}, background=slope)
    full, alone = simulate_one(whole, 1), simulate_one(variant_of(whole, "noise_only"), 1)
    assert len(full.truth) == 8
    assert len(alone.truth) == 0
    # Single precision: what is left when the particles are taken away is the same draw of the same noise.
    noise = np.asarray(full.micrograph) - full.ideal
    np.testing.assert_allclose(np.asarray(alone.micrograph) - alone.ideal, noise, atol=1e-5)
    assert np.ptp(alone.ideal) > 0.1  # the background stays
    assert np.abs(alone.ideal - full.ideal).max() > 0.5
    assert alone.facts["noise_sd"] == full.facts["noise_sd"]


def test_phases_of_a_simulated_micrograph_are_drawn_anew() -> None:
    whole = scenario()
    full = simulate_one(whole, 2)
    drawn = simulate_one(variant_of(whole, "phase_randomised"), 2)
    assert len(drawn.truth) == 0
    before, after = (fourier.power(fourier.forward(np.asarray(s.micrograph, float))) for s in (full, drawn))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-6 * before.max())  # single precision
    assert not np.allclose(
        np.asarray(drawn.micrograph), without_phases(whole, 1, np.asarray(full.micrograph))
    )


def test_pixels_without_a_value_count_as_the_level_around_them() -> None:
    pixels = np.random.default_rng(7).normal(100.0, 1.0, (40, 50))
    pixels[3, 4] = np.nan
    filled = np.where(np.isnan(pixels), np.nanmean(pixels), pixels)
    # That of a thousand pixels is within 0.1 of the mean of all, which the phases strew over 2000 pixels.
    got, expected = (without_phases(scenario(), 0, image) for image in (pixels, filled))
    np.testing.assert_allclose(got, expected, atol=0.02)


def test_random_phases_keep_the_mean() -> None:
    pixels = np.random.default_rng(7).normal(100.0, 1.0, (40, 50))
    assert without_phases(scenario(), 0, pixels).mean() == pytest.approx(pixels.mean(), rel=1e-6)


def test_which_variants_a_run_searches() -> None:
    assert null_variants(scenario()) == ("noise_only", "phase_randomised")
    assert null_variants(scenario(noise={})) == ("phase_randomised",)
    dose = {"shot": {"kind": "poisson", "dose": "10 e/Å²"}}
    assert null_variants(scenario(noise=dose)) == ("phase_randomised",)  # in the dark nothing is counted
    lit = {"shape": [200, 180], "pixel_size": "4 Å", "level": 1}
    assert null_variants(scenario(noise=dose, image=lit)) == ("noise_only", "phase_randomised")
    assert null_variants(scenario(null="noise_only")) == ()
    assert null_variants(scenario(score=None)) == ()
    assert null_variants(scenario(score={"radius": "30 Å", "null_micrographs": 0})) == ()


# False picks, counted against predicted


def search(picker: dict, images: int, variant: str = "noise_only", **sections: object) -> tuple[int, float]:
    """Return the picks of all micrographs of a variant, and how many the picker expected."""
    whole = scenario(
        image={"shape": [400, 400], "pixel_size": "4 Å", "boundary": "periodic"},
        pickers={"one": {"kind": "matched_filter", "min_distance": "36 Å", **picker}},
        **sections,
    )
    null = variant_of(whole, variant)
    banks = draw_banks(null, null.image.grid, lambda _: np.zeros(0))
    searches = []
    for number in range(images):
        simulation = simulate_one(null, number)
        image = {"pixels": np.asarray(simulation.micrograph), "grid": null.image.grid}
        shown = {"name": "", "replicate": number, "noise_spectrum": simulation.noise_spectrum}
        found = pick_image(null, "one", banks=banks, **image, **shown)
        searches.append(null_search(null, {"one": found}, image["pixels"], banks))
    together = null_run(null, variant, searches, banks)
    assert together.micrographs == images
    return together.pickers["one"].picks, together.pickers["one"].predicted


def expecting(per_image: float) -> dict:
    return {"threshold": {"kind": "expected_false_picks", "per_image": per_image}}


def test_false_picks_in_noise_alone_are_as_many_as_predicted() -> None:
    """Over position alone the closed form is met.

    200 are expected, of which 4 standard deviations (false alarm 6e-5) are 57; besides, whole pixels miss
    the tops of maxima of a Gaussian of 3 px by 0.015 standard deviations, which is 5 % of the count.
    """
    picks, predicted = search({"noise": "declared", **expecting(20)}, images=10)
    assert predicted == pytest.approx(200, rel=1e-6)
    assert abs(picks - predicted) < 4 * np.sqrt(predicted) + 0.05 * predicted


BAR = {
    "specimen": {
        "bar": {
            "unit_cell": {"kind": "shapes", "shapes": [{"kind": "rectangle", "size": ["28 Å", "100 Å"]}]},
            "lattice": {"kind": "scattered", "count": 2, "min_distance": "300 Å", "rotation": "uniform"},
            "symmetry": "C2",
        }
    },
    "templates": {"bar": {"kind": "specimen", "of": "bar", "rotations": {"step": "6°"}}},
}


def test_false_picks_over_angles_are_as_many_as_predicted() -> None:
    """Of 200, 4 standard deviations are 57 (false alarm 6e-5), and 10 % are the error of the calibration."""
    picks, predicted = search({"noise": "declared", **expecting(20)}, images=10, **BAR)
    assert predicted == pytest.approx(200, rel=1e-6)
    assert abs(picks - predicted) < 4 * np.sqrt(predicted) + 0.1 * predicted


def test_the_closed_form_expects_more_over_angles_than_there_are() -> None:
    """About 140 of 200 are picked, 4 to 5 standard deviations fewer."""
    threshold = {"kind": "expected_false_picks", "per_image": 20, "calibration": "closed_form"}
    picks, predicted = search({"noise": "declared", "threshold": threshold}, images=10, **BAR)
    assert picks < predicted < 2.5 * picks


def test_random_phases_of_few_particles_are_noise() -> None:
    """Two faint bars hardly add to the power, so noise of random phases is bounded nearly as safely.

    The spectrum is estimated: 1.5 % of the standard deviation are, 4 of them up, 25 % of the count. About
    200 are picked: the upper end is 3.5 standard deviations away, the lower more (false alarm 3e-4).
    """
    picks, predicted = search(expecting(20), images=10, variant="phase_randomised", **BAR)
    assert picks < 1.25 * predicted
    assert predicted < 2.5 * picks


def test_a_fixed_cut_promises_what_its_level_does() -> None:
    _, predicted = search({"noise": "declared", "threshold": {"kind": "fixed", "value": 4.0}}, images=2)
    assert 0 < predicted < 20
    picks, nothing = search({"noise": "declared", "threshold": {"kind": "fixed", "value": 1.0}}, images=1)
    assert picks > 100
    assert nothing is None  # below 1.8 standard deviations nothing is known


# Ghosts


def hook(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """No symmetry; about 20 px across."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    stem, tip = along**2 / 60 + across**2 / 12, (along - 6) ** 2 / 12 + (across - 5) ** 2 / 12
    return np.exp(-stem) + np.exp(-tip)


def hook_bank(angles: np.ndarray, side: int = 31) -> TemplateBank:
    axis = np.arange(side) - side // 2
    views = np.stack([hook(axis[:, None], axis[None, :], a) for a in angles])
    return TemplateBank("hook", "hook", standardised(views), angles, PIXEL, 12 * PIXEL, "C1")


def table(y: np.ndarray, x: np.ndarray, psi: np.ndarray, template: str = "hook") -> Picks:
    return Picks(y=y * PIXEL, x=x * PIXEL, psi=psi, template=np.full(len(y), template))


@pytest.mark.parametrize("first", [0.0, 40.0])
def test_boxes_are_turned_back(first: float) -> None:
    """Copies without noise average to the template; interpolation by splines costs 1e-4 of that."""
    rng = np.random.default_rng(8)
    places = np.stack([g.ravel() for g in np.mgrid[30:300:45, 30:300:45]]) + rng.uniform(-3, 3, (2, 36))
    turns = rng.uniform(0, 360, 36)
    y, x = np.indices((320, 310))
    pixels = sum(hook(y - a, x - b, psi) for a, b, psi in zip(*places, turns, strict=True)) + 1000.0
    bank = hook_bank(first + np.arange(0, 360, 10.0))
    ghost = ghost_of([stacks(pixels, table(*places, turns), [bank], PIXEL)], [bank])
    assert (ghost.template, ghost.boxes) == ("hook", 36)
    assert ghost.correlation > 0.999
    backwards = ghost_of([stacks(pixels, table(*places, -turns), [bank], PIXEL)], [bank])
    assert backwards.correlation < 0.9


def test_the_reference_is_the_view_that_found_most() -> None:
    few, many = hook_bank(np.zeros(1)), dataclasses.replace(hook_bank(np.full(1, 90.0)), name="turned")
    boxes = {0: Stack(FEWEST_BOXES, few.images[0]), 1: Stack(FEWEST_BOXES + 1, many.images[0])}
    ghost = ghost_of([boxes], [few, many])
    assert (ghost.template, ghost.boxes) == ("turned", FEWEST_BOXES + 1)
    np.testing.assert_allclose(ghost.reference, many.images[0], atol=1e-12)
    assert ghost.correlation == pytest.approx(1)


def look(pixels: np.ndarray, bank: TemplateBank) -> Found:
    sight = Sight(pixels, Grid(pixels.shape, PIXEL), [bank], None, None, None, np.random.default_rng(0))
    return Correlation(threshold=Fixed(value=4.5), min_distance=40 * PIXEL).pick(sight)


def test_the_ghost_of_white_noise_is_as_strong_as_predicted() -> None:
    """Boxes of n pixels with mean score s̄ hold s̄ t + noise of variance 1/N: r = s̄/√(s̄² + (n − 1)/N).

    The part across the template has n − 1 degrees of freedom, so r is known to about (1 − r²) r/√(2n): four
    times that are 0.03 (false alarm 6e-5). Boxes at whole pixels need no interpolation.
    """
    pixels, bank = stream(9, "white").standard_normal((600, 600)), hook_bank(np.zeros(1))
    found = look(pixels, bank)
    candidates = found.candidates
    whole = candidates.replace(**{a: np.rint(candidates[a] / PIXEL) * PIXEL for a in "yx"})
    ghost = ghost_of([stacks(pixels, whole, [bank], PIXEL)], [bank])
    assert ghost.boxes == len(candidates) > 90
    mean = candidates["score"].mean()
    expected = mean / np.sqrt(mean**2 + (bank.grid.size - 1) / len(candidates))
    assert 0.6 < expected < 0.8
    assert ghost.correlation == pytest.approx(expected, abs=0.03)
    np.testing.assert_allclose([(ghost.average**2).sum(), (ghost.reference**2).sum()], 1)
    np.testing.assert_allclose([ghost.average.sum(), ghost.reference.sum()], 0, atol=1e-12)


def test_boxes_cut_at_random_hold_no_ghost() -> None:
    rng = stream(10, "random places")
    pixels, bank = rng.standard_normal((400, 400)), hook_bank(np.arange(0, 360, 10.0))
    places = table(*rng.uniform(20, 380, (2, 200)), rng.uniform(0, 360, 200))
    ghost = ghost_of([stacks(pixels, places, [bank], PIXEL)], [bank])
    # A smooth template of n_eff < n pixels does not matter: Σ a·t of white unit-energy a has sd 1/√n.
    assert abs(ghost.correlation) < 4 / np.sqrt(bank.grid.size)


def test_boxes_of_several_micrographs_are_averaged_as_one() -> None:
    bank, other = hook_bank(np.zeros(1)), dataclasses.replace(hook_bank(np.zeros(1)), name="other")
    first, second, third = np.random.default_rng(12).standard_normal((3, 31, 31))
    found = [{0: Stack(FEWEST_BOXES, first), 1: Stack(12, third)}, {0: Stack(5, second)}]
    ghost = ghost_of(found, [bank, other])
    assert (ghost.template, ghost.boxes) == ("hook", FEWEST_BOXES + 5)
    np.testing.assert_allclose(ghost.average, standardised((first + second)[None])[0], atol=1e-12)
    assert ghost_of([{0: Stack(FEWEST_BOXES - 1, first)}], [bank]) is None
    assert ghost_of([{0: Stack(FEWEST_BOXES, first)}], [bank]).boxes == FEWEST_BOXES
    assert ghost_of([{0: Stack(FEWEST_BOXES, np.zeros((31, 31)))}], [bank]) is None
    assert ghost_of([{}], [bank]) is None


def test_every_view_of_a_solid_has_boxes_of_its_own() -> None:
    views = [dataclasses.replace(hook_bank(np.zeros(1)), view=View(10.0, t)) for t in (20.0, 30.0)]
    pixels = np.random.default_rng(13).standard_normal((100, 100))
    picks = table(np.full(5, 50.0), np.full(5, 50.0), np.zeros(5)).replace(
        rot=np.full(5, 10.0), tilt=[20.0, 30.0, 30.0, 30.0, 40.0]
    )
    found = stacks(pixels, picks, views, PIXEL)
    assert {number: stack.count for number, stack in found.items()} == {0: 1, 1: 3}
