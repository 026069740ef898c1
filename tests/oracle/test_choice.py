"""The choice between templates: against the truth of simulated views, and against what noise gives each."""

import math

import numpy as np

from simkit.core.grid import Grid
from simkit.core.random import stream
from simkit.correlation.bank import TemplateBank, standardised
from simkit.picker import _choice
from simkit.picker.base import Sight
from simkit.picker.matched_filter import MatchedFilter
from simkit.threshold.expected_false_picks import ExpectedFalsePicks

PIXEL, BOX, SIDE = 4.0, 25, 288
GRID = Grid((SIDE, SIDE), PIXEL)
Y, X = Grid((BOX, BOX), 1.0).offsets()
ANGLES = np.arange(36) * 5.0


def soft(distance):
    return 1 / (1 + np.exp(np.clip(2 * distance, -50, 50)))


def ring():
    return soft(abs(np.hypot(Y, X) - 6) - 2)


def barrel(psi):
    along, across = math.cos(psi) * X + math.sin(psi) * Y, math.cos(psi) * Y - math.sin(psi) * X
    return soft(np.maximum(abs(along) - 8, abs(across) - 6)) * (1 + 0.8 * (abs(across) > 3))


def banks():
    sides = standardised(np.stack([barrel(math.radians(a)) for a in ANGLES]))
    return [
        TemplateBank("top", "top", standardised(ring()[None]), np.zeros(1), PIXEL, 8 * PIXEL, "C1"),
        TemplateBank("side", "side", sides, ANGLES, PIXEL, 10 * PIXEL, "C2"),
    ]


def micrograph(rng, d_prime):
    """Tops and sides by turns on a grid of places, in white noise of unit variance."""
    image, classes = rng.standard_normal(GRID.shape), {}
    for number, place in enumerate((36 + 54 * i, 36 + 54 * j) for i in range(5) for j in range(5)):
        if d_prime:
            psi = rng.uniform(0, math.pi)
            view = standardised((barrel(psi) if number % 2 else ring())[None])[0]
            corner = [p - BOX // 2 for p in place]
            image[tuple(slice(c, c + BOX) for c in corner)] += d_prime * view
        classes[place] = "side" if number % 2 else "top"
    return image, classes


def picks(image, per_image):
    power = np.ones((SIDE, SIDE // 2 + 1))
    picker = MatchedFilter(
        noise="declared", threshold=ExpectedFalsePicks(per_image=per_image), min_distance=60.0
    )
    return picker.pick(Sight(image, GRID, banks(), None, power, None, stream(0))).picks


def outcomes(images):
    """Return for every particle found whether its template is right, and the certainty of that."""
    right, chances = [], []
    for image, classes in images:
        for row in picks(image, 0.5).rows():
            gaps = {
                math.hypot(PIXEL * y - row["y"], PIXEL * x - row["x"]): c for (y, x), c in classes.items()
            }
            if min(gaps) < 20 and row["runner_up"]:
                assert {row["template"], row["runner_up"]} == {"top", "side"}
                right.append(row["template"] == gaps[min(gaps)])
                chances.append(row["certainty"])
    return np.array(right), np.array(chances)


def test_what_a_pick_is_is_known_as_surely_as_it_says(monkeypatch):
    """Of some 70 picks at d′ = 6 as many are what they are said to be as the certainties add up to.

    Within four standard deviations of that sum of chances (6e-5), and 3 % for a template that resembles the
    other one everywhere. The highest score alone, which the many angles of a side win by number, errs more.
    """
    rng = stream(7, "choice")
    images = [micrograph(rng, 6.0) for _ in range(3)]
    right, chances = outcomes(images)
    assert len(chances) > 50
    assert ((chances >= 0.5) & (chances <= 1)).all()
    assert chances.mean() < 0.999
    spread = math.sqrt((chances * (1 - chances)).sum())
    assert abs(right.sum() - chances.sum()) < 4 * spread + 0.03 * len(chances)
    monkeypatch.setattr(_choice._Rarity, "__call__", lambda self, peak: -peak.score)
    highest, _ = outcomes(images)
    assert (~right).sum() < (~highest).sum()


def test_where_nothing_could_win_it_need_not_be_tried(monkeypatch):
    """Names, places and certainties are those of a search that works every rival out, to the last bit."""
    image, _ = micrograph(stream(10, "lazy"), 30.0)
    lazy = picks(image, 0.5)
    monkeypatch.setattr(_choice, "CERTAIN", math.inf)
    every = picks(image, 0.5)
    tried = []
    plain = _choice.peaks_near
    monkeypatch.setattr(_choice, "peaks_near", lambda *a, **k: tried.append(len(a[3])) or plain(*a, **k))
    monkeypatch.setattr(_choice, "CERTAIN", 40.0)
    assert picks(image, 0.5) == lazy
    assert sum(tried) < len(lazy) - 5
    there = every["runner_up"] != ""
    assert there.mean() > 0.8
    assert every.take(there) == lazy.take(there)


def test_noise_is_taken_for_the_template_that_it_imitates_more_often():
    """Many sides are searched and one top: most false picks are sides, though some are likelier tops."""
    rng = stream(8, "noise")
    found = [picks(micrograph(rng, 0.0)[0], 20.0) for _ in range(2)]
    templates = np.concatenate([f["template"] for f in found])
    assert abs(len(templates) - 40) < 4 * math.sqrt(40) + 4
    assert (templates == "side").mean() > 0.6


def test_one_template_has_no_runner_up():
    image, _ = micrograph(stream(9, "alone"), 8.0)
    picker = MatchedFilter(noise="declared", threshold=ExpectedFalsePicks(per_image=0.5))
    power = np.ones((SIDE, SIDE // 2 + 1))
    alone = picker.pick(Sight(image, GRID, banks()[1:], None, power, None, stream(0))).picks
    assert len(alone)
    assert set(alone["runner_up"]) == {""}
    assert np.isnan(alone["certainty"]).all()
