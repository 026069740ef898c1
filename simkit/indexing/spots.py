"""From spots to the reciprocal lattice that explains them.

A lattice that explains a spot predicts its place to within a tolerance t instead of anywhere in a
reciprocal cell of area A, which saves log(A / πt²) of description. The best lattice saves most:
a finer one than needed has a smaller A, a coarser one explains fewer spots. Spots left over are
then asked whether they stand at a simple fraction of the cell, a superlattice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from simkit.core.grid import FloatArray
from simkit.core.net import reduced
from simkit.indexing.spectrum import Spots

SEEDS = 32
"""Strongest spots, whose places and differences are tried as basis vectors."""

VECTORS = 64
"""Commonest of those vectors that are tried in pairs."""

SHORTEST = 3.0
"""Steps: a shorter reciprocal vector would mean that the image holds fewer than three cells across."""

SLACK = 0.6
"""Steps by which a spot of a perfect but noisy crystal may lie off."""

BEND = 0.01
"""Share of a spot's distance from zero by which a bent crystal may move it."""

NEAR = 0.2
"""Share of the shortest reciprocal vector beyond which a spot is never explained."""

LARGEST_SUPERCELL = 6
CHANCE = 0.03
"""A leftover spot belongs to a supercell if a spot anywhere would seem to with at most this chance."""


@dataclass(frozen=True)
class Reciprocal:
    """A reciprocal lattice and which spots it explains.

    Attributes
    ----------
    basis : array, shape (2, 2)
        a*, b* in steps, one a row, components (y, x).
    indices : array, shape (n, 2)
        (h, k) of the lattice point next to each spot.
    explained : array of bool, shape (n,)
        Whether the spot stands there.
    """

    basis: FloatArray
    indices: FloatArray
    explained: npt.NDArray[np.bool_]


def collinear(spots: Spots) -> bool:
    """Tell whether all spots stand on one line through zero: the image has fringes, not a lattice."""
    if len(spots) == 0:
        return False
    along = spots.steps[0] / np.linalg.norm(spots.steps[0])
    aside = np.abs(spots.steps @ [-along[1], along[0]])
    return bool((aside <= _tolerance(spots, np.inf)).all())


def _tolerance(spots: Spots, shortest: float) -> FloatArray:
    reach = np.linalg.norm(spots.steps, axis=1)
    return np.minimum(SLACK + 3 * spots.sigma / np.sqrt(2) + BEND * reach, NEAR * shortest)


def index_spots(spots: Spots) -> Reciprocal | None:
    """Find the reciprocal lattice that explains spots best.

    Returns
    -------
    Reciprocal or None
        Its basis is the shortest one. None if no two spots that are not on one line are explained.
    """
    if len(spots) < 2:
        return None
    candidates = _candidates(spots.take(np.arange(min(SEEDS, len(spots)))))
    if not candidates:
        return None
    brightest = spots.take(np.arange(min(len(spots), 200)))
    scores = np.array([_saving(basis, brightest) for basis in candidates])
    best = [candidates[i] for i in np.argsort(-scores, kind="stable")[:24]]
    fitted = [reduced(refined(basis, spots)) for basis in best]
    scores = np.array([_saving(basis, spots) for basis in fitted])
    found = explain(fitted[int(scores.argmax())], spots)
    if scores.max() <= 0 or _by_chance(found, spots) * len(candidates) > CHANCE:
        return None
    return _with_superlattice(found, spots)


def _by_chance(found: Reciprocal, spots: Spots) -> float:
    """Return how likely it is that as many spots anywhere would be explained, two of them by design."""
    if found.explained.all():
        return 0.0
    area = abs(np.linalg.det(found.basis))
    chance = np.pi * _tolerance(spots, _shortest(found.basis)) ** 2 / area
    return float(bdtrc(found.explained.sum() - 3, len(spots) - 2, chance.mean()))


def _candidates(seeds: Spots) -> list[FloatArray]:
    first, second = np.triu_indices(len(seeds), 1)
    steps = seeds.steps
    vectors = np.concatenate([steps, steps[first] - steps[second], steps[first] + steps[second]])
    vectors = np.where(vectors @ [[1.0], [1e-6]] < 0, -vectors, vectors)
    vectors = vectors[np.linalg.norm(vectors, axis=1) >= SHORTEST]
    common = _distinct(vectors)
    pairs = [(u, v) for i, u in enumerate(common) for v in common[:i]]
    if not pairs:
        return []
    bases = np.array(pairs)
    area = np.abs(np.linalg.det(bases))
    lengths = np.linalg.norm(bases, axis=2).prod(axis=1)
    bases = np.array([reduced(basis) for basis in bases[area > 0.05 * lengths]]).reshape(-1, 2, 2)
    return list(bases[np.linalg.norm(bases, axis=2).min(axis=1) >= SHORTEST])


def _distinct(vectors: FloatArray) -> FloatArray:
    """Merge vectors that agree within a step; return the commonest, of equally common the shortest."""
    left = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")]
    merged, counts = [], []
    while len(left):
        near = np.linalg.norm(left - left[0], axis=1) < 1.0
        merged.append(left[near].mean(axis=0))
        counts.append(int(near.sum()))
        left = left[~near]
    order = np.argsort(-np.array(counts), kind="stable")[:VECTORS]
    return np.array(merged).reshape(-1, 2)[order]


def explain(basis: FloatArray, spots: Spots) -> Reciprocal:
    """Tell which spots a reciprocal lattice explains."""
    indices = np.round(spots.steps @ np.linalg.inv(basis))
    away = np.linalg.norm(spots.steps - indices @ basis, axis=1)
    explained = (away <= _tolerance(spots, _shortest(basis))) & indices.any(axis=1)
    return Reciprocal(basis, indices, explained)


def _shortest(basis: FloatArray) -> float:
    return float(np.linalg.norm(basis, axis=1).min())


def _saving(basis: FloatArray, spots: Spots) -> float:
    found = explain(basis, spots)
    if np.linalg.matrix_rank(found.indices[found.explained]) < 2:
        return 0.0
    tolerance = _tolerance(spots, _shortest(basis))[found.explained]
    return float(np.log(abs(np.linalg.det(basis)) / (np.pi * tolerance**2)).sum())


def refined(basis: FloatArray, spots: Spots) -> FloatArray:
    """Fit a basis to the spots that it explains, from the nearest ones outwards."""
    reach = np.linalg.norm(spots.steps, axis=1)
    for limit in np.quantile(reach, [0.25, 0.5, 1.0, 1.0]):
        found = explain(basis, spots)
        used = found.explained & (reach <= max(limit, 2 * np.linalg.norm(basis, axis=1).max()))
        if np.linalg.matrix_rank(found.indices[used]) < 2:
            continue
        weight = 1 / np.sqrt(spots.sigma[used] ** 2 + 0.05**2 + (0.2 * BEND * reach[used]) ** 2)
        fit = np.linalg.lstsq(found.indices[used] * weight[:, None], spots.steps[used] * weight[:, None])[0]
        if abs(np.linalg.det(fit)) > 0:
            basis = fit
    return basis


def _with_superlattice(found: Reciprocal, spots: Spots) -> Reciprocal:
    """Take in leftover spots at simple fractions of the cell, as long as there are any."""
    left = np.flatnonzero(~found.explained)
    while len(left):
        group, offset, precision = _coset(found.basis, spots, left)
        order = _torsion(found.basis, offset, precision)
        if order is not None:
            finer = _joined(found.basis, offset, order)
            if _shortest(finer) >= SHORTEST:
                found = explain(reduced(refined(finer, spots)), spots)
                left = np.flatnonzero(~found.explained)
                continue
        left = left[~group]
    return found


def _coset(basis: FloatArray, spots: Spots, left: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Gather the leftover spots that stand, up to their sign, at the strongest one's place in the cell."""
    inverse = np.linalg.inv(basis)
    seed = spots.steps[left[0]]
    offsets = []
    for sign in (1, -1):
        difference = sign * spots.steps[left] - seed
        offsets.append(difference - np.round(difference @ inverse) @ basis)
    away = np.linalg.norm(offsets, axis=2)
    nearer = away.argmin(axis=0)
    group = away.min(axis=0) <= _tolerance(spots, _shortest(basis))[left]
    members = np.array(offsets)[nearer, np.arange(len(left))][group]
    weight = 1 / (spots.sigma[left][group] ** 2 + 0.1**2)
    mean = seed + (weight[:, None] * members).sum(axis=0) / weight.sum()
    return group, mean, float(3 / np.sqrt(weight.sum())) + 0.1


def _torsion(basis: FloatArray, offset: FloatArray, precision: float) -> int | None:
    """Return the least n for which n times the offset is a lattice vector, if that is no chance."""
    area = abs(np.linalg.det(basis))
    points = 0
    for order in range(2, LARGEST_SUPERCELL + 1):
        coprime = sum(np.gcd.reduce((order, i, j)) == 1 for i in range(order) for j in range(order))
        points += coprime
        if points * np.pi * precision**2 / area > CHANCE:
            return None
        multiple = order * offset @ np.linalg.inv(basis)
        away = (multiple - np.round(multiple)) @ basis / order
        if np.linalg.norm(away) <= precision:
            return order
    return None


def _joined(basis: FloatArray, offset: FloatArray, order: int) -> FloatArray:
    """Return a basis of the lattice together with an offset that is an order-th of one of its vectors."""
    inverse = np.linalg.inv(basis)
    step = np.round(order * offset @ inverse)
    # The integer lattice n·Z² + Z·step, by Euclid's algorithm on its three generators.
    rows = [step.copy(), np.array([order, 0.0]), np.array([0.0, order])]
    while sum(row[0] != 0 for row in rows) > 1:
        rows.sort(key=lambda row: (row[0] == 0, abs(row[0])))
        rows[1:] = [row - np.round(row[0] / rows[0][0]) * rows[0] for row in rows[1:]]
    rows.sort(key=lambda row: row[0] == 0)
    second = float(np.gcd(int(rows[1][1]), int(rows[2][1])))
    return np.array([rows[0], [0.0, second]]) @ basis / order
