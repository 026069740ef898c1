"""The scenarios that hold theory to simulation do what they expect, and theory says what they can."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

import simkit
from simkit.core.tables import Picks, Truth
from simkit.engine.results import RunResult
from simkit.theory.lattice_limit import lattice_limit

ROOT = Path(__file__).parents[2] / "scenarios" / "theory"
ONCE_IN = 1000
"""False alarms: one in so many of each test, at a seed that is not chosen."""


@functools.cache
def run(name: str) -> RunResult:
    return simkit.run(simkit.load(ROOT / name), workers=1)


@pytest.mark.parametrize("name", sorted(file.name for file in ROOT.glob("*.yaml")))
def test_it_does_what_it_expects(name: str) -> None:
    assert [outcome for outcome in run(name).scores["expectations"] if not outcome["passed"]] == []


def far_from_the_border(result: RunResult) -> Truth:
    score = result.scenario.score
    assert score is not None
    return result.truth.take(result.truth["border"] >= score.ignore.border)


def nearest(truth: Truth, picks: Picks) -> Picks:
    """Return the pick nearest to every truth, on its micrograph."""
    rows = []
    for row in truth.rows():
        gap = np.hypot(picks["y"] - row["y"], picks["x"] - row["x"])
        gap[picks["micrograph"] != row["micrograph"]] = np.inf
        rows.append(int(gap.argmin()))
    return picks.take(rows)


@pytest.mark.parametrize(
    ("name", "picker", "excess"),
    [
        ("limits_white.yaml", "told", 1.03),
        ("limits_white.yaml", "estimated", 1.03),
        ("limits_at_eight.yaml", "told", 1.05),
    ],
)
def test_errors_over_their_limits_are_chi_squared(name: str, picker: str, excess: float) -> None:
    """Σ e²/σ² has one degree of freedom for each coordinate; noise that bends the peak adds the excess."""
    result = run(name)
    truth = far_from_the_border(result)
    assert len(truth) >= 400
    found = nearest(truth, result.pickers[picker].picks)
    squares = sum((((found[a] - truth[a]) / truth[f"sigma_{a}"]) ** 2).sum() for a in ("y", "x"))
    low, high = chi2.ppf([0.5 / ONCE_IN, 1 - 0.5 / ONCE_IN], 2 * len(truth))
    assert low < squares < high * excess**2


def test_a_crystals_vectors_are_as_good_as_their_limit() -> None:
    result = run("crystal.yaml")
    truth = far_from_the_border(result)
    found = nearest(truth, result.pickers["told"].picks)
    squares = []
    for name in result.micrograph_names:
        mine = truth["micrograph"] == name
        sites = truth.take(mine)
        indices = np.stack([sites["h"], sites["k"]], axis=1)
        sigma = np.stack([sites["sigma_y"], sites["sigma_x"]], axis=1)
        limit = lattice_limit(indices, np.stack([np.diag(1 / s**2) for s in sigma]))
        design = np.hstack([np.ones((len(sites), 1)), indices])
        errors = np.stack([(found[a][mine] - sites[a]) for a in ("y", "x")], axis=1)
        fitted = np.linalg.lstsq(design, errors, rcond=None)[0]
        squares += [
            vector @ np.linalg.solve(covariance, vector)
            for vector, covariance in zip(fitted[1:], limit.vectors, strict=True)
        ]
    # Vectors a and b of a crystal share its sites; their errors are nearly independent.
    low, high = chi2.ppf([0.5 / ONCE_IN, 1 - 0.5 / ONCE_IN], 2 * len(squares))
    assert low < np.sum(squares) < high


def test_the_height_of_peaks_is_d_prime() -> None:
    """The mean of n heights is known to 1/√n; a top gains 1/d′ on average, one on a pixel a little less."""
    result = run("detectability.yaml")
    truth = far_from_the_border(result)
    heights = nearest(truth, result.pickers["told"].picks)["score"]
    expected = truth["d_prime"].mean() + 1 / truth["d_prime"].mean()
    assert abs(heights.mean() - expected) < 3.3 / np.sqrt(len(heights)) + 0.05
    assert heights.std(ddof=1) == pytest.approx(1.0, abs=3.3 / np.sqrt(2 * len(heights)))
