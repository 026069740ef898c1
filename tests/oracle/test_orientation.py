"""Euler angles, point groups and spread directions, against SciPy, RELION's axes and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from simkit.core.orientation import View, angle_between, direction, orientation, view_along
from simkit.core.symmetry import in_plane_order, is_point_group, point_group, spread_views

ORDERS = {"C1": 1, "C2": 2, "C7": 7, "D1": 2, "D2": 4, "D7": 14, "T": 12, "O": 24, "I": 60}
angles = st.floats(-360, 360)


def random_rotations(n: int, seed: int = 0) -> np.ndarray:
    return Rotation.random(n, random_state=seed).as_matrix()


# Angles --------------------------------------------------------------------------------------------


@given(angles, angles, angles)
def test_euler_angles_are_those_of_scipy(rot: float, tilt: float, psi: float) -> None:
    # RELION's A turns the axes, SciPy's ZYZ the body: one is the inverse of the other; and ψ_R = −ψ.
    there = Rotation.from_euler("ZYZ", [rot, tilt, -psi], degrees=True).inv().as_matrix()
    np.testing.assert_allclose(orientation(rot, tilt, psi), there, atol=1e-12)


def test_relions_own_matrix() -> None:
    # Euler_angles2matrix(30, 40, 50) of RELION, its twelve products written out here once more.
    a, b, g = np.deg2rad([30.0, 40.0, 50.0])
    ca, cb, cg, sa, sb, sg = *np.cos([a, b, g]), *np.sin([a, b, g])
    cc, cs, sc, ss = cb * ca, cb * sa, sb * ca, sb * sa
    there = [
        [cg * cc - sg * sa, cg * cs + sg * ca, -cg * sb],
        [-sg * cc - cg * sa, -sg * cs + cg * ca, sg * sb],
        [sc, ss, cb],
    ]
    np.testing.assert_allclose(orientation(30, 40, -50), there, atol=1e-15)


@given(angles, angles, angles)
def test_a_mirrored_projection_is_that_of_the_solid_from_behind(rot: float, tilt: float, psi: float) -> None:
    points = np.random.default_rng(3).normal(size=(3, 5))
    x, y, _ = orientation(rot, tilt) @ points
    c, s = np.cos(np.deg2rad(psi)), np.sin(np.deg2rad(psi))
    # M: x → −x first; then R(ψ) takes (1, 0) to (cos ψ, sin ψ).
    expected = [c * -x - s * y, s * -x + c * y]
    mirrored = orientation(rot, tilt, psi, True)
    np.testing.assert_allclose((mirrored @ points)[:2], expected, atol=1e-9)
    np.testing.assert_allclose(mirrored[2], -direction(rot, tilt), atol=1e-12)
    assert np.linalg.det(mirrored) == pytest.approx(1)


@given(angles, st.floats(0, 180))
def test_directions_have_their_angles(rot: float, tilt: float) -> None:
    along = direction(rot, tilt)
    # What the view brings to +z, the beam.
    np.testing.assert_allclose(orientation(rot, tilt) @ along, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(direction(*view_along(along)), along, atol=1e-12)


def test_the_turn_between_orientations_is_scipys() -> None:
    one, other = random_rotations(200, 1), random_rotations(200, 2)
    there = (Rotation.from_matrix(one) * Rotation.from_matrix(other).inv()).magnitude()
    np.testing.assert_allclose(angle_between(one, other, point_group("C1")), np.rad2deg(there), atol=1e-9)


@pytest.mark.parametrize("name", ["C3", "D7", "O", "I"])
def test_the_turn_is_modulo_the_group(name: str) -> None:
    group, one = point_group(name), random_rotations(50)
    rng = np.random.default_rng(4)
    small = Rotation.from_rotvec(1e-4 * rng.normal(size=(50, 3))).as_matrix()
    equal = one @ group[rng.integers(len(group), size=50)]
    # 1e-4 rad apart: an arc cosine of the trace would leave some 1e-8 rad of it uncertain.
    expected = np.rad2deg(np.linalg.norm(Rotation.from_matrix(small).as_rotvec(), axis=1))
    np.testing.assert_allclose(angle_between(small @ equal, one, group), expected, rtol=1e-8)


# Groups --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDERS)
def test_groups_are_groups(name: str) -> None:
    group = point_group(name)
    assert group.shape == (ORDERS[name], 3, 3)
    np.testing.assert_allclose(group[0], np.eye(3), atol=0)
    np.testing.assert_allclose(np.linalg.det(group), 1, atol=1e-12)
    products = np.einsum("aij,bjk->abik", group, group).reshape(-1, 9)
    distances = np.abs(products[:, None] - group.reshape(1, -1, 9)).max(axis=2)
    assert distances.min(axis=1).max() < 1e-9  # closed
    same = np.abs(group[:, None] - group[None]).max(axis=(2, 3)) < 1e-6
    assert same.sum() == len(group)  # no element twice


@pytest.mark.parametrize(
    ("name", "axis", "order"),
    [
        # The axes of RELION's symmetry files.
        ("C5", (0, 0, 1), 5),
        ("C5", (1, 0, 0), 1),
        ("D7", (0, 0, 1), 7),
        ("D7", (0, 0, -1), 7),
        ("D7", (1, 0, 0), 2),
        ("D3", (0, 1, 0), 1),
        ("T", (0, 0, 1), 3),
        ("T", (0, 0.816496, 0.577350), 2),
        ("O", (0, 0, 1), 4),
        ("O", (1, 0, 0), 4),
        ("O", (1, 1, 1), 3),
        ("O", (1, 1, 0), 2),
        ("I", (0, 0, 1), 2),
        ("I", (0.525731114, 0, 0.850650807), 5),
        ("I", (0, 0.356822076, 0.934172364), 3),
        ("I", (0.1, 0.2, 0.3), 1),
    ],
)
def test_axes_stand_as_in_relion(name: str, axis: tuple[float, ...], order: int) -> None:
    rot, tilt = view_along(np.array(axis) / np.linalg.norm(axis))
    assert in_plane_order(name, View(float(rot), float(tilt))) == order


def test_names() -> None:
    assert all(is_point_group(name) for name in ORDERS)
    assert not any(is_point_group(name) for name in ("C0", "D", "I2", "Cs", "c4", "TO", "C1000"))


# Directions ----------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(ORDERS)), st.floats(9, 60))
def test_every_direction_is_near_one_that_is_looked_from(name: str, step: float) -> None:
    group = point_group(name)
    chosen = np.array([direction(*view) for view in spread_views(step, name)])
    sphere = np.random.default_rng(7).normal(size=(2000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    nearest = np.max([(sphere @ turn @ chosen.T).max(axis=1) for turn in group], axis=0)
    # The half diagonal of a square of that step; sampled, so what is found is no more than what is.
    assert np.rad2deg(np.arccos(nearest.min())) <= step / np.sqrt(2)
    cosines = np.max([chosen @ turn @ chosen.T - 3 * np.eye(len(chosen)) for turn in group], axis=0)
    assert cosines.max(initial=-1) < 1 - 1e-6  # the group makes no two of them equal


def test_opposite_directions_are_two_unless_the_group_makes_them_one() -> None:
    assert View(0, 0) in spread_views(30.0)
    assert View(0, 180) in spread_views(30.0)
    assert max(view.tilt for view in spread_views(30.0, "D5")) == 90
    # About the area of the sphere, 41,253 square degrees, over that of a step, over the group's order.
    assert len(spread_views(20.0)) == pytest.approx(41253 / 400, rel=0.1)
    assert len(spread_views(5.0, "D7")) == pytest.approx(41253 / 25 / 14, rel=0.1)
