"""Point groups of rotations, and directions spread evenly over what they leave to see.

Axes stand as in RELION: the main axis of Cn and Dn along z, a two-fold axis of Dn along x; T has a
three-fold axis along z, O four-fold axes along x, y and z, and I (RELION's I and I2) two-fold ones.
"""

from __future__ import annotations

import functools
import math
import re

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.orientation import View, direction, view_along

SAME = 1e-6
"""Difference below which two rotations, or two directions, are one."""

FINEST = 12
"""Candidates for every step between the directions that are chosen from them."""

_Z = (0.0, 0.0, 1.0)
_GOLDEN = (1 + math.sqrt(5)) / 2
_GENERIC = (17.0, 25.0)
"""Rot and tilt of a direction on no axis of any group."""

_SOLID = {
    "T": ((3, _Z), (2, (0.0, math.sqrt(2), 1.0))),
    "O": ((4, _Z), (3, (1.0, 1.0, 1.0))),
    "I": ((2, _Z), (5, (1.0, 0.0, _GOLDEN))),
}
"""Group → generators: (n, axis) of an n-fold axis."""


def is_point_group(name: str) -> bool:
    """Tell whether a name is one of C1 … C999, D1 … D999, T, O and I."""
    return re.fullmatch(r"[CD][1-9]\d{0,2}|[TOI]", name) is not None


def is_cyclic(name: str) -> bool:
    """Tell whether a group is a Cn, the only kind that a flat particle can have."""
    return name.startswith("C")


@functools.lru_cache(maxsize=64)
def point_group(name: str) -> FloatArray:
    """Return all rotations of a point group, the identity first.

    Parameters
    ----------
    name : str
        Cn, Dn, T, O or I.

    Returns
    -------
    array, shape (order, 3, 3)
        Order n, 2n, 12, 24 or 60.
    """
    if name in _SOLID:
        group = _closure([_turn(n, np.array(axis)) for n, axis in _SOLID[name]])
    else:
        n = int(name[1:])
        group = np.array([_turn(n, np.array(_Z), times=i) for i in range(n)])
        if name.startswith("D"):
            group = np.concatenate([group, group @ np.diag([1.0, -1.0, -1.0])])
    group.flags.writeable = False
    return group


def in_plane_order(name: str, view: View) -> int:
    """Return how often the projection along a view repeats in one in-plane turn.

    It is the number of rotations of the group that leave the direction of the beam as it is.
    """
    beam = direction(view.rot, view.tilt)
    return int((np.linalg.norm(point_group(name) @ beam - beam, axis=1) < SAME).sum())


def spread_views(step: float, name: str = "C1") -> tuple[View, ...]:
    """Return directions such that no other is farther than step/√2 from one, up to the symmetry.

    Parameters
    ----------
    step : float
        Degrees: the largest distance between neighbours.
    name : str
        Point group; of directions that it makes equal, one is returned.

    Returns
    -------
    tuple of View
        The first is along z. Opposite directions, whose projections are mirror images, count as
        two unless the group makes them one.

    Notes
    -----
    Cn and Dn: rings of equal tilt over the part of the sphere that they leave. T, O and I: of a
    fine net of candidates, the one farthest from all chosen so far is chosen next, until none is
    far [1]_.

    References
    ----------
    .. [1] Gonzalez, Theor. Comput. Sci. 38 (1985) 293.
    """
    chosen = _farthest_points(step, name) if name in _SOLID else _rings(step, name)
    rot, tilt = view_along(chosen)
    return tuple(View(float(r), float(t)) for r, t in zip(rot, tilt, strict=True))


def _rings(step: float, name: str = "C1") -> FloatArray:
    """Return unit vectors, at most `step` apart, over the part of the sphere that Cn or Dn leaves."""
    turn, end = 360.0 / int(name[1:]), 90.0 if name.startswith("D") else 180.0
    tilts = np.linspace(0.0, end, math.ceil(end / step - SAME) + 1)
    counts = [max(1, math.ceil(turn * math.sin(math.radians(t)) / step - SAME)) for t in tilts]
    rings = [direction(np.arange(n) * (turn / n), t) for n, t in zip(counts, tilts, strict=True)]
    # On the equator of Dn, a two-fold axis makes half of the ring equal to the other half.
    return np.concatenate([*rings[:-1], _unequal(rings[-1], point_group(name))])


def _unequal(vectors: FloatArray, group: FloatArray) -> FloatArray:
    """Keep the first of all vectors that a group makes equal."""
    kept: list[FloatArray] = []
    for vector in vectors:
        alike = group @ vector
        if all(np.linalg.norm(alike - k, axis=1).min() > SAME for k in kept):
            kept.append(vector)
    return np.array(kept)


def _farthest_points(step: float, name: str) -> FloatArray:
    group, net = point_group(name), step / FINEST
    candidates = _one_domain(_rings(net), group, margin=math.sqrt(2) * net)
    # Every direction is within net/√2 of a candidate.
    goal = math.cos(math.radians((step - net) / math.sqrt(2)))
    nearest = np.full(len(candidates), -1.0)
    chosen: list[FloatArray] = []
    while not chosen or nearest.min() < goal:
        # Rounded, so that the first of equals is taken on every machine.
        chosen.append(np.array(_Z) if not chosen else candidates[int(np.argmin(np.round(nearest, 9)))])
        nearest = np.maximum(nearest, (candidates @ (group @ chosen[-1]).T).max(axis=1))
    return np.array(chosen)


def _one_domain(vectors: FloatArray, group: FloatArray, margin: float) -> FloatArray:
    """Keep what is nearest to one generic direction among its equals, and `margin` degrees around."""
    generic = direction(*_GENERIC)
    angles = np.arccos(np.clip(vectors @ (group @ generic).T, -1.0, 1.0))
    return vectors[angles[:, 0] <= angles.min(axis=1) + math.radians(margin)]


def _turn(n: int, axis: FloatArray, times: int = 1) -> FloatArray:
    """Return the rotation by `times` n-th parts of a turn about an axis (Rodrigues' formula)."""
    angle = 2 * np.pi * times / n
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _closure(generators: list[FloatArray]) -> FloatArray:
    found = [np.eye(3)]
    for known in found:
        for generator in generators:
            new = generator @ known
            if all(np.abs(new - old).max() > SAME for old in found):
                found.append(new)
    return np.array(found)
