"""Realised values → micrograph and truth, in the order of the lecture.

specimen   = Σ unit cell ⊗ lattice + background
image      = level + gain · specimen ⊗ PSF
micrograph = image + noise
"""

from __future__ import annotations

from functools import partial

import numpy as np

from simkit.audit.base import SpeciesRecord
from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.random import stream
from simkit.core.tables import Placements, Truth, as_micrograph
from simkit.engine import imaging
from simkit.engine.detection import Detection
from simkit.engine.difficulty import with_difficulty
from simkit.engine.realisation import Realisation, realise, truth_of
from simkit.engine.results import Simulation, Value
from simkit.engine.variants import without_phases
from simkit.scenario.spec import Scenario
from simkit.unit_cell.base import UnitCell

SHARED_ORIENTATIONS = 4
"""Up to so many orientations each get one product of full transforms; beyond, copies are stamped."""

STAMP_MARGIN = 12
"""Pixels around a stamped copy; the tails of its band limit beyond are below 1e-4 of its density."""

NEGATIVE_TOLERANCE = 1e-3
"""Share of the contrast by which ripples of the band limit may undershoot zero intensity."""


def simulate_one(scenario: Scenario, replicate: int = 0) -> Simulation:
    """Simulate one micrograph of a scenario, or of its null variant, in whose truth nothing is.

    Parameters
    ----------
    scenario : Scenario
        It must have an image shape.
    replicate : int
        Which micrograph, counted from 0.

    Raises
    ------
    ScenarioError
        If copies cannot be placed or an intensity is negative; located from the scenario's root.
    """
    values = realise(scenario, replicate)
    density = specimen_density(scenario, values)
    ideal = ideal_image(scenario, values, density)
    _refuse_negative(scenario, values, ideal)
    pixels, spectrum = _detect(scenario, values, ideal)
    counts = any(member.counts for member in values.noise.values())
    if scenario.null == "phase_randomised":
        pixels = without_phases(scenario, replicate, pixels)
    detection = Detection.of(values.noise, values.image, spectrum, level=float(ideal.mean()))
    return Simulation(
        micrograph=as_micrograph(
            pixels, values.image, values.name, "e⁻/pixel" if counts else "intensity", scenario=scenario.title
        ),
        ideal=ideal,
        density=_cropped(density, values),
        transfer=imaging.transfer(scenario, values.image),
        noise_spectrum=spectrum,
        truth=Truth()
        if scenario.null
        else with_difficulty(
            scenario, truth_of(scenario, values), image=values.image, ideal=ideal, detection=detection
        ),
        species=_records(scenario, values),
        facts=_facts(scenario, values, ideal, spectrum),
    )


def specimen_density(scenario: Scenario, values: Realisation) -> FloatArray:
    """Return Σ over species (unit cell ⊗ lattice) + background, on the simulated grid."""
    sigma = imaging.interaction(scenario)
    total = np.zeros(values.grid.shape)
    for name, species in scenario.specimen.items():
        total += species_density(species.unit_cell, values.placements[name], values.grid, sigma)
    for name, background in scenario.background.items():
        try:
            total += background.density(
                grid=values.grid,
                image=values.image,
                periodic=scenario.image.boundary == "periodic",
                rng=stream(scenario.seed, "background", name, values.replicate),
            )
        except ScenarioError as error:
            raise error.under("background", name) from None
    return total


def species_density(
    cell: UnitCell, copies: Placements, grid: Grid, interaction: float | None = None
) -> FloatArray:
    """Convolve a unit cell with a lattice of deltas.

    Copies of one orientation share one product of transforms, F(cell) · F(deltas). Where nearly
    every copy is turned differently, each is drawn on a small box at its sub-pixel position and
    added: the same sum, cheaper.
    """
    seen_from = np.nan_to_num([copies.rot, copies.tilt])
    poses = np.stack([copies.psi, copies.mirror, *seen_from], axis=1)
    _, first, pose = np.unique(poses, axis=0, return_index=True, return_inverse=True)
    if len(first) > SHARED_ORIENTATIONS:
        return _stamped(cell, copies, grid, interaction)
    total: ComplexArray = np.zeros(grid.frequency_radius().shape, complex)
    drawn = cell.spectra(grid, copies.take(first), interaction=interaction)
    for number, spectrum in enumerate(drawn):
        alike = copies.take(pose.ravel() == number)
        total += spectrum * fourier.delta_spectrum(grid, alike.positions(grid.ndim))
    return fourier.inverse(total, grid.shape)


def _stamped(cell: UnitCell, copies: Placements, grid: Grid, interaction: float | None) -> FloatArray:
    total = np.zeros(grid.shape)
    box = grid.box(cell.support + STAMP_MARGIN * grid.pixel_size)
    if any(n > m for n, m in zip(box.shape, grid.shape, strict=True)):
        box = Grid(grid.shape, grid.pixel_size)
    indices = np.stack(grid.indices(*copies.positions(grid.ndim)), axis=1)
    drawn = cell.spectra(box, copies, interaction=interaction)
    for index, spectrum in zip(indices, drawn, strict=True):
        whole = np.round(index).astype(int)
        placed = spectrum * fourier.phase_ramp(box, (index - whole) * grid.pixel_size)
        copy = fourier.corner_to_centre(fourier.inverse(placed, box.shape))
        rows = [(i + np.arange(n) - n // 2) % m for i, n, m in zip(whole, box.shape, grid.shape, strict=True)]
        total[np.ix_(*rows)] += copy
    return total


def ideal_image(scenario: Scenario, values: Realisation, density: FloatArray) -> FloatArray:
    """Return level + gain · density ⊗ PSF, cropped to the image."""
    contrast = density
    if scenario.psf:
        spectrum = fourier.forward(density) * imaging.transfer(scenario, values.grid)
        contrast = fourier.inverse(spectrum, values.grid.shape)
    return scenario.image.base_level + imaging.gain(scenario) * _cropped(contrast, values)


def _cropped(array: FloatArray, values: Realisation) -> FloatArray:
    before = [
        round((i - g) / values.grid.pixel_size)
        for i, g in zip(values.image.origin, values.grid.origin, strict=True)
    ]
    window = tuple(slice(b, b + n) for b, n in zip(before, values.image.shape, strict=True))
    return np.ascontiguousarray(array[window])


def _refuse_negative(scenario: Scenario, values: Realisation, ideal: FloatArray) -> None:
    level = scenario.image.base_level
    lowest = float(ideal.min())
    if lowest >= -NEGATIVE_TOLERANCE * float(np.abs(ideal - level).max()):
        return
    place = np.unravel_index(int(ideal.argmin()), ideal.shape)
    where = ", ".join(f"{axis} {i}" for axis, i in zip(values.image.axes, place, strict=True))
    path = _darkest_section(scenario, values, place)
    raise ScenarioError(
        f"the noise-free image falls to {lowest:.4g} at pixel {where}, and an intensity cannot be "
        f"negative; {_remedy(scenario, path, level, lowest)}",
        path,
    )


def _remedy(scenario: Scenario, path: tuple[str | int, ...], level: float, lowest: float) -> str:
    """Name the largest weights that keep the image positive, and the level that would."""
    safe = level / (level - lowest)
    raised = f"raise image.level to at least {level - lowest:.3g}"
    if scenario.image.model == "phase":
        return f"weaken the specimen: its potential or weights may be at most {safe:.3g} times as large"
    if safe <= 0:
        return f"{raised}, or make the weights positive"
    weights = _weights(scenario, path)
    example = (
        f" (the largest safe weight is {safe * min(weights):.3g}, not {min(weights):g})" if weights else ""
    )
    return f"scale its weights by at most {safe:.3g}{example}, or {raised}"


def _weights(scenario: Scenario, path: tuple[str | int, ...]) -> list[float]:
    if path[0] != "specimen" or len(path) == 1:
        return []
    cell = scenario.specimen[str(path[1])].unit_cell
    parts = getattr(cell, "shapes", (cell,))
    return [part.weight for part in parts if hasattr(part, "weight")]


def _darkest_section(
    scenario: Scenario, values: Realisation, place: tuple[np.intp, ...]
) -> tuple[str | int, ...]:
    """Return the path of the species whose copy is nearest to a pixel."""
    nearest = np.inf
    path: tuple[str | int, ...] = ("specimen",) if scenario.specimen else ("background",)
    for name, copies in values.placements.items():
        indices = values.image.indices(*copies.positions(values.image.ndim))
        distance = np.sqrt(sum((i - p) ** 2 for i, p in zip(indices, place, strict=True)))
        if len(copies) and distance.min() < nearest:
            nearest, path = distance.min(), ("specimen", name, "unit_cell")
    return path


def _detect(scenario: Scenario, values: Realisation, ideal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Apply the noise members in written order; return float32 pixels and the noise power spectrum."""
    image = np.maximum(ideal, 0.0) if any(n.counts for n in values.noise.values()) else ideal
    spectrum = np.zeros(values.image.frequency_radius().shape)
    for name, member in values.noise.items():
        rng = stream(scenario.seed, "noise", name, values.replicate)
        mean = float(image.mean())
        try:
            image = member.apply(image, values.image, rng)
        except ScenarioError as error:
            raise error.under("noise", name) from None
        spectrum = spectrum * member.gain(values.image) ** 2 + member.spectrum(values.image, mean)
    return image.astype(np.float32), spectrum


def _records(scenario: Scenario, values: Realisation) -> dict[str, SpeciesRecord]:
    sigma = imaging.interaction(scenario)
    return {
        name: SpeciesRecord(
            spectrum=partial(species.unit_cell.spectrum, interaction=sigma),
            support=species.unit_cell.support,
            placements=values.placements[name],
            basis=species.lattice.basis,
        )
        for name, species in scenario.specimen.items()
    }


def total_gain(scenario: Scenario) -> float:
    """Return micrograph units per unit of intensity: electrons per pixel after counting, else 1."""
    product = 1.0
    for member in scenario.noise.values():
        product *= member.gain(scenario.image.grid)
    return product


def _facts(
    scenario: Scenario, values: Realisation, ideal: FloatArray, spectrum: FloatArray
) -> dict[str, Value]:
    level = scenario.image.base_level
    scale = total_gain(scenario)
    counts = any(member.counts for member in values.noise.values())
    variance = fourier.energy(spectrum, values.image.shape) / values.image.size
    facts: dict[str, Value] = {
        "peak_contrast": float(np.abs(ideal - level).max() / level) if level > 0 else None,
        "electrons_per_pixel": float(ideal.mean()) * scale if counts else None,
        "noise_sd": float(np.sqrt(variance)) if variance > 0 else None,
    }
    for name in scenario.specimen:
        signal = imaging.copy_variance(scenario, name) * scale**2
        facts[f"snr.{name}"] = signal / variance if variance > 0 else None
    return facts
