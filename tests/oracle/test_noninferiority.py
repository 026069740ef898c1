"""Non-inferiority on the same micrographs: closed forms, and how often it errs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simkit.suites.calibration import POWER, smallest_loss
from simkit.suites.noninferiority import MEASURES, Vectors, not_worse, paired, proven_worse, unpaired
from simkit.suites.theory import Account, predict


def vectors(tp: object, picks: object, truths: object, squares: object = 0.0) -> Vectors:
    tp = np.asarray(tp, float)
    return Vectors(*(np.broadcast_to(np.asarray(v, float), tp.shape) for v in (tp, picks, truths, squares)))


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


def test_a_loss_of_the_margin_passes_as_rarely_as_stated() -> None:
    """One that loses each particle with chance 0.05, with a margin of 0.05, passes in 5 % of 4000 trials.

    The share found is then within 0.05 ± 0.013 but for 1 time in 10⁴; that losses are counts, and skew, moves
    it by less than 0.01.
    """
    rng = np.random.default_rng(12)
    trials = 4000
    passed = accused = 0
    for _ in range(trials):
        lost = rng.binomial(40, 0.05, 24)
        gain = paired("recall", vectors(40 - lost, 40, 40), vectors([40] * 24, 40, 40))
        assert gain is not None
        passed += not_worse(gain, margin=0.05, alpha=0.05)
        accused += proven_worse(gain, margin=0.05, alpha=0.05)
    assert passed / trials == pytest.approx(0.05, abs=0.023)
    assert accused / trials == pytest.approx(0.05, abs=0.023)


def test_the_smallest_loss_is_seen_as_often_as_stated() -> None:
    """Drawn losses of that size fail in 80 % of 2000 trials.

    ± 3.5 % but for 1 time in 10⁴; that 60 micrographs have Student's deviate, 2 % above the normal one, and
    lost particles are counts, moves it by less than 3 %.
    """
    loss = smallest_loss(recall=0.9, particles=60 * 20, margin=0.05, alpha=0.01)
    assert loss is not None
    rng = np.random.default_rng(8)
    old = vectors([18] * 60, 20, 20)
    gains = [
        paired("recall", vectors(18 - rng.binomial(18, loss / 0.9, 60), 20, 20), old) for _ in range(2000)
    ]
    seen = np.mean([gain is not None and not not_worse(gain, margin=0.05, alpha=0.01) for gain in gains])
    assert seen == pytest.approx(POWER, abs=0.065)
    assert smallest_loss(recall=0.1, particles=10_000, margin=0.5, alpha=0.01) is None


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
