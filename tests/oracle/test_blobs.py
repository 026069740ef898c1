"""Blobs without a template: SciPy's and scikit-image's filters, disks in closed form, and noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal, stats
from skimage.feature import blob_log

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.correlation.padding import Frame, clean
from simkit.picker._blobs import SCALE_STEP, Blobs
from simkit.picker.base import Found, Sight
from simkit.picker.dog import Dog, curvature, difference, inner_scale
from simkit.picker.log import Log, laplacian, scale_of

PIXEL = 4.0
DIAMETER = 100.0
EXPECTED = {"kind": "expected_false_picks", "per_image": 4.0}
ONE_IN_A_THOUSAND = 1e-3
"""Chance at which a test on drawn noise fails though nothing is wrong."""

KINDS = pytest.mark.parametrize("kind", [Log, Dog])


def blobs(kind: type[Blobs], **fields: Any) -> Blobs:
    given = {"diameter": DIAMETER, "contrast": "bright", "threshold": EXPECTED, **fields}
    return kind.model_validate(given)


def sight(image: np.ndarray, **changes: Any) -> Sight:
    grid = Grid(image.shape, PIXEL)
    rng = np.random.default_rng(0)
    given = {"banks": [], "spacing": None, "noise_spectrum": None, "mask": None, "rng": rng}
    return Sight(pixels=image, grid=grid, **{**given, **changes})


def noise(shape: tuple[int, ...], seed: int, *, coloured: bool = False) -> np.ndarray:
    image = np.random.default_rng(seed).standard_normal(shape)
    if not coloured:
        return image
    radius = Grid(shape, 1.0).frequency_radius()
    return fourier.inverse(
        fourier.forward(image) * np.sqrt(1 + (0.03 / np.maximum(radius, 5e-3)) ** 2), shape
    )


def disk(shape: tuple[int, ...], centre: np.ndarray, diameter: float = DIAMETER) -> np.ndarray:
    """A disk (a line in one dimension) with an edge one pixel wide."""
    away = np.sqrt(sum((i - c) ** 2 for i, c in zip(np.indices(shape), centre, strict=True)))
    return np.clip(diameter / 2 / PIXEL - away + 0.5, 0, 1)


def crowd(
    seed: int, count: int, shape: tuple[int, int] = (400, 410), apart: float = 1.4
) -> tuple[np.ndarray, np.ndarray]:
    """Disks at random places, some diameters apart."""
    rng = np.random.default_rng(seed)
    places = np.empty((0, 2))
    while len(places) < count:
        place = rng.uniform(20, np.array(shape) - 20)
        if (np.linalg.norm(places - place, axis=1) > apart * DIAMETER / PIXEL).all():
            places = np.vstack([places, place])
    return sum(disk(shape, place) for place in places), places


def points(found: Found) -> np.ndarray:
    return np.stack([found.picks["y"], found.picks["x"]], axis=1) / PIXEL


def kernel(picker: Blobs, diameter: float, ndim: int = 2) -> np.ndarray:
    return picker.bank(diameter, Grid((1000,) * ndim, PIXEL)).images[0]


def test_the_filters_are_those_of_scipy() -> None:
    image, diameter = noise((150, 151), 3), 48.0
    laplace = -ndimage.gaussian_laplace(image, scale_of(diameter, 2) / PIXEL, mode="wrap")
    inner = inner_scale(diameter, 1.6, 2) / PIXEL
    narrow, wide = (
        ndimage.gaussian_filter(image, s, mode="wrap", truncate=8.0) for s in (inner, 1.6 * inner)
    )
    for kind, theirs in ((Log, laplace), (Dog, narrow - wide)):
        ours = ndimage.correlate(image, kernel(blobs(kind), diameter), mode="wrap")
        # Ours has the energy 1 and ends at four standard deviations, beyond which are some 1e-3 of a filter.
        assert np.abs(ours / ours.std() - theirs / theirs.std()).max() < 0.01


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_disk_responds_most_at_its_own_scale(ndim: int) -> None:
    grid = Grid((601,) * ndim, 1.0)
    squares = np.asarray(sum(o**2 for o in grid.offsets()))
    ball = squares <= 60.0**2
    diameters = np.geomspace(100, 144, 41)

    def best(response: list[float]) -> float:
        return float(diameters[np.argmax(response)])

    # Scale-normalised: σ² ∇² of a Gaussian of unit integral, and two Gaussians of unit integral.
    scales = [scale_of(d, ndim) for d in diameters]
    of_log = [(laplacian(squares, s, ndim) / s**ndim)[ball].sum() for s in scales]
    inner = [inner_scale(d, 1.6, ndim) for d in diameters]
    of_dog = [(difference(squares, s, 1.6, ndim) / s**ndim)[ball].sum() for s in inner]
    # Diameters are tried 0.9 % apart, and a disk of whole pixels is 120 or 121 of them across.
    assert best(of_log) == pytest.approx(120, rel=0.015)
    assert best(of_dog) == pytest.approx(120, rel=0.015)
    assert scale_of(120.0, 2) == pytest.approx(120 / (2 * math.sqrt(2)))


@given(st.floats(20, 500), st.floats(1.01, 8), st.integers(1, 2))
def test_both_change_their_sign_at_the_rim(diameter: float, ratio: float, ndim: int) -> None:
    rim = np.array([(0.499 * diameter) ** 2, (0.501 * diameter) ** 2])
    for values in (
        laplacian(rim, scale_of(diameter, ndim), ndim),
        difference(rim, inner_scale(diameter, ratio, ndim), ratio, ndim),
    ):
        assert values[0] > 0 > values[1]


def test_close_gaussians_differ_by_the_laplacian() -> None:
    one, other = kernel(blobs(Log), DIAMETER), kernel(blobs(Dog, ratio=1.001), DIAMETER)
    (half,) = {n // 2 for n in one.shape}
    middle = other.shape[0] // 2
    near = other[middle - half : middle + half + 1, middle - half : middle + half + 1]
    # What they differ by is of the order (k − 1)².
    assert np.abs(one - near).max() < 1e-4 * one.max()
    usual = kernel(blobs(Dog), DIAMETER)
    cut = (usual.shape[0] - one.shape[0]) // 2
    # The classical ratio is close, and not the same.
    assert 0.998 < (usual[cut:-cut, cut:-cut] * one).sum() < 0.9995


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("kind", [Log, Dog])
def test_the_curvature_is_that_of_a_drawn_disk(kind: type[Blobs], ndim: int) -> None:
    grid = Grid((401,) * ndim, 1.0)
    squares = np.asarray(sum(o**2 for o in grid.offsets()))
    # Its edge a pixel wide: a disk of whole pixels is rough.
    ball = np.clip(50.5 - np.sqrt(squares), 0, 1)
    image = blobs(kind).bank(100.0, Grid((2000,) * ndim, 1.0)).images[0]
    score = signal.fftconvolve(ball, image, mode="same")
    line = score[(200,) * (ndim - 1)][190:211] / score.max()
    fitted = np.polynomial.polynomial.polyfit(np.arange(-10, 11), line, 4)
    assert -2 * fitted[2] == pytest.approx(blobs(kind).curvature(100.0, ndim), rel=0.01)
    assert curvature(100.0, 1.001, ndim) == pytest.approx(8 / 100.0**2, rel=1e-3)


@KINDS
def test_scores_are_the_best_of_all_scales_in_noise_deviations(kind: type[Blobs]) -> None:
    picker = blobs(kind, largest=150.0, search="exhaustive")
    image = noise((170, 161), 5)
    found = picker.pick(sight(image))
    level = image - image.mean()
    brute = np.max(
        [signal.fftconvolve(level, kernel(picker, d), mode="same") for d in picker.diameters], axis=0
    )
    ours = found.score_map[tuple(slice(2, 2 + n) for n in image.shape)]  # two samples around the image
    assert picker.diameters == pytest.approx([100 * 1.5 ** (i / 3) for i in range(4)])
    assert found.map_grid.pixel_size == PIXEL
    # The noise is white and of unit variance; so little of it tells that to some per cent at every scale.
    np.testing.assert_allclose(ours, brute, atol=0.1 * np.abs(brute).max())
    assert np.corrcoef(ours.ravel(), brute.ravel())[0, 1] > 0.995


def test_the_places_are_those_of_scikit_image() -> None:
    clean_image, places = crowd(11, 25)
    image = clean_image + 0.3 * noise(clean_image.shape, 12)
    sigma = scale_of(DIAMETER, 2) / PIXEL
    theirs = blob_log(image, min_sigma=sigma, max_sigma=sigma, num_sigma=1, threshold=0.3, overlap=0.2)
    ours = points(blobs(Log, threshold={"kind": "top", "count": len(places)}).pick(sight(image)))
    gaps = np.linalg.norm(ours[:, None] - theirs[None, :, :2], axis=2)
    assert len(ours) == len(theirs) == len(places)
    # Theirs are whole pixels.
    assert gaps.min(axis=1).max() < 1.0
    truth = np.linalg.norm(ours[:, None] - places[None], axis=2).min(axis=1)
    assert np.sqrt((truth**2).mean()) < np.sqrt(
        (np.linalg.norm(theirs[:, None, :2] - places[None], axis=2).min(axis=1) ** 2).mean()
    )


@KINDS
@settings(max_examples=6, deadline=None)
@given(st.sampled_from([(128, 140), (129, 141)]), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_blob_is_found_where_it_is(kind: type[Blobs], shape: tuple[int, int], dy: float, dx: float) -> None:
    place = np.array([62 + dy, 71 + dx])
    image = disk(shape, place)
    (found,) = points(blobs(kind, threshold={"kind": "top", "count": 1}).pick(sight(image)))
    # The drawn disk's edge is a pixel wide, which leaves some thousandths of a pixel of its place open.
    np.testing.assert_allclose(found, place, atol=0.02)


@pytest.mark.parametrize(("kind", "largest", "coloured"), [(Log, 150.0, True), (Dog, None, False)])
def test_noise_gives_as_many_picks_as_expected(kind: type[Blobs], largest: float, coloured: bool) -> None:
    picker = blobs(kind, largest=largest, diameter=100.0 if largest is None else 80.0)
    images = [noise((256, 260), seed, coloured=coloured) for seed in range(100, 106)]
    found = [picker.pick(sight(image)) for image in images]
    expected = sum(f.expected_false for f in found)
    low, high = stats.poisson.ppf([ONE_IN_A_THOUSAND / 2, 1 - ONE_IN_A_THOUSAND / 2], expected)
    assert expected == pytest.approx(4 * len(images))
    assert low <= sum(len(f.picks) for f in found) <= high


@pytest.mark.parametrize(("kind", "coloured"), [(Log, True), (Dog, False)])
def test_particles_do_not_pass_for_noise(kind: type[Blobs], coloured: bool) -> None:
    """The score of the noise alone has unit deviation, though a sixth of the image is particles."""
    background = noise((400, 410), 21, coloured=coloured)
    image = 2.0 * crowd(22, 55)[0] + background
    picker = blobs(kind)
    shown = sight(image, banks=[picker.bank(DIAMETER, Grid(image.shape, PIXEL))])
    frame = Frame.around(shown.grid, max(shown.banks[0].grid.shape))
    _, (probe,) = picker.prepare(frame.pad(clean(image)[0]), frame, shown)
    scores = signal.fftconvolve(background, probe.kernels[0], mode="valid")
    # 400 px hold some 200 independent scores, whose deviation is known to 5 %; what particles leave, and the
    # holes in a steep spectrum, add some 10 %.
    assert scores.std() == pytest.approx(1, abs=0.2)
    # For comparison, what the map of particles and noise itself would say.
    raw = signal.fftconvolve(image - image.mean(), probe.kernels[0], mode="valid")
    assert stats.median_abs_deviation(raw, axis=None, scale="normal") > 1.3


@pytest.mark.parametrize(("kind", "coloured"), [(Log, True), (Dog, False)])
def test_the_predicted_error_is_the_observed_one(kind: type[Blobs], coloured: bool) -> None:
    # So far apart that neighbours do not bend each other's tops.
    disks, places = crowd(31, 45, (600, 610), apart=2.1)
    level = 0.5 if coloured else 0.8
    found = blobs(kind).pick(sight(disks + level * noise(disks.shape, 32, coloured=coloured)))
    gaps = np.linalg.norm(points(found)[:, None] - places[None], axis=2)
    near = gaps.min(axis=1) < 4
    sigma = np.stack([found.picks["sigma_y"], found.picks["sigma_x"]], axis=1)[near]
    pulls = (points(found) - places[gaps.argmin(axis=1)])[near] * PIXEL / sigma
    assert near.sum() >= 40
    assert np.isfinite(pulls).all()
    # Of n values with a standard deviation of 1 that of the sample is within 3.3 / √2n, but for 1 of 1000.
    assert pulls.std() == pytest.approx(1, abs=3.3 / math.sqrt(2 * pulls.size))
    assert np.abs(pulls.mean(axis=0)).max() < 3.3 / math.sqrt(len(pulls))


def test_scales_are_never_further_apart_than_said() -> None:
    for largest in (100.0, 119.0, 120.0, 144.0, 150.0):
        diameters = np.array(blobs(Log, largest=largest).diameters)
        assert diameters[[0, -1]] == pytest.approx([100, largest])
        assert (diameters[1:] / diameters[:-1] <= SCALE_STEP * (1 + 1e-9)).all()
    assert len(blobs(Log, largest=144.0).diameters) == 3
    one, between = (kernel(blobs(Log), d) for d in (100.0, 100.0 * math.sqrt(SCALE_STEP)))
    cut = (between.shape[0] - one.shape[0]) // 2
    assert 1 - (between[cut:-cut, cut:-cut] * one).sum() == pytest.approx(0.013, abs=0.002)
