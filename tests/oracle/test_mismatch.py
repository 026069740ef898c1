"""What a wrong template keeps of d′: closed forms, and the filter applied to the particle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.engine.explanation import explain
from simkit.engine.imaging import optics
from simkit.engine.mismatch import kept_by_templates
from simkit.engine.pipeline import run_scenario
from simkit.scenario.loading import load
from simkit.theory.mismatch import kept_detectability

COMPARISON = Path(__file__).parents[2] / "scenarios" / "comparison"
GRID = Grid((96, 90), 1.0)


def gaussian(sigma: float, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Return the spectrum of a Gaussian that has no mean: of the Laplacian of one."""
    k2 = GRID.frequency_radius() ** 2
    bump = k2 * np.exp(-2 * np.pi**2 * sigma**2 * k2)
    return bump * fourier.phase_ramp(GRID, shift)


@pytest.mark.parametrize("ratio", [1.0, 1.2, 2.0])
def test_a_gaussian_of_another_width_in_white_noise(ratio: float) -> None:
    # ∫ k⁴ e^(−2π²(a² + b²)k²) d²k ∝ (a² + b²)⁻³, so that ρ = (2ab / (a² + b²))³ with b = ratio · a.
    found = kept_detectability(gaussian(3.0), gaussian(3 * ratio), noise_spectrum=2.5, shape=GRID.shape)
    assert found == pytest.approx((2 * ratio / (1 + ratio**2)) ** 3, rel=1e-6)


def test_where_it_is_and_how_strong_does_not_matter_nor_does_the_mean() -> None:
    right, moved = gaussian(3.0), -4.0 * gaussian(3.0, (7, -11))
    moved[0, 0] = right[0, 0] = 1e3
    assert kept_detectability(right, -moved, noise_spectrum=1.0, shape=GRID.shape) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="constant"):
        kept_detectability(np.zeros_like(right), right, noise_spectrum=1.0, shape=GRID.shape)


def test_it_is_the_height_of_a_matched_filters_peak_over_that_of_the_right_one() -> None:
    noise = 0.2 + 1 / (1 + (GRID.frequency_radius() / 0.05) ** 2)
    particle, template = gaussian(2.0) + 0.3 * gaussian(4.0, (5, 3)), gaussian(2.6)
    heights = []
    for h in (particle, template):
        score = fourier.inverse(particle * np.conj(h) / noise, GRID.shape)
        sd = np.sqrt((fourier.power(h) / noise * fourier.hermitian_weights(GRID.shape)).sum() / GRID.size)
        heights.append(score.max() / sd)
    found = kept_detectability(template, particle, noise_spectrum=noise, shape=GRID.shape)
    assert found == pytest.approx(heights[1] / heights[0], rel=1e-9)
    assert found < 0.95


def test_scores_of_wrong_templates_are_as_low_as_predicted() -> None:
    """Nine rings: their mean height is known to 1/3, which is 2 % of d′; three of those."""
    scenario = load(COMPARISON / "top_views.yaml").scenario
    matched = {name: p for name, p in scenario.pickers.items() if name.startswith("matched")}
    result = run_scenario(scenario.model_copy(update={"pickers": matched, "expect": ()}), workers=1)
    kept = kept_by_templates(scenario)
    assert kept["larger"] < 0.7 < kept["coarse"] < 0.9 < kept["right"] < 1
    for name in matched:
        values = result.judgements[name].values["all"]
        measured = values["d_prime_observed"] / values["d_prime"]
        assert measured == pytest.approx(kept[name.removeprefix("matched_")], abs=0.06)


def test_explain_says_it_before_any_run() -> None:
    sections = {s.title: dict(s.rows) for s in explain(load(COMPARISON / "top_views.yaml").scenario)}
    assert sections["Templates"]["larger"] == "keeps 0.616 of d′"


def test_only_lenses_have_a_focus() -> None:
    scenario = load(COMPARISON / "top_views.yaml").scenario
    seen = optics(scenario)
    assert seen is not None
    assert seen.defocused is not None
    grid = Grid((40, 40), 8.0)
    further = scenario.psf["lens"].model_copy(update={"defocus": 25000.0})
    np.testing.assert_allclose(seen.defocused(5000.0).transfer(grid), 2 * further.transfer(grid))
    blur = load(COMPARISON.parent / "kinds" / "template_specimen.yaml").scenario
    assert (without := optics(blur)) is not None
    assert without.defocused is None
