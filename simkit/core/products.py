"""Sums of products, worked out so that other threads go on meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def products(left: Array, right: Array) -> Array:
    """Return Σ_x left[…, i, x] right[…, j, x]: a matrix for each pair of two stacks.

    Parameters
    ----------
    left, right : arrays, shape (…, m, n_x) and (…, n, n_x)
        Of the same leading axes.

    Returns
    -------
    array, shape (…, m, n)

    Notes
    -----
    `numpy.matmul` holds the interpreter's lock where its result is small, however long the sums are;
    `numpy.dot` lets it go.
    """
    if left.ndim == 2:
        return np.asarray(np.dot(left, right.T))
    return np.stack([products(a, b) for a, b in zip(left, right, strict=True)])
