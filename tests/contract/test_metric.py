"""What every metric must keep; a new kind is found by itself and needs an example."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simkit.core.tables import Picks, Truth
from simkit.matching.optimal import match
from simkit.metric import FAMILY, AnyMetric
from simkit.metric.base import Comparison, Metric

EXAMPLES = {"detection": {}, "localisation": {}}
READ = TypeAdapter(AnyMetric).validate_python


@pytest.fixture(params=FAMILY.builtins)
def metric(request):
    if request.param not in EXAMPLES:
        pytest.fail(f"metric {request.param!r} needs an example in {__file__}")
    return READ({"kind": request.param, **EXAMPLES[request.param]})


def comparison(n=40, m=50, ndim=2, seed=0, order=None):
    """Return a crowded comparison over two micrographs and two classes: a is flat, b a solid."""
    rng = np.random.default_rng(seed)

    def columns(size):
        names = rng.choice(["a", "b"], size)
        solid = (names == "b") & (ndim == 2)
        return {
            "micrograph": rng.choice(["0000", "0001"], size),
            "class": names,
            "rot": np.where(solid, rng.uniform(0, 360, size), np.nan),
            "tilt": np.where(solid, rng.uniform(0, 180, size), np.nan),
            "y": rng.uniform(0, 60, size) * (ndim == 2),
            "x": rng.uniform(0, 60, size),
            "psi": rng.uniform(0, 360, size),
        }

    truth, picks = Truth(**columns(n)), Picks(**columns(m), score=np.arange(m))
    if order is not None:
        shuffle = np.random.default_rng(order)
        truth, picks = truth.take(shuffle.permutation(n)), picks.take(shuffle.permutation(m))
    pairs = match(truth, picks, radius=6.0, ndim=ndim)
    return Comparison(truth, picks, pairs, 6.0, {"a": "C2", "b": "D3"}, ndim)


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


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(40, 50), (40, 0), (0, 50), (0, 0)])
def test_it_gives_every_value_it_names_as_plain_json(metric, n, m, ndim):
    values = metric.score(comparison(n, m, ndim))
    assert set(values) == set(metric.units)
    assert all(v is None or type(v) in (int, float) for v in values.values())
    json.dumps(values, allow_nan=False)


def test_units_are_ones_that_an_expectation_can_write(metric):
    assert set(metric.units.values()) <= {"", "Å", "°"}


def test_order_of_rows_does_not_matter(metric):
    one, other = metric.score(comparison()), metric.score(comparison(order=7))
    # Sums of floats in another order differ in the last bits.
    assert one == pytest.approx(other, rel=1e-12)


def test_truth_is_its_own_perfect_answer(metric):
    truth = comparison().truth
    picks = Picks(**{name: truth[name] for name in ("micrograph", "class", "y", "x", "psi", "rot", "tilt")})
    pairs = match(truth, picks, radius=6.0)
    values = metric.score(Comparison(truth, picks, pairs, 6.0, {}, 2))
    perfect = {"tp": len(truth), "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert values == {name: perfect.get(name, 0) for name in values}
