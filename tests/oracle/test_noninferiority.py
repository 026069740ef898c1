"""Non-inferiority on the same micrographs: closed forms, and how often it errs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simkit.suites.calibration import DEFECTS, POWER, smallest_loss
from simkit.suites.checks import against_baseline
from simkit.suites.noninferiority import MEASURES, Vectors, not_worse, paired, proven_worse, unpaired
from simkit.suites.theory import Account, predict


def vectors(tp: object, picks: object, truths: object, squares: object = 0.0) -> Vectors:
    tp = np.asarray(tp, float)
    return Vectors(*(np.broadcast_to(np.asarray(v, float), tp.shape) for v in (tp, picks, truths, squares)))


def drawn(micrographs: int, rng: np.random.Generator) -> Vectors:
    """What a picker may have done: 25 particles a micrograph, 80 % found to 2 Å an axis, 2 false picks."""
    tp = rng.binomial(25, 0.8, micrographs)
    return vectors(tp, tp + rng.poisson(2, micrographs), 25, 4.0 * rng.chisquare(2 * tp))


def test_with_equal_micrographs_it_is_the_paired_t_test() -> None:
    new, old = vectors([7, 8, 6, 9, 7], 10, 10), vectors([8, 8, 8, 9, 9], 10, 10)
    gain = paired("recall", new, old)
    assert gain is not None
    test = stats.ttest_rel(new.tp / 10, old.tp / 10)
    interval = test.confidence_interval(0.9)
    # The same sums in another order: rounding alone.
    assert gain.gain / gain.error == pytest.approx(test.statistic, rel=1e-12)
    assert gain.limits(0.05) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_unpaired_it_is_welchs() -> None:
    new, old = vectors([7, 8, 6, 9, 7, 8], 10, 10), vectors([8, 8, 8, 9], 10, 10)
    gain = unpaired("recall", new, old)
    assert gain is not None
    interval = stats.ttest_ind(new.tp / 10, old.tp / 10, equal_var=False).confidence_interval(0.98)
    assert gain.limits(0.01) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize("metric", list(MEASURES))
def test_influence_is_the_derivative_of_the_value(metric: str) -> None:
    rng = np.random.default_rng(4)
    truths = rng.integers(5, 20, 9).astype(float)
    tp = np.floor(0.8 * truths)
    v = Vectors(tp, tp + rng.integers(0, 5, 9), truths, tp * rng.uniform(1, 4, 9))
    measure, h = MEASURES[metric], 1e-6
    parts = [measure.parts(v)]

    def weighted(weights: np.ndarray) -> float:
        top, bottom = ((part * weights).sum() for part in parts[0])
        return float(np.sqrt(top / bottom) if measure.root else top / bottom)

    # A micrograph that counts h more; the error of a one-sided difference is of the order of h.
    slope = [9 * (weighted(1 + h * np.eye(9)[i]) - weighted(np.ones(9))) / h for i in range(9)]
    expected = measure.influence(v)
    assert expected == pytest.approx(slope, abs=1e-4 * max(1.0, float(np.abs(expected).max())))


def test_less_is_better_where_less_is_better() -> None:
    near, far = vectors([5] * 4, 5, 5, 5.0), vectors([5] * 4, 5, 5, 20.0)
    gain = paired("rmse", far, near)
    assert gain is not None
    assert (gain.new, gain.old, gain.gain) == pytest.approx((2, 1, -1))
    more = paired("fp", vectors([5] * 4, 7, 5), vectors([5] * 4, 5, 5))
    assert more is not None
    assert more.gain == -8


def test_what_does_not_exist_is_no_gain() -> None:
    assert paired("precision", vectors([0] * 4, 0, 5), vectors([5] * 4, 5, 5)) is None


def test_a_loss_of_the_margin_is_accused_as_rarely_as_promised() -> None:
    """In 5 % of 2000 trials: ± 0.018 but for 1 time in 10⁴, and 0.01 for counts, which skew."""
    rng = np.random.default_rng(12)
    old = vectors([40] * 24, 40, 40)
    gains = [paired("recall", vectors(40 - rng.binomial(40, 0.05, 24), 40, 40), old) for _ in range(2000)]
    accused = [gain is not None and proven_worse(gain, margin=0.05, alpha=0.05) for gain in gains]
    assert np.mean(accused) == pytest.approx(0.05, abs=0.028)


@pytest.mark.parametrize("micrographs", [6, 24])
@pytest.mark.parametrize(
    ("metric", "margin"),
    [("recall", 0.05), ("f1", 0.05), ("precision", 0.05), ("fp", 5.0), ("rmse", 0.1)],
)
def test_a_loss_of_the_margin_passes_as_rarely_as_promised(
    metric: str, margin: float, micrographs: int
) -> None:
    """Of 1000 pickers that lose the margin at most alpha = 0.05 pass.

    A share above 0.076 would come up 1 time in 10⁴ at exactly 0.05 (binomial); a limit from the spread alone
    lets 0.08 to 0.13 of those pass whose losses are few.
    """
    rng = np.random.default_rng(12)
    old = drawn(micrographs, rng)
    gains = [paired(metric, DEFECTS[metric](old, margin, 2, rng), old) for _ in range(1000)]
    passed = np.mean([gain is not None and not_worse(gain, margin=margin, alpha=0.05) for gain in gains])
    assert passed <= 0.076


@pytest.mark.parametrize("metric", list(MEASURES))
def test_a_defect_loses_what_it_says(metric: str) -> None:
    """The mean of 400 losses, within 4 standard errors (1 time in 10⁴ beyond) and 2 % for curvature."""
    rng = np.random.default_rng(3)
    old, loss = drawn(12, rng), {"fp": 6.0, "rmse": 0.2}.get(metric, 0.06)
    gains = [paired(metric, DEFECTS[metric](old, loss, 2, rng), old) for _ in range(400)]
    lost = -np.array([gain.gain for gain in gains if gain is not None])
    assert lost.mean() == pytest.approx(loss, abs=4 * lost.std() / 20 + 0.02 * loss)


def test_positions_are_off_by_independent_normal_deviates() -> None:
    """The sum of squares drawn in one go has the mean and spread of one drawn pair by pair."""
    rng = np.random.default_rng(5)
    errors, s = rng.normal(0, 2, (30, 2)), 0.5
    old = vectors([30] * 4, 30, 30, float((errors**2).sum()))
    loss = float(np.sqrt((errors**2).sum() / 30 + 2 * s**2) - np.sqrt((errors**2).sum() / 30))
    at_once = np.concatenate([DEFECTS["rmse"](old, loss, 2, rng).squares for _ in range(500)])
    singly = ((errors + rng.normal(0, s, (2000, 30, 2))) ** 2).sum(axis=(1, 2))
    # Standard errors of 2000 draws: 2 % of the spread for the mean, 1.6 % for the spread itself; 4 of each.
    assert at_once.mean() == pytest.approx(singly.mean(), abs=4 * 0.022 * 1.41 * singly.std())
    assert at_once.std() == pytest.approx(singly.std(), rel=4 * 0.016 * 1.41)


@pytest.mark.parametrize("metric", ["recall", "precision", "f1", "fp"])
def test_the_grain_is_what_one_particle_is_worth(metric: str) -> None:
    """A pick moved off its particle: one pair less, as many picks; sums of whole numbers, so to rounding."""
    old = vectors([8, 9, 7, 9], [10, 12, 9, 11], [10, 11, 9, 10])
    one = paired(metric, replace(old, tp=old.tp - np.array([0, 1, 0, 0])), old)
    assert one is not None
    assert one.grain == pytest.approx(-one.gain, rel=1e-12)


def test_no_change_passes_and_it_is_said_where_that_proves_nothing() -> None:
    """Two particles that are lost on average miss all of 100 in exp(−2) of all cases."""
    old = vectors([20] * 5, 20, 20)
    same = paired("recall", old, old)
    assert same is not None
    assert not_worse(same, margin=0.02, alpha=0.001)
    assert same.traceless(0.02) == pytest.approx(np.exp(-2))
    told = against_baseline("recall", old, old, margin=0.02, alpha=0.001, same=True)
    assert (told.passed, told.warning) == (True, True)
    assert "with a margin of 0.069, or 3.5 times the micrographs" in told.text
    wide = against_baseline("recall", old, old, margin=0.07, alpha=0.001, same=True)
    assert (wide.passed, wide.warning) == (True, False)
    # −0.01 − 3.09 √(0.07 / 100) is beyond −0.07: of seven lost on average it is one too often.
    one = paired("recall", vectors([20, 20, 20, 20, 19], 20, 20), old)
    assert one is not None
    assert one.limits(0.001, 0.07)[0] == pytest.approx(-0.01 - stats.norm.isf(0.001) * np.sqrt(0.07 / 100))
    assert not not_worse(one, margin=0.07, alpha=0.001)


@pytest.mark.parametrize("metric", list(MEASURES))
def test_the_smallest_loss_is_seen_as_often_as_stated(metric: str) -> None:
    """Losses of that size, drawn anew, fail in 80 % of 500 trials.

    ± 11 %: 4 standard errors of these trials and of the 400 from which the size was found (1 time in 10⁴).
    """
    old = drawn(16, np.random.default_rng(8))
    margin = {"fp": 8.0, "rmse": 0.2}.get(metric, 0.06)
    loss = smallest_loss(metric, old, margin=margin, alpha=0.01)
    assert loss is not None
    assert 0 < loss < margin
    rng = np.random.default_rng(9)
    gains = [paired(metric, DEFECTS[metric](old, loss, 2, rng), old) for _ in range(500)]
    seen = np.mean([gain is not None and not not_worse(gain, margin=margin, alpha=0.01) for gain in gains])
    assert seen == pytest.approx(POWER, abs=0.11)


def test_a_margin_beyond_everything_sees_nothing() -> None:
    old = vectors([2] * 10, 20, 20)
    assert smallest_loss("recall", old, margin=0.5, alpha=0.01) is None
    nothing = vectors([0] * 10, 0, 20)
    assert smallest_loss("precision", nothing, margin=0.5, alpha=0.01) is None


def test_theory_of_a_picker_at_the_limit_holds_as_often_as_stated() -> None:
    """Errors drawn at the limit: 2 σ hold in 95.4 % of 2000 trials, ± 2 % but for 1 time in 10⁴."""
    rng = np.random.default_rng(2)
    errors = rng.normal(0, 1.5, (2000, 100, 2))
    rmse = np.sqrt((errors**2).sum(axis=2).mean(axis=1))
    account = Account({"rmse_bound": 1.5 * np.sqrt(2), "tp": 100}, None, 6.0, 2)
    told = predict("rmse", account, 2.0)
    assert told is not None
    assert np.mean((rmse >= told.low) & (rmse <= told.high)) == pytest.approx(0.954, abs=0.02)
    false = predict("fp", account, 3.0)
    assert false is not None
    outside = stats.poisson.cdf(false.low - 1, 6) + stats.poisson.sf(false.high, 6)
    assert outside <= 2 * stats.norm.sf(3)


def test_recall_against_the_ideal_observer_scatters_as_a_share() -> None:
    told = predict("recall_at_equal_false", Account({"tp": 70, "fn": 30}, {"recall": 0.8}, None, 2), 1.0)
    assert told is not None
    assert (told.value, told.high - told.value) == pytest.approx((0.8, 0.04))
