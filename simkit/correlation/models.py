"""What a particle at any place and angle leaves in a field: the model that a joint fit subtracts.

A search slides templates of zero mean, so that a field's own level counts for nothing. A particle has no such
pedestal. So what is asked of the field (the template) and what is taken out of it (the particle) differ by a
constant over the box, and the joint fit keeps both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.steering import without_pedestal
from simkit.correlation.whitening import NoiseSpectrum

NODES = 4
"""Neighbouring views that a view between them is interpolated from: a cubic in the angle."""

NOTHING = 1e-3
"""Share of a particle's height below which its rim is cut off."""

COUPLED = 0.05
"""Share of its height from which on what a particle leaves couples it to another in a fit."""

ROUND = 1e-2
"""Second moment of a score in its angle (1/rad²) below which a fit leaves the angle alone: a turn by a radian
then changes next to nothing."""

WHITE = 1e-5
"""Relative variation of a noise spectrum that is none: it went through single precision."""


@dataclass(frozen=True, eq=False)
class Particle:
    """A particle of a joint fit.

    Attributes
    ----------
    template : int
        Which probe.
    place : array, shape (ndim,)
        Pixels of the frame.
    psi : float
        Degrees.
    amplitude : float
        Score that the particle would have if it stood alone.
    """

    template: int
    place: FloatArray
    psi: float
    amplitude: float = 0.0


@dataclass(frozen=True, eq=False)
class Patch:
    """A stack of small arrays at one place of a frame.

    Attributes
    ----------
    values : array, shape (n, *box)
        The arrays.
    corner : tuple of int
        Pixel of the frame where they begin.
    """

    values: FloatArray
    corner: tuple[int, ...]

    @property
    def stop(self) -> tuple[int, ...]:
        """Pixel of the frame behind the last."""
        return tuple(c + n for c, n in zip(self.corner, self.values.shape[1:], strict=True))

    def part(self, start: Sequence[int], stop: Sequence[int]) -> FloatArray:
        """Return what lies between two pixels of the frame, flat: shape (n, n_pixels)."""
        cut = [slice(a - c, b - c) for a, b, c in zip(start, stop, self.corner, strict=True)]
        return self.values[(slice(None), *cut)].reshape(len(self.values), -1)


def products(left: Patch, right: Patch) -> FloatArray:
    """Return the sum of products of every array of one stack with every one of another, where both are."""
    start = [max(a, b) for a, b in zip(left.corner, right.corner, strict=True)]
    stop = [min(a, b) for a, b in zip(left.stop, right.stop, strict=True)]
    if any(a >= b for a, b in zip(start, stop, strict=True)):
        return np.zeros((len(left.values), len(right.values)))
    return left.part(start, stop) @ right.part(start, stop).T


@dataclass(frozen=True, eq=False)
class Drawn:
    """A particle of unit amplitude and its derivatives: along every axis (1/px), then in the angle (1/rad).

    Attributes
    ----------
    asked : Patch
        Template and derivatives, as the field is multiplied with them.
    left : Patch
        Particle and derivatives, as the field shows them.
    """

    asked: Patch
    left: Patch


class Painter:
    """Draws particles as a field shows them.

    Parameters
    ----------
    field : Field
        The prepared image.
    probes : sequence of Probe
        The prepared templates. Their score is linear in the image: no `norm`.

    Attributes
    ----------
    reach : float
        Pixels along an axis beyond which no particle drawn so far is coupled to another.
    """

    def __init__(self, field: Field, probes: Sequence[Probe]) -> None:
        self.frame, self.probes, self.reach = field.frame, probes, 0.0
        self._pedestals = [without_pedestal(p.kernels, p.mask)[1] for p in probes]
        boxes = {p.mask.shape for p in probes}
        self._weight = {box: _on_twice(field.weight, box, field.frame.image.pixel_size) for box in boxes}
        noise = field.weight if field.noise is None else field.noise
        self._noise = {box: _on_twice(noise, box, field.frame.image.pixel_size) for box in boxes}

    def draw(self, particle: Particle) -> Drawn:
        """Draw a particle of unit amplitude and its derivatives."""
        asked, bare = self._views(particle)
        box = asked.values.shape[1:]
        left = _trimmed(_spread(bare.values, bare.corner, *self._weight[box]), NOTHING)
        felt = _trimmed(left, COUPLED).values.shape[1:]
        halves = [(n + m) / 2 for n, m in zip(box, felt, strict=True)]
        self.reach = max(self.reach, 1 + max(halves))
        return Drawn(asked, left)

    def picture(self, particle: Particle) -> Patch:
        """Draw a particle as the image shows it: one array."""
        _, bare = self._views(particle)
        return Patch(particle.amplitude * bare.values[:1], bare.corner)

    def _views(self, particle: Particle) -> tuple[Patch, Patch]:
        """Return the template and the particle, with derivatives, before any whitening."""
        probe = self.probes[particle.template]
        views, weights = _between(probe, particle)
        whole = np.rint(particle.place).astype(int)
        still = np.tensordot(weights, probe.kernels[views], 1)
        asked = _with_slopes(still, particle.place - whole)
        pedestals = weights @ self._pedestals[particle.template][views]
        bare = asked.copy()
        for row, pedestal in zip((0, -1), pedestals, strict=False):
            bare[row] -= pedestal * probe.mask
        corner = tuple(int(w) - n // 2 for w, n in zip(whole, probe.mask.shape, strict=True))
        return Patch(asked, corner), Patch(bare * self._inside(corner, probe.mask.shape), corner)

    def noise(self, asked: Patch) -> Patch:
        """Return the covariance of the noise in the field with the field's products with some images."""
        return _spread(asked.values, asked.corner, *self._noise[asked.values.shape[1:]])

    def _inside(self, corner: tuple[int, ...], box: tuple[int, ...]) -> FloatArray:
        """Return 1 where a box is within the image, 0 outside, where no particle was seen."""
        seen = np.ones(box)
        for axis, (c, n, size) in enumerate(zip(corner, box, self.frame.image.shape, strict=True)):
            pixel = c + np.arange(n) - self.frame.before
            along = [1] * len(box)
            along[axis] = n
            seen *= ((pixel >= 0) & (pixel < size)).reshape(along)
        return seen


def _spread(
    values: FloatArray, corner: tuple[int, ...], power: FloatArray | float, shape: tuple[int, ...]
) -> Patch:
    """Return images convolved with the covariance of noise of given power on a grid of given shape."""
    if isinstance(power, float):
        return Patch(power * values, corner)
    before = [(m - n) // 2 for m, n in zip(shape, values.shape[1:], strict=True)]
    padded = np.zeros((len(values), *shape))
    inner = [slice(b, b + n) for b, n in zip(before, values.shape[1:], strict=True)]
    padded[(slice(None), *inner)] = values
    spread = fourier.inverse(fourier.forward_stack(padded, shape) * power, shape)
    return Patch(spread, tuple(c - b for c, b in zip(corner, before, strict=True)))


def _trimmed(patch: Patch, share: float) -> Patch:
    """Cut off the rim where the first array is below a share of its height."""
    there = np.argwhere(np.abs(patch.values[0]) > share * np.abs(patch.values[0]).max(initial=0.0))
    if not len(there):
        return patch
    first, last = there.min(axis=0), there.max(axis=0)
    cut = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    corner = tuple(c + int(a) for c, a in zip(patch.corner, first, strict=True))
    return Patch(np.ascontiguousarray(patch.values[(slice(None), *cut)]), corner)


def _between(probe: Probe, particle: Particle) -> tuple[list[int], FloatArray]:
    """Return the views around an angle and their weights in the view there and in its derivative.

    Where no angle is searched, the view alone.
    """
    bank = probe.bank
    if bank.step is None or len(bank.angles) < NODES or _is_round(probe):
        nearest = np.abs((bank.angles - particle.psi + bank.period / 2) % bank.period - bank.period / 2)
        return [int(nearest.argmin())], np.ones((1, 1))
    turn = (particle.psi - bank.angles[0]) / bank.step
    first = int(np.floor(turn)) - NODES // 2 + 1
    nodes = np.arange(NODES)
    at = turn - first
    # What powers are multiplied with to give Lagrange's polynomials: each is one at its own node, else zero.
    weights = np.stack([at**nodes, nodes * at ** np.maximum(nodes - 1, 0) / math.radians(bank.step)])
    weights = weights @ np.linalg.inv(np.vander(nodes, increasing=True).astype(float))
    return [int(v) for v in (first + nodes) % len(bank.angles)], weights


def _is_round(probe: Probe) -> bool:
    return probe.moments is not None and float(probe.moments[:, -1, -1].mean()) < ROUND


def _with_slopes(still: FloatArray, shift: FloatArray) -> FloatArray:
    """Move a view (and its derivative in the angle, if there) and add the derivatives along the axes."""
    box = still.shape[1:]
    grid = Grid(box, 1.0)
    moved = fourier.forward_stack(still, box) * fourier.phase_ramp(grid, shift.tolist())
    slopes = [fourier.zero_nyquist(-2j * np.pi * k * moved[0], box) for k in grid.frequencies()]
    return fourier.inverse(np.stack([moved[0], *slopes, *moved[1:]]), box)


def _on_twice(
    spectrum: NoiseSpectrum, box: tuple[int, ...], pixel_size: float
) -> tuple[FloatArray | float, tuple[int, ...]]:
    """Return a noise power on a grid twice the box, and the grid; a number and the box where it is white."""
    shape = tuple(fourier.fast_length(2 * n) for n in box)
    power = spectrum(Grid(shape, pixel_size))
    # The zero frequency is left out of a whitened image; a template, of zero mean, does not meet it.
    rest = power.ravel()[1:]
    if np.ptp(rest) <= WHITE * rest.max():
        return float(rest.mean()), box
    return power, shape
