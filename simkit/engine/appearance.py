"""A species as the ideal observer meets it: what its copies look like, how they lie, what looks like them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.quantity import fold, wrap_angle
from simkit.core.symmetry import in_plane_order
from simkit.core.tables import Placements
from simkit.correlation.whitening import NoiseSpectrum, sampled_spectrum
from simkit.engine import detection, imaging
from simkit.engine.realisation import resolved_noise
from simkit.scenario.spec import Scenario, Species
from simkit.template.base import Surroundings
from simkit.theory.fisher import CopyLimits, copy_limits, derivatives_of, fisher_information, limits
from simkit.theory.random_field import expected_maxima

KNOWN_ANGLES = 8
"""Up to so many different in-plane angles are looked for one by one; more, and every angle is."""

ASTIGMATIC_ANGLES = (0.0, 45.0, 90.0, 135.0)
"""Degrees at which a copy that may lie at any angle is imaged by a lens that is not round."""

ROUND = 1e-6
"""Difference between the rows and the columns of a transfer function below which a lens is round."""

TINY = np.finfo(float).tiny

ALIKE = 0.97
"""Correlation of the scores at neighbouring angles of an ideal search, which misses no angle."""


def noise_spectrum(scenario: Scenario) -> FloatArray:
    """Return the power spectrum of the noise where there is no particle, on the image's grid."""
    return detection.noise_spectrum(resolved_noise(scenario), scenario.image.grid, scenario.image.base_level)


def noise_on(scenario: Scenario) -> NoiseSpectrum | None:
    """Return the same on any grid; None where there is no noise.

    It is that of the image, interpolated: what is long-range in an image is not in a small box.
    """
    total = noise_spectrum(scenario)
    return sampled_spectrum(total, scenario.image.grid) if total.max() > 0 else None


@dataclass(frozen=True)
class Appearance:
    """One species in noise, from its typical views and angles.

    Attributes
    ----------
    copies : Placements
        Those in micrograph 0.
    limits : CopyLimits
        On a copy, one for each view and angle.
    position : array, shape (n, ndim, ndim)
        Cramér–Rao limit of the position, for each view and angle, Å².
    moments : array, shape (m, d, d)
        Covariance of the gradient of the score, positions first (1/Å²), then the angle (1/rad²) if it is
        searched, at each of the views and angles.
    turn : float
        Range of angles in radians that is searched; 0 where a copy's angle is known.
    searches : float
        How many independent searches find all copies: directions, fixed angles, mirrored ones.
    """

    copies: Placements
    limits: CopyLimits
    position: FloatArray
    moments: FloatArray
    turn: float
    searches: float

    @property
    def dims(self) -> int:
        """Number of dimensions that are searched: those of position, and the angle."""
        return self.moments.shape[-1]

    @property
    def angle_step(self) -> float:
        """Step in radians between the angles of an ideal search; 0 where none is searched."""
        if self.turn == 0:
            return 0.0
        sharpest = float(self.moments[:, -1, -1].max())
        # Near its top the correlation of the scores of two angles is 1 − ½ Λ δ².
        steps = math.ceil(self.turn * math.sqrt(sharpest / (2 * (1 - ALIKE))))
        return self.turn / max(steps, 1)

    def false_above(self, level: float, area: float) -> float:
        """Return the false picks above a level that the ideal observer expects over an area in Å^ndim."""
        moments = self.moments
        if self.turn > 0:
            views = max(round(self.turn / self.angle_step), 2)
            moments = np.resize(moments, (max(views, len(moments)), *moments.shape[1:]))
        return self.searches * expected_maxima(level, area=area, moments=moments, angle_range=self.turn)


def appearance(scenario: Scenario, species: str, copies: Placements, noise: NoiseSpectrum) -> Appearance:
    """Return how a species appears.

    Parameters
    ----------
    scenario : Scenario
        With noise.
    species : str
        Its name.
    copies : Placements
        Those in micrograph 0; of none, one upright copy stands for all.
    noise : callable
        Spectrum of the noise, see `noise_on`.
    """
    lies = copies if len(copies) else Placements.at([0.0], [0.0])
    angles, turned = _angles(scenario, species, lies)
    box = copy_box(scenario, species)
    spectrum = noise(box)
    information, names = [], []
    for density in copy_spectra(scenario, species, box, angles):
        derivatives = derivatives_of(density, box, transfer=copy_transfer(scenario, box))
        names = [name for name in derivatives if name != "psi" or turned]
        images = np.array([derivatives[name] for name in names])
        information.append(fisher_information(images, noise_spectrum=spectrum))
    stacked = np.array(information)
    views = scenario.specimen[species].unit_cell.typical_views
    fixed = 1 if turned else len(angles)
    mirrored = len(np.unique(lies.mirror))
    return Appearance(
        copies=copies,
        limits=copy_limits(stacked, names),
        position=limits(stacked, wanted=range(scenario.image.ndim)),
        moments=_moments(stacked, names),
        turn=_turn(scenario, species) if turned else 0.0,
        searches=_directions(scenario, species, len(views)) * fixed * mirrored,
    )


def _angles(scenario: Scenario, species: str, copies: Placements) -> tuple[tuple[float, ...], bool]:
    """Return the in-plane angles to image, and whether a copy may lie at any angle."""
    declared = scenario.specimen[species]
    if scenario.image.ndim == 1:
        return (0.0,), False
    if not may_lie_at_any_angle(declared, copies):
        return tuple(_known_angles(declared, copies).tolist()), False
    return ((0.0,) if _round(scenario, species) else ASTIGMATIC_ANGLES), True


def may_lie_at_any_angle(species: Species, copies: Placements) -> bool:
    """Tell whether a copy's in-plane angle is unknown to whoever knows the scenario."""
    uniform = getattr(species.lattice, "rotation", None) == "uniform"
    return uniform or len(_known_angles(species, copies)) > KNOWN_ANGLES


def _known_angles(species: Species, copies: Placements) -> FloatArray:
    return np.unique(np.round(wrap_angle(copies.psi, 360.0 / fold(species.symmetry)), 6))


def _round(scenario: Scenario, species: str) -> bool:
    transfer = imaging.transfer(scenario, copy_box(scenario, species))
    half = transfer.shape[-1]
    diagonal = np.arange(1, half)
    return bool(
        np.allclose(transfer[0, :half], transfer[:half, 0], atol=ROUND)
        and np.allclose(transfer[diagonal, diagonal], transfer[-diagonal, diagonal], atol=ROUND)
    )


def copy_box(scenario: Scenario, species: str) -> Grid:
    """Return a grid that holds a copy and the fringes of the optics."""
    pixel = scenario.image.pixel_size
    point = Grid((1,) * scenario.image.ndim, pixel)
    reach = scenario.specimen[species].unit_cell.support + imaging.psf_support(scenario, point)
    return point.box(reach + 8 * pixel)


def copy_transfer(scenario: Scenario, box: Grid) -> FloatArray | ComplexArray:
    """Return what a density is multiplied with to be seen in the micrograph, in its units."""
    counted = math.prod(member.gain(scenario.image.grid) for member in scenario.noise.values())
    return counted * imaging.gain(scenario) * imaging.transfer(scenario, box)


def copy_spectra(
    scenario: Scenario, species: str, box: Grid, angles: Sequence[float] | FloatArray, *, mirror: bool = False
) -> Iterator[ComplexArray]:
    """Yield the spectrum of the density of a copy, from every typical view at every angle (degrees)."""
    cell = scenario.specimen[species].unit_cell
    rot, tilt = np.repeat(np.array(cell.typical_views), len(angles), axis=0).T
    psi = np.tile(angles, len(cell.typical_views))
    nowhere = np.zeros(len(psi))
    copies = Placements.at(nowhere, nowhere, psi=psi, rot=rot, tilt=tilt, mirror=mirror)
    for spectrum in cell.spectra(box, copies, interaction=imaging.interaction(scenario)):
        yield fourier.zero_nyquist(spectrum, box.shape)


def _moments(information: FloatArray, names: list[str]) -> FloatArray:
    """Return the moments of the score field: d′ scales the information, the moments are without it.

    The score is of a template of unit energy, so what changes its energy is taken out.
    """
    amplitude = names.index("amplitude")
    searched = [i for i, name in enumerate(names) if name in ("y", "x", "psi")]
    energy = np.maximum(information[:, amplitude, amplitude, None, None], TINY)
    block = information[:, searched][:, :, searched] / energy
    along = information[:, searched, amplitude] / energy[:, :, 0]
    moments = block - along[:, :, None] * along[:, None, :]
    unit = np.array([np.rad2deg(1.0) if names[i] == "psi" else 1.0 for i in searched])
    return moments * unit[:, None] * unit


def _turn(scenario: Scenario, species: str) -> float:
    """Return the range of angles in radians after which a copy looks the same, over its typical views."""
    declared = scenario.specimen[species]
    if not declared.unit_cell.solid:
        return 2 * np.pi / fold(declared.symmetry)
    views = declared.unit_cell.typical_views
    return float(np.mean([2 * np.pi / in_plane_order(declared.symmetry, view) for view in views]))


def _directions(scenario: Scenario, species: str, typical: int) -> int:
    """Return from how many directions a copy is looked for: its templates', or else typical ones."""
    if typical == 1:
        return 1
    around = Surroundings(
        grid=scenario.image.grid,
        species=imaging.subjects(scenario),
        optics=None,
        micrograph=_no_micrograph,
    )
    most = typical
    for name, template in scenario.templates.items():
        if template.found_class(name) == species:
            try:
                most = max(most, len(template.directions(around)))
            except ScenarioError as error:
                raise error.under("templates", name) from None
    return most


def _no_micrograph(number: int) -> FloatArray:
    raise ScenarioError("no micrograph is simulated for a ceiling")
