"""The trials of the conformance kit: a picker that is told the truth passes all, and every fault is caught.

A fault is put into perfect picks, so that what fails is known from the fault alone.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import binom

from simkit.conformance import measures
from simkit.conformance.bench import Bench, PickerSubject, Seen, allowance
from simkit.conformance.card import TRIALS, Card, examine
from simkit.conformance.difficulties import pairs
from simkit.conformance.laws import INSIDE, carried, rolled, shifted, turned
from simkit.conformance.scene import (
    ACROSS,
    BODIES,
    DOSE,
    PARTICLE,
    PIXEL_SIZE,
    Exposure,
    banks,
    empty,
    field,
    scenario,
    sites,
)
from simkit.conformance.tasks import SEPARATIONS
from simkit.core.tables import Picks
from simkit.engine.ceiling import ceiling_of
from simkit.picker.base import Found, Picker

SCORE = 20.0
LAWS = {trial.name for trial in TRIALS if trial.sort == "law"}
TASKS = {trial.name for trial in TRIALS if trial.sort == "task"}


def perfect(exposure: Exposure) -> Picks:
    truth = exposure.truth
    columns = {name: truth[name] for name in ("y", "x", "psi", "class")}
    return Picks(score=np.full(len(truth), SCORE), **columns)


@dataclass(frozen=True)
class Told:
    """Is told the truth, and returns it with a fault."""

    fault: Callable[[Picks, Exposure], Picks] = lambda picks, exposure: picks
    expects: float | None = 0.0
    name: str = "told"
    cut: str = "nowhere"
    asked: bool = True

    def look(self, exposures: Sequence[Exposure]) -> list[Found]:
        return [
            Found(
                self.fault(perfect(exposure), exposure),
                np.zeros(0),
                exposure.grid,
                0.0,
                expected_false=self.expects,
            )
            for exposure in exposures
        ]


def failed(card: Card) -> set[str]:
    return {verdict.trial.name for verdict in card.verdicts if verdict.outcome.holds is False}


def half_a_pixel(picks: Picks, exposure: Exposure) -> Picks:
    return picks.replace(y=picks["y"] + PIXEL_SIZE / 2, x=picks["x"] + PIXEL_SIZE / 2)


def transposed(picks: Picks, exposure: Exposure) -> Picks:
    return picks.replace(y=picks["x"], x=picks["y"])


def turned_the_other_way(picks: Picks, exposure: Exposure) -> Picks:
    return picks.replace(psi=-picks["psi"] % 360)


def bright_for_dark(picks: Picks, exposure: Exposure) -> Picks:
    lures = (
        exposure.lures if exposure.name in ("bright", f"{field().name}-inverted") else exposure.lures.take([])
    )
    return Picks(y=lures["y"], x=lures["x"], score=np.full(len(lures), SCORE))


def anywhere(picks: Picks, exposure: Exposure) -> Picks:
    seed = list(exposure.name.encode())
    y, x = np.random.default_rng(seed).uniform(0, np.array(exposure.pixels.shape)[:, None] - 1, (2, 25))
    return Picks(y=y * PIXEL_SIZE, x=x * PIXEL_SIZE, score=np.arange(25.0))


def everywhere(picks: Picks, exposure: Exposure) -> Picks:
    rows, columns = (np.arange(0, n, 5) * PIXEL_SIZE for n in exposure.pixels.shape)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return Picks(y=y.ravel(), x=x.ravel(), score=np.zeros(y.size))


COUNTER = itertools.count()


def never_twice_alike(picks: Picks, exposure: Exposure) -> Picks:
    return picks.replace(y=picks["y"] + 1e-6 * next(COUNTER))


def rounded(picks: Picks, exposure: Exposure) -> Picks:
    return picks.replace(**{axis: np.rint(picks[axis] / PIXEL_SIZE) * PIXEL_SIZE for axis in ("y", "x")})


def on_every_fourth_pixel(picks: Picks, exposure: Exposure) -> Picks:
    step = 4 * PIXEL_SIZE
    return picks.replace(**{axis: np.rint(picks[axis] / step) * step for axis in ("y", "x")})


def beyond_the_border(picks: Picks, exposure: Exposure) -> Picks:
    y = picks["y"]
    return picks.replace(y=np.where(y < 10, -10.0, y))


def one_class(picks: Picks, exposure: Exposure) -> Picks:
    return picks.replace(**{"class": PARTICLE})


def pairs_as_one(picks: Picks, exposure: Exposure) -> Picks:
    return picks.take(np.arange(len(picks)) < len(picks) / 2) if exposure.name == "pairs120" else picks


def no_offset_borne(picks: Picks, exposure: Exposure) -> Picks:
    return picks.take(np.full(len(picks), np.nanmean(exposure.pixels) < 4000))


def half_of_a_crystal(picks: Picks, exposure: Exposure) -> Picks:
    return picks.take(np.arange(len(picks)) % 2 == 0) if exposure.name == "crystal" else picks


def with_holes(name: str) -> Callable[[Picks, Exposure], Picks]:
    return lambda picks, exposure: picks.take([]) if exposure.name.endswith(name) else picks


def disturbed_near_the_border(picks: Picks, exposure: Exposure) -> Picks:
    at = np.stack([picks["y"], picks["x"]])
    last = (np.array(exposure.pixels.shape)[:, None] - 1) * PIXEL_SIZE
    near = np.minimum(at, last - at).min(axis=0, initial=np.inf) < INSIDE
    changed = exposure.name.startswith(f"{field().name}-")
    return picks.replace(y=picks["y"] + np.where(near & changed, PIXEL_SIZE, 0.0))


def also_what_a_hole_cuts(picks: Picks, exposure: Exposure) -> Picks:
    if not exposure.name.endswith(("-missing", "-dead")):
        return picks
    lures = exposure.lures
    cut = Picks(y=lures["y"], x=lures["x"], score=np.full(len(lures), SCORE))
    return Picks.concat([picks, cut])


FINDING = TASKS - {"empty micrographs", "promise", "inverted contrast"}
"""Tasks that need particles to be found."""
FAULTS: dict[str, tuple[Callable[[Picks, Exposure], Picks], set[str]]] = {
    "half a pixel": (half_a_pixel, {"coordinates", "quarter turns"}),
    "transposed": (transposed, LAWS - {"gain and offset", "determinism"} | FINDING | {"low dose"}),
    "angles turn the other way": (turned_the_other_way, {"coordinates", "quarter turns", "every rotation"}),
    "bright for dark": (
        bright_for_dark,
        LAWS - {"determinism"} | FINDING | {"inverted contrast", "low dose", "localisation"},
    ),
    "anywhere": (anywhere, LAWS - {"determinism"} | TASKS - {"two species"} | {"low dose"}),
    "everywhere": (
        everywhere,
        LAWS - {"gain and offset", "determinism"} | TASKS - {"two species"} | {"low dose"},
    ),
    "never twice alike": (never_twice_alike, {"determinism"}),
    "whole pixels": (rounded, set()),
    "every fourth pixel": (on_every_fourth_pixel, {"whole-pixel shift", "sub-pixel shift", "quarter turns"}),
    "beyond the border": (beyond_the_border, {"borders"}),
    "classes not told apart": (one_class, {"two species"}),
    "pairs taken for one": (pairs_as_one, {"crowding"}),
    "an absolute threshold": (no_offset_borne, {"gain and offset"}),
    "half of a crystal": (half_of_a_crystal, {"crystal"}),
    "disturbed near the border": (disturbed_near_the_border, set()),
    "also what a hole cuts": (also_what_a_hole_cuts, set()),
    "nothing beside missing pixels": (with_holes("-missing"), {"missing pixels"}),
    "nothing beside dead pixels": (with_holes("-dead"), {"dead pixels"}),
}


def test_whoever_is_told_the_truth_passes_every_trial():
    card = examine(Told(), quick=True)
    assert failed(card) == set()
    assert card.lawful
    assert card.count("law") == (len(LAWS), len(LAWS))
    assert card.count("task") == (len(TASKS), len(TASKS))
    assert card["localisation"].outcome.value == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_exactly_the_trials_that_are_about_it(name):
    fault, caught_by = FAULTS[name]
    assert failed(examine(Told(fault), quick=True)) == caught_by


def test_a_half_pixel_and_a_transposition_are_called_by_their_names():
    for fault, word in ((half_a_pixel, "half"), (transposed, "exchanged")):
        (verdict,) = [v for v in examine(Told(fault), quick=True).verdicts if v.trial.name == "coordinates"]
        assert word in verdict.outcome.words


def test_more_false_picks_than_promised_and_fewer_are_noticed():
    noisy = lambda picks, exposure: Picks(y=np.arange(6.0), x=np.arange(6.0)) if not len(picks) else picks  # noqa: E731
    for expects, caught in ((1.0, True), (6.0, False), (30.0, True)):
        card = examine(Told(noisy, expects=expects), quick=True)
        assert ("promise" in failed(card)) == caught
    assert examine(Told(noisy, expects=None), quick=True)["promise"].word == "does not apply"


def test_picks_that_depend_on_what_else_is_shown_are_noticed():
    class Sociable(Told):
        def look(self, exposures):
            found = super().look(exposures)
            return [replace(one, picks=one.picks.replace(score=float(len(exposures)))) for one in found]

    assert failed(examine(Sociable(), quick=True)) == {"determinism"}


class Fragile(Picker):
    """Finds nothing, and does not bear what is not a number."""

    def pick(self, sight):
        if np.isnan(sight.pixels).any():
            raise ValueError("NaN in the image")
        return Found(Picks(), np.zeros(0), sight.grid, 0.0)


def test_a_picker_that_breaks_down_fails_that_trial_and_goes_on_with_the_next():
    card = examine(PickerSubject("fragile", Fragile()), quick=True)
    assert [verdict.trial.name for verdict in card.verdicts if verdict.crashed] == ["missing pixels"]
    assert "NaN in the image" in card["missing pixels"].outcome.words
    assert card["empty micrographs"].word == "passed"
    assert not card.lawful


def test_a_picker_that_takes_too_long_fails_by_the_clock(monkeypatch):
    def slow(picks: Picks, exposure: Exposure) -> Picks:
        time.sleep(0.3 if exposure.name == "large" else 0)
        return picks

    monkeypatch.setattr(measures, "MOST_SECONDS", 0.2)
    card = examine(Told(slow), quick=True)
    assert failed(card) == {"time"}
    assert card["time"].outcome.value >= 0.3


# --- what the trials are made of --------------------------------------------------------------------


def test_what_is_changed_is_changed_as_it_says():
    at = np.array([[100.0, 240.0, 30.0]])
    original = field()
    rows, columns = (int(v / PIXEL_SIZE) for v in at[0, :2])
    for quarters in (1, 2, 3):
        change = turned(original, quarters)
        y, x, psi = change.places(at)[0]
        assert change.exposure.pixels[int(y / 4), int(x / 4)] == original.pixels[rows, columns]
        assert psi == 30 - 90 * quarters
    change = rolled(original, (7, -9))
    y, x, _ = change.places(at)[0]
    assert change.exposure.pixels[int(y / 4), int(x / 4)] == original.pixels[rows, columns]
    # A shift through the transform by whole pixels is a roll, but for the Nyquist terms: 1 in 256.
    through = shifted(original, "through", (7.0, -9.0)).exposure.pixels
    assert np.std(through - change.exposure.pixels) < 0.1 * np.std(original.pixels)


def test_how_far_picks_are_carried_is_measured_where_the_change_puts_them():
    original = field()
    change = turned(original, 1)
    off = np.array([3.0, -4.0])

    def seen(exposure: Exposure, by: np.ndarray) -> Seen:
        picks = perfect(exposure)
        found = Found(
            picks.replace(y=picks["y"] + by[0], x=picks["x"] + by[1]), np.zeros(0), exposure.grid, 0.0
        )
        return Seen(exposure, found)

    before = seen(original, off)
    # The offset turns with the image: +y becomes +x, +x becomes −y.
    pixels, degrees, lost = carried(before, seen(change.exposure, np.array([4.0, 3.0])), change.places)
    assert lost == 0
    assert pixels == pytest.approx(0, abs=1e-9)
    assert degrees == pytest.approx(0, abs=1e-9)
    pixels, _, _ = carried(before, seen(change.exposure, off), change.places)
    assert pixels == pytest.approx(np.hypot(1, 7) / PIXEL_SIZE)


def test_no_two_micrographs_share_a_name_and_every_particle_is_where_it_is_said():
    names: dict[str, Exposure] = {}

    class Onlooker(Told):
        def look(self, exposures):
            for exposure in exposures:
                assert names.setdefault(exposure.name, exposure) is exposure or np.array_equal(
                    names[exposure.name].pixels, exposure.pixels, equal_nan=True
                )
            return super().look(exposures)

    examine(Onlooker(), quick=True)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
    for exposure in names.values():
        assert exposure.grid.contains(exposure.truth["y"], exposure.truth["x"]).all()
    clear = names["field0"]
    assert clear.truth["d_prime"] == pytest.approx(22.1, abs=0.1)
    assert not clear.truth["edge"].any()


def test_the_particle_is_about_a_disk_as_pickers_of_blobs_are_told():
    parts = BODIES[PARTICLE]
    areas = np.array([part["radius"] ** 2 for part in parts])
    centre = areas @ np.array([part["centre"] for part in parts]) / areas.sum()
    assert np.hypot(*centre) < 1.0
    assert 2 * np.sqrt(areas.sum()) == pytest.approx(ACROSS, rel=0.1)
    assert 2 * banks((PARTICLE,))[0].support == pytest.approx(100, rel=0.03)


def test_empty_micrographs_hold_electrons_alone():
    pixels = empty(0).pixels
    assert pixels.mean() == pytest.approx(128, abs=4 * np.sqrt(128 / pixels.size))
    # Of Poisson counts the variance is the mean; its own deviation is √(2/n) of it.
    assert pixels.var() == pytest.approx(128, rel=4 * np.sqrt(2 / pixels.size))


def test_what_a_picker_needs_is_found_again_from_counts_made_with_it():
    d_prime = np.array(measures.LADDER)
    particles = np.full(len(d_prime), 75.0)
    rng = np.random.default_rng(3)
    estimates, errors = [], []
    for _ in range(100):
        found = rng.binomial(75, measures.ideal().recall(d_prime / 1.3)).astype(float)
        ratio, error = measures.needed(d_prime, found, particles)
        estimates.append(ratio)
        errors.append(error)
    # The mean of 100 is off by a tenth of the error of one; four of those are once in 16 000.
    assert np.mean(estimates) == pytest.approx(1.3, abs=0.4 * np.std(estimates))
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.3)
    assert measures.needed(d_prime, np.zeros(len(d_prime)), particles) is None


@pytest.mark.parametrize("d_prime", [4.5, 6.0])
def test_the_ideal_observer_is_that_of_the_scenario_at_any_dose(d_prime):
    dose = DOSE * (d_prime / measures.ideal().d_prime) ** 2
    ceiling = ceiling_of(scenario({PARTICLE: sites(5, 5, "field", 0)}, dose=dose))
    assert ceiling.species[PARTICLE].d_prime == pytest.approx(d_prime, rel=1e-6)
    # Two false picks above a cut between the second and the third: two and a half are expected there.
    recall = float(ceiling.curve.recall_at(measures.FALSE + 0.5))
    assert measures.ideal().recall(np.array(d_prime)) == pytest.approx(recall, abs=0.01)


def test_the_cut_lies_midway_between_two_false_picks():
    exposure = field()
    scores = np.arange(len(exposure.truth), dtype=float)
    false = Picks(
        y=np.full(4, 0.0), x=np.array([0.0, 60.0, 600.0, 1100.0]), score=np.array([22.5, 20.5, 10.5, 3.5])
    )
    listed = Picks.concat([perfect(exposure).replace(score=scores), false])
    seen = Seen(exposure, Found(listed, np.zeros(0), exposure.grid, 0.0))
    assert seen.false == 4
    # Two false picks are above 15.5, midway between 20.5 and 10.5; so are the particles of score 16 to 24.
    assert measures.found_at_equal_false(seen) == 9
    unscored = Seen(exposure, Found(listed.replace(score=np.nan), np.zeros(0), exposure.grid, 0.0))
    assert measures.found_at_equal_false(unscored) is None


def test_the_excused_are_what_a_promise_makes_likely():
    bench = Bench(Told(expects=1.0))
    seen = bench.look([empty(n) for n in range(4)])
    most = allowance(seen)
    # Poisson's tail as the limit of a binomial one.
    assert binom.sf(most, 1_000_000, 4e-6) < 1e-3 < binom.sf(most - 1, 1_000_000, 4e-6)


def test_crowds_are_as_close_as_they_say():
    for separation in SEPARATIONS:
        truth = pairs(separation).truth
        half = len(truth) // 2
        apart = np.hypot(*(truth[axis][:half] - truth[axis][half:] for axis in ("y", "x")))
        assert apart == pytest.approx(100 * separation)
