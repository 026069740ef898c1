"""How a density becomes an image under the scenario's model: the factors that every stage shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from simkit.core import fourier
from simkit.core.grid import ComplexArray, FloatArray, Grid
from simkit.core.tables import Placements
from simkit.scenario.spec import Scenario, Species
from simkit.template.base import Optics, Subject, Views
from simkit.theory.electron import interaction_constant


def interaction(scenario: Scenario) -> float | None:
    """Return σ in rad/(V·Å) under the phase model, None under the intensity model."""
    if scenario.image.model == "intensity":
        return None
    voltages = (member.electron_voltage for member in scenario.psf.values())
    return interaction_constant(next(v for v in voltages if v is not None))


def gain(scenario: Scenario) -> float:
    """Return the factor before density ⊗ PSF in the image: 2 under the phase model, else 1."""
    return 2.0 if scenario.image.model == "phase" else 1.0


def transfer(scenario: Scenario, grid: Grid) -> FloatArray | ComplexArray:
    """Return the product of all transfer functions of the psf section; ones without any."""
    product: FloatArray | ComplexArray = np.ones((1,) * grid.ndim)
    for member in scenario.psf.values():
        product = product * member.transfer(grid)
    return np.broadcast_to(product, grid.frequency_radius().shape)


def psf_support(scenario: Scenario, grid: Grid) -> float:
    """Return the radius in Å that the optics smear a point over."""
    return sum(member.support(grid) for member in scenario.psf.values())


def optics(scenario: Scenario) -> Optics | None:
    """Return the scenario's optics as templates see them, sign and gain included; None without a psf."""
    if not scenario.psf:
        return None
    has_focus = any(member.defocused(0.0) is not None for member in scenario.psf.values())
    defocused = (lambda error: _optics(_defocused(scenario, error))) if has_focus else None
    return replace(_optics(scenario), defocused=defocused)


def _optics(scenario: Scenario) -> Optics:
    reach = psf_support(scenario, Grid((1,) * scenario.image.ndim, scenario.image.pixel_size))
    return Optics(transfer=lambda grid: gain(scenario) * transfer(scenario, grid), support=reach)


def _defocused(scenario: Scenario, error: float) -> Scenario:
    """Return the scenario with every lens so many Å further under focus."""
    members = {name: member.defocused(error) or member for name, member in scenario.psf.items()}
    return scenario.model_copy(update={"psf": members})


def subjects(scenario: Scenario) -> dict[str, Subject]:
    """Return every species as templates see it."""
    sigma = interaction(scenario)
    return {name: _subject(species, sigma) for name, species in scenario.specimen.items()}


def _subject(species: Species, sigma: float | None) -> Subject:
    cell = species.unit_cell
    typical = cell.typical_views

    def spectra(grid: Grid, angles: FloatArray, views: Views) -> Iterator[ComplexArray]:
        rot, tilt = np.array([view or typical[0] for view in views]).T
        nowhere = np.zeros(len(angles))
        copies = Placements.at(nowhere, nowhere, psi=angles, rot=rot, tilt=tilt)
        return cell.spectra(grid, copies, interaction=sigma)

    return Subject(
        spectra=spectra,
        support=cell.support,
        symmetry=species.symmetry,
        solid=cell.solid,
        view=typical[0] if cell.solid and len(typical) == 1 else None,
    )


def images_of_copy(scenario: Scenario, species: str) -> tuple[FloatArray, Grid]:
    """Image one copy of a species alone, without noise and without level.

    Returns
    -------
    contrast : array, shape (n_views, ny, nx) or (1, nx)
        I − level of the copy at the central pixel n // 2, from every typical view; a flat species
        has one.
    grid : Grid
        Their grid, large enough for the fringes of the optics.
    """
    pixel = scenario.image.pixel_size
    cell = scenario.specimen[species].unit_cell
    reach = psf_support(scenario, Grid((1,) * scenario.image.ndim, pixel))
    grid = Grid((1,) * scenario.image.ndim, pixel).box(cell.support + reach + 8 * pixel)
    rot, tilt = np.array(cell.typical_views).T
    nowhere = np.zeros(len(rot))
    copies = Placements.at(nowhere, nowhere, rot=rot, tilt=tilt)
    factor = gain(scenario) * transfer(scenario, grid)
    seen = [
        fourier.corner_to_centre(fourier.inverse(spectrum * factor, grid.shape))
        for spectrum in cell.spectra(grid, copies, interaction=interaction(scenario))
    ]
    return np.array(seen), grid


def copy_variance(scenario: Scenario, species: str) -> float:
    """Return the variance of one imaged copy inside its support radius, in intensity².

    Of a solid it is the mean over the typical views.
    """
    contrasts, grid = images_of_copy(scenario, species)
    distance = np.sqrt(sum(offset**2 for offset in grid.offsets()))
    inside = distance <= scenario.specimen[species].unit_cell.support
    return float(np.mean([contrast[inside].var() for contrast in contrasts]))


def mean_copy_variance(scenario: Scenario) -> float:
    """Return `copy_variance` averaged over the species: what an `snr` refers to."""
    return float(np.mean([copy_variance(scenario, name) for name in scenario.specimen]))
