"""What a crystal's data is: its motif's Fourier transform, sampled on the reciprocal lattice."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series, SpeciesRecord
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.net import reciprocal
from simkit.core.quantity import Count

SPOT_RADIUS = 2.0
"""Frequency steps of the image around a reciprocal point that belong to its spot."""

STEPS = 200
"""Points of the curve from one reciprocal point to the next."""

MARGIN = 16
"""Empty pixels around the crystal when it is drawn by itself."""

BORDER = 0.1
"""Share of the spots' range that is shown around them."""

FAINTEST = 1e-12
"""Share of the strongest power below which the picture shows the same grey."""


class ReciprocalLattice(Audit):
    """The transform of the whole crystal at the reciprocal points: as many motifs as there are copies.

    The crystal is drawn once more by itself, every copy of the first micrograph on an empty field
    that holds them all, so that no border cuts it. A density whose spectrum ends at Nyquist is not
    quite of finite size, which leaves a `motif_error` of about 1e-7.
    """

    kind: Literal["reciprocal_lattice"] = "reciprocal_lattice"

    species: str | None = None
    """Species to measure; the first that stands on a net by default."""

    order: Count = 4
    """Largest |h| and |k| to measure."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType({"motif_error": "", "spot_to_background": ""})

    def measure(self, evidence: Evidence) -> Measurement:
        """Return how exactly the spots sample the motif, and how far they rise above the background.

        `motif_error` is the largest difference between the crystal's transform and the motif's
        times the number of copies, over all reflections but (0, 0), relative to the strongest one.
        `spot_to_background` compares the first micrograph's power at the reciprocal points with its
        mean power between them, over the same range of frequencies.
        """
        record, basis = self._crystal(evidence)
        points = self._reflections(basis, evidence.grid)
        line = self._line(basis, evidence.grid)
        motif, crystal = _transforms(record, evidence.grid, np.concatenate([points, line]))
        motifs = motif * len(record.placements)
        n = len(points)
        error = np.abs(crystal[:n] - motifs[:n]).max() / (np.abs(motifs[:n]).max() or 1.0)
        return Measurement(
            {
                "motif_error": float(error),
                "spot_to_background": _spot_to_background(evidence, basis, points),
            },
            (*_power_panel(evidence, points), _envelope_panel(line, crystal[n:], motifs[n:])),
        )

    def _crystal(self, evidence: Evidence) -> tuple[SpeciesRecord, FloatArray]:
        bases = {name: r.basis for name, r in evidence.species.items() if r.basis is not None}
        name = self.species or next(iter(bases), "")
        if name not in bases:
            raise ScenarioError(
                f"only a species on a net has a reciprocal lattice; there are {', '.join(bases) or 'none'}",
                ("species",),
            )
        record = evidence.species[name]
        orientations = set(zip(record.placements.psi, record.placements.mirror, strict=True))
        if len(orientations) != 1:
            raise ScenarioError(
                f"{name!r} has copies of {len(orientations)} orientations; a crystal's are all alike",
                ("species",),
            )
        return record, bases[name]

    def _reflections(self, basis: FloatArray, grid: Grid) -> FloatArray:
        """Return the reciprocal points below Nyquist, in 1/Å, shape (n, ndim)."""
        span = range(-self.order, self.order + 1)
        indices = [hk for hk in itertools.product(span, repeat=grid.ndim) if any(hk)]
        points = np.array(indices) @ reciprocal(basis)
        points = points[(np.abs(points) < grid.nyquist).all(axis=1)]
        if len(points) == 0:
            raise ScenarioError(
                "every reflection lies beyond the Nyquist frequency; take smaller pixels", ("order",)
            )
        return points

    def _line(self, basis: FloatArray, grid: Grid) -> FloatArray:
        """Return points along a* as far as the measured reflections reach, shape (n, ndim)."""
        line = np.linspace(0, self.order, STEPS * self.order + 1)[:, None] * reciprocal(basis)[0]
        return line[(np.abs(line) < grid.nyquist).all(axis=1)]


def _field(record: SpeciesRecord, grid: Grid) -> Grid:
    """Return an empty grid, with a copy of the motif at its central pixel, that holds every copy."""
    places = np.stack(record.placements.positions(grid.ndim), axis=1)
    middle = places[((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    reach = np.abs(places - middle).max(axis=0) + record.support + MARGIN * grid.pixel_size
    shape = tuple(fourier.fast_length(2 * int(np.ceil(r / grid.pixel_size)) + 1) for r in reach)
    origin = tuple(m - (n // 2) * grid.pixel_size for m, n in zip(middle, shape, strict=True))
    return Grid(shape, grid.pixel_size, origin)


def _transforms(record: SpeciesRecord, grid: Grid, points: FloatArray) -> tuple[ComplexArray, ComplexArray]:
    """Return the Fourier transforms of one motif and of the whole crystal at the points."""
    field = _field(record, grid)
    copies = record.placements
    motif = record.spectrum(field, angle=float(copies.psi[0]), mirror=bool(copies.mirror[0]))
    crystal = motif * fourier.delta_spectrum(field, copies.positions(field.ndim))
    one = fourier.corner_to_centre(fourier.inverse(motif, field.shape))
    return _transform(one, field, points), _transform(fourier.inverse(crystal, field.shape), field, points)


def _transform(image: FloatArray, grid: Grid, points: FloatArray) -> ComplexArray:
    return fourier.spectrum_at(image, grid.pixel_size, tuple(points.T))


def _spot_to_background(evidence: Evidence, basis: FloatArray, points: FloatArray) -> float | None:
    grid = evidence.grid
    image = _first(evidence)
    spots = fourier.power(_transform(image, grid, points)).mean()
    k = np.stack(np.broadcast_arrays(*grid.frequencies()), axis=-1)
    indices = k @ basis.T
    steps = ((indices - np.round(indices)) @ reciprocal(basis)) * grid.extent
    between = (steps**2).sum(axis=-1) > SPOT_RADIUS**2
    between &= (k**2).sum(axis=-1) <= (points**2).sum(axis=-1).max()
    weights = between * fourier.hermitian_weights(grid.shape)
    if not weights.any():
        return None
    background = np.average(fourier.power(fourier.forward(image)), weights=weights)
    return float(spots / background) if background > 0 else None


def _first(evidence: Evidence) -> FloatArray:
    image = np.asarray(evidence.micrographs[0], float)
    return image - image.mean()


def _power_panel(evidence: Evidence, points: FloatArray) -> tuple[Panel, ...]:
    grid = evidence.grid
    if grid.ndim == 1:
        return ()
    power = fourier.periodogram(_first(evidence))
    marks = points * grid.extent + [n // 2 for n in grid.shape]
    first = np.maximum(np.floor(marks.min(axis=0) - BORDER * np.ptp(marks, axis=0)), 0).astype(int)
    last = np.minimum(np.ceil(marks.max(axis=0) + BORDER * np.ptp(marks, axis=0)), grid.shape).astype(int)
    shown = power[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    return (
        Panel(
            "Power spectrum",
            "The micrograph's power at each spatial frequency (logarithmic, zero in the middle): a crystal "
            "has spots, and they stand on its reciprocal lattice (marked).",
            image=np.log10(np.maximum(shown, FAINTEST * (shown.max() or 1.0))),
            marks=marks - first,
        ),
    )


def _envelope_panel(line: FloatArray, crystal: ComplexArray, motifs: ComplexArray) -> Panel:
    frequency = np.linalg.norm(line, axis=1)
    return Panel(
        "A crystal samples its motif",
        "Along a*: the crystal's transform has a peak at every reciprocal point, and each peak just "
        "reaches the transform of a single motif times the number of copies.",
        series=(
            Series("crystal", frequency, np.abs(crystal)),
            Series("motif × number of copies", frequency, np.abs(motifs)),
        ),
        x_label="spatial frequency along a* (1/Å)",
        y_label="|F|",
    )
