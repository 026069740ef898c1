"""The judge from end to end: what counts, what is left out, how sure it is, and who is better."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.contest import contest
from simkit.engine.court import Answer, Court, Setting
from simkit.engine.pipeline import run_scenario
from simkit.engine.scoring import judge
from simkit.engine.variants import null_variants
from simkit.scenario.checks import check
from simkit.scenario.spec import Ignore, Scenario, Score
from simkit.statistics.proportion import wilson

GRID = Grid((200, 300), 2.0)
SIZE = np.array(GRID.extent)


def points(*yx: tuple[float, float], **columns: Any) -> dict[str, Any]:
    y, x = np.array(yx, float).reshape(-1, 2).T
    return {"micrograph": "0", "y": y, "x": x, **columns}


def setting(radius: float = 5.0, **fields: Any) -> Setting:
    ignore = fields.pop("ignore", Ignore())
    return Setting(Score(radius=radius, ignore=ignore), micrographs=("0",), grids={"0": GRID}, **fields)


def counts(truth: Truth, picks: Picks, how: Setting, of: str = "all", **answer: Any) -> tuple[int, ...]:
    values = judge(truth, Answer(picks, **answer), how).values[of]
    return tuple(values[name] for name in ("tp", "fp", "fn", "ignored_truths", "ignored_picks"))


# What counts --------------------------------------------------------------------------------------

RINGS_AND_BARS = Truth(**points((50, 50), (50, 150), (150, 50), **{"class": ["ring", "ring", "bar"]}))


def test_what_a_picker_does_not_look_for_cannot_be_missed_but_a_pick_on_it_is_false() -> None:
    picks = Picks(**points((50, 50), (150, 50), **{"class": "ring"}))
    assert counts(RINGS_AND_BARS, picks, setting(), sought=("ring",)) == (1, 1, 1, 1, 0)
    assert counts(RINGS_AND_BARS, picks, setting(), sought=("ring", "bar")) == (2, 0, 1, 0, 0)


def test_a_class_that_is_ignored_is_neither_missed_nor_blamed_for() -> None:
    picks = Picks(**points((50, 50), (150, 50), **{"class": "ring"}))
    how = setting(ignore=Ignore(classes=("bar",)))
    assert counts(RINGS_AND_BARS, picks, how, sought=("ring",)) == (1, 0, 1, 1, 1)


def test_what_lies_at_the_border_counts_nowhere() -> None:
    truth = Truth(**points((3, 100), (100, 100), border=[4.0, 100.0]))
    picks = Picks(**points((3, 101), (100, 101), (396, 300), (200, 200)))
    assert counts(truth, picks, setting()) == (2, 2, 0, 0, 0)
    assert counts(truth, picks, setting(ignore=Ignore(border=10.0))) == (1, 1, 0, 1, 2)


def test_nothing_is_judged_where_the_mask_is_zero() -> None:
    truth = Truth(**points((100, 100), (100, 500)))
    picks = Picks(**points((100, 101), (100, 501), (300, 500), (300, 100)))
    mask = np.ones(GRID.shape, bool)
    mask[:, 150:] = False
    assert counts(truth, picks, setting(mask=mask)) == (1, 1, 0, 1, 2)


def test_inside_the_border_and_under_the_mask_more_counts_than_outside() -> None:
    """Unequal numbers on the two sides: judging the wrong side would be seen."""
    truth = Truth(**points((3, 100), (100, 100), (100, 200), (100, 400), border=[4.0, 99.0, 99.0, 99.0]))
    picks = Picks(**points((3, 130), (100, 130), (100, 230), (250, 200), (100, 430)))
    assert counts(truth, picks, setting(ignore=Ignore(border=10.0))) == (0, 4, 3, 1, 1)
    left = np.ones(GRID.shape, bool)
    left[:, 150:] = False
    assert counts(truth, picks, setting(mask=left)) == (0, 4, 3, 1, 1)
    assert counts(truth, picks, setting(mask=~left)) == (0, 1, 1, 3, 4)


def test_what_counts_nowhere_is_on_no_curve_either() -> None:
    truth = Truth(**points((3, 100), (100, 100), border=[4.0, 100.0]))
    kept = Picks(**points((3, 101), (100, 101), (396, 300), (200, 200), score=[9.0, 8.0, 7.0, 6.0]))
    how = setting(ignore=Ignore(border=10.0))
    curve = judge(truth, Answer(kept.take([1]), candidates=kept), how).curves["all"]
    assert curve.threshold.tolist() == [8.0, 6.0]
    assert curve.tp.tolist() == [1, 1]
    assert curve.fp.tolist() == [0, 1]
    assert curve.truths == 1
    both = Truth(**points((50, 50), (50, 150), **{"class": ["ring", "bar"]}))
    seen = Picks(**points((50, 50), (50, 150), score=[2.0, 1.0], **{"class": ["ring", "bar"]}))
    curves = judge(both, Answer(seen, candidates=seen), setting(classes=("ring", "bar"))).curves
    assert {name: curve.threshold.tolist() for name, curve in curves.items()} == {
        "all": [2.0, 1.0],
        "ring": [2.0],
        "bar": [1.0],
    }


def test_an_ignored_particle_is_no_ones_hit_within_its_class_either() -> None:
    truth = Truth(**points((50, 50), (50, 150), border=[4.0, 50.0], **{"class": "ring"}))
    picks = Picks(**points((50, 50), (50, 150), **{"class": "ring"}))
    how = setting(ignore=Ignore(overlap=0.5), classes=("ring",))
    overlapped = truth.replace(overlap=[0.9, 0.0])
    assert counts(overlapped, picks, how, of="ring") == (1, 0, 0, 1, 1)
    # The second is a wrong class, and not judged by what is left of its own class.
    one_of_another = picks.replace(**{"class": ["ring", "bar"]})
    assert counts(overlapped, one_of_another, how, of="ring") == (0, 0, 1, 1, 1)


def test_a_pair_across_two_tiles_counts_where_its_particle_is() -> None:
    # Sixteen tiles, four along each axis of 400 Å × 600 Å: borders at x = 150 Å.
    truth = Truth(**points((50, 149), (50, 300)))
    picks = Picks(**points((50, 151), (50, 10)))
    court = Court(truth, Answer(picks), setting())
    assert court.clusters.text == "16 tiles of 1 micrograph"
    assert court.truth_cluster.tolist() == [0, 2]
    assert court.pick_cluster.tolist() == [0, 0]


def test_picks_where_nothing_is_known_are_not_judged() -> None:
    truth = Truth(**points((100, 100)))
    picks = Picks(**{**points((100, 100), (50, 50)), "micrograph": ["0", "1"]})
    how = setting(unjudged=frozenset({"1"}))
    assert counts(truth, picks, how) == (1, 0, 0, 0, 1)


def test_where_particles_may_be_missing_nothing_is_called_false() -> None:
    truth = RINGS_AND_BARS
    picks = Picks(**points((50, 50), (150, 50), (190, 290), score=[3.0, 2.0, 1.0], **{"class": "ring"}))
    found = judge(truth, Answer(picks, candidates=picks), setting(complete=False, classes=("ring", "bar")))
    for of in ("all", "ring", "bar"):
        values = found.values[of]
        assert (values["fp"], values["fdr"]) == (None, None)
        assert "fdr" not in found.intervals[of]
    assert [found.values[of]["unlabelled"] for of in ("all", "ring", "bar")] == [1, 2, 0]
    assert found.values["all"]["precision"] == 2 / 3
    assert found.strata
    assert all(stratum.precision is None for stratum in found.strata)


def test_false_picks_are_counted_by_micrograph_and_by_area() -> None:
    """Micrographs that hold nothing were searched too."""
    names = ("0", "1", "2", "3")
    picks = Picks(**points((50, 50), (50, 250), (150, 250), score=[3.0, 2.0, 1.0]))
    how = Setting(Score(radius=5.0), micrographs=names, grids=dict.fromkeys(names, GRID))
    curve = judge(Truth(**points((50, 50))), Answer(picks, candidates=picks), how).curves["all"]
    assert curve.images == 4
    assert curve.false_per_image.tolist() == [0, 0.25, 0.5]
    assert curve.area == pytest.approx(4 * 400 * 600 / 1e8)
    line = Grid((300,), 2.0)
    row = Setting(Score(radius=5.0), micrographs=names[:2], grids=dict.fromkeys(names, line), ndim=1)
    assert row.area == pytest.approx(2 * 600 / 1e4)
    assert Setting(Score(radius=5.0), micrographs=("0", "9"), grids={"0": GRID}).area is None


def test_no_area_is_counted_where_no_pick_can_be_false() -> None:
    """GRID is 400 Å × 600 Å of 2 Å pixels."""
    picks = Picks(**points((50, 50), (50, 550), score=[2.0, 1.0]))
    kept = {"micrographs": ("0",), "grids": {"0": GRID}}
    right = np.ones(GRID.shape, bool)
    right[:, :150] = False
    for border, mask, area in (
        (20.0, None, 360 * 560),
        (0.0, right, 400 * 300),
        (20.0, right, 360 * 280),  # whole pixels: 180 × 140 of them
        (200.0, None, None),
    ):
        how = Setting(Score(radius=5.0, ignore=Ignore(border=border)), mask=mask, **kept)
        assert how.area == (area and pytest.approx(area / 1e8))
        found = judge(Truth(**points((150, 500))), Answer(picks, candidates=picks), how)
        assert found.curves["all"].area == how.area
        assert found.values["all"]["fp"] == (2 if mask is None else 1) * (area is not None)
    thin = Setting(
        Score(radius=5.0, ignore=Ignore(border=20.0)),
        ndim=1,
        micrographs=("0",),
        grids={"0": Grid((300,), 2.0)},
    )
    assert thin.area == pytest.approx(560 / 1e4)


# How sure -----------------------------------------------------------------------------------------


def crowd(n: int, share: float, seed: int, micrographs: int = 20) -> tuple[Truth, Picks]:
    """Return particles on many micrographs, a share of them picked, and as many false picks as missed."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"{i:02d}" for i in range(micrographs)], n)
    y, x = rng.uniform(0, 1e5, (2, len(names)))
    hit = rng.random(len(names)) < share
    score = rng.normal(np.where(hit, 8.0, 4.0))
    picks = Picks(micrograph=names, y=y + np.where(hit, 0.0, 50.0), x=x, score=score)
    return Truth(micrograph=names, y=y, x=x), picks


def names_of(truth: Truth) -> tuple[str, ...]:
    return tuple(sorted(set(truth["micrograph"].tolist())))


def test_an_interval_holds_its_value_and_says_what_it_resamples() -> None:
    truth, picks = crowd(30, 0.8, seed=2)
    found = judge(truth, Answer(picks), Setting(Score(radius=5.0), micrographs=names_of(truth)))
    assert found.resampled == "20 micrographs"
    for name in ("precision", "recall", "f1"):
        low, high = found.intervals["all"][name]
        assert low < found.values["all"][name] < high
        # 600 Bernoulli trials: the normal interval is ±1.96 √(0.8 · 0.2 / 600) = ±0.032; resampling 20
        # clusters knows that width to a sixth, and the expansion for few clusters adds a tenth.
        assert 0.7 * 0.064 < high - low < 1.5 * 0.064


def test_perfection_is_not_certainty() -> None:
    truth, picks = crowd(3, 1.0, seed=3, micrographs=8)
    found = judge(truth, Answer(picks), Setting(Score(radius=5.0), micrographs=names_of(truth)))
    low, high = found.intervals["all"]["recall"]
    # Wilson of 24 in 24: n / (n + z²).
    assert (low, high) == (pytest.approx(24 / (24 + 1.959964**2)), 1.0)


def test_micrographs_that_differ_widen_an_interval_beyond_wilsons() -> None:
    """Of ten micrographs five are found whole and five not at all: ten trials of a half, not a hundred."""
    names = np.repeat([f"{i}" for i in range(10)], 10)
    y = np.tile(np.arange(10) * 100.0, 10)
    truth = Truth(micrograph=names, y=y, x=0 * y)
    picks = truth_as_picks(truth, np.flatnonzero(names.astype(int) < 5))
    how = Setting(Score(radius=5.0), micrographs=names_of(truth))
    low, high = judge(truth, Answer(picks), how).intervals["all"]["recall"]
    # ±1.96 √(½ · ½ / 10) = ±0.31, wider for Student and for few clusters; Wilson of 50 in 100 is ±0.096.
    assert low < 0.25
    assert high > 0.75
    assert (low, high) != judge(truth, Answer(picks), replace(how, seed=1)).intervals["all"]["recall"]


def truth_as_picks(truth: Truth, rows: np.ndarray) -> Picks:
    found = truth.take(rows)
    return Picks(**{name: found[name] for name in ("micrograph", "class", "y", "x")})


def test_too_few_tiles_leave_the_interval_of_each_share() -> None:
    truth = Truth(**points((50, 50), (50, 60), (50, 70)))
    picks = Picks(**points((50, 50), (50, 60), (50, 100), (50, 110)))
    found = judge(truth, Answer(picks), setting(radius=2.0)).intervals["all"]
    assert found["recall"] == wilson(2, 3)
    assert found["precision"] == wilson(2, 4)
    assert found["f1"] == wilson(2, 3.5)


# What else is said --------------------------------------------------------------------------------


def test_what_counts_nowhere_is_in_no_detail() -> None:
    """Curves against the radius, strata, confusion and other programs' rules see what the counts see."""
    truth = Truth(**points((3, 100), (3, 200), (50, 100), (50, 200), **{"class": ["a", "a", "a", "b"]}))
    picks = Picks(**points((3, 101), (50, 101), (3, 400), (50, 400), **{"class": "a"}))
    how = setting(ignore=Ignore(border=10.0), classes=("a", "b"))  # by the size of the micrograph
    found = judge(truth, Answer(picks), how)
    assert found.ignored_truth.tolist() == [True, True, False, False]
    assert found.ignored_picks.tolist() == [True, False, True, False]
    at = int(np.flatnonzero(found.by_radius.radius == 5.0)[0])
    assert (found.by_radius.recall[at], found.by_radius.precision[at]) == (0.5, 0.5)
    assert found.confusion.counts.tolist() == [[1, 0], [0, 1], [1, 0]]
    by_class = {s.label: (s.truths, s.found, s.picks, s.precision) for s in found.strata if s.by == "class"}
    assert by_class == {"a": (1, 1, 2, 0.5), "b": (1, 0, 0, None)}
    coco = next(score for score in found.published if score.name == "coco")
    assert (coco.tp, coco.fp, coco.fn) == (1, 1, 1)


def test_heights_are_told_in_the_pickers_own_noise() -> None:
    truth = Truth(**points((50, 50), (50, 150), d_prime=10.0))
    picks = Picks(**points((50, 50), (50, 150), score=[40.0, 42.0]))
    values = judge(truth, Answer(picks, score_sd=4.0), setting()).values["all"]
    # (m + √(m² − 2k)) / 2 with m = 10.25 and two axes searched.
    assert values["d_prime_observed"] == pytest.approx((10.25 + np.sqrt(10.25**2 - 4)) / 2)
    assert judge(truth, Answer(picks), setting()).values["all"]["d_prime_observed"] is None


# Who is better ------------------------------------------------------------------------------------


def rivals() -> dict[str, Court]:
    truth, good = crowd(30, 0.9, seed=4)
    _, bad = crowd(30, 0.7, seed=4)
    how = Setting(Score(radius=5.0), micrographs=names_of(truth))
    answers = {
        "good": Answer(good, candidates=good),
        "bad": Answer(bad, candidates=bad),
        "oracle": Answer(good, candidates=good, oracle=True),
    }
    return {name: Court(truth, answer, how) for name, answer in answers.items()}


def test_pickers_are_compared_at_their_own_thresholds_and_at_equal_false_picks() -> None:
    courts = rivals()
    found = {(c.basis, c.metric): c for c in contest(courts)}
    assert {(c.a, c.b) for c in found.values()} == {("good", "bad")}  # oracles are kept out
    own = found["own thresholds", "recall"]
    assert own.difference == pytest.approx((own.only_a - own.only_b) / len(courts["good"].truth))
    assert own.interval[0] > 0
    assert own.p < 0.001
    equal = found["equal false picks", "recall"]
    assert equal.false_per_image == 1.0
    assert 0 < equal.difference <= own.value_a


def test_equal_false_picks_means_equal() -> None:
    courts = rivals()
    equal = next(c for c in contest(courts) if c.basis == "equal false picks" and c.metric == "precision")
    for name, value in ((equal.a, equal.value_a), (equal.b, equal.value_b)):
        recall = next(
            (c.value_a if c.a == name else c.value_b)
            for c in contest(courts)
            if c.basis == "equal false picks" and c.metric == "recall"
        )
        hits = recall * len(courts[name].truth)
        assert hits / value - hits <= 20.0 + 1e-9  # at most one a micrograph


def scored(*rows: tuple[str, float, float]) -> Picks:
    """Return picks at places by name of micrograph, x in Å and score."""
    micrograph, x, score = zip(*rows, strict=True)
    return Picks(micrograph=micrograph, y=np.full(len(rows), 50.0), x=x, score=score, **{"class": "ring"})


def test_equal_false_picks_by_hand() -> None:
    """Four rings on two micrographs, one more that is overlapped and a bar that nobody was asked for."""
    truth = Truth(
        micrograph=["0", "0", "1", "1", "1", "1"],
        y=np.full(6, 50.0),
        x=[100.0, 200, 100, 200, 300, 400],
        overlap=[0, 0, 0, 0, 0.9, 0],
        **{"class": ["ring"] * 5 + ["bar"]},
    )
    # A ring, a false pick, a ring, the bar, the overlapped one, a false pick, a ring.
    long = scored(
        ("0", 100, 9),
        ("0", 500, 8),
        ("1", 100, 7),
        ("1", 400, 6.5),
        ("1", 300, 6),
        ("1", 500, 5),
        ("0", 200, 4),
    )
    short = scored(("0", 100, 9), ("1", 500, 8))
    wrong_first = scored(("0", 500, 3), ("0", 100, 2), ("0", 200, 1), ("1", 550, 0.5), ("1", 520, 0.4))

    def equal(at: float, **answers: Picks) -> dict[str, Any]:
        score = Score(radius=5.0, ignore=Ignore(overlap=0.5), equal_false_picks=at)
        how = Setting(score, micrographs=("0", "1"), grids={"0": GRID, "1": GRID})
        courts = {
            name: Court(truth, Answer(rows.take([0]), candidates=rows, sought=("ring",)), how)
            for name, rows in answers.items()
        }
        return {c.metric: c for c in contest(courts) if c.basis == "equal false picks"}

    # The short list ends at one false pick in two micrographs; the long one has no more down to 7.
    found = equal(1.0, long=long, short=short)
    assert {c.false_per_image for c in found.values()} == {0.5}
    assert (found["recall"].value_a, found["recall"].value_b) == (2 / 4, 1 / 4)
    assert (found["precision"].value_a, found["precision"].value_b) == (2 / 3, 1 / 2)
    assert (found["recall"].only_a, found["recall"].only_b) == (1, 0)
    # One false pick a micrograph: the bar is the second, and the overlapped one is none.
    found = equal(1.0, long=long, wrong_first=wrong_first)
    assert {c.false_per_image for c in found.values()} == {1.0}
    assert (found["precision"].value_a, found["precision"].value_b) == (2 / 4, 2 / 4)
    # None at all: where already the best is false nothing is left.
    found = equal(0.1, long=long, wrong_first=wrong_first)
    assert (found["recall"].value_a, found["recall"].value_b) == (1 / 4, 0)
    assert (found["precision"].value_a, found["precision"].value_b) == (1, None)


def test_pickers_of_different_things_are_not_compared() -> None:
    """Both find every ring; one is not asked for the bar, and has not missed it."""
    both = Picks(**points((50, 50), (50, 150), (150, 50), **{"class": ["ring", "ring", "bar"]}))
    answers = {
        "both": Answer(both, sought=("ring", "bar")),
        "rings": Answer(both.take([0, 1]), sought=("ring",)),
        "also rings": Answer(both.take([0]), sought=("ring",)),
    }
    courts = {name: Court(RINGS_AND_BARS, answer, setting()) for name, answer in answers.items()}
    assert {(c.a, c.b) for c in contest(courts)} == {("rings", "also rings")}
    assert {(c.only_a, c.only_b) for c in contest(courts)} == {(1, 0)}


# A run --------------------------------------------------------------------------------------------

SCENARIO = {
    "schema_version": 1,
    "seed": 5,
    "replicates": 3,
    "image": {"shape": [256, 256], "pixel_size": 4.0},
    "specimen": {
        "ring": {
            "unit_cell": {"kind": "shapes", "shapes": [{"kind": "ring", "radius": 50.0, "width": 20.0}]},
            "lattice": {"kind": "scattered", "count": 12, "min_distance": 150.0},
        }
    },
    "noise": {"film": {"kind": "gaussian", "snr": 0.1}},
    "templates": {"ring": {"kind": "specimen", "of": "ring"}},
    "pickers": {
        "matched": {
            "kind": "matched_filter",
            "threshold": {"kind": "expected_false_picks", "per_image": 1.0},
        },
        "ncc": {"kind": "ncc", "threshold": {"kind": "fixed", "value": 0.3}},
    },
    "score": {"radius": 20.0},
}


@pytest.fixture(scope="module")
def result():
    return run_scenario(Scenario.model_validate(SCENARIO), workers=1)


def test_a_run_says_how_sure_how_near_the_limit_and_what_noise_alone_gives(result) -> None:
    scores = json.loads(json.dumps(result.scores, allow_nan=False))
    entry = scores["pickers"]["matched"]
    assert entry["threshold"] == "expected false picks, 1 per image"
    assert entry["all"]["d_prime"] > 0
    assert scores["intervals"]["matched"]["resampled"] == "27 tiles of 3 micrographs"
    assert {c["basis"] for c in scores["comparisons"]} == {"own thresholds", "equal false picks"}
    assert scores["ceiling"]["species"]["ring"]["sigma_x"] > 0
    assert set(scores["nulls"]) == {"noise_only", "phase_randomised"}
    assert scores["nulls"]["noise_only"]["pickers"]["matched"]["predicted"] == pytest.approx(1.0)
    assert np.isfinite(result.truth["d_prime"]).all()


def test_the_counts_of_a_run_add_up(result) -> None:
    for name, judgement in result.judgements.items():
        values = judgement.values["all"]
        assert values["tp"] + values["fn"] + values["ignored_truths"] == len(result.truth)
        assert values["tp"] + values["fp"] + values["ignored_picks"] == len(result.pickers[name].picks)


def test_the_curve_passes_through_what_the_threshold_gave(result) -> None:
    run, judgement = result.pickers["matched"], result.judgements["matched"]
    curve = judgement.curves["all"]
    at = np.flatnonzero(curve.threshold >= run.picks["score"].min())[-1]
    assert curve.tp[at] == judgement.values["all"]["tp"]
    assert curve.fp[at] == judgement.values["all"]["fp"]
    assert len(curve.tp) > at + 1  # and goes on below it


def test_as_many_nulls_are_searched_as_are_asked_for() -> None:
    text = {**SCENARIO, "replicates": 1, "score": {"radius": 20.0, "null_micrographs": 2}}
    assert [null.micrographs for null in run_scenario(Scenario.model_validate(text), workers=1).nulls] == [
        2,
        2,
    ]


def test_a_class_to_ignore_must_be_one() -> None:
    text = {**SCENARIO, "score": {"radius": 20.0, "ignore": {"classes": ["rings"]}}}
    (error,) = check(Scenario.model_validate(text))
    assert error.path == ("score", "ignore", "classes", 0)
    assert "did you mean `ring`" in error.message


def test_where_there_is_no_noise_there_is_none_alone() -> None:
    text = {**SCENARIO, "noise": {"none": {"kind": "silent"}}}
    assert null_variants(Scenario.model_validate(text)) == ("phase_randomised",)


def test_a_null_has_no_truth_and_every_pick_is_false() -> None:
    null = run_scenario(Scenario.model_validate({**SCENARIO, "null": "noise_only"}), workers=1)
    assert len(null.truth) == 0
    values = null.judgements["matched"].values["all"]
    assert (values["tp"], values["recall"]) == (0, None)
    assert values["fp"] == len(null.pickers["matched"].picks)
    assert null.nulls == ()


def test_a_mask_of_another_shape_is_refused_where_it_is_named(tmp_path) -> None:
    np.save(tmp_path / "mask.npy", np.ones((8, 8)))
    text = {**SCENARIO, "score": {"radius": 20.0, "ignore": {"mask": str(tmp_path / "mask.npy")}}}
    with pytest.raises(ScenarioError, match="8 × 8 px and micrograph 0000 256 × 256;"):
        run_scenario(Scenario.model_validate(text), workers=1)


# Files of several programs ------------------------------------------------------------------------


def test_several_files_are_compared_on_the_same_particles(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    truth, good = crowd(30, 0.9, seed=4)
    _, bad = crowd(30, 0.7, seed=4)
    for name, table in (("run_good", good), ("run_bad", bad), ("truth", truth)):
        rows = zip(table["micrograph"].tolist(), table["x"].tolist(), table["y"].tolist(), strict=True)
        lines = "".join(f"{m},{x:.2f},{y:.2f}\n" for m, x, y in rows)
        (tmp_path / f"{name}.csv").write_text("micrograph,x_A,y_A\n" + lines)
    words = ["score", "run_good.csv", "run_bad.csv", "truth.csv", "--radius", "5 Å"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.stderr
    assert "good − bad" in told.stdout
    assert "20 micrographs, resampled whole" in told.stdout
    data = json.loads(CliRunner().invoke(app, [*words, "--rules", "--json"]).stdout)
    assert list(data["pickers"]) == ["good", "bad"]
    recall = {name: entry["all"]["recall"] for name, entry in data["pickers"].items()}
    (difference,) = [c["difference"] for c in data["comparisons"] if c["metric"] == "recall"]
    assert difference == pytest.approx(recall["good"] - recall["bad"])
    assert {"czii", "roodmus"} <= {said["name"] for said in data["pickers"]["good"]["published"]}


def test_one_file_alone_is_an_error(tmp_path) -> None:
    (tmp_path / "p.csv").write_text("x_A,y_A\n1,2\n")
    told = CliRunner().invoke(app, ["score", str(tmp_path / "p.csv"), "--radius", "5 Å"])
    assert told.exit_code == 2
    assert "then those that are right" in told.stderr


def test_the_rule_of_the_scenario_is_the_one_that_matches() -> None:
    # The optimal rule makes two pairs of these; the closest pair first leaves the others alone.
    truth, picks = Truth(**points((0, 0), (0, 8))), Picks(**points((0, 8), (0, 16)))
    for rule, pairs in (("optimal", 2), ("closest_greedy", 1)):
        how = Setting(Score(radius=8.0, rule=rule), micrographs=("0",), grids={"0": GRID})
        assert judge(truth, Answer(picks), how).values["all"]["tp"] == pairs


def test_notes_on_one_of_several_files_say_which(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows in (("run_a", "1,2\n1,2\n"), ("run_b", "1,2\n"), ("truth", "1,2\n")):
        (tmp_path / f"{name}.csv").write_text("x_A,y_A\n" + rows)
    told = CliRunner().invoke(app, ["score", "run_a.csv", "run_b.csv", "truth.csv", "--radius", "5 Å"])
    assert "a: PICKS: 1 of 2 points repeat another" in told.stderr
    assert "b: PICKS" not in told.stderr
