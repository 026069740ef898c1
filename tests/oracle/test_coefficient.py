"""The law of a correlation coefficient: against Student's t, drawn noise and whole covariances."""

import numpy as np
import pytest
from scipy import stats

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation.normalised import masked_standard, ncc_map, template_mask
from simkit.picker import _modes as modes
from simkit.picker._laws import score_sd
from simkit.picker._modes import MaskModes
from simkit.theory.coefficient import CoefficientLaw

PIXEL = 2.0


def sloping(grid):
    return 1 / np.maximum(grid.frequency_radius(), 0.01) ** 1.5


def template(n=25):
    y, x = Grid((n, n), 1.0).offsets()
    view = np.exp(-(y**2) / 18 - (x - 2) ** 2 / 50) - 0.6 * np.exp(-((y - 3) ** 2) / 30 - (x + 3) ** 2 / 9)
    mask = template_mask(view.shape, "circle")
    return masked_standard(view[None], mask)[0], mask


@pytest.mark.parametrize("n", [12, 400])
@pytest.mark.parametrize("r", [0.05, 0.3, 0.9])
def test_in_white_noise_it_is_students(n, r):
    """r √(n−1) / √(1−r²) of n independent values, no mean taken out.

    The sum over few angles is good to 1e-5 of the tail, the interpolation to 1 % of a level.
    """
    law = CoefficientLaw(np.ones(n), np.ones(n), np.eye(n)[0])
    tail = stats.t.logsf(r * np.sqrt(n - 1) / np.sqrt(1 - r**2), n - 1)
    assert law.log_tail(r) == pytest.approx(tail, abs=1e-5)
    assert law.sd == pytest.approx(1 / np.sqrt(n))
    exact = -stats.norm.ppf(np.exp(tail)) if tail > -600 else np.sqrt(-2 * tail)
    assert law.level(r) == pytest.approx(exact, rel=1e-2)
    assert law.level(-r) == -law.level(r)


def test_in_coloured_noise_it_is_what_is_drawn():
    """About 1200 and 160 of 400 000 exceed: within four standard errors (6e-5)."""
    rng, variance = np.random.default_rng(31), 1 / np.arange(1, 31) ** 1.2
    axis = np.sqrt(np.arange(1.0, 31) ** -0.5)
    axis /= np.linalg.norm(axis)
    drawn = rng.standard_normal((400_000, 30)) * np.sqrt(variance)
    r = drawn @ axis / np.linalg.norm(drawn, axis=1)
    law = CoefficientLaw(variance, np.ones(30), axis**2)
    for at in np.quantile(r, [0.997, 0.9996]):
        # The quantile is drawn too; a fixed one nearby is compared.
        fixed = round(float(at), 2)
        expected = len(r) * np.exp(law.log_tail(fixed))
        assert abs((r > fixed).sum() - expected) < 4 * np.sqrt(expected)


@pytest.mark.parametrize("most", [120, 300])
def test_few_samples_have_the_law_of_all_pixels(monkeypatch, most):
    """Levels of the whole covariance of 489 pixels, within 3 %: 0.1 standard deviations at a level of 3.5."""
    view, mask = template()
    whole = MaskModes(mask, sloping, PIXEL).law(view)
    monkeypatch.setattr(modes, "MOST", most)
    assert MaskModes(mask, sloping, PIXEL)._sampled.sum() < 0.9 * mask.sum()
    few = MaskModes(mask, sloping, PIXEL).law(view)
    assert few.count.sum() == pytest.approx(mask.sum())
    assert few.sd == pytest.approx(whole.sd, rel=0.03)
    for level in (2.0, 3.5):
        r = whole._coefficient(level)
        assert few.level(r) == pytest.approx(level, rel=0.03)
        assert few.steepness(level) == pytest.approx(whole.steepness(level), rel=0.03)


def test_coefficients_of_an_image_have_that_law():
    """The share of places above 2.5 of a Gaussian; a correlation area of 50 pixels leaves 2100 in 6 images.

    At a chance of 0.6 % that is known to 28 %: two and a half standard errors, where a Gaussian of the same
    deviation would be 50 % off at the level compared.
    """
    view, mask = template()
    law, rng, grid = MaskModes(mask, sloping, PIXEL).law(view), stream(3, "law"), Grid((256, 256), PIXEL)
    scores = []
    for _ in range(6):
        noise = fourier.forward(rng.standard_normal(grid.shape)) * np.sqrt(sloping(grid))
        scores.append(ncc_map(fourier.inverse(noise, grid.shape), view, "circle")[16:-16, 16:-16])
    assert np.std(scores) == pytest.approx(law.sd, rel=0.03)
    above = np.mean(np.array(scores) > law._coefficient(2.5))
    assert above == pytest.approx(stats.norm.sf(2.5), rel=0.28)


def test_the_deviation_of_a_linear_score_is_that_of_drawn_noise():
    """Within 2 %: four standard errors of 8 images' deviation."""
    view, _ = template()
    rng, grid = stream(4, "linear"), Grid((256, 256), PIXEL)
    noise = fourier.forward_stack(rng.standard_normal((8, *grid.shape)), grid.shape) * np.sqrt(sloping(grid))
    box = np.zeros(grid.shape)
    box[: view.shape[0], : view.shape[1]] = view
    scores = fourier.inverse(noise * np.conj(fourier.forward(box)), grid.shape)
    assert score_sd(view[None], PIXEL, sloping) == pytest.approx(scores.std(), rel=0.02)
