"""The lecture's equation as pictures: cell ⊗ lattice = specimen, ⊗ PSF = image, + noise, ⋆ template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.audit.base import SpeciesRecord
from simkit.core import fourier
from simkit.core.grid import FloatArray, Grid
from simkit.core.orientation import FLAT, View
from simkit.core.tables import Placements
from simkit.correlation.bank import TemplateBank
from simkit.engine.results import PickerRun, RunResult, Simulation
from simkit.engine.simulation import total_gain
from simkit.reports import figures, plates, signals
from simkit.reports.elements import Illustration, Plate, Plot, length_text
from simkit.reports.marks import crosses
from simkit.scenario.spec import Scenario

MOST_TEMPLATES = 4
"""Templates of one picker that are drawn, from the first to the last."""

TILE_PIXELS = 320
"""Longest side in pixels of a picture in the equation."""

KERNEL_ENERGY = 0.99
"""Share of a PSF's energy that its picture shows."""

VIEWS = 4
"""Angles of a template, or views of a solid, that its picture shows."""

SYMBOLS = {"⊗": "convolved with", "=": "equals", "+": "plus", "⋆": "correlated with", "": ""}
"""Operators and how a screen reader says them."""


@dataclass(frozen=True)
class Tile:
    """A picture in the equation: what it is called, what it shows, how large it is."""

    name: str
    picture: Plate | Plot
    detail: str = ""


@dataclass(frozen=True)
class Term:
    """An operator and what follows it; several tiles stand for alternatives."""

    operator: str
    tiles: Sequence[Tile]

    @property
    def spoken(self) -> str:
        """The operator in words."""
        return SYMBOLS[self.operator]


@dataclass(frozen=True)
class Step:
    """One line of the lecture: a sentence, the terms (a row each species), the result, the formula."""

    title: str
    sentence: str
    rows: Sequence[Sequence[Term]]
    result: Term
    formula: str
    chart: Illustration | None = None


def steps(result: RunResult) -> list[Step]:
    """Return the steps that a scenario has, in the order of the lecture."""
    return [*_simulated(result), *_searched(result)]


def _simulated(result: RunResult) -> Iterator[Step]:
    first, scenario = result.first, result.scenario
    if first is None:
        return
    if first.species:
        yield _specimen_step(scenario, first)
    if scenario.psf:
        yield _optics_step(scenario, first)
    if scenario.noise and np.any(np.asarray(first.noise_spectrum) > 0):
        yield _noise_step(scenario, first)


def _specimen_step(scenario: Scenario, first: Simulation) -> Step:
    grid = scenario.image.grid
    rows = [
        [
            Term("+" if number else "", [_cell_tile(name, record, grid)]),
            Term("⊗", [_lattice_tile(name, record.placements, list(first.species), grid)]),
        ]
        for number, (name, record) in enumerate(first.species.items())
    ]
    background = f" + background ({', '.join(scenario.background)})" if scenario.background else ""
    return Step(
        title="Unit cell ⊗ lattice = specimen",
        sentence="Convolving a unit cell with a lattice of points puts a copy of the cell at every point.",
        rows=rows,
        result=Term("=", [_field_tile("specimen", first.density, grid, "specimen before the optics")]),
        formula=f"specimen = {' + '.join(f'{n} ⊗ lattice' for n in first.species)}{background}",
    )


def _cell_tile(name: str, record: SpeciesRecord, grid: Grid) -> Tile:
    box = Grid((1,) * grid.ndim, grid.pixel_size).box(1.15 * record.support + 2 * grid.pixel_size)
    views = _views(record.placements)
    drawn = [
        fourier.corner_to_centre(fourier.inverse(record.spectrum(box, view=view), box.shape))
        for view in views
    ]
    if len(views) < VIEWS:
        alt = f"One copy of {name}, magnified"
        return Tile(f"unit cell: {name}", _kernel_picture(drawn[0], box, alt), f"{_width(box)} wide")
    sheet = np.block([drawn[:2], drawn[2:]])
    picture = _kernel_picture(sheet, Grid(sheet.shape, box.pixel_size), f"{VIEWS} views of {name}, magnified")
    return Tile(f"unit cell: {name}", picture, f"{VIEWS} of its views, each {_width(box)} wide")


def _views(placements: Placements) -> list[View]:
    """Return the different directions that the first copies of a solid are seen from, at most `VIEWS`."""
    pairs = zip(placements.rot.tolist(), placements.tilt.tolist(), strict=True)
    seen = dict.fromkeys(View(rot, tilt) for rot, tilt in pairs if np.isfinite(rot))
    return list(seen)[:VIEWS] or [FLAT]


def _lattice_tile(name: str, placements: Placements, names: Sequence[str], grid: Grid) -> Tile:
    style = plates.class_style(names, name)
    copies = f"{len(placements)} {'copy' if len(placements) == 1 else 'copies'}"
    alt = f"Lattice of {name}: {copies}"
    if grid.ndim == 1:
        return Tile("lattice of deltas", signals.deltas(grid, [(name, placements.x, style)], alt=alt), copies)
    layer = plates.lattice_layer(grid, placements, name, style)
    if plates.turned(placements):
        copies += ", each at its own angle"
    if len(_views(placements)) > 1:
        copies += " and from its own direction"
    return Tile("lattice of deltas", plates.blank(grid, alt=alt, layers=[layer]), copies)


def _optics_step(scenario: Scenario, first: Simulation) -> Step:
    grid = scenario.image.grid
    phase = scenario.image.model == "phase"
    level = f" (level = {scenario.image.base_level:g})" if scenario.image.base_level else ""
    return Step(
        title="Specimen ⊗ PSF = ideal image",
        sentence="The lens smears every point into its point spread function; the image is their sum.",
        rows=[
            [
                Term("", [_field_tile("specimen", first.density, grid, "specimen before the optics")]),
                Term("⊗", [_psf_tile(scenario, first, grid)]),
            ]
        ],
        result=Term("=", [_field_tile("ideal image", first.ideal, grid, "image without noise")]),
        formula="I = 1 + 2 φ ⊗ h" if phase else f"I = level + (density + background) ⊗ PSF{level}",
        chart=figures.transfer(np.asarray(first.transfer), grid),
    )


def _psf_tile(scenario: Scenario, first: Simulation, grid: Grid) -> Tile:
    spread = fourier.corner_to_centre(fourier.inverse(np.asarray(first.transfer, complex), grid.shape))
    zoomed, box = zoom(spread, grid)
    kinds = " × ".join(scenario.psf)
    picture = _kernel_picture(zoomed, box, f"Point spread function ({kinds}), magnified")
    return Tile(f"PSF: {kinds}", picture, f"{_width(box)} wide, magnified")


def zoom(kernel: FloatArray, grid: Grid) -> tuple[FloatArray, Grid]:
    """Crop a centred kernel to the box that holds `KERNEL_ENERGY` of its energy."""
    distance = np.sqrt(sum(o**2 for o in grid.offsets())) / grid.pixel_size
    order = np.argsort(distance, axis=None, kind="stable")
    cumulative = np.cumsum(kernel.ravel()[order] ** 2)
    reach = distance.ravel()[order][np.searchsorted(cumulative, KERNEL_ENERGY * cumulative[-1])]
    half = [min(int(1.3 * reach) + 4, n // 2, (n - 1) // 2) for n in grid.shape]
    window = tuple(slice(n // 2 - h, n // 2 + h + 1) for n, h in zip(grid.shape, half, strict=True))
    return kernel[window], Grid(kernel[window].shape, grid.pixel_size)


def _noise_step(scenario: Scenario, first: Simulation) -> Step:
    grid = scenario.image.grid
    pixels = np.asarray(first.micrograph, float)
    noise = pixels - first.ideal * total_gain(scenario)
    sd, electrons = first.facts.get("noise_sd"), first.facts.get("electrons_per_pixel")
    unit = first.micrograph.attrs.get("units", "")
    detail = f"standard deviation {sd:.3g} {unit}" if sd is not None else ""
    name = f"noise: {', '.join(scenario.noise)}"
    if electrons is None:
        sentence = "The detector adds noise that has nothing to do with the specimen."
        formula = "micrograph = I + noise"
    else:
        sentence = "The detector counts electrons one by one; noise is how far a count is from its mean."
        formula = f"counts = Poisson(I · dose · p²), on average {electrons:.4g} e⁻ per pixel"
    return Step(
        title="Ideal image + noise = micrograph",
        sentence=sentence,
        rows=[
            [
                Term("", [_field_tile("ideal image", first.ideal, grid, "image without noise")]),
                Term("+", [_field_tile(name, noise, grid, "noise alone", detail, figures.CLIP)]),
            ]
        ],
        result=Term("=", [_field_tile("micrograph", pixels, grid, "micrograph", "", figures.CLIP)]),
        formula=formula,
    )


def _searched(result: RunResult) -> Iterator[Step]:
    for name, run in result.pickers.items():
        if run.first.score_map.size:
            yield _search_step(result, name, run)


def _search_step(result: RunResult, name: str, run: PickerRun) -> Step:
    pixels = np.asarray(result.micrographs[0], float)
    grid = Grid(pixels.shape, result.scenario.image.pixel_size)
    banks = list(result.banks_of(name).values())
    shown = np.unique(np.linspace(0, len(banks) - 1, MOST_TEMPLATES).round().astype(int))
    clip = figures.CLIP if figures.noisy(result) else 0.0
    several = len(banks) > 1 or any(len(views) > 1 or len(views[0].angles) > 1 for views in banks)
    return Step(
        title=f"Micrograph ⋆ template = score map of {name}",
        sentence=(
            "Sliding the template over the micrograph and summing the products gives a map; "
            "it peaks where the two look alike, and crosses mark the peaks that were picked."
        ),
        rows=[
            [
                Term("", [_field_tile("micrograph", pixels, grid, "micrograph", "", clip)]),
                Term("⋆", [_template_tile(banks[i]) for i in shown]),
            ]
        ],
        result=Term("=", [_score_tile(name, run, result.micrograph_names[0])]),
        formula=f"c(x) = Σₜ f(x + t) h(t){', the largest over templates and angles' if several else ''}",
    )


def _template_tile(directions: Sequence[TemplateBank]) -> Tile:
    bank = directions[0]
    most = max(len(one.angles) for one in directions)
    angles = f", {most} angles" if most > 1 else ""
    if len(directions) > 1:
        angles = f", {len(directions)} views{angles.replace(', ', ', up to ')}"
    alt = f"Template {bank.name}, magnified"
    box = Grid((1,) * bank.grid.ndim, bank.pixel_size).box(1.4 * bank.support)
    size = tuple(min(a, b) for a, b in zip(box.shape, bank.grid.shape, strict=True))
    if bank.grid.ndim == 1:
        return Tile(f"template: {bank.name}", signals.kernel(bank.images[0], bank.grid, alt=alt), "")
    drawn = [one.images[0] for one in directions] if len(directions) > 1 else bank.images
    shown = np.linspace(0, len(drawn), min(VIEWS, len(drawn)), endpoint=False).astype(int)
    views = [_centre(drawn[i], size) for i in shown]
    sheet = np.block([views[:2], views[2:]]) if len(views) == VIEWS else np.hstack(views)
    picture = plates.grey(
        sheet, Grid(sheet.shape, bank.pixel_size), alt=alt + angles, side=TILE_PIXELS, bar=False
    )
    each = "each " if len(views) > 1 else ""
    detail = f"{each}{length_text(size[-1] * bank.pixel_size)} wide{angles}"
    return Tile(f"template: {bank.name}", picture, detail)


def _centre(image: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    window = tuple(
        slice(n // 2 - m // 2, n // 2 - m // 2 + m) for n, m in zip(image.shape, shape, strict=True)
    )
    return image[window]


def _score_tile(name: str, run: PickerRun, micrograph: str) -> Tile:
    found, grid = run.first, run.first.map_grid
    alt = f"Score map of {name} with a cross on each pick"
    if grid.ndim == 1:
        picked = found.picks["x"]
        picture: Plate | Plot = signals.score_signal(
            found.score_map, grid, picked, found.threshold, alt=alt, wide=False
        )
    else:
        picture = plates.coloured(
            found.score_map,
            grid,
            alt=alt,
            side=TILE_PIXELS,
            threshold=found.threshold,
            layers=[crosses(run.picks, grid, micrograph)],
        )
    return Tile(
        "score map", picture, f"threshold {found.threshold:.4g}" if np.isfinite(found.threshold) else ""
    )


def _field_tile(
    name: str, values: FloatArray, grid: Grid, alt: str, detail: str = "", clip: float = 0.0
) -> Tile:
    alt = f"The {alt}, {_width(grid)} wide"
    if grid.ndim == 1:
        return Tile(name, signals.signal(values, grid, alt=alt), detail)
    return Tile(name, plates.grey(values, grid, alt=alt, side=TILE_PIXELS, clip=clip), detail)


def _kernel_picture(values: FloatArray, grid: Grid, alt: str) -> Plate | Plot:
    if grid.ndim == 1:
        return signals.kernel(values, grid, alt=alt)
    return plates.grey(values, grid, alt=alt, side=TILE_PIXELS, bar=False)


def _width(grid: Grid) -> str:
    return length_text(grid.extent[-1])
