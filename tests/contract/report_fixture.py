"""Finished runs made without a search: real simulations, picks invented next to the truth."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np

from simkit.audit.base import Audit, Evidence, Measurement, Panel, Series
from simkit.core import fourier
from simkit.core.grid import Grid
from simkit.core.tables import Picks, Truth
from simkit.correlation.bank import TemplateBank, standardised
from simkit.engine.court import Answer, Setting
from simkit.engine.results import Judgement, PickerRun, RunResult, Simulation
from simkit.engine.scoring import judge
from simkit.engine.simulation import simulate_one
from simkit.engine.verdict import verdict
from simkit.picker.base import Found, Picker, Sight
from simkit.scenario.spec import Scenario, Score
from simkit.threshold.fixed import Fixed


class InventedPicker(Picker):
    """Stands for any picker; never run."""

    kind: Literal["invented"] = "invented"
    told: tuple[str, ...] = ("pixel size", "templates")
    cheats: bool = False

    @property
    def oracle(self) -> bool:
        return self.cheats

    @property
    def knows(self) -> tuple[str, ...]:
        return self.told

    def pick(self, sight: Sight) -> Found:
        raise NotImplementedError


class InventedAudit(Audit):
    """Stands for any audit; never run."""

    kind: Literal["invented"] = "invented"
    units = {"error": "", "shift": "Å", "absent": ""}

    def measure(self, evidence: Evidence) -> Measurement:
        raise NotImplementedError


RING = {"kind": "ring", "radius": "40 Å", "width": "12 Å"}
DISK = {"kind": "disk", "radius": "26 Å"}
BUMP = {"kind": "gaussian", "sigma": "20 Å"}


def plane(**sections: Any) -> dict[str, Any]:
    """A scenario in two dimensions with two species, a PSF and noise."""
    return {
        "schema_version": 1,
        "title": "Rings and disks",
        "description": "Two kinds of particles in noise.",
        "seed": 5,
        "image": {"shape": [256, 320], "pixel_size": 4.0, "boundary": "open", "level": 1.0},
        "specimen": {
            "ring": species(RING, {"kind": "scattered", "count": 9, "min_distance": "130 Å"}),
            "disk": species(
                DISK, {"kind": "scattered", "count": 8, "min_distance": "130 Å", "rotation": "uniform"}
            ),
        },
        "psf": {"lens": {"kind": "gaussian", "sigma": "6 Å"}},
        "noise": {"film": {"kind": "gaussian", "sd": 0.8}},
        "score": {"radius": "30 Å"},
        **sections,
    }


def line(**sections: Any) -> dict[str, Any]:
    """A scenario in one dimension."""
    return {
        "schema_version": 1,
        "title": "Bumps on a line",
        "image": {"shape": [512], "pixel_size": 2.0, "boundary": "periodic"},
        "specimen": {
            "bump": species(BUMP, {"kind": "positions", "at": [["150 Å"], ["500 Å"], ["530 Å"], ["900 Å"]]})
        },
        "noise": {"film": {"kind": "gaussian", "sd": 0.2}},
        "score": {"radius": "30 Å"},
        **sections,
    }


def species(shape: dict[str, Any], lattice: dict[str, Any]) -> dict[str, Any]:
    """A species of one shape."""
    return {"unit_cell": {"kind": "shapes", "shapes": [shape]}, "lattice": lattice}


def finished(scenario: dict[str, Any], *, quality: float = 0.8, measured: bool = False) -> RunResult:
    """Return a finished run of a scenario.

    Parameters
    ----------
    quality : float
        Share of the particles that every picker finds; 0 for no picks at all.
    measured : bool
        Whether there is an audit with values, curves and an image.
    """
    if measured:
        scenario = {**scenario, "audit": {"theorem": InventedAudit()}}
    valid = Scenario.model_validate(scenario)
    images = [simulate_one(valid, replicate) for replicate in range(valid.replicates)]
    truth = Truth.concat([image.truth for image in images])
    banks = {name: (_bank(valid, name),) for name in valid.specimen} if valid.pickers else {}
    pickers = {name: _invented(valid, images, quality, salt) for salt, name in enumerate(valid.pickers)}
    judgements = {name: _judgement(valid, name, truth, run) for name, run in pickers.items() if valid.score}
    measurements = {"theorem": _measurement()} if measured else {}
    return RunResult(
        scenario=valid,
        micrograph_names=tuple(str(image.micrograph.name) for image in images),
        micrographs=tuple(np.asarray(image.micrograph) for image in images),
        first=images[0],
        truth=truth,
        banks=banks,
        pickers=pickers,
        judgements=judgements,
        measurements=measurements,
        scores=verdict(valid, judgements, measurements),
        timings={},
    )


def _judgement(scenario: Scenario, name: str, truth: Truth, run: PickerRun) -> Judgement:
    """The bare scores; what else the judge may say is invented in `report_extras`."""
    spec = scenario.pickers[name]
    setting = Setting(
        scenario.score or Score(radius=30.0),
        classes=tuple(scenario.specimen),
        micrographs=tuple(dict.fromkeys(truth["micrograph"].tolist())),
        ndim=scenario.image.ndim,
        details=False,
    )
    judgement = judge(truth, Answer(run.picks, knows=spec.knows, oracle=spec.oracle), setting)
    return dataclasses.replace(judgement, intervals={})


def picker(**fields: Any) -> InventedPicker:
    """A picker that may be put into a scenario."""
    return InventedPicker(threshold=Fixed(value=0.5), **fields)


def _bank(scenario: Scenario, name: str) -> TemplateBank:
    cell = scenario.specimen[name].unit_cell
    grid = Grid((1,) * scenario.image.ndim, scenario.image.pixel_size).box(1.5 * cell.support)
    views = np.stack([cell.density(grid)] * (1 if name == "ring" else 6))
    angles = np.arange(len(views)) * 60.0
    return TemplateBank(name, name, standardised(views), angles, grid.pixel_size, cell.support, "C1")


def _invented(scenario: Scenario, images: list[Simulation], quality: float, salt: int) -> PickerRun:
    rng = np.random.default_rng(salt)
    picks = [_picks(scenario, image, quality, rng) for image in images]
    grid = scenario.image.grid
    pixels = np.asarray(images[0].micrograph, float)
    probe = np.zeros(grid.shape)
    probe[tuple(slice(n // 2 - 8, n // 2 + 9) for n in grid.shape)] = 1 / 17
    scores = fourier.correlate(pixels - pixels.mean(), probe)
    found = Found(picks[0], scores / scores.max(), grid, 0.5)
    return PickerRun(Picks.concat(picks), found, (0.5,) * len(images))


def _picks(scenario: Scenario, image: Simulation, quality: float, rng: np.random.Generator) -> Picks:
    truth = image.truth
    found = truth.take(rng.random(len(truth)) < quality)
    names = list(scenario.specimen)
    n_false = round(4 * quality)
    extent = scenario.image.grid.extent
    classes = np.where(rng.random(len(found)) < 0.1, names[-1], found["class"])
    y = np.concatenate([found["y"] + rng.normal(0.5, 2, len(found)), rng.uniform(0, extent[0], n_false)])
    return Picks(
        **{
            "micrograph": [str(image.micrograph.name)] * (len(found) + n_false),
            "class": [*classes, *[names[0]] * n_false],
            "template": [*classes, *[names[0]] * n_false],
            "y": y if scenario.image.ndim == 2 else np.zeros_like(y),
            "x": np.concatenate(
                [found["x"] + rng.normal(-0.3, 2, len(found)), rng.uniform(0, extent[-1], n_false)]
            ),
            "psi": 0.0,
            "score": np.concatenate([rng.normal(1.0, 0.1, len(found)), rng.uniform(0.5, 0.8, n_false)]),
        }
    )


def _measurement() -> Measurement:
    sizes = np.array([8.0, 16.0, 32.0, 64.0])
    curves = (Series("double sum", sizes, sizes**4), Series("transforms", sizes, sizes**2 * np.log2(sizes)))
    cost = Panel("Cost", "How the cost grows.", series=curves, x_label="pixels", y_label="steps", log=True)
    picture = np.add.outer(np.arange(40.0), np.arange(60.0))
    where = np.array([[10.0, 12.0], [30.0, 50.0]])
    image = Panel("Transform", "Spots of the lattice.", image=picture, marks=where)
    return Measurement({"error": 3.1e-16, "shift": 0.25, "absent": None}, (cost, image))
