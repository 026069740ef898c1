"""Pick lists kept down to a low level: the picks at their head, against brute force below."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.ndimage import maximum_filter
from scipy.signal import correlate2d

from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation import candidates
from simkit.correlation.bank import TemplateBank, standardised
from simkit.correlation.exact import NOISE_MARGIN, RELATIVE_MARGIN
from simkit.picker import _search
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Found, Sight
from simkit.picker.correlation import Correlation
from simkit.picker.matched_filter import MatchedFilter
from simkit.picker.ncc import Ncc
from simkit.picker.phase import Phase
from simkit.theory.random_field import LOWEST_LEVEL, expected_maxima, spectral_moments
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fixed import Fixed
from simkit.threshold.top import Top

PIXEL = 2.0
ONE = ExpectedFalsePicks(per_image=1)


def blade(y: np.ndarray, x: np.ndarray, psi: float) -> np.ndarray:
    """No symmetry; about 25 px across."""
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    along, across = c * x + s * y, c * y - s * x
    return np.exp(-((along - 4) ** 2 / 40 + across**2 / 8)) + np.exp(-(along**2 + (across - 6) ** 2) / 12)


def bank(angles: np.ndarray, side: int = 33) -> TemplateBank:
    axis = np.arange(side) - side // 2
    views = np.stack([blade(axis[:, None], axis[None, :], a) for a in angles])
    return TemplateBank("blade", "blade", standardised(views), angles, PIXEL, 13 * PIXEL, "C1")


TURNED, STIFF = bank(np.arange(0, 360, 12.0)), bank(np.zeros(1))


def scene(seed: int, copies: int = 9, noise: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.indices((230, 250))
    pixels = 5 + noise * rng.standard_normal(y.shape)
    for _ in range(copies):
        pixels += blade(y - rng.uniform(5, 225), x - rng.uniform(5, 245), rng.uniform(0, 360))
    return pixels


def look(pixels: np.ndarray, *banks: TemplateBank, mask: np.ndarray | None = None) -> Sight:
    grid = Grid(pixels.shape, PIXEL)
    return Sight(pixels, grid, banks, None, None, mask, np.random.default_rng(0))


PICKERS = [
    MatchedFilter(threshold=ONE),
    MatchedFilter(threshold=Fixed(value=3.5), border="exclude"),
    MatchedFilter(threshold=Top(count=12), search="exhaustive"),
    Ncc(threshold=Fixed(value=0.45), mask="box"),
    Correlation(threshold=Top(count=400)),
    Correlation(threshold=ONE, min_distance=8.0),
    Phase(threshold=Fixed(value=6.0)),
]


@pytest.mark.parametrize("picker", PICKERS, ids=lambda p: f"{p.kind}-{p.threshold.kind}")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_picks_head_the_list_and_are_those_of_a_search_without_it(
    picker: TemplateSearch, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.ones((230, 250), bool)
    mask[100:140, 60:] = False
    sight = look(scene(seed), TURNED, STIFF, mask=mask)
    found = picker.pick(sight)
    scores = found.candidates["score"]
    assert (np.diff(scores) <= 0).all()
    assert found.candidates.take(np.arange(len(found.picks))) == found.picks
    assert (scores[len(found.picks) :] < found.threshold).all()
    plain = _search.best_peaks
    monkeypatch.setattr(_search, "best_peaks", lambda *a, **k: plain(*a, **{**k, "low": None}))
    alone = picker.pick(sight)
    assert alone.candidates == alone.picks
    assert alone.threshold == found.threshold
    # To the last bit, but for what is said of a pick in view of the others.
    aside = {"q_value": np.nan, "flags": ""}
    assert alone.picks.replace(**aside) == found.picks.replace(**aside)


@pytest.mark.parametrize("picker", PICKERS, ids=lambda p: f"{p.kind}-{p.threshold.kind}")
def test_what_is_kept_keeps_its_distance_and_stands_where_it_may(picker: TemplateSearch) -> None:
    mask = np.ones((230, 250), bool)
    mask[100:140, 60:] = False
    found = picker.pick(look(scene(3), TURNED, mask=mask)).candidates
    y, x = found["y"], found["x"]
    gaps = np.hypot(y[:, None] - y, x[:, None] - x)[~np.eye(len(y), dtype=bool)]
    assert gaps.min() >= (picker.min_distance or TURNED.diameter)
    assert mask[np.rint(y / PIXEL).astype(int), np.rint(x / PIXEL).astype(int)].all()
    if picker.border == "exclude":
        assert min(y.min(), x.min()) >= TURNED.support - PIXEL


def brute_force(pixels: np.ndarray, template: np.ndarray, reach: float) -> np.ndarray:
    """Every local maximum of the direct sums, best first, none closer to a better one than `reach` px."""
    scores = correlate2d(np.pad(pixels - pixels.mean(), 8), template, mode="same")
    tops = np.argwhere((maximum_filter(scores, 3) == scores) & (scores > 0))
    tops = tops[np.argsort(-scores[tuple(tops.T)])]
    inside = ((tops >= 8) & (tops < np.array(scores.shape) - 8)).all(axis=1)
    kept: list[np.ndarray] = []
    for top in tops[inside]:
        if all(np.linalg.norm(top - other) >= reach for other in kept):
            kept.append(top)
    return np.array([[*(top - 8), scores[tuple(top)]] for top in kept])


NOISE = stream(4, "noise").standard_normal((290, 300))
SPARSE = Correlation(threshold=Fixed(value=2.7), min_distance=12 * PIXEL)


@pytest.fixture(scope="module")
def every_peak() -> np.ndarray:
    return brute_force(NOISE, STIFF.images[0], 12)


def test_below_the_threshold_is_what_brute_force_finds(every_peak: np.ndarray) -> None:
    """Suppression acts on places between pixels here, on whole ones there: one in ten may differ."""
    found = SPARSE.model_copy(update={"search": "exhaustive"}).pick(look(NOISE, STIFF))
    ours, theirs = found.candidates, every_peak[: len(found.candidates)]
    assert 3 < len(found.picks) < len(ours) - candidates.FEWEST_BELOW
    places = np.stack([ours["y"], ours["x"]], axis=1) / PIXEL
    near = np.abs(places[:, None] - theirs[:, :2]).max(axis=2) <= 1.0
    # Between the pixels a top is a little higher, by 4 % at most where the blade is 2 px thick.
    rise = ours["score"][:, None] / theirs[:, 2] - 1
    alike = near & (rise > -1e-9) & (rise < 0.05)
    assert alike.any(axis=1).mean() > 0.9
    assert alike.any(axis=0).mean() > 0.9


def test_a_coarse_search_keeps_as_good_a_peak_in_every_place(every_peak: np.ndarray) -> None:
    """Of neighbours that the fast search cannot tell apart the lower may be kept: by its error at most."""
    found = SPARSE.pick(look(NOISE, STIFF))
    assert found.notes["sampling"] > 2
    ours = found.candidates
    theirs = every_peak[every_peak[:, 2] > 2 * found.noise_sd]
    assert len(theirs) > len(found.picks) + 30
    places = np.stack([ours["y"], ours["x"]], axis=1) / PIXEL
    near = np.linalg.norm(places[:, None] - theirs[:, :2], axis=2) < 12 + 1
    best = np.where(near, ours["score"][:, None], -np.inf).max(axis=0)
    error = RELATIVE_MARGIN * theirs[:, 2] + NOISE_MARGIN * found.noise_sd
    assert (best >= theirs[:, 2] - error).all()


def test_no_more_and_no_fewer_are_kept_than_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    sight = look(scene(5), TURNED)
    search = Correlation(threshold=Top(count=5), min_distance=10.0)
    whole = search.pick(sight).candidates
    assert len(whole) >= 5 + candidates.FEWEST_BELOW
    monkeypatch.setattr(candidates, "FEWEST_BELOW", 3)
    monkeypatch.setattr(candidates, "MOST_BELOW", 20)
    few = search.pick(sight).candidates
    # A score of the fast search may rank a peak one place off.
    assert 15 <= len(few) - 5 <= 20
    assert few.take(np.arange(15)) == whole.take(np.arange(15))
    monkeypatch.setattr(candidates, "MOST_BELOW", 1000)
    low = search.pick(sight)
    # So far down that the picker itself would expect a hundred of noise, of which the closed form makes more.
    above = functools.partial(
        expected_maxima,
        area=sight.grid.area,
        moments=spectral_moments(TURNED.images, pixel_size=PIXEL, angle_step=np.deg2rad(12)),
        angle_range=2 * np.pi,
    )
    last = low.candidates["score"][-1] / low.noise_sd
    assert 80 < above(max(last, LOWEST_LEVEL)) < 250


# What the picker expects


@pytest.mark.parametrize("kind", [MatchedFilter, Correlation])
def test_the_expectation_is_that_of_the_threshold_whatever_its_kind(kind: type[TemplateSearch]) -> None:
    sight = look(scene(6), TURNED)
    search = kind(threshold=ExpectedFalsePicks(per_image=2.5))
    found = search.pick(sight)
    assert found.expected_false == pytest.approx(2.5, rel=1e-9)
    assert found.noise_sd == found.notes["noise_sd"]
    same = search.model_copy(update={"threshold": Fixed(value=found.threshold)}).pick(sight)
    assert same.expected_false == found.expected_false
    higher = search.model_copy(update={"threshold": Fixed(value=found.threshold + 1)}).pick(sight)
    assert higher.expected_false < 0.1 * found.expected_false


def expected(threshold: object, pixels: np.ndarray) -> Found:
    return MatchedFilter(threshold=threshold).pick(look(pixels, STIFF))


def test_nothing_is_expected_where_nothing_is_known() -> None:
    assert expected(Top(count=5000), scene(7)).expected_false is None  # −∞
    assert expected(Top(count=5), scene(7)).expected_false is None  # noise alone would give five too
    assert expected(Fixed(value=1.7), scene(7)).expected_false is None  # below the closed form
    assert expected(ExpectedFalsePicks(per_image=1e9), scene(7)).expected_false is not None
    flat = Correlation(threshold=Fixed(value=1.0)).pick(look(np.full((90, 90), 3.0), STIFF))
    assert flat.expected_false is None
    assert flat.noise_sd is None
    assert len(flat.candidates) == 0
