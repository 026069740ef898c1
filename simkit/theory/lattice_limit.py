"""How precisely a crystal's lattice can be known from the sites that show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simkit.core.grid import FloatArray
from simkit.theory.fisher import limits


@dataclass(frozen=True)
class LatticeLimit:
    """Cramér–Rao limits on a lattice: covariances in Å², NaN where the sites do not determine a vector.

    Attributes
    ----------
    origin : array, shape (ndim, ndim)
        Of the site of index 0, wherever that is.
    vectors : array, shape (rank, ndim, ndim)
        Of every lattice vector, in the order of the indices.
    """

    origin: FloatArray
    vectors: FloatArray


def lattice_limit(indices: FloatArray, information: FloatArray) -> LatticeLimit:
    """Return the limits on origin and lattice vectors of sites r = origin + Σ hᵢ aᵢ with known indices.

    The information adds up over sites, F = Σ v vᵀ ⊗ I with v = (1, h, k): weighted least squares attains it.
    In one dimension var(a) = σ² / Σ(h − h̄)², which for M neighbours is 12 σ² / (M³ − M).

    Parameters
    ----------
    indices : array, shape (n_sites, rank)
        Lattice indices of every site. Counted from their mean, the origin is the middle of the sites and
        has the smallest limit, that of their mean position.
    information : array, shape (ndim, ndim) or (n_sites, ndim, ndim)
        Information on the position of each site, 1/Å²: the inverse of its Cramér–Rao limit.
    """
    h = np.asarray(indices, float)
    each = np.asarray(information, float)
    ndim, terms = each.shape[-1], 1 + h.shape[1]
    # An unknown far origin would hide well known vectors in rounding; it is moved back afterwards.
    middle = h.mean(axis=0)
    v = np.hstack([np.ones((len(h), 1)), h - middle])
    per_site = np.broadcast_to(each, (len(h), ndim, ndim))
    whole = np.einsum("si,sj,sab->iajb", v, v, per_site).reshape(terms * ndim, terms * ndim)
    covariance = limits(whole, wanted=range(terms * ndim)).reshape(terms, ndim, terms, ndim)
    back = np.concatenate([[1.0], -middle])
    used = back != 0
    origin = np.einsum("i,iajb,j->ab", back[used], covariance[used][:, :, used], back[used])
    vectors = np.stack([covariance[i, :, i] for i in range(1, terms)])
    return LatticeLimit(origin=origin, vectors=vectors)
