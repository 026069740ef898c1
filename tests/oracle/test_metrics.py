"""Metrics against worked examples, and against the defects of published scorers."""

import numpy as np
import pytest

from simkit.core.tables import Picks, Truth
from simkit.judging.chance import chance_matches, warning_is_due
from simkit.matching.base import Match
from simkit.matching.optimal import match
from simkit.matching.pairs import near
from simkit.metric._errors import locking_power
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
        "f_beta": 5 * 2 / (4 * 4 + 5),
        "jaccard": 2 / 7,
        "fdr": 3 / 5,
        "split": 1,  # the first: two picks near it
        "merged": 0,
        "ignored_truths": 0,
        "ignored_picks": 0,
        "chance_matches": None,
    }


def test_two_particles_under_one_pick_are_merged():
    truth = table(Truth, [("m", "a", 0, 0), ("m", "a", 0, 6), ("m", "a", 90, 0)])
    found = Detection().score(compare(truth, table(Picks, [("m", "a", 0, 2), ("m", "a", 90, 0)])))
    assert (found["merged"], found["split"], found["duplicates"]) == (1, 0, 0)


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


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 4.0])
def test_f_beta_is_the_weighted_harmonic_mean(beta):
    found = detection_scores(true_positives=7, truths=11, picks=13, beta=beta)
    p, r = found["precision"], found["recall"]
    assert found["f_beta"] == pytest.approx((1 + beta**2) * p * r / (beta**2 * p + r), rel=1e-14)


def test_the_beta_of_the_spec_is_used_by_score_and_sums_alike():
    comparison = compare(TRUTH, PICKS)
    for beta in (1.0, 4.0):
        metric = Detection(beta=beta)
        value = metric.score(comparison)["f_beta"]
        assert value == pytest.approx((1 + beta**2) * 2 / (beta**2 * 4 + 5), rel=1e-14)
        assert metric.from_sums(metric.sums(comparison))["f_beta"] == pytest.approx(value, rel=1e-14)


def test_a_pair_counts_in_the_cluster_of_its_particle():
    # The second pick lies across the border of the tiles: no tile may have a pair and no pick.
    truth, picks = (table(kind, [("m", "a", 0, 0), ("m", "a", 0, 50)]) for kind in (Truth, Picks))
    pairs = match(truth, picks, radius=5.0)
    clusters = {"truth_cluster": np.array([0, 1]), "pick_cluster": np.array([0, 0]), "clusters": 3}
    sums = Detection().sums(Comparison(truth, picks, pairs, 5.0, {}, **clusters))
    for name in ("tp", "truths", "picks"):
        np.testing.assert_array_equal(sums[name], [1, 1, 0])


def test_chance_matches_are_what_picks_strewn_at_random_match():
    rng = np.random.default_rng(11)
    side, radius, n, m = 10_000.0, 60.0, 1000, 40_000
    truth = Truth(micrograph=["m"] * n, y=rng.uniform(0, side, n), x=rng.uniform(0, side, n))
    y, x = rng.uniform(radius, side - radius, (2, m))
    picks = Picks(micrograph=["m"] * m, y=y, x=x)
    near_one = len(np.unique(near(truth, picks, radius=radius).pick)) / m
    expected = chance_matches(truths=n, area=(side / 1e4) ** 2, radius=radius)
    # The picks scatter by √(pq/m) = 0.16 % and the area that overlapping particles cover by
    # λa √(a/A)/2 = 0.06 %, a = πr²: five times both together, a false alarm in a million.
    assert near_one == pytest.approx(expected, abs=5 * 0.0017)
    assert warning_is_due(expected)


def test_chance_matches_in_one_dimension_and_where_nothing_is_known():
    # 100 particles in 1 µm: λ = 0.01 / Å, a pick reaches 2 · 5 Å.
    assert chance_matches(truths=100, area=1.0, radius=5.0, ndim=1) == pytest.approx(1 - np.exp(-0.1))
    assert chance_matches(truths=0, area=1.0, radius=5.0) == 0
    assert chance_matches(truths=100, area=None, radius=5.0) is None
    assert not warning_is_due(None)
    assert not warning_is_due(0.05)


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
    known = {"bias_x": 2.0, "rmse": 2.0, "median": 2.0, "p95": 2.0}
    assert found == dict.fromkeys(found) | known


def pairs_with_errors(dy, dx, *, step=100.0, y=None, x=None, **told):
    """Compare particles far apart with picks that are off by (dy, dx)."""
    n = len(dy)
    y = step * np.arange(n) if y is None else y
    x = np.zeros(n) if x is None else x
    truth = Truth(micrograph=["m"] * n, y=y, x=x)
    picks = Picks(micrograph=["m"] * n, y=y + dy, x=x + dx)
    pairs = Match(np.arange(n), np.arange(n), np.hypot(dy, dx))
    return Comparison(truth, picks, pairs, 50.0, {}, **told)


def test_the_ellipse_is_that_of_the_covariance():
    # Four errors at ±3 along 30° (from +x towards +y) and ±1 across: n − 1 = 3 in the variance.
    angle = np.deg2rad(30.0)
    along, across = np.array([3.0, -3.0, 0, 0]), np.array([0, 0, 1.0, -1.0])
    dx = along * np.cos(angle) - across * np.sin(angle)
    dy = along * np.sin(angle) + across * np.cos(angle)
    found = Localisation().score(pairs_with_errors(dy + 5, dx - 7))  # a bias does not widen it
    assert found["ellipse_major"] == pytest.approx(np.sqrt(18 / 3), rel=1e-12)
    assert found["ellipse_minor"] == pytest.approx(np.sqrt(2 / 3), rel=1e-12)
    assert found["ellipse_angle"] == pytest.approx(30.0, abs=1e-9)


def test_the_ellipse_agrees_with_principal_components():
    dy, dx = np.random.default_rng(5).normal(size=(2, 40)) * [[1.0], [2.5]]
    found = Localisation().score(pairs_with_errors(dy, dx))
    variances, axes = np.linalg.eigh(np.cov(dx, dy))
    assert found["ellipse_minor"] ** 2 == pytest.approx(variances[0], rel=1e-9)
    assert found["ellipse_major"] ** 2 == pytest.approx(variances[1], rel=1e-9)
    angle = np.rad2deg(np.arctan2(axes[1, 1], axes[0, 1]))
    assert (found["ellipse_angle"] - angle + 90) % 180 - 90 == pytest.approx(0, abs=1e-6)


def test_one_pair_has_no_ellipse_and_a_round_one_no_angle():
    alone = Localisation().score(pairs_with_errors(np.ones(1), np.ones(1)))
    assert (alone["ellipse_major"], alone["ellipse_minor"], alone["ellipse_angle"]) == (None, None, None)
    cross = np.array([1.0, -1.0, 0.0, 0.0])
    assert Localisation().score(pairs_with_errors(cross, cross[::-1]))["ellipse_angle"] is None


def test_p95_is_what_95_per_cent_stay_below():
    found = Localisation().score(pairs_with_errors(np.arange(101) / 4, np.zeros(101)))
    assert found["p95"] == pytest.approx(95 / 4, rel=1e-12)


PIXEL = 3.2


def locking(errors_of, n=4000, noise=0.0, seed=8):
    """Return the locking of errors that depend on the place in the pixel, −½ to ½, along each axis."""
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(0, 400 * PIXEL, (2, n))
    place = [(p / PIXEL + 0.5) % 1 - 0.5 for p in (y, x)]
    dy, dx = (errors_of(p) * PIXEL + rng.normal(0, noise, n) for p in place)
    return Localisation().score(pairs_with_errors(dy, dx, y=y, x=x, pixel_size=PIXEL))["locking"]


def test_picks_on_whole_pixels_are_locked_by_one_over_pi():
    # Rounded to the nearest pixel, or down, the error is a sawtooth; its first wave is 1/π high.
    # With 4000 random places the fit scatters by the sawtooth's other waves, 0.18 √(2/4000): 5 of that.
    for errors_of in (lambda p: -p, lambda p: -(p % 1)):
        assert locking(errors_of) == pytest.approx(PIXEL / np.pi, abs=5 * PIXEL * 0.18 * np.sqrt(2 / 4000))


def test_a_wave_of_any_phase_is_found_in_noise():
    for phase in (0.0, 1.0, 2.0):
        found = locking(lambda p, phase=phase: 0.1 * np.sin(2 * np.pi * p + phase), noise=1.0)
        # The amplitude on each axis scatters by σ√(2/n) = 0.022 Å, over two axes by 0.016: 5 of that.
        assert found == pytest.approx(0.1 * PIXEL, abs=0.08)


@pytest.mark.parametrize("n", [8, 50])
def test_noise_and_bias_alone_are_not_locking(n):
    rng = np.random.default_rng(3)
    power = [
        found
        for error, place in zip(rng.normal(0.7, 1.0, (2000, n)), rng.uniform(0, 100, (2000, n)), strict=True)
        if (found := locking_power(error, place, PIXEL)) is not None
    ]
    # Unbiased however few there are: what is taken off is known from the residual of n − 3 degrees of
    # freedom. Five standard errors of the mean: a false alarm in a million.
    assert np.mean(power) == pytest.approx(0, abs=5 * np.std(power) / np.sqrt(len(power)))
    assert min(power) < 0 < max(power)


def test_places_that_do_not_sample_the_pixel_tell_nothing_of_locking():
    n = 30
    errors = np.random.default_rng(0).normal(size=(2, n))
    whole = PIXEL * np.arange(n)
    even = 1.23 * PIXEL * np.arange(n)
    found = [
        Localisation().score(pairs_with_errors(*errors, y=y, x=x, pixel_size=PIXEL))["locking"]
        for y, x in ((whole, whole), (whole, even))
    ]
    assert found[0] is None
    assert found[1] == pytest.approx(np.sqrt(max(locking_power(errors[1], even, PIXEL), 0.0)), rel=1e-12)


def test_angle_errors_have_a_95_per_cent_too():
    n = 101
    truth = table(Truth, [("m", "a", 100 * i, 0) for i in range(n)], psi=np.zeros(n))
    picks = table(Picks, [("m", "a", 100 * i, 0) for i in range(n)], psi=-0.1 * np.arange(n))
    found = Localisation().score(compare(truth, picks))
    assert found["psi_p95"] == pytest.approx(9.5, abs=1e-9)
    solid = {"rot": np.zeros(n), "tilt": np.zeros(n)}
    found = Localisation().score(compare(truth.replace(**solid), picks.replace(**solid)))
    # Angles from traces of rotation matrices lose half of the digits near 0, not here.
    assert found["orientation_p95"] == pytest.approx(9.5, abs=1e-6)
    assert found["psi_p95"] is None
