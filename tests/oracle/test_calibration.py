"""False picks counted in drawn noise: against fields drawn whole, against limits, and against searches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter
from scipy.stats import false_discovery_control, norm

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation import hiding
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.hiding import neighbourhood, saturated
from simkit.correlation.peaks import suppress
from simkit.correlation.score_field import ScoreField
from simkit.picker import _calibration as calibration
from simkit.picker._calibration import Views, calibrate
from simkit.picker.base import Sight
from simkit.picker.matched_filter import MatchedFilter
from simkit.picker.ncc import Ncc
from simkit.theory.random_field import spectral_moments
from simkit.theory.significance import accepted, p_values, q_values
from simkit.threshold.base import SearchStatistics
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fdr import Fdr

PIXEL = 2.0


def white(grid):
    return np.ones((*grid.shape[:-1], grid.shape[-1] // 2 + 1))


def sloping(grid):
    """Noise that falls with frequency, by a factor of 8 from 1/(100 Å) to Nyquist."""
    return 1 / np.maximum(grid.frequency_radius(), 0.01) ** 0.6


def bar(angle, *, box=33, sigmas=(2.5, 6.0)):
    y, x = Grid((box, box), 1.0).offsets()
    across, along = np.cos(angle) * y - np.sin(angle) * x, np.cos(angle) * x + np.sin(angle) * y
    return np.exp(-(across**2) / (2 * sigmas[0] ** 2) - along**2 / (2 * sigmas[1] ** 2))


def bars(count):
    return np.stack([bar(a) for a in np.arange(count) * np.pi / count])


def views(count, reach=30.0):
    step, turn = (np.pi / count, np.pi) if count > 1 else (0.0, 0.0)
    return Views(bars(count), PIXEL, step, turn, reach)


def picks_counted(sought, noise, level, *, size=384, images=24, seed=21):
    """Count peaks of the best score over all angles, of whole fields of noise, after suppression."""
    grid = Grid((size, size), PIXEL)
    box = np.zeros((len(sought.kernels), size, size))
    box[:, : sought.kernels.shape[1], : sought.kernels.shape[2]] = sought.kernels
    spectra = [fourier.forward(b) / np.sqrt(noise(grid)) for b in box]
    for s in spectra:
        s[0, 0] = 0
    unit = [np.conj(s) / np.sqrt(fourier.energy(fourier.power(s), grid.shape) / grid.size) for s in spectra]
    rng = stream(seed, "whole fields")
    counted = 0
    for _ in range(images):
        drawn = fourier.forward(rng.standard_normal(grid.shape))
        best = np.max([fourier.inverse(drawn * u, grid.shape) for u in unit], axis=0)
        tops = np.argwhere((maximum_filter(best, 3, mode="wrap") == best) & (best > level))
        reach = np.full(len(tops), sought.reach)
        counted += len(suppress(tops * PIXEL, best[tuple(tops.T)], reach))
    return counted, images * grid.area


@pytest.mark.parametrize("noise", [white, sloping])
@pytest.mark.parametrize(("count", "level"), [(1, 3.25), (18, 3.5)])
def test_picks_are_as_many_as_whole_fields_have(count, level, noise):
    """About 100 to 250 are counted: within four standard errors (6e-5) of both counts together, and 4 % for
    tops between the pixels, which the fields drawn whole do not see (u²λ/24 on either axis).
    """
    sought = views(count)
    counted, area = picks_counted(sought, noise, level)
    factor = calibrate([sought], noise)
    expected = factor(level) * sought.peaks_above(level, sought.moments(noise), area)
    expected = saturated(expected, area=area, around=factor.around)
    assert counted > 80
    assert (
        abs(counted - expected) < 4 * np.hypot(np.sqrt(counted), factor.errors[0] * expected) + 0.04 * counted
    )


def test_the_closed_form_alone_expects_too_many():
    """What is calibrated away, beyond the statistical error: otherwise the test above would be empty."""
    factor = calibrate([views(18)], white)
    assert factor(3.5) + 4 * factor.errors[0] < 0.95


def test_few_views_tell_the_peaks_of_all():
    """A bar with a sharp rim, which pixels cut differently at every angle: within 0.3 %."""
    every = replace(views(180), kernels=np.clip(bars(180) - 0.2, 0, None))
    moments = spectral_moments(
        every.kernels, pixel_size=PIXEL, angle_step=every.angle_step, noise_spectrum=sloping(every.grid)
    )
    few, all_ = (every.peaks_above(4.0, m, 1e6) for m in (every.moments(sloping), moments))
    assert few == pytest.approx(all_, rel=3e-3)


def test_position_alone_needs_no_calibration_high_up():
    factor = calibrate([views(1)], white)
    assert abs(factor(5.25) - 1) < 4 * factor.errors[-1] + 0.02


def test_finer_angles_change_nothing():
    """Counts of 18 and 36 angles are the same maxima; both have a standard error of 5 %."""
    coarse, fine = (
        calibrate([views(n)], white)(4.0) * views(n).peaks_above(4.0, views(n).moments(white), 1e6)
        for n in (18, 36)
    )
    assert fine == pytest.approx(coarse, rel=0.25)


def test_a_template_twice_finds_nothing_more():
    once, twice = (calibrate([views(18)] * n, white) for n in (1, 2))
    # Half as many picks a peak, since the closed form counts either template; standard errors as above.
    assert twice(4.0) == pytest.approx(once(4.0) / 2, rel=0.25)


def test_it_is_remembered_by_content_and_drawn_from_it():
    calibration._measured.cache_clear()
    first = calibrate([views(6)], white)
    assert calibrate([views(6)], lambda grid: 7 * white(grid)) is first
    assert calibration._measured.cache_info().misses == 1
    calibration._measured.cache_clear()
    assert calibrate([views(6)], white) == first
    assert calibrate([views(6, reach=8.0)], white) != first


def test_every_piece_of_noise_is_followed_by_its_negative():
    one = np.ones(1, int)
    flat = np.ones((1, 8, 5), np.complex64)
    field = ScoreField(flat, np.ones((1, 1), np.float32), np.zeros((1, 3), int), (8, 8), one, 0 * one)
    maps = np.array([piece.copy() for piece in field.drawn(3, np.random.default_rng(1))])
    np.testing.assert_array_equal(maps[1::2], -maps[::2])
    assert len(np.unique(maps[::2, 0, 0])) == len(maps) // 2


def plates(count, *, box=29, half=(3.0, 8.0)):
    """Rectangles with sharp edges, of which steep noise leaves the edges alone."""
    y, x = Grid((box, box), 1.0).offsets()
    turns = np.arange(count) * np.pi / count
    across = [abs(np.cos(a) * y - np.sin(a) * x) - half[0] for a in turns]
    along = [abs(np.cos(a) * x + np.sin(a) * y) - half[1] for a in turns]
    return 1 / (1 + np.exp(1.5 * np.maximum(across, along)))


def steep(grid):
    return 1 / np.maximum(grid.frequency_radius(), 0.004) ** 1.5


def test_enough_clumps_are_left_of_rough_scores():
    """Steep noise leaves nothing of plates but their edges. Drawn from as far below as is good for softer
    ones, too few clumps rise high up to be counted: to 8 % then, to 4 % now.
    """
    rough = Views(plates(9), PIXEL, np.pi / 9, np.pi, 12.0)
    factor = calibrate([rough], lambda grid: steep(grid) ** (5 / 3))
    assert max(factor.errors) < 0.06


def test_peaks_along_an_edge_hide_fewer_than_independent_ones(monkeypatch):
    """A pick denies others a quarter of its neighbourhood, as eight drawings have it; independent ones all.

    In 64 pieces of noise that is known to 0.11, so that four standard errors are below 0.7 (3e-5).
    """
    monkeypatch.setattr(hiding, "LEAST_PIECES", 64)
    edges = Views(plates(36), PIXEL, np.pi / 36, np.pi, 12.0)
    assert calibrate([edges], steep).around < 0.7 * neighbourhood(12.0, 2)


def test_where_hardly_any_are_hidden_peaks_count_as_independent():
    """Less than one in a hundred neighbourhoods has a peak: the ten that are believed outweigh those seen."""
    assert calibrate([views(1)], white).around == pytest.approx(neighbourhood(30.0, 2), rel=0.1)


def test_close_independent_peaks_hide_each_other():
    """Scattered at random and suppressed: within four standard errors, and 3 % of the loss."""
    rng, reach, count, side = np.random.default_rng(4), 5.0, 200, 212.0
    shifts = [(a * side, b * side) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    kept = []
    for _ in range(40):
        places = rng.uniform(0, side, (count, 2))
        around = np.concatenate([places + np.array(shift) for shift in shifts])
        scores = np.tile(rng.standard_normal(count), 9)
        alive = suppress(around, scores, np.full(len(around), reach))
        kept.append((alive // count == 4).sum())
    expected = saturated(count, area=side**2, around=neighbourhood(reach, 2))
    assert expected < 0.87 * count
    error = np.std(kept) / np.sqrt(len(kept))
    assert abs(np.mean(kept) - expected) < 4 * error + 0.03 * (count - expected)


def look(image, bank, power=None):
    return Sight(image, Grid(image.shape, PIXEL), [bank], None, power, None, np.random.default_rng(0))


def bank(count):
    angles = np.arange(count) * 180 / count
    return TemplateBank("bar", "bar", standardised(bars(count)), angles, PIXEL, 20.0, "C2")


@pytest.mark.parametrize("noise", [white, sloping])
def test_a_search_finds_the_declared_number_of_false_picks(noise):
    """180 declared in all: 4 standard deviations are 54 (6e-5), and 10 % for the error of the calibration."""
    grid, rng, found = Grid((320, 320), PIXEL), stream(5, "searches"), 0
    for _ in range(6):
        image = fourier.inverse(
            fourier.forward(rng.standard_normal(grid.shape)) * np.sqrt(noise(grid)), grid.shape
        )
        picker = MatchedFilter(
            noise="declared", threshold=ExpectedFalsePicks(per_image=30), min_distance=20.0
        )
        found += len(picker.pick(look(image, bank(12), noise(grid))).picks)
    assert abs(found - 180) < 4 * np.sqrt(180) + 18


def test_ways_of_counting_are_ordered():
    """Independent pixels and angles expect the most, and the more the finer the angles."""
    image = np.random.default_rng(6).standard_normal((160, 160))

    def level(by, count, picker=MatchedFilter):
        threshold = ExpectedFalsePicks(per_image=1, calibration=by)
        return picker(threshold=threshold).pick(look(image, bank(count))).threshold

    assert level("measured", 18) < level("closed_form", 18) < level("independent_pixels", 18)
    assert level("independent_pixels", 18) == pytest.approx(norm.isf(1 / (160**2 * 18)), rel=1e-9)
    assert level("independent_pixels", 36) > level("independent_pixels", 18) + 0.1
    assert abs(level("measured", 36) - level("measured", 18)) < 0.06
    assert level("measured", 12, Ncc) < level("independent_pixels", 12, Ncc)


def tail(places):
    return lambda u: places * norm.sf(u)


@given(levels=st.lists(st.floats(1.8, 9), min_size=1, max_size=40), q=st.sampled_from([0.01, 0.1, 0.3]))
def test_q_values_are_those_of_benjamini_and_hochberg(levels, q):
    """SciPy's, of the p-value E / n of each of n peaks where n are expected to be at least as high as 1.8."""
    levels = np.array(levels)
    places = len(levels) / norm.sf(1.8)
    found = q_values(levels, expected_above=tail(places))
    # Of the lowest level it is 1, which rounding must not exceed.
    expected = false_discovery_control(np.minimum(tail(places)(levels) / len(levels), 1.0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert accepted(levels, q, expected_above=tail(places)) == (found <= q).sum()
    statistics = SearchStatistics(2 * levels, 2.0, tail(places))
    assert (2 * levels >= Fdr(q=q).level(statistics)).sum() == (found <= q).sum()


def test_p_values_are_those_of_a_poisson_law():
    np.testing.assert_allclose(
        p_values(np.array([0.0, 4.0]), expected_above=tail(1e3)),
        [1 - np.exp(-1e3 * norm.sf(1.8)), 1 - np.exp(-1e3 * norm.sf(4))],
        rtol=1e-12,
    )


def test_the_rate_of_false_discoveries_is_kept():
    """Independent places stand for a search, 30 of 1000 with a particle.

    The mean share of false ones over 400 lists is at most q but for four standard errors (3e-5), and not
    below half of it, or nothing would be gained.
    """
    rng, q, shares = np.random.default_rng(8), 0.2, []
    for _ in range(400):
        peaks = rng.standard_normal(1000)
        peaks[:30] += 3.5
        level = Fdr(q=q).level(SearchStatistics(peaks, 1.0, tail(1000)))
        picked = peaks >= level
        shares.append(picked[30:].sum() / max(picked.sum(), 1))
    error = np.std(shares) / np.sqrt(len(shares))
    assert q / 2 < np.mean(shares) < q + 4 * error


def test_an_empty_image_has_picks_as_seldom_as_declared():
    """Of noise alone every pick is false, so that lists with any are as rare as q (false alarm 6e-5)."""
    rng = np.random.default_rng(9)
    lists = rng.standard_normal((1000, 300))
    some = [(p >= Fdr(q=0.1).level(SearchStatistics(p, 1.0, tail(300)))).any() for p in lists]
    assert abs(np.mean(some) - 0.1) < 4 * 0.0095
