"""Shapes against numerical integration, known areas and volumes, and known pictures."""

import itertools

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.special import j0

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.vector import Vector
from simkit.shape.barrel import Barrel
from simkit.shape.base import Shape, draw
from simkit.shape.disk import Disk
from simkit.shape.gaussian import Gaussian
from simkit.shape.rectangle import Rectangle
from simkit.shape.ring import Ring
from simkit.shape.shell import Shell, ball_transform

R, INNER, HEIGHT = 40.0, 25.0, 90.0


def chord(r: float, outer: float = R, inner: float = INNER) -> float:
    """Length of the wall that a ray at distance r from the middle of a hollow ball or cylinder meets."""
    return 2 * (np.sqrt(max(outer**2 - r**2, 0)) - np.sqrt(max(inner**2 - r**2, 0)))


PROFILES = [
    (Disk(radius=R), lambda r: 1.0, [0, R]),
    (Ring(radius=30, width=10), lambda r: 1.0, [25, 35]),
    (Gaussian(sigma=8), lambda r: np.exp(-(r**2) / 128), [0, 90]),
    (Shell(outer_radius=R, inner_radius=INNER), lambda r: chord(r) / chord(INNER), [0, INNER, R]),
    (Shell(outer_radius=R, inner_radius=0), lambda r: chord(r, inner=0) / (2 * R), [0, R]),
    (Barrel(radius=R, height=HEIGHT, wall=R - INNER, view="top"), lambda r: 1.0, [INNER, R]),
]


@pytest.mark.parametrize(("shape", "profile", "pieces"), PROFILES, ids=lambda v: getattr(v, "kind", ""))
@pytest.mark.parametrize("k", [0.0, 1e-6, 0.003, 0.02, 0.11])
def test_round_shapes_are_the_hankel_transform_of_their_profile(shape, profile, pieces, k) -> None:
    def slice_at(r: float) -> float:
        return 2 * np.pi * r * profile(r) * j0(2 * np.pi * k * r)

    expected = sum(quad(slice_at, a, b, epsabs=1e-9, limit=400)[0] for a, b in itertools.pairwise(pieces))
    found = shape.transform([np.array([0.6 * k]), np.array([0.8 * k])])[0]
    # Quadrature of a square-root edge and a Gaussian cut at 11 σ: 1e-7 of an area of 5e3.
    assert found == pytest.approx(expected, abs=1e-4, rel=1e-6)


@pytest.mark.parametrize("inner", [0.0, INNER])
@pytest.mark.parametrize("k", [(0.0, 0.0), (0.013, 0.004), (0.0, 0.06), (0.031, 0.0)])
def test_side_view_is_the_integral_over_the_projected_wall(inner: float, k: tuple[float, float]) -> None:
    barrel = Barrel(radius=R, height=HEIGHT, wall=R - inner, view="side")
    across = sum(
        quad(lambda x: 2 * chord(x, inner=inner) * np.cos(2 * np.pi * k[1] * x), a, b, limit=400)[0]
        for a, b in ((0, inner), (inner, R))
    )
    along = quad(lambda y: 2 * np.cos(2 * np.pi * k[0] * y), 0, HEIGHT / 2)[0]
    found = barrel.transform([np.array([k[0]]), np.array([k[1]])])[0]
    assert found == pytest.approx(across * along / chord(inner, inner=inner), abs=1e-4, rel=1e-7)


def test_rectangle_is_the_integral_over_its_own_turned_axes() -> None:
    angle, (height, width), (ky, kx) = np.deg2rad(25.0), (30.0, 12.0), (0.017, -0.029)
    # The rectangle's own axes in the plane, +x turned towards +y.
    along, down = (np.sin(angle), np.cos(angle)), (np.cos(angle), -np.sin(angle))
    expected = 1.0
    for (uy, ux), length in ((along, width), (down, height)):
        k = ky * uy + kx * ux
        expected *= quad(lambda t, k=k: np.cos(2 * np.pi * k * t), -length / 2, length / 2)[0]
    shape = Rectangle(size=Vector(y=height, x=width), angle=25.0)
    assert shape.transform([np.array([ky]), np.array([kx])])[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("shape", "integral"),
    [
        (Disk(radius=R), np.pi * R**2),
        (Gaussian(sigma=8), 2 * np.pi * 64),
        (Ring(radius=30, width=10), 2 * np.pi * 30 * 10),
        (Ring(radius=30, width=60), np.pi * 60**2),
        (Rectangle(size=Vector(y=30, x=12), angle=33.0), 360.0),
    ],
)
def test_areas_of_flat_shapes(shape: Shape, integral: float) -> None:
    assert shape.thickness is None
    assert shape.transform(np.zeros((2, 1)))[0] == pytest.approx(integral, rel=1e-12)


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (Shell(outer_radius=R, inner_radius=0), 4 / 3 * np.pi * R**3),
        (Shell(outer_radius=R, inner_radius=INNER), 4 / 3 * np.pi * (R**3 - INNER**3)),
        (Barrel(radius=R, height=HEIGHT, wall=15, view="top"), np.pi * (R**2 - INNER**2) * HEIGHT),
        (Barrel(radius=R, height=HEIGHT, wall=15, view="side"), np.pi * (R**2 - INNER**2) * HEIGHT),
        (Barrel(radius=R, height=HEIGHT, wall=R, view="side"), np.pi * R**2 * HEIGHT),
    ],
)
def test_thickness_times_density_is_the_volume_from_every_side(shape: Shape, volume: float) -> None:
    assert shape.thickness * shape.transform(np.zeros((2, 1)))[0] == pytest.approx(volume, rel=1e-12)


def test_ball_has_no_digits_to_lose_near_zero() -> None:
    q = np.logspace(-9, -2, 50)
    series = 4 / 3 * np.pi * (1 - q**2 / 10 + q**4 / 280)  # the next term is below 1e-16
    np.testing.assert_allclose(ball_transform(q / (2 * np.pi), radius=1.0), series, rtol=1e-14)


@pytest.mark.parametrize(
    ("shape", "profile"),
    [
        (Shell(outer_radius=R, inner_radius=INNER), lambda y, x: chord(np.hypot(y, x)) / chord(INNER)),
        (
            Barrel(radius=R, height=HEIGHT, wall=15, view="side"),
            lambda y, x: chord(x) / chord(INNER) * (abs(y) < HEIGHT / 2),
        ),
    ],
)
def test_drawn_solids_show_the_thickness_of_their_walls(shape: Shape, profile) -> None:
    grid = Grid((161, 161), 0.8)
    drawn = fourier.corner_to_centre(fourier.inverse(draw([shape], grid), grid.shape))
    for y, x in [(0, 0), (12.0, 8.0), (0, 32.0), (-32.0, 0.8), (-4.0, -16.0)]:
        pixel = drawn[80 + round(y / 0.8), 80 + round(x / 0.8)]
        # Away from edges the edge of one pixel changes the curved profile by σ² p''/2 ≈ 1e-3.
        assert pixel == pytest.approx(profile(y, x), abs=3e-3)


def test_an_l_turns_from_x_towards_y() -> None:
    # A long arm along +x and a short one along +y, seen from their corner.
    arms = [
        Rectangle(size=Vector(y=6, x=40), centre=Vector(y=0, x=20)),
        Rectangle(size=Vector(y=20, x=6), centre=Vector(y=10, x=0)),
    ]
    grid = Grid((101, 101), 1.0)

    def seen(**how: object) -> tuple[set[str], set[str]]:
        picture = fourier.corner_to_centre(fourier.inverse(draw(arms, grid, **how), grid.shape))
        ends = {"+x": (0, 30), "-x": (0, -30), "+y": (30, 0), "-y": (-30, 0)}
        long = {name: picture[50 + y, 50 + x] > 0.5 for name, (y, x) in ends.items()}
        short = {name: picture[50 + y // 2, 50 + x // 2] > 0.5 for name, (y, x) in ends.items()}
        return {n for n in ends if long[n]}, {n for n in ends if short[n] and not long[n]}

    assert seen() == ({"+x"}, {"+y"})
    assert seen(angle=90.0) == ({"+y"}, {"-x"})
    assert seen(mirror=True) == ({"-x"}, {"+y"})
    assert seen(angle=90.0, mirror=True) == ({"-y"}, {"-x"})  # mirrored first, then turned


@pytest.mark.parametrize("angle", [0.0, 33.0, -120.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_blobs_land_where_the_rotation_puts_them(angle: float, mirror: bool) -> None:
    grid = Grid((64, 75), 1.5)
    blob = Gaussian(sigma=4, centre=Vector(y=7, x=15), weight=2.0)
    found = fourier.corner_to_centre(
        fourier.inverse(draw([blob], grid, angle=angle, mirror=mirror), grid.shape)
    )
    turn, x0 = np.deg2rad(angle), -15.0 if mirror else 15.0
    cx, cy = np.cos(turn) * x0 - np.sin(turn) * 7, np.sin(turn) * x0 + np.cos(turn) * 7
    y, x = grid.offsets()
    # A Gaussian of σ = 2.7 px has e^(−70) of its spectrum beyond Nyquist, and 10 σ to the border.
    np.testing.assert_allclose(found, 2 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 32), atol=1e-10)


def test_line_shapes_have_the_length_and_place_of_their_edges() -> None:
    grid = Grid((200,), 0.5)
    box = Rectangle(size=Vector(x=20), centre=Vector(x=5))
    drawn = fourier.corner_to_centre(fourier.inverse(draw([box], grid), grid.shape))
    x = grid.offsets()[0]
    assert drawn.sum() * 0.5 == pytest.approx(20, rel=1e-12)
    # The edge of one pixel has ended after 5 px, and is at half height on the border of the box.
    np.testing.assert_allclose(drawn[np.abs(x - 5) < 7.5], 1, atol=2e-3)
    np.testing.assert_allclose(drawn[np.abs(x - 5) > 12.5], 0, atol=2e-3)
    np.testing.assert_allclose(drawn[np.isin(x, [-5, 15])], 0.5, atol=5e-3)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Ring, {"radius": 10, "width": 21}, "at most twice the radius, 20"),
        (Shell, {"outer_radius": 10, "inner_radius": 10}, "less than the outer radius"),
        (Shell, {"outer_radius": 10, "inner_radius": -1}, "at least 0"),
        (Barrel, {"radius": 10, "height": 5, "wall": 11, "view": "top"}, "at most the radius"),
        (Barrel, {"radius": 10, "height": 5, "wall": 1, "view": "front"}, "'top' or 'side'"),
        (Rectangle, {"size": [5, 0]}, "more than 0"),
        (Rectangle, {"size": [5, -5]}, "more than 0"),
        (Gaussian, {"sigma": 0}, "more than 0"),
    ],
)
def test_impossible_sizes_are_refused(kind, fields, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(**fields)


def test_a_rectangle_needs_its_height_in_the_plane_and_no_angle_on_a_line() -> None:
    assert "[height, width]" in Rectangle(size=[5.0]).dimension_error(2)
    assert "more than 0" in Rectangle(size=[0.0, 5.0]).dimension_error(2)
    assert "angle" in Rectangle(size=[5.0], angle=10).dimension_error(1)
    assert Rectangle(size=[5.0]).dimension_error(1) is None
