"""Pixels and templates → picks. The truth is never in scope here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from simkit.core.errors import DataError, OutsideError, ScenarioError
from simkit.core.grid import FloatArray, Grid
from simkit.core.random import stream
from simkit.core.tables import Picks
from simkit.correlation.bank import TemplateBank
from simkit.correlation.device import PROCESSOR, device_named
from simkit.engine import imaging
from simkit.engine.files import name_of, naming, open_matching, read_pixels, require_readable
from simkit.picker.base import Batch, BatchPicker, Found, Plate, Sight
from simkit.scenario.references import scored_classes
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
    device: str = PROCESSOR,
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
    device : str
        What the search computes on, as `simkit.correlation.device` names it.

    Raises
    ------
    ScenarioError
        If the search is impossible; located from the scenario's root.
    OutsideError
        If a program that is not ours failed.
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
        name=name,
        device=device,
    )
    with _locating(picker):
        found = spec.pick(sight)
    return _labelled(scenario, found, name)


def pick_batch(
    scenario: Scenario, picker: str, *, plates: Sequence[Plate], banks: Banks, workers: int = 1
) -> list[Found]:
    """Run a picker that is shown several micrographs together.

    Parameters
    ----------
    scenario : Scenario
        Declares the picker.
    picker : str
        Its name.
    plates : sequence of Plate
        The micrographs.
    banks : mapping
        All templates of the scenario, by name.
    workers : int
        Programs to run at a time; the result does not depend on it.

    Returns
    -------
    list of Found
        In the order of the plates.

    Raises
    ------
    SimkitError
        As `pick_image`.
    """
    spec = scenario.pickers[picker]
    if not isinstance(spec, BatchPicker):
        raise TypeError(f"{picker} looks at one micrograph at a time")
    rng = stream(scenario.seed, "picker", picker)
    with _locating(picker):
        found = spec.pick_all(Batch(plates, searched_banks(scenario, picker, banks), rng, workers))
    return [_labelled(scenario, one, plate.name) for one, plate in zip(found, plates, strict=True)]


def require_ready(scenario: Scenario) -> None:
    """Ask whether all that the pickers need is there.

    Raises
    ------
    SimkitError
        If it is not; a ScenarioError is located from the scenario's root.
    """
    for name, picker in scenario.pickers.items():
        with _locating(name):
            picker.require_ready()


@contextmanager
def _locating(picker: str) -> Iterator[None]:
    """Say in an error which picker it is about."""
    try:
        yield
    except ScenarioError as error:
        raise error.under("pickers", picker) from None
    except OutsideError as error:
        raise OutsideError(f"pickers.{picker}: {error}") from error


def _labelled(scenario: Scenario, found: Found, name: str) -> Found:
    """Write into all picks the micrograph, and the species where there is one and no pick says any."""
    classes = list(dict.fromkeys(scored_classes(scenario)))

    def labelled(picks: Picks) -> Picks:
        picks = picks.replace(micrograph=[name] * len(picks))
        silent = len(classes) == 1 and not any(picks.codes("class")[1])
        return picks.replace(**{"class": classes[0]}) if silent else picks

    candidates = None if found.candidates is None else labelled(found.candidates)
    holes = None if found.holes is None else found.holes.replace(micrograph=[name] * len(found.holes))
    return replace(found, picks=labelled(found.picks), candidates=candidates, holes=holes)


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
    scenario: Scenario, files: Sequence[Path], picker: str, *, workers: int = 1, device: str = PROCESSOR
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
    device : str
        What the search computes on, as `simkit.correlation.device` names it.

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
    ResourceError
        If the device is not there.
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
    device_named(device)
    with _locating(picker):
        scenario.pickers[picker].require_ready()
    plates = [_plate(file, name, pixel_size) for name, file in named.items()]
    found = _each(scenario, picker, plates, banks, workers, device)
    searched: dict[str, Searched] = {}
    for plate, one in zip(plates, found, strict=True):
        views = [bank for of_template in banks[plate.grid.shape].values() for bank in of_template]
        searched[plate.name] = Searched(plate.grid, one, {bank.finds: bank.support for bank in views})
    return Picks.concat([s.found.picks for s in searched.values()]), searched


def _plate(file: Path, name: str, pixel_size: float) -> Plate:
    grid = Grid(open_matching(file, pixel_size).shape, pixel_size)
    return Plate(name, grid, lambda: read_pixels(file, pixel_size), str(file))


def _each(
    scenario: Scenario,
    picker: str,
    plates: Sequence[Plate],
    banks: Mapping[tuple[int, ...], Banks],
    workers: int,
    device: str,
) -> list[Found]:
    """Pick all micrographs, together or one after the other."""
    if isinstance(scenario.pickers[picker], BatchPicker):
        drawn = banks[plates[0].grid.shape]
        return pick_batch(scenario, picker, plates=plates, banks=drawn, workers=workers)
    found = []
    for number, plate in enumerate(plates):
        with naming(str(plate.file)):
            one = pick_image(
                scenario,
                picker,
                pixels=plate.pixels(),
                grid=plate.grid,
                name=plate.name,
                replicate=number,
                banks=banks[plate.grid.shape],
                workers=workers,
                device=device,
            )
        found.append(one)
    return found


def _no_micrograph(_: int) -> FloatArray:
    raise ScenarioError("there is no simulated micrograph to crop from here; give the crop a `file`")
