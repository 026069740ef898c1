"""Losses that come together: how often chance looks like it, and what a comparison makes of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from simkit.suites.checks import against_baseline
from simkit.suites.clustering import RARE, Cluster, cluster_of
from simkit.suites.noninferiority import Vectors, not_worse, paired


def vectors(tp: object, picks: object, truths: object) -> Vectors:
    tp = np.asarray(tp, float)
    return Vectors(tp, *(np.broadcast_to(np.asarray(v, float), tp.shape) for v in (picks, truths, 0.0)))


@pytest.mark.parametrize("share", [(0.97, 0.02, 0.01), (0.4, 0.35, 0.25)])
def test_what_is_rare_is_so_by_all_ways_to_lose(share: tuple[float, ...]) -> None:
    """Five losses in three micrographs, every order of them; one micrograph alone can hold three of five."""
    ways = [(np.bincount(w, minlength=3), math.prod(share[i] for i in w)) for w in
            itertools.product(range(3), repeat=5)]  # fmt: skip
    for lost in {tuple(way.tolist()) for way, _ in ways if way.max() >= 3}:
        exact = sum(chance for way, chance in ways if way.max() >= max(lost))
        found = cluster_of(np.array(lost, float), np.array(share))
        assert (found is not None) == (exact <= RARE), lost
        assert found in (None, Cluster(max(lost), 5, 3))


def test_single_losses_are_seldom_taken_for_a_cluster() -> None:
    """In 1 % of 4000 trials at most, + 0.6 % but for 1 time in 10⁴; dense micrographs lose more."""
    rng = np.random.default_rng(6)
    truths = np.array([10, 60, 20, 40, 5, 30, 25, 10])
    taken = [cluster_of(lost, truths) is not None for lost in rng.binomial(truths, 0.04, (4000, 8))]
    assert 0 < np.mean(taken) <= RARE + 0.006


def test_nothing_lost_is_no_cluster() -> None:
    assert cluster_of(np.zeros(4), np.ones(4)) is None
    assert cluster_of(np.ones(4), np.zeros(4)) is None


OLD = vectors([50] * 8, 50, 50)
COUNTS = np.array([0, 6, 0, 0, 1, 0, 0, 0])
"""Six of seven in one of eight: 8 · (7 (1/8)⁶ (7/8) + (1/8)⁷) < 0.001."""

WORTH = {"recall": 1 / 400, "f1": 2 / 800, "precision": 1 / 400, "fp": 1.0}
"""Of one particle or false pick of `OLD`."""


def harmed(metric: str, counts: object) -> Vectors:
    counts = np.asarray(counts)
    if metric in ("precision", "fp"):
        return vectors(OLD.tp, OLD.picks + counts, 50)
    return vectors(OLD.tp - counts, OLD.picks - counts, 50)


@pytest.mark.parametrize("metric", list(WORTH))
def test_a_cluster_counts_as_one_loss(metric: str) -> None:
    """The floor under the limit is z √(m · 6 g), and a cluster is told even where it passes."""
    margin = 80 * WORTH[metric]
    gain = paired(metric, harmed(metric, COUNTS), OLD)
    assert gain is not None
    assert gain.cluster == Cluster(6, 7, 8)
    assert gain.unit == pytest.approx(6 * WORTH[metric])
    reach = gain.gain - gain.limits(0.05, margin)[0]
    assert reach == pytest.approx(stats.norm.isf(0.05) * math.sqrt(80 * 6) * WORTH[metric])
    told = against_baseline(metric, harmed(metric, COUNTS), OLD, margin=margin, alpha=0.002, same=True)
    assert (told.passed, told.warning) == (True, True)
    assert "6 of 7 losses are in one of 8 micrographs, too many for chance, and count as one" in told.text
    spread = against_baseline(
        metric, harmed(metric, [1] * 7 + [0]), OLD, margin=margin, alpha=0.002, same=True
    )
    assert (spread.passed, spread.warning) == (True, False)


def test_what_passes_as_single_losses_may_not_as_clusters() -> None:
    """Seven lost of 20 that may be; of single ones at most 20 − 1.64 √20 = 12.6 pass, and 2 as a cluster."""
    margin = 20 / 400
    spread, together = (paired("recall", harmed("recall", c), OLD) for c in ([1] * 7 + [0], COUNTS))
    assert spread is not None
    assert together is not None
    assert not_worse(spread, margin=margin, alpha=0.05)
    assert not not_worse(together, margin=margin, alpha=0.05)
    told = against_baseline("recall", harmed("recall", COUNTS), OLD, margin=margin, alpha=0.02, same=True)
    # exp(−20 / 6), and the margin that 6 · ln 50 particles are.
    assert "so few clusters do not show a loss of the margin with a chance of 0.036" in told.text
    assert "with a margin of 0.059, or 1.2 times the micrographs, they would" in told.text


def test_positions_have_no_clusters() -> None:
    gain = paired("rmse", harmed("recall", COUNTS), OLD)
    assert gain is None or gain.cluster is None


def test_a_loss_of_whole_micrographs_that_hits_none_passes_any_rule_that_lets_no_change_pass() -> None:
    """(1 − m)ⁿ of 2000 trials, within 4 standard errors (1 time in 10⁴): why no limit keeps alpha here."""
    rng = np.random.default_rng(1)
    gains = [paired("recall", harmed("recall", 50 * rng.binomial(1, 0.06, 8)), OLD) for _ in range(2000)]
    passed = np.mean([gain is not None and not_worse(gain, margin=0.06, alpha=0.002) for gain in gains])
    assert passed == pytest.approx(0.94**8, abs=4 * math.sqrt(0.61 * 0.39 / 2000))
