"""How a solid is turned: RELION's ZYZ Euler angles, and the in-plane angle and mirror of simkit.

A solid's point r₀ = (x, y, z), measured from the centre of its map, is brought to A r₀ with
A = Rz(ψ_R) Ry(tilt) Rz(rot) [1]_, and the image is the projection along z. The first two angles are
the `View`, the direction the solid is seen from; the third is simkit's in-plane angle ψ = −ψ_R
(see `simkit.io.relion`). A mirror x → −x acts on the projection before ψ does. As a projection
forgets z, that is the turn (x, y, z) → (−x, y, −z): the same solid seen from behind.

References
----------
.. [1] Heymann, Chagoyen, Belnap, J. Struct. Biol. 151 (2005) 196; RELION `Euler_angles2matrix`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simkit.core.grid import FloatArray

BEHIND = np.diag([-1.0, 1.0, -1.0])
"""Half a turn about y: the projection is mirrored x → −x."""


class View(NamedTuple):
    """The direction a solid is projected along; the third angle is the in-plane ψ.

    Attributes
    ----------
    rot, tilt : float
        Degrees: RELION's rlnAngleRot and rlnAngleTilt.
    """

    rot: float
    tilt: float


FLAT = View(math.nan, math.nan)
"""What stands in a table for a particle that is not a solid."""


def orientation(
    rot: npt.ArrayLike, tilt: npt.ArrayLike, psi: npt.ArrayLike = 0.0, mirror: npt.ArrayLike = False
) -> FloatArray:
    """Return the matrix that brings a point (x, y, z) of a solid to where it is projected from.

    Parameters
    ----------
    rot, tilt, psi : array_like
        Degrees; ψ is simkit's, +x turned towards +y. They broadcast.
    mirror : array_like of bool
        The projection is mirrored x → −x before ψ turns it.

    Returns
    -------
    array, shape (..., 3, 3)
        Rotations: Rz(−ψ) · (behind, if mirrored) · Ry(tilt) · Rz(rot).
    """
    seen = _about_y(tilt) @ _about_z(rot)
    behind = np.where(np.asarray(mirror, bool)[..., None, None], BEHIND, np.eye(3))
    turned: FloatArray = _about_z(-np.asarray(psi, float)) @ behind @ seen
    return turned


def direction(rot: npt.ArrayLike, tilt: npt.ArrayLike) -> FloatArray:
    """Return the unit vector (x, y, z), in the solid's own frame, that points along the beam.

    Returns
    -------
    array, shape (..., 3)
        (sin tilt cos rot, sin tilt sin rot, cos tilt): what the view brings to +z.
    """
    r, t = np.deg2rad(np.asarray(rot, float)), np.deg2rad(np.asarray(tilt, float))
    return np.stack(np.broadcast_arrays(np.sin(t) * np.cos(r), np.sin(t) * np.sin(r), np.cos(t)), axis=-1)


def view_along(vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (rot, tilt) in degrees of unit vectors, shape (..., 3); rot is 0 along z itself."""
    x, y, z = np.moveaxis(vector, -1, 0)
    across = np.hypot(x, y)
    rot = np.where(across > 1e-12, np.rad2deg(np.arctan2(y, x)) % 360.0, 0.0)
    return rot, np.rad2deg(np.arctan2(across, z))


def angle_between(one: FloatArray, other: FloatArray, group: FloatArray) -> FloatArray:
    """Return the smallest turn, in degrees, that takes one orientation to another.

    Parameters
    ----------
    one, other : arrays, shape (n, 3, 3)
        Orientations of one solid.
    group : array, shape (m, 3, 3)
        Rotations that leave the solid as it is (`simkit.core.symmetry`).

    Returns
    -------
    array, shape (n,)
        min over g of the rotation angle of A₁ g A₂ᵀ, 0 to 180.

    Notes
    -----
    ‖A₁ g − A₂‖ = 2√2 sin(α/2) in the Frobenius norm, which is accurate for small angles, where
    the arc cosine of the trace is not.
    """
    smallest = np.full(len(one), np.inf)
    for g in group:
        smallest = np.minimum(smallest, np.linalg.norm(one @ g - other, axis=(-2, -1)))
    return np.rad2deg(2 * np.arcsin(np.clip(smallest / math.sqrt(8.0), 0.0, 1.0)))


def _about_z(angle: npt.ArrayLike) -> FloatArray:
    c, s, zero, one = _parts(angle)
    return _matrix([[c, s, zero], [-s, c, zero], [zero, zero, one]])


def _about_y(angle: npt.ArrayLike) -> FloatArray:
    c, s, zero, one = _parts(angle)
    return _matrix([[c, zero, -s], [zero, one, zero], [s, zero, c]])


def _parts(angle: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    a = np.deg2rad(np.asarray(angle, float))
    return np.cos(a), np.sin(a), np.zeros_like(a), np.ones_like(a)


def _matrix(rows: list[list[FloatArray]]) -> FloatArray:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
