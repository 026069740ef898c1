"""Normalised cross-correlation against scikit-image, a brute-force loop, and its own invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.normalised import LocalSums, holding_radius, ncc_map, template_mask
from simkit.picker.base import Found, Sight
from simkit.picker.ncc import OUTSIDE, Ncc

SHAPES = [(40, 40), (41, 37), (33, 60)]
BOXES = [(9, 9), (8, 10), (7, 12)]


def scene(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("box", BOXES)
def test_box_equals_scikit_image_where_both_are_defined(shape: tuple[int, ...], box: tuple[int, ...]) -> None:
    match_template = pytest.importorskip("skimage.feature").match_template
    image, template = scene(shape), scene(box, 1)
    theirs = match_template(image, template)  # its entry (0, 0): the template's corner on the image's
    y, x = box[0] // 2, box[1] // 2
    ours = ncc_map(image, template)[y : y + theirs.shape[0], x : x + theirs.shape[1]]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)  # theirs sums in single-precision steps


def brute_force(image: np.ndarray, template: np.ndarray, mask: np.ndarray, y: int, x: int) -> float:
    top, left = y - mask.shape[0] // 2, x - mask.shape[1] // 2
    under = image[top : top + mask.shape[0], left : left + mask.shape[1]][mask]
    return float(np.corrcoef(under, template[mask])[0, 1])


@pytest.mark.parametrize("box", [(11, 11), (10, 12)])
def test_circle_equals_brute_force(box: tuple[int, int]) -> None:
    image, template = scene((31, 36)), scene(box, 1)
    yy, xx = np.mgrid[: box[0], : box[1]]
    circle = (yy - box[0] // 2) ** 2 + (xx - box[1] // 2) ** 2 <= 4.5**2
    ours = ncc_map(image, template, "circle", radius=4.5)
    for y in range(6, 25):
        for x in range(6, 29):
            # Pearson's coefficient by numpy, double precision throughout.
            assert ours[y, x] == pytest.approx(brute_force(image, template, circle, y, x), abs=1e-10)


@pytest.mark.parametrize("mask", ["box", "circle"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_match_scores_one_and_an_inverted_one_minus_one(mask: str, sign: int) -> None:
    image, template = 0.1 * scene((64, 70)), scene((15, 15), 1)
    image[20:35, 31:46] = sign * (3 * template + 7)
    score = ncc_map(image, template, mask)
    assert score[27, 38] == pytest.approx(sign, abs=1e-6)
    assert np.argmax(sign * score) == 27 * 70 + 38
    assert np.abs(score).max() <= 1.0


def test_clipping_hides_no_error() -> None:
    image = scene((80, 80)) + 100 * (np.indices((80, 80))[0] > 40)
    template = image[30:45, 20:35]
    mask = template_mask(template.shape, "circle")
    kernel = np.where(mask, template - template[mask].mean(), 0)
    kernel /= np.linalg.norm(kernel)
    image = image - image.mean()
    _, norm = LocalSums(image).sums_and_norm(mask)
    products = sum(kernel[i, j] * np.roll(image, (7 - i, 7 - j), (0, 1)) for i, j in np.ndindex(15, 15))
    # Before any clipping; Cauchy–Schwarz allows 1, rounding of the sums a little more.
    assert np.abs(products / norm[:, :]).max() <= 1 + 1e-9


def test_a_large_mean_costs_no_precision() -> None:
    image, template = scene((64, 64)), scene((12, 12), 1)
    # 1e6 + a double keeps 1e-10 of a contrast of 1; a float32 or an unsubtracted square would keep nothing.
    np.testing.assert_allclose(ncc_map(image + 1e6, template), ncc_map(image, template), atol=1e-8)


def test_nothing_varies_nothing_matches() -> None:
    image = np.zeros((50, 50))
    image[:20, :20] = scene((20, 20))
    score = ncc_map(image, scene((9, 9), 1))
    assert (score[30:46, 30:46] == 0).all()
    assert (ncc_map(np.full((30, 30), 4.2), scene((9, 9), 1)) == 0).all()


@pytest.mark.parametrize("mask", ["box", "circle"])
@settings(max_examples=25, deadline=None)
@given(a=st.floats(1e-3, 1e3), b=st.floats(-1e3, 1e3), seed=st.integers(0, 100))
def test_invariant_under_gain_and_offset(mask: str, a: float, b: float, seed: int) -> None:
    image, template = scene((24, 29), seed), scene((7, 8), seed + 1)
    # b/a up to 1e6 leaves ten digits of the contrast.
    np.testing.assert_allclose(
        ncc_map(a * image + b, template, mask), ncc_map(image, template, mask), atol=1e-8
    )


def test_one_dimension() -> None:
    image, template = scene((60,)), scene((9,), 1)
    ours = ncc_map(image, template)
    for x in range(4, 55):
        expected = np.corrcoef(image[x - 4 : x + 5], template)[0, 1]
        assert ours[x] == pytest.approx(expected, abs=1e-10)


def test_outside_the_image_is_its_mean() -> None:
    image, template = scene((20, 20)) + 5, scene((9, 9), 1)
    padded = np.full((40, 40), image.mean())
    padded[10:30, 10:30] = image
    everywhere = np.ones((9, 9), bool)
    for y, x in [(0, 0), (0, 13), (19, 19), (11, 2)]:
        expected = brute_force(padded, template, everywhere, y + 10, x + 10)
        assert ncc_map(image, template)[y, x] == pytest.approx(expected, abs=1e-10)


def test_nan_counts_as_the_mean() -> None:
    image, template = scene((30, 30)), scene((7, 7), 1)
    holed = image.copy()
    holed[10:12, 20] = np.nan
    filled = np.where(np.isnan(holed), np.nanmean(holed), holed)
    np.testing.assert_allclose(ncc_map(holed, template), ncc_map(filled, template), atol=1e-12)


def picked(image: np.ndarray, template: np.ndarray, *, mask: str, radius: float = 5.0) -> Found:
    """Search an image exhaustively with the picker itself, on pixels of 1 Å."""
    bank = TemplateBank("t", "t", standardised(template[None]), np.zeros(1), 1.0, radius, "C1")
    sight = Sight(
        pixels=image,
        grid=Grid(image.shape, 1.0),
        banks=[bank],
        spacing=None,
        noise_spectrum=None,
        mask=None,
        rng=np.random.default_rng(0),
    )
    return Ncc(mask=mask, search="exhaustive", threshold={"kind": "top", "count": 1}).pick(sight)


def over_image(found: Found, shape: tuple[int, ...]) -> np.ndarray:
    """Return the part of a score map that lies on the image's own pixels."""
    first = [round(-o / found.map_grid.pixel_size) for o in found.map_grid.origin]
    return found.score_map[tuple(slice(a, a + n) for a, n in zip(first, shape, strict=True))]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("box", BOXES)
def test_the_picker_itself_equals_scikit_image(shape: tuple[int, ...], box: tuple[int, ...]) -> None:
    match_template = pytest.importorskip("skimage.feature").match_template
    image, template = scene(shape) + 50.0, scene(box, 1)
    theirs = match_template(image, template)
    y, x = box[0] // 2, box[1] // 2
    ours = over_image(picked(image, template, mask="box"), shape)
    # The picker's map is in single precision: a sum of some 80 products is good to about 1e-6.
    np.testing.assert_allclose(ours[y : y + theirs.shape[0], x : x + theirs.shape[1]], theirs, atol=1e-5)


@pytest.mark.parametrize("mask", ["box", "circle"])
def test_the_picker_draws_the_map_of_the_definition(mask: str) -> None:
    image, template = scene((45, 52)), scene((13, 13), 1)
    ours = over_image(picked(image, template, mask=mask), image.shape)
    # Both count what is outside as the image's mean, the picker's norm as noise of the image's besides. The
    # difference is single precision.
    radius = holding_radius(template[None], OUTSIDE)
    under = template_mask(template.shape, mask, radius)
    padded = np.pad(image - image.mean(), 6)
    squares = convolve2d(padded**2, under, "valid") - convolve2d(padded, under, "valid") ** 2 / under.sum()
    beyond = under.sum() - convolve2d(np.ones(image.shape), under, "same")
    variance = (1.4826 * np.median(np.abs(image[:, 1:] - image[:, :-1]))) ** 2 / 2
    lowered = np.sqrt(squares / (squares + variance * beyond))
    np.testing.assert_allclose(ours, ncc_map(image, template, mask, radius=radius) * lowered, atol=1e-5)


@pytest.mark.parametrize("mask", ["box", "circle"])
def test_the_picker_finds_a_perfect_match_with_score_one(mask: str) -> None:
    image, template = 0.1 * scene((64, 70)), scene((15, 15), 1)
    image[20:35, 31:46] = 3 * template + 7
    picks = picked(image, template, mask=mask, radius=7.0).picks
    assert picks["score"][0] == pytest.approx(1.0, abs=1e-6)
    assert abs(picks["y"][0] - 27) < 0.5
    assert abs(picks["x"][0] - 38) < 0.5
    inverted = over_image(picked(-image, template, mask=mask, radius=7.0), image.shape)
    assert inverted[27, 38] == pytest.approx(-1.0, abs=1e-6)


# --- where they are compared --------------------------------------------------------------------------


def energy_under(mask: np.ndarray, views: np.ndarray) -> float:
    return sum(float(np.square(view[mask] - view[mask].mean()).sum()) for view in views)


@pytest.mark.parametrize("box", [(17, 17), (12, 15), (31,)])
@pytest.mark.parametrize("lost", [0.02, 0.3])
def test_the_circle_is_the_smallest_that_holds_the_energy(box: tuple[int, ...], lost: float) -> None:
    offsets = np.meshgrid(*(np.arange(n) - n // 2 for n in box), indexing="ij")
    distance = np.sqrt(sum(x**2 for x in offsets))
    views = scene((3, *box)) * np.exp(-(distance**2) / 20) + 5.0
    enough = (1 - lost) * energy_under(np.ones(box, bool), views)
    mask = template_mask(box, "circle", holding_radius(views, lost))
    assert energy_under(mask, views) >= enough
    one_ring_less = mask & (distance < distance[mask].max())
    assert energy_under(one_ring_less, views) < enough


def test_a_disk_is_compared_with_the_ground_around_it() -> None:
    offsets = np.arange(121) - 60
    distance = np.hypot(offsets[:, None], offsets)
    disk = (distance <= 20).astype(float)
    # A circle of radius r keeps πa²(1 − a²/r²) of a disk of radius a, a box of side s πa²(1 − πa²/s²).
    kept = 0.95 * (1 - np.pi * 20**2 / 121**2)
    # The rim of a drawn disk is uneven by about a pixel in its area's root, 1 in 50.
    assert holding_radius(disk[None], 0.05) == pytest.approx(20 / np.sqrt(1 - kept), rel=0.02)
    assert template_mask((9, 9), "circle", holding_radius(np.ones((1, 9, 9)), 0.05)).all()


def test_noise_at_the_border_reaches_no_higher_than_elsewhere() -> None:
    offsets = np.arange(25) - 12
    disk = (np.hypot(offsets[:, None], offsets) <= 6).astype(float)
    maps = [over_image(picked(scene((90, 90), seed), disk, mask="circle"), (90, 90)) for seed in range(4)]
    power = np.square(maps).mean(axis=0)
    inside = np.zeros(power.shape, bool)
    inside[8:-8, 8:-8] = True
    # Some 100 scores of the border are independent: ± 0.14 on 0.8; among constant surroundings it is 1.2.
    assert power[~inside].mean() < 1.05 * power[inside].mean()


# --- up to a resolution -------------------------------------------------------------------------------

RESOLUTION = 8.0
"""Å; images below have pixels of 2 Å."""


def low_passed(values: np.ndarray) -> np.ndarray:
    """Leave out what is finer than the resolution along either axis, with much of nothing around."""
    padded = np.pad(values, 96)
    spectrum = np.fft.fft2(padded)
    rows, columns = (np.abs(np.fft.fftfreq(n, 2.0)) <= 1 / RESOLUTION for n in padded.shape)
    return np.fft.ifft2(spectrum * np.outer(rows, columns)).real[96:-96, 96:-96]


def particles(seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of 2 Å pixels with nine particles of two disks each, and the particle."""
    y, x = np.meshgrid(*(np.arange(45) - 22,) * 2, indexing="ij")
    particle = ((y**2 + x**2 <= 100) | ((y - 4) ** 2 + (x - 12) ** 2 <= 16)).astype(float)
    image = np.random.default_rng(seed).standard_normal((201, 214))
    for row in (40, 98, 163):
        for column in (41, 101, 170):
            image[row - 22 : row + 23, column - 22 : column + 23] += particle
    return image, particle


def searched(image: np.ndarray, template: np.ndarray, **options: object) -> Found:
    bank = TemplateBank("t", "t", standardised(template[None]), np.zeros(1), 2.0, 40.0, "C1")
    sight = Sight(
        pixels=image,
        grid=Grid(image.shape, 2.0),
        banks=[bank],
        spacing=None,
        noise_spectrum=None,
        mask=None,
        rng=np.random.default_rng(0),
    )
    return Ncc(threshold={"kind": "top", "count": 9}, **options).pick(sight)


def test_up_to_a_resolution_is_the_exhaustive_search_of_what_is_low_passed() -> None:
    image, particle = particles()
    coarse = searched(image + 50.0, particle, resolution=RESOLUTION)
    full = searched(low_passed(image - image.mean()), low_passed(particle), search="exhaustive")
    assert coarse.map_grid.pixel_size >= RESOLUTION / 2
    ours, theirs = (
        {
            name: found.picks[name][np.argsort(np.rint(found.picks["y"] / 40) * 1e4 + found.picks["x"])]
            for name in "yx"
        }
        | {"score": np.sort(found.picks["score"])}
        for found in (coarse, full)
    )
    # Circles of pixels twice as large have another rim, and f² under it is summed on half as many points.
    assert ours["y"] == pytest.approx(theirs["y"], abs=0.4)
    assert ours["x"] == pytest.approx(theirs["x"], abs=0.4)
    assert ours["score"] == pytest.approx(theirs["score"], rel=0.03)


def test_a_resolution_that_the_pixels_do_not_have_changes_nothing() -> None:
    image, particle = particles()
    assert searched(image, particle, resolution=4.0).picks == searched(image, particle).picks


def test_a_resolution_that_leaves_nothing_of_the_template_is_refused() -> None:
    with pytest.raises(ScenarioError, match="leaves nothing of a template 80 Å across"):
        searched(*particles(), resolution=81.0)


def test_up_to_a_resolution_masks_holes_and_borders_are_those_of_the_image() -> None:
    image, particle = particles()
    image[90:110, 95:110] = np.nan
    picks = searched(image, particle, resolution=RESOLUTION).picks
    assert not np.isnan(image[np.rint(picks["y"] / 2).astype(int), np.rint(picks["x"] / 2).astype(int)]).any()
    assert len(picks) == 9
    for seed in range(10):
        noise = searched(scene((101, 103), seed), particle, resolution=40.0, min_distance=10.0).picks
        assert Grid((101, 103), 2.0).contains(noise["y"], noise["x"]).all()
