"""Pixels and templates → picks. The truth is never in scope here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simkit.core.errors import DataError, ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.random import stream
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank
from simkit.engine import imaging
from simkit.engine.files import name_of, naming, open_matching, read_pixels, require_readable
from simkit.picker.base import Found, Sight
from simkit.scenario.spec import Scenario
from simkit.template.base import Surroundings

Banks = Mapping[str, tuple[TemplateBank, ...]]
"""Template name → its banks, one for each view."""


def draw_banks(scenario: Scenario, grid: Grid, micrograph: Callable[[int], FloatArray]) -> Banks:
    """Draw every template of the scenario, seen from all its directions and at all its angles.

    Parameters
    ----------
    scenario : Scenario
        What to look for, and the optics it is seen through.
    grid : Grid
        The image to search.
    micrograph : callable
        ``micrograph(i)`` → pixels of the scenario's own micrograph i, for templates cropped from it.

    Raises
    ------
    ScenarioError
        If a template cannot be drawn.
    """
    around = Surroundings(
        grid=grid,
        species=imaging.subjects(scenario),
        optics=imaging.optics(scenario),
        micrograph=micrograph,
    )
    banks: dict[str, tuple[TemplateBank, ...]] = {}
    for name, template in scenario.templates.items():
        try:
            banks[name] = template.banks(name, around)
        except ScenarioError as error:
            raise error.under("templates", name) from None
    return banks


def pick_image(
    scenario: Scenario,
    picker: str,
    *,
    pixels: FloatArray,
    grid: Grid,
    name: str,
    replicate: int,
    banks: Banks,
    noise_spectrum: FloatArray | None = None,
    workers: int = 1,
) -> Found:
    """Run one picker on one image.

    Parameters
    ----------
    scenario : Scenario
        Declares the picker.
    picker : str
        Its name.
    pixels, grid : array, Grid
        The image.
    name : str
        The micrograph's name, written into every pick.
    replicate : int
        Which of the run's micrographs this is; names the picker's random stream.
    banks : mapping
        All templates of the scenario, by name: the banks of all views of each.
    noise_spectrum : array, optional
        The declared noise power spectrum; shown only to a picker that is an oracle.
    workers : int
        Threads for the transforms; the result does not depend on it.

    Raises
    ------
    ScenarioError
        If the search is impossible; located from the scenario's root.
    """
    spec = scenario.pickers[picker]
    sight = Sight(
        pixels=pixels,
        grid=grid,
        banks=searched_banks(scenario, picker, banks),
        spacing=_net_spacing(scenario),
        noise_spectrum=noise_spectrum if spec.oracle else None,
        mask=None,
        rng=stream(scenario.seed, "picker", picker, replicate),
        workers=workers,
    )
    try:
        found = spec.pick(sight)
    except ScenarioError as error:
        raise error.under("pickers", picker) from None
    return replace(
        found,
        picks=found.picks.replace(micrograph=[name] * len(found.picks)),
        candidates=found.candidates and found.candidates.replace(micrograph=[name] * len(found.candidates)),
    )


def searched_banks(scenario: Scenario, picker: str, banks: Banks) -> list[TemplateBank]:
    """Return the banks that a picker searches with, of all its templates, one for each view."""
    return [bank for name in (scenario.pickers[picker].templates or banks) for bank in banks[name]]


def _net_spacing(scenario: Scenario) -> float | None:
    spacings = [s.lattice.shortest_spacing for s in scenario.specimen.values()]
    return min((s for s in spacings if s is not None), default=None)


@dataclass(frozen=True)
class Searched:
    """One file's search.

    Attributes
    ----------
    grid : Grid
        Of the image.
    found : Found
        What the picker returned.
    supports : mapping
        Class → radius in Å of the particles looked for.
    """

    grid: Grid
    found: Found
    supports: Mapping[str, float]


def pick_files(
    scenario: Scenario, files: Sequence[Path], picker: str, *, workers: int = 1
) -> tuple[Picks, dict[str, Searched]]:
    """Pick real micrographs with a scenario's templates and one of its pickers.

    Parameters
    ----------
    scenario : Scenario
        Its `image.pixel_size` is that of the files; an image `shape`, if given, is not used.
    files : sequence of Path
        Images, each searched on its own.
    picker : str
        Name of the picker.
    workers : int
        Threads for the transforms.

    Returns
    -------
    picks : Picks
        The micrograph column holds the files' names.
    searched : mapping
        File name → its `Searched`.

    Raises
    ------
    ScenarioError
        If there is no such picker, or a template cannot be drawn for these images.
    DataError
        If a file cannot be read or its header contradicts the scenario's pixel size.
    """
    if picker not in scenario.pickers:
        raise ScenarioError(
            f"there is no picker {picker!r}; there are {', '.join(scenario.pickers)}", ("pickers",)
        )
    pixel_size = scenario.image.pixel_size
    banks: dict[tuple[int, ...], Banks] = {}
    named: dict[str, Path] = {}
    # Every image first: what is wrong with the last one is said before the others are searched.
    for file in files:
        grid = Grid(open_matching(file, pixel_size).shape, pixel_size)
        if named.setdefault(name_of(file), file) is not file:
            raise DataError("two images of one name cannot be told apart in the picks; rename one", str(file))
        if grid.shape not in banks:
            with naming(file):
                banks[grid.shape] = draw_banks(scenario, grid, _no_micrograph)
    require_readable(files, pixel_size)
    searched: dict[str, Searched] = {}
    for number, file in enumerate(files):
        pixels, name = read_pixels(file, pixel_size), name_of(file)
        grid = Grid(pixels.shape, pixel_size)
        with naming(file):
            found = pick_image(
                scenario,
                picker,
                pixels=pixels,
                grid=grid,
                name=name,
                replicate=number,
                banks=banks[grid.shape],
                workers=workers,
            )
        supports = {bank.finds: bank.support for views in banks[grid.shape].values() for bank in views}
        searched[name] = Searched(grid, found, supports)
    return Picks.concat([s.found.picks for s in searched.values()]), searched


def _no_micrograph(_: int) -> FloatArray:
    raise ScenarioError("there is no simulated micrograph to crop from here; give the crop a `file`")
