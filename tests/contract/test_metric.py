"""What every metric must keep; a new kind is found by itself and needs an example."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.tables import Picks, Truth
from simkit.matching.optimal import match
from simkit.metric import FAMILY, AnyMetric
from simkit.metric.base import Comparison, Metric

EXAMPLES = {
    "detection": {"beta": 4.0},
    "localisation": {},
    "curve": {"false_per_image": 0.5},
    "crystal": {},
    "efficiency": {},
}
READ = TypeAdapter(AnyMetric).validate_python


@pytest.fixture(params=FAMILY.builtins)
def metric(request):
    if request.param not in EXAMPLES:
        pytest.fail(f"metric {request.param!r} needs an example in {__file__}")
    return READ({"kind": request.param, **EXAMPLES[request.param]})


def comparison(n=40, m=50, ndim=2, seed=0, order=None, **told):
    """Return a crowded comparison over two micrographs and two classes: a is flat, b a solid.

    Everything that a metric may look at is there: indices, limits, candidates, clusters.
    """
    rng = np.random.default_rng(seed)

    def columns(size):
        names = rng.choice(["a", "b"], size)
        solid = (names == "b") & (ndim == 2)
        y, x = rng.uniform(0, 60, size) * (ndim == 2), rng.uniform(0, 60, size)
        return {
            "micrograph": rng.choice(["0000", "0001"], size),
            "class": names,
            "rot": np.where(solid, rng.uniform(0, 360, size), np.nan),
            "tilt": np.where(solid, rng.uniform(0, 180, size), np.nan),
            "y": y,
            "x": x,
            "psi": rng.uniform(0, 360, size),
            "h": x // 12,
            "k": y // 12,
        }

    limits = {
        "d_prime": rng.uniform(4, 12, n),
        "sigma_y": rng.uniform(1, 2, n) if ndim == 2 else np.full(n, np.nan),
        "sigma_x": rng.uniform(1, 2, n),
        "sigma_psi": rng.uniform(1, 2, n) if ndim == 2 else np.full(n, np.nan),
    }
    truth, picks = Truth(**columns(n), **limits), Picks(**columns(m), score=rng.integers(30, 60, m) / 5)
    truth_cluster, pick_cluster = rng.integers(0, 5, n), rng.integers(0, 5, m)
    if order is not None:
        shuffle = np.random.default_rng(order)
        rows, found = shuffle.permutation(n), shuffle.permutation(m)
        truth, picks = truth.take(rows), picks.take(found)
        truth_cluster, pick_cluster = truth_cluster[rows], pick_cluster[found]
    chosen = picks["score"] > 7
    told = {
        "truth_cluster": truth_cluster,
        "pick_cluster": pick_cluster[chosen],
        "clusters": 6,
        "candidates": picks,
        "images": 2,
        "area": 2 * 0.006**2,
        "score_sd": 0.9,
        "pixel_size": 1.7,
    } | told
    picks = picks.take(chosen)
    pairs = match(truth, picks, radius=6.0, ndim=ndim)
    return Comparison(truth, picks, pairs, 6.0, {"a": "C2", "b": "D3"}, ndim, **told)


def test_written_back_it_is_the_same(metric):
    assert READ(metric.model_dump(mode="json")) == metric


def test_it_is_frozen_and_refuses_unknown_keys(metric):
    with pytest.raises(ValidationError, match="frozen"):
        metric.kind = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        READ({**metric.model_dump(), "colour": "red"})


def test_the_base_is_no_metric():
    with pytest.raises(TypeError, match="abstract"):
        Metric()


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 50), (40, 0), (0, 50), (0, 0), (1, 1), (2, 3)])
def test_it_gives_every_value_it_names_as_plain_json(metric, n, m, ndim, complete):
    values = metric.score(comparison(n, m, ndim, complete=complete))
    assert set(values) == set(metric.units)
    assert all(v is None or type(v) in (int, float) for v in values.values())
    json.dumps(values, allow_nan=False)


def test_what_nobody_knows_does_not_exist(metric):
    known = metric.score(comparison())
    unknown = dict.fromkeys(("candidates", "area", "score_sd", "pixel_size"))
    values = metric.score(comparison(**unknown))
    lost = {name for name in values if values[name] is None and known[name] is not None}
    assert (
        lost
        == {
            "detection": {"chance_matches"},
            "localisation": {"locking"},
            "curve": set(metric.units),
            "crystal": set(),
            "efficiency": {"d_prime_observed", "eta_detection"},
        }[metric.kind]
    )


def test_every_value_exists_where_everything_is_known(metric):
    values = metric.score(comparison())
    assert {name for name in values if values[name] is None} == set()


def test_units_are_ones_that_an_expectation_can_write(metric):
    assert set(metric.units.values()) <= {"", "Å", "°"}


def test_order_of_rows_does_not_matter(metric):
    one, other = metric.score(comparison()), metric.score(comparison(order=7))
    # Sums of floats in another order differ in the last bits, and `locking` is the root of a difference.
    assert one == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 50), (40, 0), (0, 50), (0, 0)])
def test_sums_over_all_clusters_give_the_score(metric, n, m, ndim, complete):
    c = comparison(n, m, ndim, complete=complete)
    sums = metric.sums(c)
    assert all(s.shape == (c.clusters,) for s in sums.values())
    values, found = metric.score(c), metric.from_sums({name: s.sum() for name, s in sums.items()})
    assert set(found) <= set(metric.units)
    expected = [np.nan if values[name] is None else values[name] for name in found]
    # The same few sums in another order.
    np.testing.assert_allclose([float(v) for v in found.values()], expected, rtol=1e-12)


def test_sums_of_many_sets_of_clusters_are_taken_at_once(metric):
    c = comparison()
    weights = np.random.default_rng(3).integers(0, 3, (7, c.clusters))
    sums = {name: weights @ s for name, s in metric.sums(c).items()}
    together = metric.from_sums(sums)
    for i in range(len(weights)):
        alone = metric.from_sums({name: s[i] for name, s in sums.items()})
        np.testing.assert_array_equal([v[i] for v in together.values()], list(alone.values()))


PERFECT = {
    "detection": {
        **dict.fromkeys(("precision", "recall", "f1", "f_beta", "jaccard"), 1.0),
        **{"tp": 25, "fp": 0, "fn": 0, "unlabelled": 0, "duplicates": 0, "split": 0, "merged": 0},
        **{"wrong_class": 0, "fdr": 0.0, "ignored_truths": 0, "ignored_picks": 0},
    },
    "localisation": {
        **dict.fromkeys(("bias_y", "bias_x", "rmse", "median", "p95", "ellipse_major", "ellipse_minor"), 0.0),
        **{"ellipse_angle": None, "locking": 0.0, "psi_median_error": 0.0, "psi_p95": 0.0},
        **{"orientation_median_error": None, "orientation_p95": None},
    },
    "curve": dict.fromkeys(("average_precision", "recall_at_equal_false", "oracle_f1"), 1.0),
    "crystal": {
        **{"registry_shift_h": 0.0, "registry_shift_k": 0.0, "registry_ambiguous": 0.0},
        **{"right_site": 1.0, "off_by_cell": 0, "occupancy_recall": 1.0, "vacancies_picked": 0},
        **dict.fromkeys(("cell_error", "cell_a_error", "cell_b_error"), 0.0),
    },
    "efficiency": {
        **{"rmse_over_bound": 0.0, "psi_over_bound": 0.0, "outliers": 0.0, "reachable": 1},
        **dict.fromkeys(("normalised_bias_y", "normalised_bias_x", "normalised_sd"), 0.0),
    },
}


def test_truth_is_its_own_perfect_answer(metric):
    h, k = (axis.ravel() - 2.0 for axis in np.mgrid[:5, :5])
    truth = Truth(
        **{"micrograph": ["m"] * 25, "class": ["a"] * 25, "y": 50 + 20.3 * h + 3 * k, "x": 50 + 17.7 * k},
        **{"psi": 10 * h, "h": h, "k": k, "d_prime": 9.0, "sigma_y": 1.0, "sigma_x": 1.0, "sigma_psi": 1.0},
    )
    picks = Picks(**{name: truth[name] for name in ("micrograph", "class", "y", "x", "psi")}, score=h)
    pairs = match(truth, picks, radius=6.0)
    values = metric.score(Comparison(truth, picks, pairs, 6.0, {}, candidates=picks, pixel_size=2.0))
    perfect = PERFECT[metric.kind]
    # Least squares and wrapped angles round.
    assert {name: values[name] for name in perfect} == pytest.approx(perfect, abs=1e-9)
