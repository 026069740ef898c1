"""Picks in wrong places: their chances against draws of particles, and what they do to a list."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from simkit.core.grid import Grid
from simkit.correlation.peaks import Peak
from simkit.picker._harvest import Harvest
from simkit.picker._places import placed
from simkit.theory.misplacement import misplacement
from simkit.theory.significance import accepted, q_values
from simkit.threshold.base import SearchStatistics
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fdr import Fdr
from simkit.threshold.fixed import Fixed
from simkit.threshold.top import Top

LENGTH, PIXEL = 64, 2.0
LINE = Grid((LENGTH,), PIXEL)


def chances(scores: np.ndarray, turned: bool, within: float = 3.0) -> tuple[int, float]:
    """Return where a score is highest and the chance that its particle is more than `within` px off."""
    best = int(scores.argmax())
    one = np.ones(1)
    (chance,) = misplacement(
        scores,
        LINE,
        np.array([[best * PIXEL]]),
        scores[[best]],
        np.inf * one,
        within=within * PIXEL * one,
        around=12 * PIXEL * one,
        turned=turned,
    )
    return best, float(chance)


@pytest.mark.parametrize("turned", [False, True])
def test_misplaced_picks_are_as_many_as_their_chances_say(turned: bool) -> None:
    """Five lobes, a wrong place from each other; turned, the phase of a complex template is searched.

    Particles have any height, of which those are looked at whose picks are well within. The difference of
    count and sum is within four standard deviations of that of independent draws (false alarm 6e-5).
    """
    rng = np.random.default_rng(7)
    template = np.zeros(LENGTH)
    template[[0, 5, 10, 15, 20]] = 1.0
    template /= np.linalg.norm(template)
    wrong, chance = [], []
    for _ in range(6000):
        at, height = rng.integers(20, 44), rng.uniform(2, 9)
        noise = rng.standard_normal(LENGTH) + 1j * turned * rng.standard_normal(LENGTH)
        phase = np.exp(2j * np.pi * rng.uniform()) if turned else 1.0
        image = noise + height * phase * np.roll(template, at)
        products = np.fft.ifft(np.fft.fft(image) * np.fft.fft(template).conj())
        scores = np.abs(products) if turned else products.real
        near = np.abs(np.arange(LENGTH) - at) <= 12
        best, m = chances(np.where(near, scores, 0.0), turned)
        if 4.5 < scores[best] < 6.5:
            wrong.append(abs(best - at) > 3)
            chance.append(m)
    chance = np.array(chance)
    spread = np.sqrt((chance * (1 - chance)).sum())
    assert chance.sum() > 40
    assert abs(sum(wrong) - chance.sum()) < 4 * spread


def test_a_second_top_counts_as_its_evidence() -> None:
    scores = np.zeros(LENGTH)
    scores[30], scores[36], scores[50] = 7.0, 6.0, 6.9
    low = np.exp(1 / 2)  # what stands for scores of no say, on 6 samples near and 17 far
    near, far = np.exp(49 / 2), np.exp(36 / 2)
    assert chances(scores, False)[1] == pytest.approx(
        (far + 17 * low) / (far + near + 23 * low), rel=1e-9
    )  # what is 20 px off is another's
    near, far = near / 7, far / 6
    assert chances(scores, True)[1] == pytest.approx((far + 17 * low) / (far + near + 23 * low), rel=1e-9)
    assert chances(scores, False, within=12.0)[1] == 0
    assert chances(1e3 * scores, True)[1] == 0  # without overflow


def test_a_top_between_the_samples_is_no_doubt_of_its_own() -> None:
    """The samples miss a sharp top by much: its own height and width then tell what is there."""
    scores = np.zeros(LENGTH)
    scores[30], scores[36] = 20.0, 21.0
    one = np.ones(1)
    call = (LINE, np.array([[30.4 * PIXEL]]), 25.0 * one)
    sharp, wide = (
        misplacement(
            scores, *call, area * one, within=3 * PIXEL * one, around=12 * PIXEL * one, turned=False
        )[0]
        for area in (0.1 * PIXEL, 3 * PIXEL)
    )
    assert sharp == pytest.approx(np.exp(21**2 / 2 - 25**2 / 2) / 0.1, rel=1e-6)
    assert wide > 0.99


def test_a_sample_higher_than_its_top_is_the_particle_all_the_same() -> None:
    """A coarse search may see more than there is, and a very sharp top hardly any place beside it."""
    scores = np.full(LENGTH, 10.0)
    scores[32] = 177.0
    (chance,) = misplacement(
        scores,
        LINE,
        np.array([[64.0]]),
        np.array([161.0]),
        np.array([1e-3]),
        within=np.array([6.0]),
        around=np.array([24.0]),
        turned=False,
    )
    assert chance == 0


def tail(u: float) -> float:
    return float(1e3 * norm.sf(u))


@given(
    peaks=st.lists(st.tuples(st.integers(0, 70), st.floats(0, 1)), max_size=30),
    q=st.sampled_from([0.02, 0.1, 0.4]),
)
def test_the_longest_list_with_few_enough_false_picks_is_kept(peaks, q) -> None:
    """Against every list in turn; peaks on a coarse scale, so that many tie."""
    levels = np.array([2 + height / 10 for height, _ in peaks])
    chance = np.array([m for _, m in peaks])
    best = 0
    for u in levels:
        above = levels >= u
        if tail(u) + chance[above].sum() <= q * above.sum():
            best = max(best, int(above.sum()))
    assert accepted(levels, q, expected_above=tail, misplaced=chance) == best
    statistics = SearchStatistics(3 * levels, 3.0, tail, chance)
    assert (3 * levels >= Fdr(q=q).level(statistics)).sum() == best
    values = q_values(levels, expected_above=tail, misplaced=chance)
    assert (values <= q).sum() == best
    assert (values >= q_values(levels, expected_above=tail) - 1e-12).all()


def harvest(scores: list[float], places: list[float], level: float) -> Harvest:
    peaks = [Peak(np.array([PIXEL * p]), 0.0, s, 0) for s, p in zip(scores, places, strict=True)]
    return Harvest.anywhere(peaks, level, tail)


def known(at: dict[int, float]) -> tuple[SimpleNamespace, list[SimpleNamespace]]:
    """Return a scan with some scores in an empty line, and what was looked for, of a radius of 12 px."""
    best = np.zeros(LENGTH, np.float32)
    best[list(at)] = list(at.values())
    bank = SimpleNamespace(support=12 * PIXEL, step=None)
    return SimpleNamespace(best=best, grid=LINE, noise_sd=1.0), [
        SimpleNamespace(bank=bank, moments=None, mask=np.ones(25, bool))
    ]


def levels(scores: np.ndarray, noise_sd: float) -> np.ndarray:
    return scores / noise_sd


def test_only_what_counts_wrong_places_cuts_higher() -> None:
    found, probes = known({10: 8.0, 20: 8.0, 50: 8.5})
    plain = harvest([8.5, 8.0], [50, 10], 5.0)
    same = [Fixed(value=5.0), ExpectedFalsePicks(per_image=1), Top(count=2)]
    for threshold in same:
        kept = placed(plain, found, probes, threshold=threshold, detectability=levels)
        np.testing.assert_allclose(kept.misplaced, [0, 0.5], atol=1e-6)
        assert len(kept.picks) == 2
    kept = placed(plain, found, probes, threshold=Fdr(q=0.1), detectability=levels)
    assert [peak.score for peak in kept.picks] == [8.5]
    # Half of one pick of two is a quarter; 11 px off is no wrong place where 11 px are allowed.
    assert len(placed(plain, found, probes, threshold=Fdr(q=0.3), detectability=levels).picks) == 2
    wide = Fdr(q=0.1, within=11 * PIXEL)
    assert len(placed(plain, found, probes, threshold=wide, detectability=levels).picks) == 2


def test_a_neighbour_that_is_picked_is_no_wrong_place() -> None:
    found, probes = known({10: 8.0, 20: 8.0, 50: 8.5})
    plain = harvest([8.5, 8.0, 8.0], [50, 10, 20], 5.0)
    kept = placed(plain, found, probes, threshold=Fdr(q=0.1), detectability=levels)
    np.testing.assert_allclose(kept.misplaced, 0, atol=1e-6)
    assert len(kept.picks) == 3


def test_nothing_is_said_where_no_score_is_known() -> None:
    found, probes = known({10: 8.0})
    plain = harvest([8.0], [10], 5.0)
    unknown = placed(
        plain, found, probes, threshold=Fdr(q=0.1), detectability=lambda s, sd: np.full(s.shape, np.nan)
    )
    assert unknown is plain
    empty = harvest([], [], 5.0)
    assert placed(empty, found, probes, threshold=Fdr(q=0.1), detectability=levels) is empty
