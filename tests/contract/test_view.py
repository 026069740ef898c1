"""What all views must do; a new kind is found by itself and needs an entry in EXAMPLES."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core.orientation import View, direction
from simkit.core.quantity import UNITS_REQUIRED
from simkit.view import FAMILY
from simkit.view.base import TYPICAL, Views
from simkit.view.preferred import von_mises_fisher_views
from simkit.view.uniform import uniform_views

EXAMPLES = {
    "fixed": {"rot": "30°", "tilt": "120°"},
    "named": {"view": "front"},
    "preferred": {"around": {"kind": "named", "view": "side"}, "spread": "10°"},
    "uniform": {},
}


def read(written: dict) -> Views:
    views = FAMILY.kind(written["kind"]).model_validate(written, context=UNITS_REQUIRED)
    assert isinstance(views, Views)
    return views


@pytest.fixture(params=sorted(EXAMPLES))
def written(request: pytest.FixtureRequest) -> dict:
    return {"kind": request.param, **EXAMPLES[request.param]}


def test_every_kind_has_an_example() -> None:
    assert set(FAMILY.builtins) == set(EXAMPLES), "add an example of the new kind to EXAMPLES"


def test_writes_itself_back(written: dict) -> None:
    assert read(read(written).model_dump(mode="json")) == read(written)


def test_refuses_unknown_keys(written: dict) -> None:
    with pytest.raises(ValidationError, match="colour"):
        read({**written, "colour": "red"})


@pytest.mark.parametrize("n", [0, 1, 500])
def test_draws_so_many_directions(written: dict, n: int) -> None:
    rot, tilt = read(written).draw(n, np.random.default_rng(1))
    assert rot.shape == tilt.shape == (n,)
    assert np.all((rot >= 0) & (rot < 360))
    assert np.all((tilt >= 0) & (tilt <= 180))
    again = read(written).draw(n, np.random.default_rng(1))
    assert rot.tobytes() == again[0].tobytes()
    assert tilt.tobytes() == again[1].tobytes()


def test_one_view_is_the_only_one(written: dict) -> None:
    views = read(written)
    rot, tilt = views.draw(20, np.random.default_rng(2))
    drawn = {View(*pair) for pair in zip(rot.tolist(), tilt.tolist(), strict=True)}
    if views.only is None:
        assert len(drawn) == 20
        assert len(set(views.typical)) == TYPICAL
    else:
        assert drawn == {views.only} == set(views.typical)


@pytest.mark.parametrize(
    ("view", "along"), [("top", (0, 0, 1)), ("bottom", (0, 0, -1)), ("side", (1, 0, 0)), ("front", (0, 1, 0))]
)
def test_names_are_axes_of_the_map(view: str, along: tuple[int, int, int]) -> None:
    only = read({"kind": "named", "view": view}).only
    np.testing.assert_allclose(direction(*only), along, atol=1e-15)


def test_uniform_is_uniform() -> None:
    n = 40_000
    vectors = direction(*uniform_views(n, np.random.default_rng(3)))
    # Each component has mean 0 and variance 1/3, its square mean 1/3 and variance 4/45; 9 means at 5 σ
    # fail by chance once in 200,000 seeds.
    assert np.abs(vectors.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / n)
    squares = np.einsum("ni,nj->ij", vectors, vectors) / n
    assert np.abs(squares - np.eye(3) / 3).max() < 5 * np.sqrt(4 / 45 / n)


@pytest.mark.parametrize("spread", [0.5, 12.0, 60.0, 180.0])
def test_preferred_is_von_mises_fisher(spread: float) -> None:
    n, around = 40_000, View(200.0, 75.0)
    views = von_mises_fisher_views(n, np.random.default_rng(4), around=around, spread=spread)
    vectors, kappa = direction(*views), np.deg2rad(spread) ** -2
    along = vectors @ direction(*around)
    mean = 1 / np.tanh(kappa) - 1 / kappa
    variance = 1 - 2 * mean / kappa - mean**2
    # Mean cosine coth κ − 1/κ; 5 σ: by chance once in 2 million seeds.
    assert abs(along.mean() - mean) < 5 * np.sqrt(variance / n)
    # Nothing is preferred across: the mean vector points along the middle.
    sideways = vectors - along[:, None] * direction(*around)
    assert np.abs(sideways.mean(axis=0)).max() < 5 * np.sqrt(1 / 2 * (1 - mean**2) / n) + 1e-12
    if spread < 1:
        # A small spread is the standard deviation each way, a tenth of a percent of it the curvature.
        assert np.rad2deg(np.sqrt((sideways**2).sum() / n / 2)) == pytest.approx(spread, rel=0.02)


def test_the_middle_is_one_view() -> None:
    with pytest.raises(ValidationError, match="there are fixed, named"):
        read({"kind": "preferred", "around": {"kind": "uniform"}, "spread": "5°"})
    with pytest.raises(ValidationError, match="one of fixed, named"):
        read({"kind": "preferred", "around": {"rot": "5°"}, "spread": "5°"})
