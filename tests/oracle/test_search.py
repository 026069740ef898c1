"""The search: against direct sums, an independently made micrograph, and its own exhaustive form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.normalised import LocalSums, around, template_mask
from simkit.correlation.padding import UNIT, Frame
from simkit.correlation.refinement import Field, boxed_probes, exact_scores
from simkit.correlation.search import scan
from simkit.correlation.steering import (
    ALIKE,
    BankSpectrum,
    SteeredBank,
    resampled,
    steer,
    without_pedestal,
)
from simkit.correlation.tiles import best_over_views
from simkit.correlation.whitening import NoiseSpectrum, white
from simkit.picker.base import Found, Sight
from simkit.picker.correlation import Correlation
from simkit.picker.matched_filter import MatchedFilter
from simkit.picker.ncc import Ncc
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fixed import Fixed
from simkit.threshold.top import Top

PIXEL = 3.0


# A micrograph made with numpy alone: soft-edged propellers, each summed straight into the pixels.


def propeller(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """Two unlike blades and a hub, about 40 pixels across; no symmetry."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    long_blade = np.exp(-((along - 8) ** 2 / 72 + across**2 / 12))
    short_blade = np.exp(-((along + 4) ** 2 / 20 + (across - 9) ** 2 / 20))
    return long_blade + short_blade


def propeller_bank(side: int, step: float = 7.5) -> TemplateBank:
    angles = np.arange(0, 360, step)
    axis = np.arange(side) - side // 2
    views = np.stack([propeller(axis[:, None], axis[None, :], a) for a in angles])
    return TemplateBank("blade", "blade", standardised(views), angles, PIXEL, 20 * PIXEL, "C1")


def micrograph(shape: tuple[int, int], count: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels and a table (y, x, ψ) of what is in them, in pixels and degrees."""
    rng = np.random.default_rng(seed)
    places = np.empty((0, 3))
    while len(places) < count:
        trial = np.array(
            [rng.uniform(22, shape[0] - 22), rng.uniform(22, shape[1] - 22), rng.uniform(0, 360)]
        )
        if not len(places) or np.linalg.norm(places[:, :2] - trial[:2], axis=1).min() > 42:
            places = np.vstack([places, trial])
    y, x = np.indices(shape)
    pixels = 100 + noise * rng.standard_normal(shape)
    for py, px, psi in places:
        pixels += propeller(y - py, x - px, psi)
    return pixels, places


def look(pixels: np.ndarray, *banks: TemplateBank, workers: int = 1) -> Sight:
    return Sight(
        pixels=pixels,
        grid=Grid(pixels.shape, PIXEL),
        banks=banks,
        spacing=None,
        noise_spectrum=None,
        mask=None,
        rng=np.random.default_rng(0),
        workers=workers,
    )


def table(found: Found) -> np.ndarray:
    picks = found.picks
    return np.stack([picks["y"] / PIXEL, picks["x"] / PIXEL, picks["psi"], picks["score"]], axis=1)


PICKERS = [
    MatchedFilter(threshold=ExpectedFalsePicks(per_image=1)),
    Ncc(threshold=Fixed(value=0.35), mask="circle"),
    Ncc(threshold=Fixed(value=0.35), mask="box"),
    Correlation(threshold=Top(count=24)),
]


@pytest.mark.parametrize("picker", PICKERS, ids=lambda p: p.kind)
@pytest.mark.parametrize("side", [47, 46])
def test_an_independent_micrograph_is_picked(picker: object, side: int) -> None:
    pixels, truth = micrograph((400, 371), 24, 0.3, seed=3)
    found = table(picker.pick(look(pixels.astype(np.float32), propeller_bank(side))))
    gap, row = KDTree(found[:, :2]).query(truth[:, :2])
    hit = gap < 4
    assert hit.mean() >= 0.97
    assert len(found) - hit.sum() <= 2  # one false pick is expected where a rate is chosen
    error = found[row[hit], :2] - truth[hit, :2]
    # Noise leaves 0.2 px a pick, 0.04 px in the mean of 24; a half-pixel convention would give 0.5.
    assert np.abs(error.mean(axis=0)).max() < 0.1
    turn = (found[row[hit], 2] - truth[hit, 2] + 180) % 360 - 180
    assert np.sqrt((turn**2).mean()) < 3  # an angle step is 7.5°


LOW, HIGH = {"correlation": 1.8, "ncc": 0.15, "matched_filter": 3.2}, 1.4


@pytest.mark.parametrize("kind", [Correlation, Ncc, MatchedFilter], ids=lambda k: k.__name__)
def test_coarse_and_exhaustive_agree(kind: type) -> None:
    low = LOW[kind.model_fields["kind"].default]
    picker = kind(threshold=Fixed(value=low))
    picks = odd = 0
    for seed in range(4):
        pixels, _ = micrograph((180, 191), 6, 0.6, seed)
        coarse = picker.pick(look(pixels, propeller_bank(41, 10)))
        every = picker.model_copy(update={"search": "exhaustive"}).pick(look(pixels, propeller_bank(41, 10)))
        assert coarse.notes["sampling"] > 1.5
        ours, theirs = ({tuple(row) for row in table(f).round(6)} for f in (coarse, every))
        # What stands out of the noise is the same to the last digit …
        assert {r for r in ours if r[3] > HIGH * low} == {r for r in theirs if r[3] > HIGH * low}
        picks, odd = picks + len(theirs), odd + len(ours ^ theirs)
    # … and of what does not, a peak in thirty is hidden by a dip from where the coarse search climbs (6 of
    # 223 picks of 24 images, where one that is missed frees the place of another); a Poisson law exceeds
    # three standard deviations of so small a count in 3e-3 of all draws.
    assert picks > 20
    assert odd <= 0.03 * picks + 3 * np.sqrt(0.03 * picks)


def test_a_round_template_at_fine_angles_is_found() -> None:
    axis = np.arange(33) - 16
    ring = np.exp(-((np.hypot(axis[:, None], axis) - 8) ** 2) / 8)
    views = standardised(np.repeat(ring[None], 360, 0))
    bank = TemplateBank("ring", "ring", views, np.arange(360.0), PIXEL, 14 * PIXEL, "C1")
    pixels = 0.3 * np.random.default_rng(0).standard_normal((150, 150))
    truth = np.array([[40, 50], [100, 45], [75, 110]])
    for y, x in truth:
        pixels[y - 16 : y + 17, x - 16 : x + 17] += ring
    for picker in PICKERS[1:3]:
        found = table(picker.pick(look(pixels, bank)))
        # All views score alike but for the last bits, among which there is no top to climb to.
        assert KDTree(found[:, :2]).query(truth)[0].max() < 1
        assert len(found) == len(truth)


# The parts


@settings(max_examples=20, deadline=None)
@given(
    a=st.floats(-3, 3),
    b=st.floats(-3, 3),
    shape=st.tuples(st.integers(2, 9), st.integers(2, 9)) | st.tuples(st.integers(2, 30)),
    seed=st.integers(0, 99),
)
def test_correlation_is_linear_and_a_flipped_convolution(a: float, b: float, shape: tuple, seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, g, h = rng.standard_normal((3, *shape))
    both = fourier.correlate(a * f + b * g, h)
    np.testing.assert_allclose(both, a * fourier.correlate(f, h) + b * fourier.correlate(g, h), atol=1e-10)
    # Flipping about the centre n // 2 of a periodic array: index i goes to 2 (n // 2) − i.
    flipped = h[np.ix_(*[(2 * (n // 2) - np.arange(n)) % n for n in shape])]
    np.testing.assert_allclose(fourier.correlate(f, h), fourier.convolve(f, flipped), atol=1e-10)


@pytest.mark.parametrize("box", [(7, 9), (8, 6), (11,)])
def test_tiles_equal_direct_sums(box: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    shape = (60, 47)[-len(box) :]
    image = rng.standard_normal(shape).astype(np.float32)
    kernels = rng.standard_normal((5, *box))
    places = tuple(n - 2 * b for n, b in zip(shape, box, strict=True))
    bank = SteeredBank.exact(kernels)
    best = best_over_views(image, bank, np.zeros(places, np.float32), start=box, workers=1)
    direct = np.empty((5, *places))
    for place in np.ndindex(*places):
        cut = tuple(slice(p + b - b // 2, p + b - b // 2 + b) for p, b in zip(place, box, strict=True))
        direct[(slice(None), *place)] = (kernels * image[cut]).sum(axis=tuple(range(1, len(box) + 1)))
    # Single-precision transforms of 50 numbers of order 1.
    np.testing.assert_allclose(best, direct.max(axis=0), atol=1e-4)


@pytest.mark.parametrize(("stride", "views_themselves"), [(1, False), (2, False), (3, True), (7, True)])
def test_views_are_mixed_of_a_basis_only_where_that_is_smaller(stride: int, views_themselves: bool) -> None:
    rng = np.random.default_rng(5)
    image = rng.standard_normal((50, 44)).astype(np.float32)
    basis = rng.standard_normal((7, 9, 9)).astype(np.float32)
    bank = SteeredBank(basis, rng.standard_normal((18, 8)).astype(np.float32), stride)
    sums = rng.standard_normal((30, 24)).astype(np.float32)
    patches = np.lib.stride_tricks.sliding_window_view(image, (9, 9))[6:36, 6:30]
    direct = bank.scores(patches, sums)[..., ::stride].max(axis=-1)
    assert (bank.search.mixing is None) == views_themselves
    # Single precision of sums of 81 × 7 products of order 1.
    np.testing.assert_allclose(best_over_views(image, bank, sums, start=(10, 10)), direct, atol=1e-3)


def test_tiles_join_without_a_seam() -> None:
    rng = np.random.default_rng(0)
    image = rng.standard_normal((1500, 40)).astype(np.float32)
    bank = SteeredBank.exact(rng.standard_normal((2, 9, 9)))
    sums = np.zeros((1400, 20), np.float32)
    whole = best_over_views(image, bank, sums, start=(30, 10))
    for begin in (0, 480, 505, 1013):  # 504 places fit a tile of 512
        part = best_over_views(image, bank, sums[begin : begin + 60], start=(30 + begin, 10))
        np.testing.assert_allclose(whole[begin : begin + 60], part, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 4, 1.7])
@pytest.mark.parametrize(("shape", "box"), [((90, 83), (12, 9)), ((31, 40), (7, 8)), ((400,), (13,))])
def test_sums_under_a_mask_are_sums(shape: tuple[int, ...], box: tuple[int, ...], stride: float) -> None:
    rng = np.random.default_rng(4)
    image = 50 + rng.standard_normal(shape)
    image[tuple(slice(20) for _ in shape)] = 7  # nothing varies here
    mask = template_mask(box, "circle")
    sums, norm = LocalSums(image).sums_and_norm(mask)
    pixels = [np.rint(np.arange(0, n - 1, stride)).astype(int) for n in shape]  # the first wrap around
    many = np.ix_(*pixels)
    around = [np.arange(-(b // 2), b - b // 2) for b in box]
    direct = np.empty((2, *[len(axis) for axis in pixels]))
    for place in np.ndindex(*direct.shape[1:]):
        at = [(axis[i] + a) % n for axis, i, a, n in zip(pixels, place, around, shape, strict=True)]
        under = image[np.ix_(*at)][mask]
        direct[(slice(None), *place)] = under.sum(), under.std() * np.sqrt(under.size)
    # Double-precision transforms of numbers of order 50, of which a square root is taken.
    np.testing.assert_allclose(sums[many], direct[0], atol=1e-9)
    np.testing.assert_allclose(norm[many], direct[1], atol=1e-7)
    few = np.ix_(*[axis[3:6] for axis in pixels])
    np.testing.assert_allclose(sums[few], direct[0][(slice(3, 6),) * len(box)], atol=1e-11)
    np.testing.assert_allclose(norm[few], direct[1][(slice(3, 6),) * len(box)], atol=1e-11)
    apart = [[1, -1]] * len(box)
    np.testing.assert_allclose(
        sums[np.ix_(*[axis[i] for axis, i in zip(pixels, apart, strict=True)])],
        direct[0][np.ix_(*apart)],
        atol=1e-9,
    )
    dead = (10,) * len(box)
    assert norm[dead] == 0
    assert sums[dead] == pytest.approx(7 * mask.sum())


@pytest.mark.parametrize("dead", [False, True])
def test_rough_sums_are_as_exact_as_a_search_needs(dead: bool) -> None:
    image = 50 + np.random.default_rng(4).standard_normal((90, 83))
    image[40:43, 40:43] = 1e3  # a bright spot: squares near it differ by five orders of magnitude
    if dead:
        image[:20, :20] = 7
    mask = template_mask((12, 9), "circle")
    every = np.ix_(*[np.arange(n) for n in image.shape])
    exact, rough = (LocalSums(image, rough=r).sums_and_norm(mask) for r in (False, True))
    (sums, norm), (rough_sums, rough_norm) = ([part[every] for part in pair] for pair in (exact, rough))
    # Single precision of a sum of 69 numbers up to 1e3; where that could be more than 1 % of the variance,
    # double.
    np.testing.assert_allclose(rough_sums, sums, atol=0.05)
    np.testing.assert_allclose(rough_norm, norm, rtol=1e-2)
    assert (norm == 0).any() == dead


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("rough", [False, True])
def test_sums_under_several_masks_are_those_under_each(rough: bool, stride: int) -> None:
    image = np.random.default_rng(4).standard_normal((90, 83))
    image[40:43, 40:43] = 1e3 if rough else 3.0  # of one mask single precision will do, not of the other
    masks = [
        template_mask((30, 33), "circle"),
        template_mask((7, 12), "circle"),
        template_mask((8, 9), "box"),
    ]
    together = LocalSums(image, rough=rough).sums_and_norms(masks)
    many = np.ix_(*[np.arange(0, n, stride) for n in image.shape])
    for mask, pair in zip(masks, together, strict=True):
        boxed = np.zeros(image.shape)
        boxed[tuple(slice(n) for n in mask.shape)] = mask
        to_centre = [n // 2 - m // 2 for n, m in zip(image.shape, mask.shape, strict=True)]
        boxed = np.roll(boxed, to_centre, (0, 1))
        sums, squares = (fourier.correlate(image**n, boxed)[many] for n in (1, 2))
        norm = np.sqrt(squares - sums**2 / mask.sum())
        for ours, direct in zip(pair, (sums, norm), strict=True):
            # Double precision of squares up to 1e6, or single precision that is 1 % of the variance at most.
            np.testing.assert_allclose(
                ours[many], direct, rtol=1e-2 if rough else 1e-9, atol=0.1 if rough else 1e-9
            )


@pytest.mark.parametrize(("shape", "radius"), [((20, 21), 5.3), ((20, 21), 10), ((21,), 3), ((8, 8), None)])
def test_what_a_mask_needs_of_its_box_has_the_same_centre(
    shape: tuple[int, ...], radius: float | None
) -> None:
    mask = template_mask(shape, "circle", radius)
    part = mask[around(mask)]
    assert part.sum() == mask.sum()
    from_centre = [np.argwhere(m) - [n // 2 for n in m.shape] for m in (mask, part)]
    np.testing.assert_array_equal(*from_centre)
    smallest = [2 * np.abs(axis).max() + 1 for axis in from_centre[0].T]
    np.testing.assert_array_equal(part.shape, np.minimum(smallest, shape))


def test_resampled_products_are_those_of_the_low_passed_image() -> None:
    rng = np.random.default_rng(2)
    n, kept = 96, 10
    image = rng.standard_normal((n, n))
    shape = (n * kept // UNIT,) * 2
    spectrum = fourier.crop_spectrum(
        fourier.zero_nyquist(fourier.forward(image), image.shape), image.shape, shape
    )
    coarse = fourier.inverse(spectrum, shape) * (np.prod(shape) / image.size)
    kernel = np.zeros((1, 61, 61))
    kernel[0] = np.exp(-((np.indices((61, 61)) - 30) ** 2).sum(axis=0) / 40)
    fine = fourier.correlate(image, np.pad(kernel[0], ((18, 17), (18, 17))))
    reduced = resampled(kernel, UNIT / kept)[0]
    middle = coarse.shape[0] // 2 - reduced.shape[0] // 2
    rest = coarse.shape[0] - middle - reduced.shape[0]
    ours = fourier.correlate(coarse, np.pad(reduced, ((middle, rest), (middle, rest))))
    # Every fifth coarse sample lies on every twelfth pixel; the kernel holds 1e-4 beyond the coarse band.
    np.testing.assert_allclose(ours[::5, ::5], fine[::12, ::12], atol=2e-3 * np.abs(fine).max())


def test_steering_loses_what_it_says() -> None:
    bank = propeller_bank(47, 5)
    mask = template_mask((47, 47), "box")
    particles, pedestals = without_pedestal(bank.images, mask)
    # Single precision of the largest pixel.
    largest = np.abs(bank.images).max()
    np.testing.assert_allclose(particles + pedestals[:, None, None] * mask, bank.images, atol=1e-7 * largest)
    spectrum = BankSpectrum.of(particles, white)
    steered, lost = steer(particles, pedestals, spectrum, kept=UNIT, lost_energy=1e-3)
    again = np.tensordot(steered.mixing[:, :-1], steered.basis, 1)
    missing = ((again - particles) ** 2).sum(axis=(1, 2)) / (particles**2).sum(axis=(1, 2))
    assert missing.max() == pytest.approx(lost, rel=0.05)  # single precision
    assert lost <= 1e-3
    assert len(steered.basis) < len(bank.angles) / 2


def coloured(grid: Grid) -> np.ndarray:
    """Return the power of noise that is alike over a few pixels."""
    return 1 / (1 + (grid.frequency_radius() / 0.05) ** 2)


def spectra_around(kernels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the spectra of kernels whose centre n // 2 is put on index 0."""
    padded = np.zeros((len(kernels), *shape))
    padded[(slice(None), *(slice(n) for n in kernels.shape[1:]))] = kernels
    return fourier.forward_stack(np.roll(padded, [-(n // 2) for n in kernels.shape[1:]], axis=(1, 2)), shape)


@pytest.mark.parametrize("weight", [white, coloured])
def test_steering_on_a_coarser_grid_loses_what_it_says(weight: NoiseSpectrum) -> None:
    kept, wide = 6, (16 * UNIT, 16 * UNIT)
    bank = propeller_bank(47, 5)
    particles, pedestals = without_pedestal(bank.images, template_mask((47, 47), "box"))
    spectrum = BankSpectrum.of(particles, weight)
    steered, lost = steer(particles, pedestals, spectrum, kept=kept, lost_energy=1e-2)
    coarse = tuple(n * kept // UNIT for n in wide)
    searched = spectra_around(np.tensordot(steered.mixing[:, :-1], steered.basis, 1), coarse)
    views = spectra_around(particles, wide)
    missing = views - fourier.crop_spectrum(searched, coarse, wide)
    power = weight(Grid(wide, 1.0)) * fourier.hermitian_weights(wide)
    energy, gone = ((fourier.power(s) * power).sum(axis=(1, 2)) for s in (views, missing))
    # The padded box holds 72 frequencies: its sums stand for integrals, but for what meets across it.
    np.testing.assert_allclose(spectrum.norm**2 * np.prod(wide), energy, rtol=1e-3)
    # What of a coarse kernel rings beyond its box is lost besides.
    assert (gone / energy).max() == pytest.approx(lost, rel=0.05)


def test_what_fills_its_box_has_a_step_at_its_rim() -> None:
    kept, wide = 6, (16 * UNIT, 16 * UNIT)
    # Three and two whole waves: in its own box, it has two frequencies and no step.
    y, x = np.indices((48, 48))
    kernel = np.cos(2 * np.pi * (3 * x + 2 * y) / 48)[None]
    power = fourier.power(spectra_around(kernel, wide)[0]) * fourier.hermitian_weights(wide)
    inside = (
        np.max(np.broadcast_arrays(*map(np.abs, Grid(wide, 1.0).frequencies())), axis=0) < kept / UNIT / 2
    )
    # A band's sum of 72 frequencies stands for the integral to a few per cent.
    said = BankSpectrum.of(kernel, white).lost_beyond()[kept]
    assert said == pytest.approx(power[~inside].sum() / power.sum(), rel=0.1)


def test_views_that_are_not_searched_are_like_one_that_is() -> None:
    strides = []
    for step in (1.0, 2.0, 45.0):
        bank = propeller_bank(47, step)
        particles, pedestals = without_pedestal(bank.images, template_mask((47, 47), "box"))
        spectrum = BankSpectrum.of(particles, white)
        steered, _ = steer(particles, pedestals, spectrum, kept=UNIT, lost_energy=1e-3)
        unit = particles / np.linalg.norm(particles, axis=(1, 2), keepdims=True)
        alike = np.tensordot(unit, unit[:: steered.stride], ((1, 2), (1, 2)))
        assert alike.max(axis=1).min() >= ALIKE - 1e-5  # single precision
        strides.append(steered.stride * step)
    # The same few degrees however finely the template is turned, and every view where they are far apart.
    assert strides[0] == pytest.approx(strides[1], abs=2)
    assert strides[2] == 45


def test_a_basis_of_all_views_loses_nothing() -> None:
    bank = propeller_bank(31, 60)
    particles, pedestals = without_pedestal(bank.images, template_mask((31, 31), "box"))
    _, lost = steer(particles, pedestals, BankSpectrum.of(particles, white), kept=UNIT, lost_energy=1e-9)
    assert lost == pytest.approx(0, abs=5e-6)  # single precision of a sum of 500 products


def test_exact_scores_are_sums_of_products() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.standard_normal((50, 44))
    bank = propeller_bank(21, 90)
    frame = Frame.around(Grid(pixels.shape, PIXEL), 21)
    field = Field(frame, frame.pad(pixels), white)
    (probe,) = boxed_probes(field, [bank], [bank.images])
    (scores,) = exact_scores(field, probe, [(30 + frame.before, 20 + frame.before)], [[0, 2]])
    for view, dy, dx in np.ndindex(2, 3, 3):
        under = pixels[19 + dy : 40 + dy, 9 + dx : 30 + dx]
        assert scores[view, dy, dx] == pytest.approx((under * bank.images[2 * view]).sum(), abs=1e-12)


def test_the_score_map_is_the_exhaustive_maximum() -> None:
    pixels, _ = micrograph((150, 160), 5, 0.5, 1)
    bank = propeller_bank(41, 15)
    frame = Frame.around(Grid(pixels.shape, PIXEL), 41)
    field = Field(frame, frame.pad(pixels - pixels.mean()), white)
    (probe,) = boxed_probes(field, [bank], [bank.images])
    coarse = scan(field, [probe], lost_energy=1e-3)
    every = scan(field, [probe], lost_energy=0.0)
    y, x = [p.ravel() for p in coarse.grid.positions()]
    step = coarse.grid.pixel_size / PIXEL
    inside_y, inside_x = (y >= 0) & (y <= 149 * PIXEL), (x >= 0) & (x <= 159 * PIXEL)
    rows = np.rint((y[inside_y] - every.grid.origin[0]) / PIXEL).astype(int)
    columns = np.rint((x[inside_x] - every.grid.origin[1]) / PIXEL).astype(int)
    here = coarse.best[np.ix_(inside_y, inside_x)]
    there = every.best[np.ix_(rows, columns)]
    assert step > 1.5
    # Samples lie up to half a pixel beside the pixel they are compared with.
    assert np.abs(here - there).max() < 0.1 * np.abs(there).max()
    assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.995


def test_the_expected_number_of_false_picks_is_kept() -> None:
    bank = propeller_bank(41, 10)
    counts = []
    for seed in range(6):
        noise = np.random.default_rng(100 + seed).standard_normal((256, 256))
        picker = MatchedFilter(threshold=ExpectedFalsePicks(per_image=4), min_distance=10 * PIXEL)
        counts.append(len(picker.pick(look(noise, bank)).picks))
    # The closed form is 1.3 to 1.9 times what is counted: 24 expected at most, 12 at least; Poisson ± 4 sd.
    assert 2 <= sum(counts) <= 24 + 4 * np.sqrt(24)
