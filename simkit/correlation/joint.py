"""Overlapping particles fitted at once: what each one is when all others are accounted for.

With particles a_i p_i(θ_i) in a field and h_j the template at particle j, the fit solves
⟨h_j, r⟩ = 0 and ⟨∂h_j, r⟩ = 0 for all j, r being the field less all particles. For one alone that is the
top of the score; for several it is least squares on whitened pixels, if templates and particles differ by no
pedestal. Newton's steps are M δ = ⟨h, r⟩ with M = ⟨h, ∂(a p)⟩, and noise of the products of covariance
C = ⟨h, h⟩ scatters the result by M⁻¹ C M⁻ᵀ: the more particles overlap, the less is known of each [1]_.

References
----------
.. [1] Stetson, PASP 99 (1987) 191: stars of crowded fields fitted in groups.
.. [2] Kay, Fundamentals of Statistical Signal Processing: Estimation Theory (1993), chapter 3.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray
from simkit.correlation.models import Drawn, Painter, Particle, Patch, products

STEPS = 15
"""Most of Newton's steps in one fit."""

SETTLED = 0.05
"""Standard deviations by which a fit may still move when it ends."""

LONGEST = 0.5
"""Longest step, in lengths over which a score falls to half (1/√Λ)."""

DAMPING = 1e-3
"""Share of its own information that is added to every parameter: steps along what is not known stay short."""

RESOLVED = 2.0
"""How many times less sure its amplitude may be for two particles to be told apart."""


@dataclass(frozen=True)
class Estimate:
    """What a joint fit says of a particle.

    Attributes
    ----------
    score : float
        Amplitude / its standard deviation, all that the particle touches being unknown too, in the scale of
        a particle that stands alone.
    covariance : array, shape (ndim + 1, ndim + 1)
        Of place (px) and angle (radians, last); NaN where the angle is not fitted.
    """

    score: float
    covariance: FloatArray


class JointFit:
    """Particles in a field and what is left of the field without them.

    Parameters
    ----------
    painter : Painter
        Draws them.
    values : array
        The field; changed in place, so that it is always what the particles leave.
    """

    def __init__(self, painter: Painter, values: FloatArray) -> None:
        self.painter, self.values = painter, values
        self.particles: dict[int, Particle] = {}
        self._drawn: dict[int, Drawn] = {}
        self._names = itertools.count()
        self._tree: tuple[KDTree, list[int]] | None = None

    def add(self, particle: Particle) -> int:
        """Add a particle with the amplitude that it has beside the others as they are; return its name."""
        name = next(self._names)
        drawn = self.painter.draw(particle)
        own = products(drawn.asked, drawn.left)[0, 0]
        amplitude = float(self._asked(drawn)[0] / own)
        self._set(name, replace(particle, amplitude=amplitude), drawn)
        return name

    def drop(self, name: int) -> None:
        """Take a particle out: the field has it again."""
        self._paint(self._drawn.pop(name).left, self.particles.pop(name).amplitude)
        self._tree = None

    def shown(self, name: int) -> Patch:
        """Return what a particle adds to the field."""
        left = self._drawn[name].left
        return Patch(self.particles[name].amplitude * left.values[:1], left.corner)

    def picture(self, shape: tuple[int, ...]) -> FloatArray:
        """Return all particles as the image shows them, in a frame of given shape."""
        picture = np.zeros(shape)
        for particle in self.particles.values():
            patch = self.painter.picture(particle)
            here, there = overlap(patch, shape)
            picture[here] += patch.values[0][there]
        return picture

    def touching(self, names: Iterable[int]) -> list[int]:
        """Return these particles and all whose templates reach one of them."""
        chosen = list(names)
        return sorted({*chosen, *self._near([self.particles[n] for n in chosen])})

    def refine(self, names: Sequence[int]) -> None:
        """Fit amplitude, place and angle of some particles at once, the others being as they are."""
        moving = list(names)
        for _ in range(STEPS):
            if not moving:
                break
            steps = self._step(moving)
            far = [name for name, step in zip(moving, steps, strict=True) if step > SETTLED]
            moving = sorted({*self.touching(far)} & {*moving})

    def estimate(self, name: int) -> Estimate:
        """Return what the fit says of a particle, from it and those that it touches."""
        others = [n for n in self.touching([name]) if n != name]
        together, alone = (
            _covariance(self.painter, [self._drawn[n] for n in names]) for names in ([name, *others], [name])
        )
        own = products(self._drawn[name].asked, self._drawn[name].left)[0, 0]
        amplitude, size = self.particles[name].amplitude, len(alone)
        score = own * amplitude * math.sqrt(alone[0, 0] / together[0, 0])
        # The height of a top, found among so many, is that much too high.
        square = amplitude**2 - size * together[0, 0]
        ndim = len(self.particles[name].place)
        covariance = np.full((ndim + 1, ndim + 1), np.nan)
        known = together[1:size, 1:size] / (square if square > 0 else np.nan)
        covariance[: size - 1, : size - 1] = known
        return Estimate(score, covariance)

    def score_of(self, particle: Particle) -> float:
        """Return the score that a further particle would have, all that it touches being fitted again.

        One step of the fit, without taking it: what an error of its neighbours' places, angles and
        amplitudes explains is theirs.
        """
        others = self._near([particle])
        drawn = self.painter.draw(particle)
        # Its amplitude alone: the place is that of the peak.
        own = Drawn(*[Patch(p.values[:1], p.corner) for p in (drawn.asked, drawn.left)])
        group = [own, *[self._drawn[n] for n in others]]
        together, alone = _covariance(self.painter, group)[0, 0], _covariance(self.painter, [own])[0, 0]
        asked = np.concatenate([self._asked(d) for d in group])
        amplitude = np.linalg.solve(_matrix(group, self.painter.reach), asked)[0]
        return float(amplitude * products(own.asked, own.left)[0, 0] * math.sqrt(alone / together))

    def _near(self, particles: Sequence[Particle]) -> list[int]:
        """Return all particles whose templates reach one of some."""
        if not self.particles or not particles:
            return []
        if self._tree is None:
            self._tree = KDTree([p.place for p in self.particles.values()]), list(self.particles)
        tree, names = self._tree
        near = tree.query_ball_point([p.place for p in particles], self.painter.reach, p=np.inf)
        return sorted({names[i] for some in near for i in some})

    def _step(self, names: Sequence[int]) -> list[float]:
        """Take one step; return its length for every particle, roughly in standard deviations."""
        group = [self._drawn[name] for name in names]
        matrix = _sparse_matrix(group, self.painter.reach)
        known = np.sqrt(np.abs(matrix.diagonal()))
        damped = matrix + sparse.diags_array(DAMPING * known**2)
        change = np.atleast_1d(spsolve(damped.tocsc(), np.concatenate([self._asked(d) for d in group])))
        for name, rows in zip(names, _rows(group), strict=True):
            self._change(name, change[rows], LONGEST * known[rows.start] / known[rows])
        self._tree = None
        return [float(np.abs(change[rows] * known[rows]).max()) for rows in _rows(group)]

    def _change(self, name: int, change: FloatArray, most: FloatArray) -> None:
        particle = self.particles[name]
        self._paint(self._drawn[name].left, particle.amplitude)
        # What changes with the place is that times the amplitude.
        move = change[1:] / (particle.amplitude or np.inf)
        move = np.clip(move, -most[1:], most[1:])
        ndim = len(particle.place)
        moved = replace(
            particle,
            place=particle.place + move[:ndim],
            psi=particle.psi + math.degrees(move[ndim:].sum()),
            amplitude=particle.amplitude + float(change[0]),
        )
        self._set(name, moved, self.painter.draw(moved))

    def _set(self, name: int, particle: Particle, drawn: Drawn) -> None:
        self.particles[name], self._drawn[name] = particle, drawn
        self._tree = None
        self._paint(drawn.left, -particle.amplitude)

    def _paint(self, patch: Patch, amplitude: float) -> None:
        here, there = overlap(patch, self.values.shape)
        self.values[here] += amplitude * patch.values[0][there]

    def _asked(self, drawn: Drawn) -> FloatArray:
        here, there = overlap(drawn.asked, self.values.shape)
        return drawn.asked.values[(slice(None), *there)].reshape(len(drawn.asked.values), -1) @ (
            self.values[here].ravel()
        )


def closest(painter: Painter, template: int, farthest: int) -> int:
    """Return the least distance (px) at which two equal particles of a template can be told apart.

    Parameters
    ----------
    painter : Painter
        Draws them.
    template : int
        Which probe, seen as its first view.
    farthest : int
        Pixels from which on it need not be asked.

    Returns
    -------
    int
        Where the standard deviation of an amplitude is `RESOLVED` times that of a particle alone, place and
        angle of both being unknown; along the axis where that is nearer.
    """
    middle = painter.frame.before + np.array(painter.frame.image.shape) / 2
    psi = float(painter.probes[template].bank.angles[0])
    here = painter.draw(Particle(template, middle, psi))

    def variance(*group: Drawn) -> float:
        return float(_covariance(painter, group)[0, 0])

    def resolved(axis: FloatArray, distance: int) -> bool:
        there = painter.draw(Particle(template, middle + distance * axis, psi))
        return variance(here, there) <= RESOLVED**2 * variance(here)

    distances = range(1, farthest)
    return min(
        1 + bisect.bisect_left(distances, True, key=functools.partial(resolved, axis))
        for axis in np.eye(len(middle))
    )


def _covariance(painter: Painter, group: Sequence[Drawn]) -> FloatArray:
    """Return the covariance of all that is fitted, were it fitted at once."""
    inverse = np.linalg.inv(_matrix(group, painter.reach))
    noise = _matrix([Drawn(drawn.asked, painter.noise(drawn.asked)) for drawn in group], painter.reach)
    return np.asarray(inverse @ noise @ inverse.T)


def _rows(group: Sequence[Drawn]) -> list[slice]:
    """Return which rows of a matrix of some particles are those of each."""
    ends = np.cumsum([len(drawn.asked.values) for drawn in group]).tolist()
    return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]


def _blocks(group: Sequence[Drawn], reach: float) -> Iterator[tuple[slice, slice, FloatArray]]:
    """Yield the products of what is asked for with what is left, for every two particles within reach."""
    ends = np.cumsum([len(drawn.asked.values) for drawn in group]).tolist()
    rows = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
    centres = np.array([np.add(drawn.asked.corner, drawn.asked.stop) / 2 for drawn in group])
    pairs = sorted(KDTree(centres).query_pairs(reach, p=np.inf))
    for i, j in [*((i, i) for i in range(len(group))), *pairs, *((j, i) for i, j in pairs)]:
        yield rows[i], rows[j], products(group[i].asked, group[j].left)


def _matrix(group: Sequence[Drawn], reach: float) -> FloatArray:
    size = sum(len(drawn.asked.values) for drawn in group)
    matrix = np.zeros((size, size))
    for rows, columns, block in _blocks(group, reach):
        matrix[rows, columns] = block
    return matrix


def _sparse_matrix(group: Sequence[Drawn], reach: float) -> sparse.csr_array:
    blocks = list(_blocks(group, reach))
    values = np.concatenate([block.ravel() for *_, block in blocks])
    rows = [np.repeat(np.arange(r.start, r.stop), c.stop - c.start) for r, c, _ in blocks]
    columns = [np.tile(np.arange(c.start, c.stop), r.stop - r.start) for r, c, _ in blocks]
    return sparse.csr_array((values, (np.concatenate(rows), np.concatenate(columns))))


def overlap(patch: Patch, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where a patch lies in an array, and which part of it that is."""
    here = tuple(slice(max(c, 0), min(s, n)) for c, s, n in zip(patch.corner, patch.stop, shape, strict=True))
    there = tuple(slice(h.start - c, h.stop - c) for h, c in zip(here, patch.corner, strict=True))
    return here, there
