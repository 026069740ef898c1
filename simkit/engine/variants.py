"""The null variants of a scenario: micrographs in which no particle is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simkit.core import fourier
from simkit.core.grid import FloatArray
from simkit.core.random import stream
from simkit.core.tables import Truth
from simkit.correlation.padding import clean
from simkit.engine.archive import Archive
from simkit.engine.nulls import Variant
from simkit.noise.silent import Silent
from simkit.scenario.spec import Scenario


def null_variants(scenario: Scenario) -> tuple[Variant, ...]:
    """Return the variants that a run searches besides the scenario's own micrographs.

    None unless picks are scored by a picker that looks at images, of a scenario that is itself a null, or
    where `score.null_micrographs` is 0. Noise alone can only be had of a simulation, and there only where
    there is some without particles.
    """
    look = any(picker.sees_pixels for picker in scenario.pickers.values())
    if scenario.null or scenario.score is None or not look or not scenario.score.null_micrographs:
        return ()
    alone = scenario.micrographs is None and _has_noise_alone(scenario)
    return ("noise_only", "phase_randomised") if alone else ("phase_randomised",)


def null_count(scenario: Scenario, micrographs: int) -> int:
    """Return how many micrographs of each variant a run searches: of real ones no more than there are."""
    wanted = scenario.score.null_micrographs if scenario.score else 0
    return wanted if scenario.micrographs is None else min(wanted, micrographs)


def _has_noise_alone(scenario: Scenario) -> bool:
    noise = [member for member in scenario.noise.values() if not isinstance(member, Silent)]
    added = any(not member.counts for member in noise)
    # Counting has no noise where no electron is expected.
    return added or (bool(noise) and (scenario.image.base_level > 0 or bool(scenario.background)))


def variant_of(scenario: Scenario, variant: Variant | None) -> Scenario:
    """Return the scenario as one of its null variants, or as itself."""
    return scenario.model_copy(update={"null": variant})


def without_phases(scenario: Scenario, replicate: int, pixels: FloatArray) -> FloatArray:
    """Draw the phases of a micrograph anew.

    Parameters
    ----------
    scenario : Scenario
        Its seed names the random stream.
    replicate : int
        Which micrograph, counted from 0.
    pixels : array
        Where one has no value, the level around it stands.

    Returns
    -------
    array, float32
        See `fourier.phase_randomised`.
    """
    values, finite = clean(pixels)
    mean = float(np.mean(pixels, where=finite, dtype=np.float64)) if finite.any() else 0.0
    rng = stream(scenario.seed, "null", "phase_randomised", replicate)
    return (fourier.phase_randomised(values, rng) + mean).astype(np.float32)


def without_particles(archive: Archive) -> Archive:
    """Return real micrographs as they are once their phases are drawn anew: known to hold nothing."""
    return replace(archive, truth=Truth(), judged=frozenset(archive.names), notices=())
