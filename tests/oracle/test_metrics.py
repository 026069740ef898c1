"""Metrics against worked examples, and against the defects of published scorers."""

import numpy as np
import pytest

from simkit.core.tables import Picks, Truth
from simkit.matching.optimal import match
from simkit.metric.base import Comparison
from simkit.metric.detection import Detection, detection_scores
from simkit.metric.localisation import Localisation


def compare(truth, picks, *, radius=5.0, symmetry=None, ndim=2):
    pairs = match(truth, picks, radius=radius, ndim=ndim)
    return Comparison(truth, picks, pairs, radius, symmetry or {}, ndim)


def table(kind, rows, **columns):
    """Build a table from (micrograph, class, y, x) rows."""
    micrograph, name, y, x = zip(*rows, strict=True) if rows else ((), (), (), ())
    return kind(**{"micrograph": micrograph, "class": name, "y": y, "x": x}, **columns)


TRUTH = table(Truth, [("m", "a", 0, 0), ("m", "a", 100, 0), ("m", "b", 200, 0), ("empty", "a", 0, 0)])
PICKS = table(
    Picks,
    [
        ("m", "a", 3, 0),  # finds the first
        ("m", "a", 0, 4),  # finds it again
        ("m", "a", 201, 0),  # finds the b and calls it a
        ("m", "a", 400, 0),  # finds nothing
        ("bare", "a", 0, 0),  # in a micrograph without truth
    ],
)


def test_every_count_of_a_worked_example():
    assert Detection().score(compare(TRUTH, PICKS)) == {
        "tp": 2,
        "fp": 3,
        "unlabelled": 0,
        "fn": 2,
        "duplicates": 1,
        "wrong_class": 1,
        "precision": 2 / 5,
        "recall": 2 / 4,
        "f1": 4 / 9,
    }


def test_within_its_own_class_a_wrong_class_is_a_false_positive_and_a_miss():
    of_a = TRUTH.take(TRUTH["class"] == "a"), PICKS.take(PICKS["class"] == "a")
    of_b = TRUTH.take(TRUTH["class"] == "b"), PICKS.take(PICKS["class"] == "b")
    a, b = (Detection().score(compare(*rows)) for rows in (of_a, of_b))
    assert (a["tp"], a["fp"], a["fn"], a["wrong_class"]) == (1, 4, 2, 0)
    assert (b["tp"], b["fp"], b["fn"], b["wrong_class"]) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("tp", "truths", "picks", "precision", "recall", "f1"),
    [
        (3, 4, 6, 0.5, 0.75, 0.6),
        (0, 4, 6, 0, 0, 0),
        (0, 4, 0, None, 0, 0),
        (0, 0, 6, 0, None, 0),
        (0, 0, 0, None, None, None),
    ],
)
def test_what_does_not_exist_is_none(tp, truths, picks, precision, recall, f1):
    found = detection_scores(true_positives=tp, truths=truths, picks=picks)
    assert (found["precision"], found["recall"], found["f1"]) == (precision, recall, f1)


def test_where_particles_may_be_missing_no_pick_is_false_and_precision_is_a_bound():
    found = detection_scores(true_positives=3, truths=4, picks=6, complete=False)
    assert (found["fp"], found["unlabelled"]) == (None, 3)
    for right in range(4):  # of the unlabelled ones: each is then a particle that the truth lacks
        truly = detection_scores(true_positives=3 + right, truths=4 + right, picks=6)
        assert truly["precision"] >= found["precision"]
        assert truly["f1"] >= found["f1"]


def test_f1_is_the_harmonic_mean():
    found = detection_scores(true_positives=7, truths=11, picks=13)
    assert found["f1"] == pytest.approx(2 / (1 / found["precision"] + 1 / found["recall"]), rel=1e-14)


def test_one_pick_between_two_truths_is_one_hit():
    # CZII's metric counts truths with a pick nearby: two hits, −1 false, precision 2.
    truth = table(Truth, [("m", "a", 0, 0), ("m", "a", 0, 8)])
    found = Detection().score(compare(truth, table(Picks, [("m", "a", 0, 4)])))
    assert (found["tp"], found["fp"], found["fn"], found["precision"]) == (1, 0, 1, 1.0)


def test_duplicates_do_not_raise_recall_nor_hide_the_particle():
    # cellcanvas counts picks near a truth (recall 3); DeepFinder calls a truth picked twice missed (0).
    truth = table(Truth, [("m", "a", 0, 0)])
    found = Detection().score(compare(truth, table(Picks, [("m", "a", 0, d) for d in (0, 1, 2)])))
    assert (found["tp"], found["fp"], found["fn"], found["duplicates"]) == (1, 2, 0, 2)
    assert found["recall"] == 1.0


def test_an_exact_hit_counts():
    # roodmus reads a distance of 0 in its sparse matrix as "no pair".
    rows = [("m", "a", 10, 20), ("m", "a", 50, 60)]
    assert Detection().score(compare(table(Truth, rows), table(Picks, rows)))["f1"] == 1.0


def test_a_micrograph_without_picks_costs_its_truths():
    # roodmus visits only the micrographs that have picks.
    truth = table(Truth, [("seen", "a", 0, 0), ("unseen", "a", 0, 0), ("unseen", "a", 90, 0)])
    found = Detection().score(compare(truth, table(Picks, [("seen", "a", 0, 0)])))
    assert (found["fn"], found["recall"]) == (2, 1 / 3)


def test_a_pick_near_an_unmatched_truth_only_is_no_duplicate():
    # Both truths reach the pick in the middle; it can take only one, and nobody else is there.
    truth = table(Truth, [("m", "a", 0, 0), ("m", "a", 0, 6)])
    assert Detection().score(compare(truth, table(Picks, [("m", "a", 0, 3)])))["duplicates"] == 0


def test_duplicates_stay_within_their_micrograph():
    truth = table(Truth, [("m", "a", 0, 0)])
    picks = table(Picks, [("m", "a", 0, 0), ("n", "a", 0, 0)])
    assert Detection().score(compare(truth, picks))["duplicates"] == 0


def test_a_known_offset_is_the_bias():
    truth = table(Truth, [("m", "a", 100 * i, 50) for i in range(4)])
    dy, dx = np.array([1.0, 2.0, 3.0, 2.0]), np.array([-1.0, 0.0, -1.0, -2.0])
    picks = table(Picks, [("m", "a", 100 * i + dy[i], 50 + dx[i]) for i in range(4)])
    found = Localisation().score(compare(truth, picks))
    assert (found["bias_y"], found["bias_x"]) == (2.0, -1.0)
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 1 + 4 + 0 + 9 + 1 + 4 + 4) / 4), rel=1e-14)
    assert found["median"] == pytest.approx((2 + np.sqrt(8)) / 2, rel=1e-14)


def test_errors_of_unmatched_picks_do_not_count():
    truth = table(Truth, [("m", "a", 0, 0)])
    picks = table(Picks, [("m", "a", 1, 0), ("m", "a", 2, 0), ("m", "a", 77, 0)])
    assert Localisation().score(compare(truth, picks))["rmse"] == 1.0


@pytest.mark.parametrize(
    ("symmetry", "true", "found", "error"),
    [
        ("C1", 10, 15, 5),
        ("C1", 355, 5, 10),
        ("C1", 0, 180, 180),
        ("C2", 0, 180, 0),
        ("C2", 10, 350, 20),
        ("C6", 5, 64, 1),
    ],
)
def test_angles_are_compared_modulo_the_symmetry(symmetry, true, found, error):
    truth = table(Truth, [("m", "a", 0, 0)], psi=[true])
    picks = table(Picks, [("m", "a", 0, 0)], psi=[found])
    scores = Localisation().score(compare(truth, picks, symmetry={"a": symmetry}))
    assert scores["psi_median_error"] == pytest.approx(error, abs=1e-9)


def test_each_class_has_its_own_symmetry_and_unequal_classes_have_no_angle_error():
    rows = [("m", name, 100 * i, 0) for i, name in enumerate("aab")]
    truth = table(Truth, rows, psi=[0.0, 0.0, 0.0])
    picks = table(Picks, [*rows[:2], ("m", "a", 200, 0)], psi=[180.0, 3.0, 90.0])
    scores = Localisation().score(compare(truth, picks, symmetry={"a": "C2", "b": "C4"}))
    assert scores["psi_median_error"] == pytest.approx(1.5)


def test_unknown_angles_have_no_error():
    truth = table(Truth, [("m", "a", 0, 0)], psi=[np.nan])
    picks = table(Picks, [("m", "a", 0, 0)], psi=[10.0])
    assert Localisation().score(compare(truth, picks))["psi_median_error"] is None


def test_in_one_dimension_there_is_no_y_and_no_angle():
    truth = Truth(micrograph=["m"], x=[10.0], psi=[0.0])
    picks = Picks(micrograph=["m"], x=[12.0], psi=[0.0])
    found = Localisation().score(compare(truth, picks, ndim=1))
    turned = {"psi_median_error": None, "orientation_median_error": None}
    assert found == {"bias_y": None, "bias_x": 2.0, "rmse": 2.0, "median": 2.0} | turned
