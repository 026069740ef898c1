"""A ceiling held to account: a few simulated micrographs, searched as the ideal observer would."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.quantity import wrap_angle
from simkit.core.random import stream
from simkit.core.tables import Picks, Truth
from simkit.correlation.bank import TemplateBank
from simkit.correlation.whitening import NoiseSpectrum
from simkit.engine import imaging
from simkit.engine.appearance import Appearance, appearance, copy_box, copy_spectra, copy_transfer, noise_on
from simkit.engine.ceiling import looked_for
from simkit.engine.realisation import realise
from simkit.engine.results import Simulation
from simkit.engine.simulation import simulate_one, total_gain
from simkit.matching.optimal import match
from simkit.picker.base import Sight
from simkit.picker.matched_filter import MatchedFilter
from simkit.scenario.spec import Scenario
from simkit.statistics.proportion import wilson
from simkit.theory.observer import recall_above
from simkit.threshold.fixed import Fixed

CONFIDENCE = 0.99
"""How often the interval of the measured recall holds what is true: one check in 100 fails by chance."""


@dataclass(frozen=True)
class Rehearsal:
    """What the ideal observer did in a short simulation.

    Attributes
    ----------
    micrographs : int
        How many were simulated.
    level : float
        Where its score was cut, in standard deviations of the noise.
    particles : int
        Whole copies that stand alone: those that the ceiling is about.
    found : int
        Of those.
    predicted : float
        Recall that the ceiling promises for them.
    interval : tuple of float
        Wilson's, of the measured recall, at `CONFIDENCE`.
    false_picks, expected_false : float
        Picks in a micrograph that are no particle, and how many the ceiling expects, which is a bound.
    rmse, limit : float
        Error of the position in Å, root mean square over the found, and its Cramér–Rao limit; NaN of none.
    """

    micrographs: int
    level: float
    particles: int
    found: int
    predicted: float
    interval: tuple[float, float]
    false_picks: float
    expected_false: float
    rmse: float
    limit: float

    @property
    def recall(self) -> float:
        """Measured."""
        return self.found / self.particles

    @property
    def agrees(self) -> bool:
        """Whether the predicted recall lies in the interval of the measured one."""
        return self.interval[0] <= self.predicted <= self.interval[1]


def rehearse(scenario: Scenario, level: float, *, micrographs: int, workers: int = 1) -> Rehearsal | str:
    """Simulate a few micrographs and search them with what the ideal observer knows.

    It is a matched filter that is told the noise spectrum, the level of the empty image and what every
    species looks like at every angle. A real picker has to estimate some of that, and does worse.

    Parameters
    ----------
    scenario : Scenario
        With a ceiling.
    level : float
        Where to cut, in standard deviations of the noise.
    micrographs : int
        How many.
    workers : int
        Threads; the result does not depend on it.

    Returns
    -------
    Rehearsal or str
        A text says why the scenario cannot be rehearsed.

    Raises
    ------
    ScenarioError
        If the scenario cannot be simulated.
    """
    noise = noise_on(scenario)
    if noise is None:
        return "there is no noise"
    sought = looked_for(scenario)
    if many := [n for n in sought if len(scenario.specimen[n].unit_cell.typical_views) > 1]:
        return f"{many[0]} is seen from many directions, and the check searches one"
    copies = realise(scenario, 0).placements
    looks = {name: appearance(scenario, name, copies[name], noise) for name in sought}
    banks = [bank for name, look in looks.items() for bank in _banks(scenario, name, look)]
    lift = {name: _lift(scenario, name, look, noise) for name, look in looks.items()}
    runs = [simulate_one(scenario, replicate) for replicate in range(micrographs)]
    truth = Truth.concat([run.truth for run in runs])
    picks = Picks.concat([_search(scenario, run, banks, lift, level, workers) for run in runs])
    return _judged(scenario, looks, truth, picks, level=level, micrographs=micrographs)


def _judged(
    scenario: Scenario,
    looks: Mapping[str, Appearance],
    truth: Truth,
    picks: Picks,
    *,
    level: float,
    micrographs: int,
) -> Rehearsal | str:
    smallest = min(scenario.specimen[name].unit_cell.support for name in looks)
    radius = scenario.score.radius if scenario.score else smallest
    pairs = match(truth, picks, radius=radius, ndim=scenario.image.ndim)
    alone = _alone(scenario, truth) & np.isin(truth["class"], list(looks))
    if not alone.any():
        return "no copy stands alone, away from the border"
    judged = alone[pairs.truth]
    area = scenario.image.grid.area
    kinds = [looks[name].limits for name in truth["class"][alone].tolist()]
    chances = {
        name: float(recall_above(level, look.limits.d_prime, dims=look.dims).mean())
        for name, look in looks.items()
    }
    squares = [np.nansum(np.square([k.sigma_y, k.sigma_x]), axis=0).mean() for k in kinds]
    interval = wilson(int(judged.sum()), int(alone.sum()), CONFIDENCE) or (math.nan, math.nan)
    return Rehearsal(
        micrographs=micrographs,
        level=level,
        particles=int(alone.sum()),
        found=int(judged.sum()),
        predicted=float(np.mean([chances[name] for name in truth["class"][alone].tolist()])),
        interval=interval,
        false_picks=(len(picks) - len(pairs.pick)) / micrographs,
        expected_false=sum(look.false_above(level, area) for look in looks.values()),
        rmse=math.sqrt(np.mean(pairs.distance[judged] ** 2)) if judged.any() else math.nan,
        limit=math.sqrt(np.mean(squares)),
    )


def _alone(scenario: Scenario, truth: Truth) -> npt.NDArray[np.bool_]:
    """Tell which copies no other one and no border of the image touches."""
    pixel, ndim = scenario.image.pixel_size, scenario.image.ndim
    fringes = imaging.psf_support(scenario, Grid((1,) * ndim, pixel))
    support = {name: species.unit_cell.support for name, species in scenario.specimen.items()}
    reach = np.array([support[name] for name in truth["class"].tolist()]) + fringes
    places = (truth["y"], truth["x"])[-ndim:]
    inside = [
        (place >= reach) & (place <= length - pixel - reach)
        for place, length in zip(places, scenario.image.grid.extent, strict=True)
    ]
    return np.logical_and.reduce(inside) & (truth["overlap"] == 0)


def _banks(scenario: Scenario, name: str, look: Appearance) -> list[TemplateBank]:
    """Return exact images of the species at every angle, and mirrored where copies are."""
    if look.turn > 0:
        angles = np.rad2deg(
            np.arange(steps := max(round(look.turn / look.angle_step), 1)) * look.turn / steps
        )
    else:
        angles = np.unique(np.round(wrap_angle(look.copies.psi), 6)) if len(look.copies) else np.zeros(1)
    box = copy_box(scenario, name)
    transfer = copy_transfer(scenario, box)
    banks = []
    for mirror in np.unique(look.copies.mirror) if len(look.copies) else [False]:
        spectra = copy_spectra(scenario, name, box, angles, mirror=bool(mirror))
        images = np.array(
            [fourier.corner_to_centre(fourier.inverse(s * transfer, box.shape)) for s in spectra]
        )
        banks.append(
            TemplateBank(
                name=name,
                finds=name,
                images=np.array(images),
                angles=angles,
                pixel_size=box.pixel_size,
                support=scenario.specimen[name].unit_cell.support,
                symmetry=f"C{max(round(2 * np.pi / look.turn), 1)}" if look.turn > 0 else "C1",
            )
        )
    return banks


def _lift(scenario: Scenario, name: str, look: Appearance, noise: NoiseSpectrum) -> float:
    """Return by how much a score rises where the image's level does by 1."""
    box = copy_box(scenario, name)
    upright = next(copy_spectra(scenario, name, box, np.zeros(1))) * copy_transfer(scenario, box)
    at_zero = (0,) * box.ndim
    return float(upright[at_zero].real / (noise(box)[at_zero] * np.median(look.limits.d_prime)))


def _search(
    scenario: Scenario,
    simulation: Simulation,
    banks: list[TemplateBank],
    lift: Mapping[str, float],
    level: float,
    workers: int,
) -> Picks:
    pixels = np.asarray(simulation.micrograph, float)
    # The filter takes the level of the image from its mean, particles included; the ideal observer knows it.
    excess = float(pixels.mean()) - scenario.image.base_level * total_gain(scenario)
    offset = {name: excess * slope for name, slope in lift.items()}
    filter_ = MatchedFilter(noise="declared", threshold=Fixed(value=level - max(offset.values())))
    found = filter_.pick(
        Sight(
            pixels=pixels,
            grid=scenario.image.grid,
            banks=banks,
            spacing=None,
            noise_spectrum=simulation.noise_spectrum,
            mask=None,
            rng=stream(scenario.seed, "rehearsal"),
            workers=workers,
        )
    ).picks
    score = found["score"] + np.array([offset[name] for name in found["class"].tolist()])
    named = np.full(len(found), str(simulation.micrograph.name))
    return found.replace(score=score, micrograph=named).take(score >= level)
