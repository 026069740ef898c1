"""Dead pixels are found, and what a specimen or its noise may have made is left alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage, stats

from simkit.conformance.difficulties import dead_pixels as with_dead
from simkit.conformance.difficulties import missing_pixels as with_missing
from simkit.correlation.dead import CHANCE, _equal_in_a_row, _reach, dead_pixels
from simkit.correlation.filling import filled
from simkit.correlation.padding import clean

SHAPE = (150, 170)


def found(image: np.ndarray) -> np.ndarray:
    return dead_pixels(image, np.isfinite(image))


def noise(seed: int, mean: float | None = 128.0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Counts of a mean, or Gaussian noise."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal(shape) if mean is None else rng.poisson(mean, shape)
    return drawn.astype(np.float32)


def defects() -> dict[str, np.ndarray]:
    masks = {name: np.zeros(SHAPE, bool) for name in ("columns", "row", "block", "borders", "corner", "lone")}
    masks["columns"][:, 61:64] = True
    masks["row"][90] = True
    masks["block"][30:60, 100:140] = True
    masks["borders"][:9] = masks["borders"][:, -14:] = True
    # What a turned image leaves of its frame.
    y, x = np.indices(SHAPE)
    masks["corner"] = 0.3 * y + x < 20
    masks["lone"][[0, 70, 149, 33], [5, 80, 169, 0]] = True
    return masks


@pytest.mark.parametrize("name", defects())
@pytest.mark.parametrize("mean", [None, 9.0, 128.0, 3000.0])
@pytest.mark.parametrize("way", [-1, 1])
def test_just_what_is_dead_is_found(name: str, mean: float | None, way: int) -> None:
    image, bad = noise(1, mean), defects()[name]
    sd = 1 if mean is None else math.sqrt(mean)
    # Of 9 counts the zeros are but three deviations off.
    off = 20.0 if name == "lone" else 8.0 if mean is None or way > 0 else min(8.0, sd)
    image[bad] = np.float32((mean or 0) + way * off * sd)
    np.testing.assert_array_equal(found(image), bad)


def test_one_defect_does_not_hide_behind_another() -> None:
    image, bad = noise(2), np.zeros(SHAPE, bool)
    bad[40] = bad[100:108, 20:30] = bad[80, 120] = bad[3, 3] = True
    image[40], image[100:108, 20:30], image[80, 120], image[3, 3] = 0, 4000, 9000, -200
    np.testing.assert_array_equal(found(image), bad)


def test_the_kit_s_dead_pixels_become_its_missing_ones() -> None:
    """Pickers see but what `clean` returns: each finds in the one what it finds in the other."""
    for dead, missing in zip(clean(with_dead().pixels), clean(with_missing().pixels), strict=True):
        np.testing.assert_array_equal(dead, missing)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(sorted(defects())),
    gain=st.sampled_from([-300.0, -1.0, 1e-3, 0.37, 7.0, 1e5]),
    offset=st.floats(-1e6, 1e6),
    turns=st.integers(0, 3),
)
def test_gain_offset_and_quarter_turns_change_nothing(
    seed: int, name: str, gain: float, offset: float, turns: int
) -> None:
    image = noise(seed, 40.0).astype(np.float64)
    image[defects()[name]] = 0 if name != "lone" else 400
    other = np.rot90(gain * image + offset, turns)
    np.testing.assert_array_equal(found(other), np.rot90(found(image), turns))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    mean=st.sampled_from([None, 0.01, 0.1, 0.5, 1, 2, 4, 8, 20, 100, 5000]),
    shape=st.sampled_from([(700,), (12, 9), (64, 64), (97, 160)]),
    blur=st.sampled_from([0, 0.4, 0.8, 3]),
)
def test_nothing_is_dead_in_noise(seed: int, mean: float | None, shape: tuple[int, ...], blur: float) -> None:
    """False alarm of 60 images: below 2 · 60 · CHANCE = 12 % by the bound, without what the jump asks for."""
    image = noise(seed, mean, shape)
    assert not found(ndimage.gaussian_filter(image, blur) if blur else image).any()
    assert not found(np.rint(2 * image)).any()


@pytest.mark.parametrize(
    "law", [stats.norm(), stats.poisson(0.8), stats.poisson(5), stats.poisson(300), stats.expon(), -1]
)
def test_noise_hardly_ever_reaches_beyond_its_reach(law: object) -> None:
    """By the survival function itself; of the exponential law, the worst there is, a good part is used."""
    size = 4096**2
    mirrored = law == -1
    drawn = (stats.expon() if mirrored else law).rvs(size=2**17, random_state=np.random.default_rng(3))
    if mirrored:
        assert stats.expon().cdf(-_reach(-drawn, size)) == 0
        return
    chance = size * law.sf(_reach(drawn.astype(float), size))
    assert chance <= CHANCE / 2
    assert chance > CHANCE / 1000 or law.dist.name != "expon"


@pytest.mark.parametrize("share", [1e-5, 0.01, 0.3, 0.5])
def test_runs_of_equal_pixels_are_as_long_as_noise_makes_none(share: float) -> None:
    size = 10**6
    length = _equal_in_a_row(round(share * size), size)
    # Two axes and two values, at every pixel; one pixel less would not do, but that there be two.
    assert 4 * size * share**length <= CHANCE
    assert length == 2 or 4 * size * share ** (length - 1) > CHANCE


def disks(diameter: float, blur: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Fifteen disks at odd places, 1 within, their border one pixel wide or blurred."""
    rng = np.random.default_rng(4)
    y, x = np.indices(shape)
    places = (np.indices((3, 5)).reshape(2, -1).T + 0.5) * [50, 34] + rng.uniform(-4, 4, (15, 2))
    drawn = sum(np.clip(diameter / 2 - np.hypot(y - a, x - b) + 0.5, 0, 1) for a, b in places)
    # Blurring rounds.
    return np.clip(ndimage.gaussian_filter(drawn, blur) if blur else drawn, 0, 1)


SCENES = {
    "constant": np.full(SHAPE, 3.0),
    "disks": disks(20, 0),
    "soft disks": disks(20, 1.5),
    "specks": disks(2, 0),
    "squares": (np.indices(SHAPE) // 17).sum(axis=0) % 2,
    "few squares": np.kron(np.eye(5, 5), np.ones((30, 34))),
    "levels": np.rint(4 * disks(20, 4)),
    "slope": disks(20, 1.5) + np.indices(SHAPE)[1] / 60,
    "clipped": np.clip(disks(24, 4), 0.2, 0.6),
    "crystal": np.prod(1 + np.cos(2 * np.pi * np.indices(SHAPE) / 7.3), axis=0),
    "delta": (np.arange(150 * 170) == 12345).reshape(SHAPE) * 1.0,
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("way", [-3, 1])
def test_nothing_is_dead_without_noise(scene: str, way: int) -> None:
    assert not found(way * SCENES[scene]).any()
    assert not found((200 * SCENES[scene]).astype(np.uint8)).any()


@pytest.mark.parametrize("diameter", [2, 5, 12, 24])
@pytest.mark.parametrize("blur", [0, 0.6, 2])
def test_beads_and_particles_are_not_dead(diameter: float, blur: float) -> None:
    """Of gold, that lets through nothing or little, where electrons are counted; and of any contrast."""
    thick = disks(diameter, blur)
    rng = np.random.default_rng(5)
    for mean in (2, 9, 30, 2000):
        for passing in (0, 0.05, 0.5):
            assert not found(rng.poisson(mean * (1 - thick) + min(mean, 1) * passing * thick)).any()
    for contrast in (-1000, -30, 5, 100):
        image = noise(6, None) + contrast * thick
        # Cut off where a detector is saturated.
        for most in (np.inf, 20, 5):
            assert not found(np.clip(image, -most, most)).any()


@pytest.mark.parametrize("seed", [0, 3, 4, 7, 10])
def test_a_dark_corner_of_few_counts_is_not_dead(seed: int) -> None:
    """Its zeros make one patch of whatever outline: only that zero is near the mean count tells."""
    y, x = np.indices((200, 200))
    thick = np.clip(40.5 - np.hypot(y - 195, x - 200), 0, 1)
    rng = np.random.default_rng(seed)
    for mean in (1.5, 2):
        for passing in (0, 0.02, 0.1, 0.3):
            assert not found(rng.poisson(mean * (1 - thick) + passing * thick)).any()


def test_points_seen_through_optics_are_not_dead() -> None:
    spot = np.zeros(SHAPE)
    spot[20:140:40, 20:160:45] = 1
    spot = ndimage.gaussian_filter(spot, 0.6)
    for height in (15, 50, 1000):
        assert not found(noise(7, None) + height * spot / spot.max()).any()


@pytest.mark.parametrize("shape", [(0,), (1,), (1, 1), (3, 4), (40,)])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_image_is_borne(shape: tuple[int, ...], data: st.DataObject) -> None:
    values = st.one_of(st.sampled_from([0.0, 1.0, np.nan, np.inf]), st.floats(-1e30, 1e30))
    image = data.draw(arrays(np.float64, shape, elements=values))
    cleaned, usable = clean(image)
    assert np.isfinite(cleaned).all()
    assert not (usable & ~np.isfinite(image)).any()


def test_one_dimension() -> None:
    line = noise(8, None, (3000,))
    line[-90:], line[2000] = 30.0, -40.0
    assert np.flatnonzero(found(line)).tolist() == [2000, *range(2910, 3000)]


def test_gaps_are_filled_up_to_the_level_around_them() -> None:
    """A slope of weak curvature is followed to a tenth of what the image's mean would be off."""
    y, x = np.indices((256, 300))
    slope = 4.0 * x - 1.5 * y + 3e-3 * (x - 150.0) ** 2
    known = np.ones(slope.shape, bool)
    known[100:140, 60:110] = known[:, 200:203] = known[:30] = known[:, -20:] = False
    values = np.where(known, slope, 0.0)
    filled(values, known)
    np.testing.assert_array_equal(values[known], slope[known])
    off = np.abs(values - slope)[~known]
    assert off.max() < 0.1 * np.abs(slope[known].mean() - slope)[~known].max()


@settings(max_examples=20, deadline=None)
@given(level=st.floats(-1e3, 1e3), share=st.floats(0.01, 0.99), seed=st.integers(0, 1000))
def test_the_gaps_of_an_even_image_are_even(level: float, share: float, seed: int) -> None:
    known = np.random.default_rng(seed).random((90, 40)) > share
    known[0, 0] = True
    values = filled(np.where(known, level, 0.0), known)
    # Rounding of a few sums.
    np.testing.assert_allclose(values, level, rtol=1e-11, atol=0)
