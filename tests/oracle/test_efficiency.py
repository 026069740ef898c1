"""Efficiency: 1 of a picker that is as good as physics allows, and what is known of one that is not."""

import numpy as np
import pytest

from simkit.core.tables import Picks, Truth
from simkit.matching.base import Match
from simkit.metric.base import Comparison
from simkit.metric.efficiency import Efficiency, unbiased_height

N = 2000
"""Pairs of an experiment. Tolerances below are five standard errors: a false alarm in a million."""


def experiment(
    *, d_prime=12.0, sigma=(0.8, 1.7), spread=1.0, bias=(0.0, 0.0), psi=2.0, ndim=2, seed=1, **told
):
    """Compare particles whose limits are known with picks that scatter `spread` times as much."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 1.5, N)  # every particle has limits of its own
    sigma_y, sigma_x, sigma_psi = 0.8 * scale, 1.7 * scale, 2.0 * scale
    x = 1000.0 * np.arange(N)
    dy, dx = (s * rng.normal(b, spread, N) for s, b in zip((sigma_y, sigma_x), bias, strict=True))
    turn = rng.normal(0, spread * sigma_psi)
    limits = {"d_prime": d_prime, "sigma_x": sigma_x, "sigma_psi": sigma_psi}
    flat = {"sigma_y": sigma_y} if ndim == 2 else {}
    truth = Truth(micrograph=["m"] * N, y=np.zeros(N), x=x, psi=np.zeros(N), **limits, **flat)
    dy = dy if ndim == 2 else np.zeros(N)
    picks = Picks(micrograph=["m"] * N, y=dy, x=x + dx, psi=turn, score=np.full(N, 7.0))
    pairs = Match(np.arange(N), np.arange(N), np.hypot(dy, dx))
    return Comparison(truth, picks, pairs, 20.0, {}, ndim)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("spread", [1.0, 1.3])
def test_errors_are_measured_by_their_own_limits(spread, ndim):
    found = Efficiency().score(experiment(spread=spread, ndim=ndim))
    # √(1/2n) for a standard deviation; σ_x² dominates the sum, and unequal σ widen it by less than 1.5.
    close = {"rel": 5 * 1.5 / np.sqrt(2 * N)}
    assert found["rmse_over_bound"] == pytest.approx(spread, **close)
    assert found["eta_localisation"] == pytest.approx(found["rmse_over_bound"] ** -2, rel=1e-12)
    assert found["normalised_sd"] == pytest.approx(spread, **close)
    assert found["normalised_bias_x"] == pytest.approx(0, abs=5 * spread / np.sqrt(N))
    if ndim == 2:
        assert found["psi_over_bound"] == pytest.approx(spread, **close)
        assert found["normalised_bias_y"] == pytest.approx(0, abs=5 * spread / np.sqrt(N))
    else:
        assert (found["psi_over_bound"], found["normalised_bias_y"]) == (None, None)


def test_the_bound_is_the_root_of_the_mean_of_both_variances():
    c = experiment()
    expected = np.sqrt(np.mean(c.truth["sigma_y"] ** 2 + c.truth["sigma_x"] ** 2))
    assert Efficiency().score(c)["rmse_bound"] == pytest.approx(expected, rel=1e-12)


def test_a_bias_is_in_the_error_and_not_in_the_normalised_spread():
    found = Efficiency().score(experiment(bias=(-0.5, 0.0)))
    assert found["normalised_bias_y"] == pytest.approx(-0.5, abs=5 / np.sqrt(N))
    assert found["normalised_sd"] == pytest.approx(1, rel=5 * 1.5 / np.sqrt(2 * N))
    assert found["rmse_over_bound"] > 1


def test_the_spread_of_few_is_not_too_narrow():
    # Two pairs, 1 and 3 of their limits off on both axes: the variance of two, by n − 1, is 2.
    truth = Truth(micrograph=["m"] * 2, y=[0, 0], x=[0, 90], sigma_y=[1, 1], sigma_x=[2, 2], d_prime=[9, 9])
    picks = Picks(micrograph=["m"] * 2, y=[1, 3], x=[2, 96])
    pairs = Match(np.arange(2), np.arange(2), np.hypot([1, 3], [2, 6]))
    found = Efficiency().score(Comparison(truth, picks, pairs, 20.0, {}))
    assert found["normalised_sd"] == pytest.approx(np.sqrt(2), rel=1e-12)
    assert (found["normalised_bias_y"], found["normalised_bias_x"]) == (2, 2)
    assert found["rmse_over_bound"] == pytest.approx(np.sqrt((1 + 9 + 4 + 36) / (2 * 5)), rel=1e-12)


def test_outliers_are_more_than_5_of_their_own_sigma_off():
    c = experiment(spread=0.0)
    off = np.zeros(N)
    off[:3] = c.truth["sigma_x"][:3] * [5.01, -5.01, 4.99]
    moved = c.picks.replace(x=c.picks["x"] + off)
    found = Efficiency().score(Comparison(c.truth, moved, c.match, 20.0, {}))
    assert found["outliers"] == 2 / N


def test_only_pairs_with_limits_are_looked_at():
    c = experiment()
    half = np.arange(N) % 2 == 0
    partly = c.truth.replace(**{f"sigma_{a}": np.where(half, c.truth[f"sigma_{a}"], np.nan) for a in "yx"})
    rows = np.flatnonzero(half)
    some = Comparison(partly, c.picks, c.match, 20.0, {})
    alone = Comparison(c.truth, c.picks, Match(rows, rows, c.match.distance[rows]), 20.0, {})
    names = ("rmse_bound", "rmse_over_bound", "normalised_sd", "outliers")
    found, expected = Efficiency().score(some), Efficiency().score(alone)
    assert {n: found[n] for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-12)


def test_a_pair_of_which_one_axis_has_no_limit_is_not_looked_at():
    c = experiment()
    half = np.arange(N) % 2 == 0
    partly = c.truth.replace(sigma_y=np.where(half, c.truth["sigma_y"], np.nan))
    rows = np.flatnonzero(half)
    found = Efficiency().score(Comparison(partly, c.picks, c.match, 20.0, {}))
    alone = Comparison(c.truth, c.picks, Match(rows, rows, c.match.distance[rows]), 20.0, {})
    names = ("rmse_bound", "rmse_over_bound", "normalised_bias_x", "normalised_sd")
    expected = Efficiency().score(alone)
    assert {n: found[n] for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-12)


def test_a_particle_taken_for_another_is_held_to_no_limit():
    """Every other pick has the wrong class, in another order of names, and lies 3 Å off."""
    c = experiment(d_prime=12.0)
    right = np.arange(N) % 2 == 0
    truth = c.truth.replace(**{"class": np.where(np.arange(N) < 5, "b", "a")})
    named = np.where(right, truth["class"], "c")
    picks = c.picks.replace(y=c.picks["y"] + np.where(right, 0, 3.0), score=np.where(right, 24.0, 90.0))
    picks = picks.replace(**{"class": named})
    rows = np.flatnonzero(right)
    alone = Comparison(
        truth, picks, Match(rows, rows, c.match.distance[rows]), 20.0, {}, candidates=None, score_sd=2.0
    )
    expected = Efficiency().score(alone)
    assert expected["d_prime_observed"] == pytest.approx(unbiased_height(12.0, 3), rel=1e-12)
    for candidates in (None, picks):
        whole = Comparison(truth, picks, c.match, 20.0, {}, candidates=candidates, score_sd=2.0)
        assert Efficiency().score(whole) == pytest.approx(expected, rel=1e-12)
    # A truth that tells no classes apart is met by any.
    blind = Comparison(c.truth, picks, c.match, 20.0, {}, score_sd=2.0)
    assert Efficiency().score(blind)["rmse_over_bound"] > 1.3 * expected["rmse_over_bound"]


def test_the_angle_is_held_to_the_root_of_its_mean_limit_where_it_was_searched():
    c = experiment()
    turned = c.picks.replace(psi=np.where(np.arange(N) % 2, 3.0, -1.0))
    found = Efficiency().score(Comparison(c.truth, turned, c.match, 20.0, {}))
    assert found["psi_over_bound"] == pytest.approx(np.sqrt(5.0 / (c.truth["sigma_psi"] ** 2).mean()))
    one_angle = c.picks.replace(psi=np.full(N, 3.0))
    assert Efficiency().score(Comparison(c.truth, one_angle, c.match, 20.0, {}))["psi_over_bound"] is None


@pytest.mark.parametrize(("d_prime", "reachable"), [(5.99, 0), (6.0, 1)])
def test_below_6_the_limit_is_out_of_reach(d_prime, reachable):
    assert Efficiency().score(experiment(d_prime=d_prime))["reachable"] == reachable


def test_what_is_unknown_does_not_exist():
    c = experiment()
    bare = Truth(**{name: c.truth[name] for name in ("micrograph", "y", "x", "psi")})
    assert set(Efficiency().score(Comparison(bare, c.picks, c.match, 20.0, {})).values()) == {None}
    found = Efficiency().score(c)
    assert (found["d_prime"], found["d_prime_observed"], found["eta_detection"]) == (12.0, None, None)


def test_a_height_is_freed_of_what_the_highest_place_gains():
    for d_prime, k in ((6.0, 2.0), (12.0, 3.0)):
        assert unbiased_height(d_prime + k / (2 * d_prime), k) == pytest.approx(d_prime, rel=1e-12)
    assert unbiased_height(2.0, 2.0) == pytest.approx(1.0)
    assert unbiased_height(1.99, 2.0) is None
    assert unbiased_height(-3.0, 2.0) is None


@pytest.mark.parametrize("d_prime", [8.0, 12.0])
def test_the_highest_place_near_a_particle_gains_k_over_2_d_prime(d_prime):
    # Whitened noise filtered by a Gaussian of σ = 3 px, plus d′ times the filter's own peak, on a grid of
    # ½ px around the particle; of the parabola on top the grid loses d′/36 · (½)²/12 ≈ 0.007 at most.
    rng = np.random.default_rng(12)
    n, reach, sigma = 32, 3.0, 3.0
    axis = np.arange(n) - n // 2
    fine = np.arange(-reach, reach + 0.1, 0.5)
    profile = np.exp(-((axis[None] - fine[:, None]) ** 2) / (2 * sigma**2))
    profile /= np.sqrt((np.exp(-(axis**2) / sigma**2)).sum())
    noise = np.einsum("ia,jb,rab->rij", profile, profile, rng.normal(size=(3000, n, n)), optimize=True)
    bump = np.exp(-(fine**2) / (4 * sigma**2))
    heights = (noise + d_prime * np.outer(bump, bump)).max(axis=(1, 2))
    # Heights have unit variance; terms of the next order are (k/2d′)² · 1/d′, less than 0.004 here.
    assert heights.mean() == pytest.approx(d_prime + 1 / d_prime, abs=5 / np.sqrt(3000) + 0.011)
    assert heights.mean() > d_prime + 1 / (4 * d_prime)
    assert unbiased_height(heights.mean(), 2) == pytest.approx(d_prime, abs=5 / np.sqrt(3000) + 0.011)


def heights(*, turned, known_psi, d_prime=10.0, efficiency=0.81, sd=1.7):
    """Compare with candidates as high as a picker of some efficiency finds them."""
    c = experiment(d_prime=d_prime)
    k = 3 if turned and known_psi else 2
    seen = np.sqrt(efficiency) * d_prime
    score = sd * (seen + k / (2 * seen)) * np.ones(N)
    psi = np.linspace(0, 350, N) if turned else np.zeros(N)
    candidates = Picks(micrograph=["m"] * N, y=np.zeros(N), x=c.truth["x"], score=score, psi=psi)
    truth = c.truth if known_psi else c.truth.replace(sigma_psi=np.nan)
    return Comparison(truth, c.picks, c.match, 20.0, {}, candidates=candidates, score_sd=sd)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("known_psi", [False, True])
def test_the_angle_is_one_more_parameter_where_it_matters_and_is_searched(turned, known_psi):
    found = Efficiency().score(heights(turned=turned, known_psi=known_psi))
    assert found["d_prime"] == 10.0
    assert found["d_prime_observed"] == pytest.approx(9.0, rel=1e-12)
    assert found["eta_detection"] == pytest.approx(0.81, rel=1e-12)


def test_heights_are_those_of_candidates_so_that_no_threshold_chooses_the_high_ones():
    c = heights(turned=False, known_psi=False)
    low = c.candidates.replace(score=np.where(np.arange(N) % 2, 14.0, 20.0) * 1.7)
    above = np.flatnonzero(low["score"] > 30)
    pairs = Match(above, np.arange(len(above)), np.zeros(len(above)))
    found = Efficiency().score(
        Comparison(c.truth, low.take(above), pairs, 20.0, {}, candidates=low, score_sd=1.7)
    )
    assert found["d_prime_observed"] == pytest.approx(unbiased_height(17.0, 2), rel=1e-12)
    alone = Efficiency().score(Comparison(c.truth, low.take(above), pairs, 20.0, {}, score_sd=1.7))
    assert alone["d_prime_observed"] == pytest.approx(unbiased_height(20.0, 2), rel=1e-12)
