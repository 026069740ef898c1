"""What a scenario's templates keep of the detectability of the species that they find."""

from __future__ import annotations

import numpy as np

from simkit.core import fourier
from simkit.core.errors import ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.orientation import View
from simkit.correlation.bank import standardised
from simkit.engine import imaging
from simkit.engine.appearance import noise_on
from simkit.scenario.spec import Scenario
from simkit.template.base import Surroundings, Template
from simkit.template.crop import CropTemplate
from simkit.theory.mismatch import kept_detectability

DIRECTIONS = 6
"""Directions that stand for all that a template is seen from, at most."""


def kept_by_templates(scenario: Scenario) -> dict[str, float]:
    """Return the share of d′ that each template, zero-mean in its box, keeps of a copy of its species.

    A copy at an angle that is tried, alone on the level of the image; noise is known.

    Parameters
    ----------
    scenario : Scenario
        With noise of a declared spectrum.

    Returns
    -------
    dict
        Template → mean over directions of `kept_detectability`. What is cut from a micrograph, or finds no
        species of the scenario, is left out; without noise all are.

    Raises
    ------
    ScenarioError
        If a template cannot be drawn.
    """
    around = Surroundings(
        grid=scenario.image.grid,
        species=imaging.subjects(scenario),
        optics=imaging.optics(scenario),
        micrograph=_no_micrograph,
    )
    kept = {}
    for name, template in scenario.templates.items():
        known = template.found_class(name) in around.species and not isinstance(template, CropTemplate)
        if known and noise_on(scenario) is not None:
            try:
                kept[name] = _kept(scenario, template, template.found_class(name), around)
            except ScenarioError as error:
                raise error.under("templates", name) from None
    return kept


def _kept(scenario: Scenario, template: Template, species: str, around: Surroundings) -> float:
    every = template.directions(around)
    views = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, DIRECTIONS).astype(int))]
    drawn = standardised(template.images(np.zeros(len(views)), views, around)[0])
    return float(np.mean([_of_view(scenario, *one, species) for one in zip(drawn, views, strict=True)]))


def _of_view(scenario: Scenario, image: FloatArray, view: View | None, species: str) -> float:
    subject, optics = imaging.subjects(scenario)[species], imaging.optics(scenario)
    pixel = scenario.image.pixel_size
    reach = subject.support + (optics.support if optics else 0.0)
    wanted = Grid((1,) * image.ndim, pixel).box(reach + 8 * pixel).shape
    grid = Grid(tuple(fourier.fast_length(m + n) for m, n in zip(image.shape, wanted, strict=True)), pixel)
    particle = next(subject.spectra(grid, np.zeros(1), [view])) * (optics.transfer(grid) if optics else 1.0)
    noise = noise_on(scenario)
    return kept_detectability(
        fourier.forward_stack(image[None], grid.shape)[0],
        particle,
        noise_spectrum=noise(grid) if noise else 1.0,
        shape=grid.shape,
    )


def _no_micrograph(number: int) -> FloatArray:
    raise ScenarioError("no micrograph is simulated here")
