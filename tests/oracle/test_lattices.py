"""Lattices against cell areas, brute force, and counts known beforehand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from pydantic import ValidationError
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, pdist

from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import Grid
from simkit.core.tables import Placements
from simkit.core.vector import Vector
from simkit.lattice._net import Outline, inside_polygon
from simkit.lattice.base import Lattice
from simkit.lattice.centred import Centred
from simkit.lattice.chain import Chain
from simkit.lattice.hexagonal import Hexagonal
from simkit.lattice.oblique import Oblique
from simkit.lattice.positions import Positions
from simkit.lattice.rectangular import Rectangular
from simkit.lattice.scattered import Scattered, most_that_fit
from simkit.lattice.square import Square

GRID = Grid((500, 601), 2.0)
NOBODY = Placements.at([], [])


def place(
    lattice: Lattice,
    grid: Grid = GRID,
    *,
    periodic: bool = False,
    margin: float = 0.0,
    seed: int = 0,
    occupied: Placements = NOBODY,
) -> Placements:
    return lattice.placements(
        grid=grid, margin=margin, periodic=periodic, rng=np.random.default_rng(seed), occupied=occupied
    )


def points(copies: Placements) -> np.ndarray:
    return np.stack([copies.y, copies.x], axis=1)


NETS = [
    (Oblique(a=30, b=41, gamma=73, rotation=12), 30 * 41 * np.sin(np.deg2rad(73))),
    (Oblique(a=300, b=20, gamma=5), 300 * 20 * np.sin(np.deg2rad(5))),  # far from its shortest basis
    (Rectangular(a=30, b=41, rotation=-50), 30 * 41),
    (Centred(a=50, b=33, rotation=7), 50 * 33 / 2),
    (Square(a=31, rotation=45), 31**2),
    (Hexagonal(a=29, rotation=200), 29**2 * np.sqrt(3) / 2),
]


@pytest.mark.parametrize(("net", "cell"), NETS)
def test_density_of_a_net_is_one_point_a_cell(net: Lattice, cell: float) -> None:
    copies = place(net)
    # Points in a box differ from area / cell by at most about perimeter / spacing.
    slack = 2 * sum(GRID.extent) / net.shortest_spacing
    assert abs(len(copies) - GRID.area / cell) < slack
    assert GRID.contains(copies.y, copies.x).all()


@pytest.mark.parametrize(("net", "cell"), NETS)
def test_nets_are_complete_and_closed_under_their_basis(net: Lattice, cell: float) -> None:
    here = points(place(net))
    tree = cKDTree(points(place(net, margin=max(np.linalg.norm(net.basis, axis=1)) + 1)))
    for step in (*net.basis, *-net.basis):
        np.testing.assert_allclose(tree.query(here + step)[0], 0, atol=1e-8)


@settings(max_examples=60)
@given(
    a=st.floats(20, 80),
    b=st.floats(20, 80),
    gamma=st.floats(20, 160),
    rotation=st.floats(-180, 180),
    origin=st.tuples(st.floats(-500, 1500), st.floats(-500, 1500)),
)
def test_spacing_is_the_distance_of_nearest_neighbours(
    a: float, b: float, gamma: float, rotation: float, origin: tuple[float, float]
) -> None:
    net = Oblique(a=a, b=b, gamma=gamma, rotation=rotation, origin=Vector(y=origin[0], x=origin[1]))
    here = points(place(net, Grid((200, 210), 2.0), margin=80))
    nearest = cKDTree(here).query(here, k=2)[0][:, 1]
    assert nearest.min() == pytest.approx(net.shortest_spacing, rel=1e-9)


@settings(max_examples=60)
@given(
    cells=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    start=st.tuples(st.floats(-2, 3), st.floats(-2, 3)),
    pixel=st.sampled_from([1.0, 1.1, 3.7]),
    on_seam=st.booleans(),
)
def test_no_point_of_a_periodic_net_stands_twice(
    cells: tuple[int, int], start: tuple[float, float], pixel: float, on_seam: bool
) -> None:
    grid = Grid((60, 63), pixel)
    b, a = (length / n for length, n in zip(grid.extent, cells, strict=True))
    origin = (-pixel / 2, -pixel / 2) if on_seam else (start[0] * b, start[1] * a)
    net = Rectangular(a=a, b=b, origin=Vector(y=origin[0], x=origin[1]))
    copies = place(net, grid, periodic=True)
    assert len(copies) == cells[0] * cells[1]
    assert grid.contains(copies.y, copies.x).all()
    if len(copies) > 1:
        wrapped = points(copies) - np.array(grid.origin) + pixel / 2
        wrapped = np.where(wrapped >= grid.extent, 0.0, wrapped)
        nearest = cKDTree(wrapped, boxsize=grid.extent).query(wrapped, k=2)[0][:, 1]
        assert nearest.min() == pytest.approx(net.shortest_spacing, rel=1e-4)


def test_the_shortest_basis_is_found_where_two_are_equally_short() -> None:
    # 60 Å and 20 Å at 120°: b + a / 3 and b − a / 3 … are ties that rounding decides either way.
    for rotation in np.linspace(0, 1, 50):
        assert Oblique(a=60, b=20, gamma=120, rotation=rotation).shortest_spacing == pytest.approx(20)


@pytest.mark.parametrize("rotation", [0.0, 25.0])
def test_vectors_turn_from_x_towards_y(rotation: float) -> None:
    turn = np.deg2rad(rotation)
    ex, ey = np.array([np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), -np.sin(turn)])
    a, b = Oblique(a=30, b=40, gamma=60, rotation=rotation).basis
    np.testing.assert_allclose(a, 30 * ex, atol=1e-12)
    np.testing.assert_allclose(b, 40 * (0.5 * ex + np.sqrt(0.75) * ey), atol=1e-12)
    one, two = Centred(a=30, b=40, rotation=rotation).basis
    np.testing.assert_allclose(one, 15 * ex + 20 * ey, atol=1e-12)
    np.testing.assert_allclose(two, -15 * ex + 20 * ey, atol=1e-12)


def test_copies_keep_their_own_angle_when_the_net_turns() -> None:
    copies = place(Square(a=100, rotation=30, angle=-20))
    assert set(copies.psi) == {-20.0}
    middle = (copies.h == 0) & (copies.k == 0)
    assert (copies.y[middle].item(), copies.x[middle].item()) == GRID.centre


@pytest.mark.parametrize(
    ("outline", "area"),
    [
        (Outline(radius=250), np.pi * 250**2),
        (Outline(size=Vector(y=300, x=420), centre=Vector(y=500, x=500)), 300 * 420),
        (
            Outline(corners=tuple(Vector(y=y, x=x) for y, x in [(-200, 0), (200, 250), (200, -250)])),
            400 * 250,
        ),
    ],
)
def test_an_outline_holds_as_many_points_as_its_area(outline: Outline, area: float) -> None:
    copies = place(Hexagonal(a=10, rotation=3, outline=outline))
    cell = 100 * np.sqrt(3) / 2
    # Points near the edge: perimeter / spacing ~ 150, half of them by chance on either side.
    assert len(copies) == pytest.approx(area / cell, abs=4 * np.sqrt(150))
    assert outline.contains(points(copies), GRID).all()


def test_an_outline_includes_its_edge() -> None:
    net = Square(a=50, outline=Outline(size=Vector(y=200, x=100)))
    assert len(place(net)) == 5 * 3
    assert len(place(Square(a=50, outline=Outline(radius=50)))) == 5
    corners = tuple(Vector(y=y, x=x) for y, x in [(-50, -50), (-50, 50), (50, 50), (50, -50)])
    assert len(place(Square(a=50, outline=Outline(corners=corners)))) == 9


def test_points_in_a_polygon_agree_with_matplotlib() -> None:
    rng = np.random.default_rng(1)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
    corners = np.stack([np.sin(angle), np.cos(angle)], axis=1) * rng.uniform(0.5, 2, (9, 1))
    where = rng.normal(size=(4000, 2))
    expected = Polygon(corners).contains_points(where)
    assert 500 < expected.sum() < 3500
    np.testing.assert_array_equal(inside_polygon(where, corners), expected)
    np.testing.assert_array_equal(inside_polygon(where, corners[::-1]), expected)


@pytest.mark.parametrize(
    "fields", [{}, {"radius": 5, "size": [1, 2]}, {"size": [0, 2]}, {"corners": [[0, 0], [1, 1]]}]
)
def test_an_outline_is_exactly_one_thing(fields: dict) -> None:
    with pytest.raises(ValidationError):
        Outline(**fields)


def test_a_net_too_fine_is_taken_for_a_slip() -> None:
    with pytest.raises(ScenarioError, match="too fine"):
        place(Square(a=0.1))


@pytest.mark.parametrize("gamma", [0.0, 180.0, -20.0])
def test_a_flat_cell_is_refused(gamma: float) -> None:
    with pytest.raises(ValidationError, match="gamma"):
        Oblique(a=10, b=10, gamma=gamma)


def test_a_chain_stands_at_equal_distances() -> None:
    line = Grid((1000,), 1.5)
    whole = place(Chain(spacing=40), line, margin=100)
    np.testing.assert_allclose(whole.x, 750 + 40 * whole.h, atol=1e-9)
    assert (whole.h.min(), whole.h.max()) == (-21, 21)  # −100.75 … 1599.25 Å
    short = place(Chain(spacing=40, count=6, origin=Vector(x=300)), line)
    np.testing.assert_allclose(short.x, 300 + 40 * np.arange(-3, 3), atol=1e-9)
    assert np.isnan(short.k).all()
    assert len(place(Chain(spacing=1.5 * 1000 / 7), line, periodic=True)) == 7


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("ndim", [1, 2])
def test_scattered_copies_keep_their_distance(periodic: bool, ndim: int) -> None:
    grid = Grid((3000,), 2.0) if ndim == 1 else Grid((400, 300), 2.0)
    before = place(Scattered(count=12, min_distance=60), grid, periodic=periodic, seed=1)
    copies = place(Scattered(count=30, min_distance=45), grid, periodic=periodic, seed=2, occupied=before)
    assert (len(before), len(copies)) == (12, 30)
    assert grid.contains(*copies.positions(ndim)).all()
    here, there = (np.stack(c.positions(ndim), axis=1) for c in (copies, before))
    if periodic:  # every copy also stands one image further in each direction
        steps = np.stack(np.meshgrid(*[(-1, 0, 1)] * ndim), axis=-1).reshape(-1, ndim) * grid.extent
        again = np.concatenate([here + s for s in steps if s.any()])
        assert cdist(here, again).min() >= 45
        there = np.concatenate([there + s for s in steps])
    assert pdist(here).min() >= 45
    assert cdist(here, there).min() >= 45


def test_a_periodic_image_is_filled_up_to_its_borders() -> None:
    grid = Grid((100, 100), 1.0)
    close = place(Scattered(count=50, min_distance=10), grid, seed=4)
    seam = np.abs(points(close)[:, None] - points(close)[None])
    wrapped = np.minimum(seam, 100 - seam)
    # In an open image neighbours across the border do not see each other.
    assert np.sort(np.hypot(*wrapped.transpose(2, 0, 1)).ravel())[50] < 10


def test_scattering_is_uniform() -> None:
    grid = Grid((100, 100), 1.0)
    copies = place(Scattered(count=4000, min_distance=0, rotation="uniform"), grid, seed=5)
    for values, edges in (
        (copies.y, np.linspace(-0.5, 99.5, 11)),
        (copies.x, np.linspace(-0.5, 99.5, 11)),
        (copies.psi, np.linspace(0, 360, 11)),
    ):
        counts = np.histogram(values, edges)[0]
        assert counts.sum() == 4000
        # χ² with 9 degrees of freedom exceeds 33.7 once in 10⁴ seeds; this seed is fixed.
        assert ((counts - 400) ** 2 / 400).sum() < 33.7


def test_upright_is_upright_and_none_are_none() -> None:
    assert not place(Scattered(count=5, min_distance=0)).psi.any()
    assert len(place(Scattered(count=0, min_distance=10))) == 0


@pytest.mark.parametrize("ndim", [1, 2])
def test_what_the_error_recommends_does_fit(ndim: int) -> None:
    grid = Grid((500,) if ndim == 1 else (100, 120), 1.0)
    crowded = Scattered(count=95 if ndim == 2 else 45, min_distance=10)
    assert crowded.count < most_that_fit(grid, 10, periodic=True)
    with pytest.raises(ScenarioError, match="found room") as caught:
        place(crowded, grid, periodic=True)
    assert caught.value.path == ("count",)
    words = caught.value.message.split()
    fewer = int(words[words.index("would,") - 1])
    distance = float(words[-2])
    assert len(place(Scattered(count=fewer, min_distance=10), grid, periodic=True)) == fewer
    assert len(place(Scattered(count=crowded.count, min_distance=distance), grid, periodic=True))


def test_the_certain_bound_is_no_lower_than_the_densest_nets() -> None:
    grid = Grid((1000, 1000), 1.0)
    hexagonal = place(Hexagonal(a=40), grid)
    assert len(hexagonal) <= most_that_fit(grid, 40 - 1e-9, periodic=False)
    rows = place(Rectangular(a=50, b=50), Grid((200, 200), 1.0), periodic=True)
    assert len(rows) <= most_that_fit(Grid((200, 200), 1.0), 50, periodic=True)
    assert most_that_fit(Grid((100,), 1.0), 25, periodic=True) == 4
    assert most_that_fit(Grid((100,), 1.0), 25, periodic=False) == 5


def test_the_impossible_is_refused_at_once() -> None:
    with pytest.raises(ScenarioError, match="at most"):
        place(Scattered(count=2 * 10**6, min_distance=100))


def test_listed_positions_are_kept_as_written() -> None:
    copies = place(
        Positions(at=[[10.25, 20.5], {"y": 3, "x": 4, "angle": 30, "mirror": True, "h": 2, "k": -1}])
    )
    np.testing.assert_array_equal(points(copies), [[10.25, 20.5], [3, 4]])
    np.testing.assert_array_equal(copies.psi, [0, 30])
    np.testing.assert_array_equal(copies.mirror, [False, True])
    np.testing.assert_array_equal(copies.h, [np.nan, 2])
    np.testing.assert_array_equal(copies.k, [np.nan, -1])
    on_a_line = place(Positions(at=[[10.25], {"x": 30}]), Grid((40,), 1.0))
    np.testing.assert_array_equal(on_a_line.x, [10.25, 30])


def test_positions_beyond_reach_are_named() -> None:
    near, far = [500.0, -40.0], [500.0, -60.0]
    assert len(place(Positions(at=[near]), margin=50)) == 1
    with pytest.raises(ScenarioError, match=r"copy 2 at y 500 Å, x -60 Å is so far outside") as caught:
        place(Positions(at=[near, far]), margin=50)
    assert caught.value.path == ("at", 1)
    with pytest.raises(ScenarioError, match="is outside the image; the image measures 1000 × 1202 Å"):
        place(Positions(at=[near]), periodic=True)
    with pytest.raises(ScenarioError, match="1-D"):
        place(Positions(at=[[10.0, 10.0]]), Grid((40,), 1.0))


def test_positions_come_from_one_place(tmp_path: Path) -> None:
    file = tmp_path / "centres.csv"
    file.write_text("y_A,x_A,psi_deg\n10,20.5,\n300,40,15\n")
    with pytest.raises(ValidationError, match="exactly one"):
        Positions(at=[[1, 2]], file=str(file))
    with pytest.raises(ValidationError, match="exactly one"):
        Positions()
    np.testing.assert_array_equal(points(place(Positions(file=str(file)))), [[10, 20.5], [300, 40]])
    np.testing.assert_array_equal(place(Positions(file=str(file))).psi, [0, 15])
    file.write_text("nonsense\n")
    with pytest.raises(DataError):
        place(Positions(file=str(file)))
