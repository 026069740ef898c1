"""Where micrographs come from, and what then cannot be right: a simulation, files, or a null of either."""

from __future__ import annotations

from collections.abc import Iterator

from simkit.core.errors import DataError, ScenarioError
from simkit.io.formats import FORMATS
from simkit.io.images import open_image
from simkit.scenario.messages import suggestion
from simkit.scenario.spec import Scenario

Errors = Iterator[ScenarioError]

SIMULATED = ("specimen", "background", "noise", "audit")
"""Sections that only a simulation has."""


def origin(scenario: Scenario) -> Errors:
    """Yield what contradicts where the micrographs come from, each located from the scenario's root."""
    for rule in (_shape, _micrographs, _null):
        yield from rule(scenario)


def _shape(scenario: Scenario) -> Errors:
    if scenario.image.shape is not None or scenario.micrographs is not None:
        return
    for section in SIMULATED:
        if getattr(scenario, section):
            yield ScenarioError(
                "needs an image to simulate; give `image.shape: [rows, columns]`, or leave this out",
                (section,),
            )


def _micrographs(scenario: Scenario) -> Errors:
    real = scenario.micrographs
    if real is None:
        return
    for section in SIMULATED:
        if getattr(scenario, section):
            yield ScenarioError("is of a simulation, and the micrographs are real; leave it out", (section,))
    if scenario.image.shape is not None:
        yield ScenarioError("the files say how large they are; leave it out", ("image", "shape"))
    if scenario.replicates != 1:
        yield ScenarioError("there are as many micrographs as files; leave it out", ("replicates",))
    if real.pixel_size not in (None, scenario.image.pixel_size):
        yield ScenarioError(
            f"is {scenario.image.pixel_size:g} Å here, but {real.pixel_size:g} Å under `micrographs`",
            ("image", "pixel_size"),
        )
    names = [form.name for form in FORMATS]
    if real.truth is not None and real.truth.format not in (None, *names):
        yield ScenarioError(
            f"no coordinate format is called {real.truth.format!r}"
            f"{suggestion(str(real.truth.format), names)}",
            ("micrographs", "truth", "format"),
        )
    try:
        open_image(real.files[0])
    except DataError as error:
        yield ScenarioError(str(error), ("micrographs", "files"))


def _null(scenario: Scenario) -> Errors:
    if scenario.null is None:
        return
    if scenario.micrographs is None and scenario.image.shape is None:
        yield ScenarioError(
            "is a variant of micrographs, and there are none; give `image.shape: [rows, columns]`, or name "
            "real images under `micrographs:`",
            ("null",),
        )
    elif scenario.null == "noise_only" and scenario.micrographs is not None:
        yield ScenarioError(
            "the noise of a real micrograph cannot be had alone; write `phase_randomised`", ("null",)
        )
    elif scenario.null == "noise_only" and not (scenario.noise or scenario.background):
        yield ScenarioError(
            "there is neither noise nor background, so nothing is left without the particles; add `noise:`, "
            "or write `phase_randomised`",
            ("null",),
        )
    if scenario.audit:
        yield ScenarioError(
            "measures what is in the micrographs, and in a null there is nothing; leave it out", ("audit",)
        )
