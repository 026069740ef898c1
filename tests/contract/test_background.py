"""What every background must do; a new kind is found by itself and needs an entry in EXAMPLES."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simkit.background import FAMILY
from simkit.background.base import Background
from simkit.background.gradient import Gradient, plane
from simkit.core.errors import ScenarioError
from simkit.core.grid import Grid
from simkit.core.quantity import UNITS_REQUIRED

EXAMPLES = {
    "gradient": {"amplitude": 0.3, "angle": "30°"},
    "none": {},
}
IMAGE = Grid((30, 41), 2.0)
PADDED = IMAGE.padded(7, (48, 60))


def test_every_kind_has_an_example() -> None:
    assert set(FAMILY.builtins) == set(EXAMPLES), "add an example of the new kind to EXAMPLES"


@pytest.fixture(params=sorted(EXAMPLES))
def written(request: pytest.FixtureRequest) -> dict:
    return {"kind": request.param, **EXAMPLES[request.param]}


@pytest.fixture
def background(written: dict) -> Background:
    return read(written)


def read(written: dict, **more: object) -> Background:
    return FAMILY.kind(written["kind"]).model_validate({**written, **more}, context=UNITS_REQUIRED)


def draw(background: Background, grid: Grid, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return background.density(grid=grid, image=IMAGE, periodic=False, rng=rng)


def test_writes_itself_back(background: Background) -> None:
    assert read(background.model_dump(mode="json")) == background


def test_refuses_unknown_keys(written: dict) -> None:
    with pytest.raises(ValidationError, match="colour"):
        read(written, colour="red")


def test_fills_the_simulated_grid_and_only_its_stream_matters(background: Background) -> None:
    first = draw(background, PADDED)
    assert first.shape == PADDED.shape
    assert np.all(np.isfinite(first))
    np.testing.assert_array_equal(draw(background, PADDED), first)


@given(
    amplitude=st.floats(-3, 3),
    angle=st.floats(-360, 360),
    shape=st.tuples(st.integers(2, 40), st.integers(2, 40)),
)
def test_gradient_spans_its_amplitude_about_zero(
    amplitude: float, angle: float, shape: tuple[int, int]
) -> None:
    image = Grid(shape, 1.7)
    density = plane(grid=image, image=image, amplitude=amplitude, angle=angle)
    assert np.ptp(density) == pytest.approx(abs(amplitude), abs=1e-12)
    assert density.mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("angle", [0.0, 90.0, 30.0, -130.0])
def test_gradient_increases_in_its_direction(angle: float) -> None:
    down, right = np.gradient(plane(grid=IMAGE, image=IMAGE, amplitude=1.0, angle=angle))
    np.testing.assert_allclose(np.rad2deg(np.arctan2(down, right)), angle, atol=1e-6)


def test_gradient_goes_on_beyond_the_image() -> None:
    gradient = Gradient(amplitude=0.3, angle=30)
    inner = draw(gradient, PADDED)[7:37, 7:48]
    np.testing.assert_allclose(inner, draw(gradient, IMAGE), atol=1e-12)


def test_gradient_on_a_line() -> None:
    line = Grid((11,), 2.0)
    np.testing.assert_allclose(
        plane(grid=line, image=line, amplitude=2.0), np.linspace(-1, 1, 11), atol=1e-12
    )


def test_gradient_is_refused_where_it_cannot_exist() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ScenarioError, match="does not wrap"):
        Gradient(amplitude=1).density(grid=IMAGE, image=IMAGE, periodic=True, rng=rng)
    line = Grid((11,), 2.0)
    with pytest.raises(ScenarioError, match="1-D"):
        Gradient(amplitude=1, angle=20).density(grid=line, image=line, periodic=False, rng=rng)
