"""Thresholds against sorting and the inverse normal distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import norm

from simkit.theory.random_field import LOWEST_LEVEL
from simkit.threshold.base import SearchStatistics
from simkit.threshold.expected_false_picks import ExpectedFalsePicks
from simkit.threshold.fixed import Fixed
from simkit.threshold.top import Top


def statistics(peaks, *, noise_sd=1.0, places=1e5):
    return SearchStatistics(np.asarray(peaks, float), noise_sd, lambda u: places * norm.sf(u))


def test_fixed_is_its_value():
    assert Fixed(value=0.3).level(statistics([0.1, 0.9])) == 0.3


@given(peaks=st.lists(st.integers(0, 6), max_size=30), count=st.integers(1, 35))
def test_top_keeps_the_best(peaks, count):
    """Few distinct scores, so that ties are common; all peaks that tie with the last are kept."""
    level = Top(count=count).level(statistics(peaks))
    kept = sorted(p for p in peaks if p >= level)
    best = sorted(peaks, reverse=True)[:count]
    assert kept == sorted(p for p in peaks if not best or p >= min(best))
    assert min(count, len(peaks)) <= len(kept)


def test_top_of_fewer_keeps_all():
    assert Top(count=4).level(statistics([1.0, 2.0, 3.0])) == -np.inf


@pytest.mark.parametrize("per_image", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("noise_sd", [1.0, 0.02])
def test_expected_false_picks_inverts_the_expectation(per_image, noise_sd):
    level = ExpectedFalsePicks(per_image=per_image).level(statistics([], noise_sd=noise_sd))
    # The root is found to 1e-11.
    assert level == pytest.approx(noise_sd * norm.isf(per_image / 1e5), rel=1e-9)


def test_expected_false_picks_never_cuts_below_the_theory():
    level = ExpectedFalsePicks(per_image=1e4).level(statistics([], noise_sd=2.0))
    assert level == 2 * LOWEST_LEVEL


def test_expected_false_picks_counted_in_noise():
    """Independent places stand for a search: picks per image within five standard errors."""
    rng = np.random.default_rng(16)
    level = ExpectedFalsePicks(per_image=2.0).level(statistics([], noise_sd=3.0, places=1000))
    counted = (3.0 * rng.standard_normal((1000, 1000)) >= level).sum()
    assert abs(counted - 2000) < 5 * np.sqrt(2000)


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        (Top, {"count": 0}),
        (Top, {"count": 2.5}),
        (ExpectedFalsePicks, {"per_image": 0.0}),
        (Fixed, {"value": float("nan")}),
        (Fixed, {"value": "high"}),
    ],
)
def test_impossible_cuts_are_refused(spec, wrong):
    with pytest.raises(ValidationError):
        spec(**wrong)
