"""What every shape must do; a new kind is found by itself and needs an entry in EXAMPLES."""

import numpy as np
import pytest
from pydantic import ValidationError

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.quantity import UNITS_REQUIRED
from simkit.shape import FAMILY
from simkit.shape.base import EDGE, Shape, draw

EXAMPLES = {
    "barrel": {"radius": "30 Å", "height": "50 Å", "wall": "12 Å", "view": "side"},
    "disk": {"radius": "20 Å"},
    "gaussian": {"sigma": "6 Å"},
    "rectangle": {"size": ["40 Å", "18 Å"], "angle": "20°"},
    "ring": {"radius": "25 Å", "width": "10 Å"},
    "shell": {"outer_radius": "32 Å", "inner_radius": "20 Å"},
}
PLACE = {"centre": ["5.3 Å", "-8.1 Å"], "weight": 1.7}
GRID = Grid((73, 73), 2.0)


def test_every_kind_has_an_example() -> None:
    assert set(FAMILY.builtins) == set(EXAMPLES), "add an example of the new kind to EXAMPLES"


@pytest.fixture(params=sorted(EXAMPLES))
def written(request: pytest.FixtureRequest) -> dict:
    return {"kind": request.param, **EXAMPLES[request.param]}


@pytest.fixture
def shape(written: dict) -> Shape:
    return read(written)


def read(written: dict, **more: object) -> Shape:
    return FAMILY.kind(written["kind"]).model_validate({**written, **more}, context=UNITS_REQUIRED)


def image(*shapes: Shape, grid: Grid = GRID, **how: object) -> np.ndarray:
    return fourier.corner_to_centre(fourier.inverse(draw(shapes, grid, **how), grid.shape))


def test_writes_itself_back(shape: Shape) -> None:
    assert read(shape.model_dump(mode="json")) == shape


def test_refuses_unknown_keys_and_bare_numbers(written: dict) -> None:
    with pytest.raises(ValidationError, match="colour"):
        read(written, colour="red")
    length = (
        next(key for key, value in written.items() if isinstance(value, str) and value.endswith(" Å"))
        if (written["kind"] != "rectangle")
        else "size"
    )
    with pytest.raises(ValidationError, match="has no unit"):
        read(written, **{length: [40, 18] if length == "size" else 40})


def test_transform_belongs_to_a_real_density(shape: Shape) -> None:
    k = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 50))
    np.testing.assert_allclose(shape.transform(-k), np.conj(shape.transform(k)), rtol=1e-12)


def test_transform_at_zero_is_the_sum_of_the_pixels(shape: Shape) -> None:
    total = float(np.real(shape.transform(np.zeros((2, 1)))[0]))
    assert total > 0
    # Exact: the pixel sum is the k = 0 term of the very spectrum that was drawn.
    assert image(shape).sum() * GRID.pixel_size**2 == pytest.approx(total, rel=1e-12)


def test_densest_point_has_the_weight(written: dict) -> None:
    fine = Grid((301, 301), 0.5)
    # A soft edge and, at cusps, the smoothing of half an ångström change the peak by up to a tenth.
    assert image(read(written, weight=2.5), grid=fine).max() == pytest.approx(2.5, rel=0.1)


def test_nothing_beyond_the_support(shape: Shape) -> None:
    y, x = GRID.offsets()
    outside = np.hypot(y, x) > shape.support + 4 * GRID.pixel_size
    # 3e-4 of the peak is left of a Gaussian at 4 σ; the drawn edge has died away 4 px further out,
    # but for the ripples of the band limit, whose energy is below 1e-4.
    assert np.abs(image(shape)[outside]).max() < 3e-3


def test_drawing_is_linear(written: dict) -> None:
    one, other = read(written, **PLACE), read(written, weight=-0.4)
    np.testing.assert_allclose(image(one, other), image(one) + image(other), atol=1e-12)
    np.testing.assert_allclose(image(one, scale=[3.0]), 3.0 * image(one), atol=1e-12)
    np.testing.assert_allclose(image(read(written, weight=1.7)), 1.7 * image(read(written)), atol=1e-12)


def test_a_place_between_pixels_is_an_exact_shift(written: dict) -> None:
    moved = read(written, centre=["5.3 Å", "-8.1 Å"])
    expected = fourier.shift(image(read(written)), (5.3 / GRID.pixel_size, -8.1 / GRID.pixel_size))
    np.testing.assert_allclose(image(moved), expected, atol=1e-12)


def test_turning_and_mirroring_move_pixels(written: dict) -> None:
    upright = image(read(written, **PLACE))
    # A quarter turn of +x towards +y is clockwise on the screen; M is x → −x, before the turn.
    np.testing.assert_allclose(image(read(written, **PLACE), angle=90.0), np.rot90(upright, -1), atol=1e-12)
    np.testing.assert_allclose(image(read(written, **PLACE), mirror=True), upright[:, ::-1], atol=1e-12)
    both = image(read(written, **PLACE), angle=90.0, mirror=True)
    np.testing.assert_allclose(both, np.rot90(upright[:, ::-1], -1), atol=1e-12)


def test_less_than_a_ten_thousandth_of_the_energy_is_lost(shape: Shape) -> None:
    fine = Grid(tuple(4 * n for n in GRID.shape), GRID.pixel_size / 4)
    k = fine.frequencies()
    missing = max((EDGE * GRID.pixel_size) ** 2 - shape.softness**2, 0.0)
    edge = np.exp(-2 * np.pi**2 * missing * fine.frequency_radius() ** 2)
    power = fourier.power(shape.transform(k) * edge)
    beyond = np.logical_or(*(np.abs(axis) > GRID.nyquist for axis in k))
    lost = fourier.energy(power * beyond, fine.shape) / fourier.energy(power, fine.shape)
    assert lost < 1e-4


def test_dimensions_are_checked(shape: Shape) -> None:
    assert shape.dimension_error(2) is None
    if 1 not in shape.dimensions:
        assert "1-D" in shape.dimension_error(1)


@pytest.mark.parametrize("kind", sorted(k for k, s in FAMILY.builtins.items() if 1 in s.dimensions))
def test_one_dimension(kind: str) -> None:
    written = {"kind": kind, **EXAMPLES[kind]}
    written.pop("angle", None)
    line = Grid((90,), 1.0)
    shape = read(written, centre=["3.5 Å"])
    assert shape.dimension_error(1) is None
    drawn = image(shape, grid=line)
    assert drawn.sum() == pytest.approx(float(shape.transform([np.zeros(1)])[0]), rel=1e-12)
    # Exact but for the ripples of the band limit, which a first moment weighs by their distance.
    assert line.offsets()[0] @ drawn / drawn.sum() == pytest.approx(3.5, abs=1e-4)
    np.testing.assert_allclose(
        image(shape, grid=Grid((91,), 1.0), mirror=True),
        image(shape, grid=Grid((91,), 1.0))[::-1],
        atol=1e-12,
    )
