"""Nets of points: the shortest basis, the reciprocal one, and the points within a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simkit.core.grid import FloatArray


def reduced(basis: FloatArray) -> FloatArray:
    """Return the shortest basis of the same net (Gauss–Lagrange reduction)."""
    if len(basis) == 1:
        return basis
    a, b = sorted(basis, key=lambda v: float(v @ v))
    while True:
        b = b - round(float(a @ b) / float(a @ a)) * a
        # Only a shorter vector goes on: a tie, decided by rounding, would swap for ever.
        if b @ b >= a @ a:
            return np.array([a, b])
        a, b = b, a


def reciprocal(basis: FloatArray) -> FloatArray:
    """Return the reciprocal basis a*ᵢ (one a row, 1/Å), for which a*ᵢ · aⱼ = δᵢⱼ."""
    return np.linalg.inv(basis).T


def net_points(
    basis: FloatArray, *, origin: Sequence[float], lower: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """List the points of a net within a box.

    Parameters
    ----------
    basis : array, shape (ndim, ndim)
        Lattice vectors, one a row, in Å.
    origin : sequence of float
        Position of the point (0, 0).
    lower, upper : array, shape (ndim,)
        Corners of the box: lower ≤ position < upper.

    Returns
    -------
    positions, indices : arrays, shape (n, ndim)
        Å, and the integers that multiply each lattice vector.
    """
    # Of the shortest basis no more points must be looked at than the box, padded, can hold.
    short = reduced(basis)
    corners = np.stack(np.meshgrid(*zip(lower, upper, strict=True)), axis=-1).reshape(-1, len(basis))
    reach = (corners - origin) @ np.linalg.inv(short)
    ranges = [
        np.arange(first, last + 1)
        for first, last in zip(np.floor(reach.min(axis=0)), np.ceil(reach.max(axis=0)), strict=True)
    ]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(basis))
    positions = np.asarray(origin) + steps @ short
    kept = np.all((positions >= lower) & (positions < upper), axis=1)
    indices = np.round(steps[kept] @ short @ np.linalg.inv(basis))
    return positions[kept], indices
