"""What a worker does: micrographs are simulated and searched, or a cell judged; results go to the store."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from simkit.core.errors import SimkitError
from simkit.core.grid import FloatArray, Grid
from simkit.core.tables import Picks, Truth
from simkit.engine.files import name_of, read_pixels
from simkit.engine.micrographs import Stopwatch
from simkit.engine.picking import Banks, draw_banks, pick_batch, pick_image
from simkit.engine.pipeline import own_micrographs
from simkit.engine.simulation import simulate_one
from simkit.engine.variants import without_phases
from simkit.io.names import stem
from simkit.picker.base import BatchPicker, Found, Plate
from simkit.scenario.spec import Scenario
from simkit.sweeps.errand import Done, Errand, Failure, scenario_of
from simkit.sweeps.keys import Keys
from simkit.sweeps.store import Arrays, Store, table_arrays, table_of


@dataclass(frozen=True)
class Shot:
    """One micrograph as it is searched."""

    name: str
    pixels: FloatArray
    noise_spectrum: FloatArray | None


@dataclass
class _Desk:
    """What one errand needs again and again."""

    store: Store
    watch: Stopwatch = field(default_factory=Stopwatch)
    failures: list[Failure] = field(default_factory=list)

    @contextmanager
    def timing(self, stage: str) -> Iterator[Callable[[], float]]:
        """Time a with-block; yield what then returns its seconds."""
        before = self.watch.seconds.get(stage, 0.0)
        with self.watch.timing(stage):
            yield lambda: self.watch.seconds[stage] - before

    @contextmanager
    def surviving(self, key: str, what: str) -> Iterator[None]:
        """Record whatever goes wrong in a with-block, and go on after it."""
        try:
            yield
        except Exception as error:
            self.failures.append(failure_of(error, key, what))
            self.store.put_plain("failures", key, vars(self.failures[-1]))


def failure_of(error: BaseException, key: str, what: str) -> Failure:
    """Say what an error means for a result; a traceback only of what is not meant for users."""
    told = isinstance(error, SimkitError)
    trace = "" if told else "".join(traceback.format_exception(error))
    return Failure(key, what, type(error).__name__, str(error) or type(error).__name__, trace)


def search(errand: Errand) -> Done:
    """Search micrographs with every picker of every cell that has not been there yet.

    The cells share their micrographs: each is made once, if any picker needs it.
    """
    # Processes share the cores already; sums are then also in one order, whatever machine it is.
    with threadpool_limits(1):
        return _search(errand)


def _search(errand: Errand) -> Done:
    desk = _Desk(Store(Path(errand.store)))
    cells = [(scenario, Keys(scenario)) for scenario in map(scenario_of, errand.texts)]
    first, keys = cells[0]
    told = any(picker.oracle for scenario, _ in cells for picker in scenario.pickers.values())
    make = functools.partial(_micrograph, desk, first, keys, images=errand.images, told=told)
    worked = set()
    for number in errand.numbers:
        with desk.surviving(keys.micrograph(number), f"micrograph {number}"):
            shot = functools.cache(functools.partial(make, number))
            if first.micrographs is None and not desk.store.has("truth", keys.micrograph(number)):
                shot()
                worked.add(number)
            for scenario, own in cells:
                worked.update(_pick_one(desk, scenario, own, number, shot, errand.again))
    for scenario, own in cells:
        worked.update(_pick_together(desk, scenario, own, make, errand))
    return Done(tuple(desk.failures), desk.watch.seconds, len(worked))


def _micrograph(
    desk: _Desk, scenario: Scenario, keys: Keys, number: int, *, images: bool, told: bool
) -> Shot:
    """Return a micrograph: from the store, from its file, or simulated and then stored.

    With its noise spectrum if a picker of any of the cells is `told` it.
    """
    if scenario.micrographs is not None:
        with desk.watch.timing("reading"):
            file = scenario.micrographs.files[number]
            pixels = read_pixels(file, scenario.image.pixel_size)
            if scenario.null == "phase_randomised":
                pixels = without_phases(scenario, number, pixels)
        return Shot(stem(name_of(file)), pixels, None)
    key = keys.micrograph(number)
    kept = desk.store.arrays("images", key)
    if kept is not None and ("noise_spectrum" in kept or not told) and desk.store.has("truth", key):
        return Shot(str(kept["name"]), kept["pixels"], kept.get("noise_spectrum"))
    with desk.timing("simulation") as took:
        simulation = simulate_one(scenario, number)
    shot = Shot(str(simulation.micrograph.name), np.asarray(simulation.micrograph), simulation.noise_spectrum)
    if images:
        arrays: Arrays = {"name": np.array(shot.name), "pixels": shot.pixels}
        if told:
            arrays["noise_spectrum"] = simulation.noise_spectrum
        desk.store.put_arrays("images", key, arrays)
    known: Arrays = {"name": np.array(shot.name), "seconds": np.array(took())}
    desk.store.put_arrays("truth", key, known | table_arrays(simulation.truth))
    return shot


def _pick_one(
    desk: _Desk,
    scenario: Scenario,
    keys: Keys,
    number: int,
    shot: Callable[[], Shot],
    again: Sequence[str],
) -> Iterator[int]:
    """Run the pickers of one cell that look at one micrograph at a time; yield its number if any did."""
    for picker, spec in scenario.pickers.items():
        key = keys.picks(picker, number)
        if isinstance(spec, BatchPicker) or (desk.store.has("picks", key) and picker not in again):
            continue
        with desk.surviving(key, f"picker {picker}, micrograph {number}"):
            seen = shot()
            banks = _banks(desk, scenario, keys, seen)
            with desk.timing(f"picker {picker}") as took:
                found = pick_image(
                    scenario,
                    picker,
                    pixels=seen.pixels,
                    grid=Grid(seen.pixels.shape, scenario.image.pixel_size),
                    name=seen.name,
                    replicate=number,
                    banks=banks,
                    noise_spectrum=seen.noise_spectrum,
                )
            desk.store.put_arrays("picks", key, _found_arrays(found, took()))
            desk.store.remove("failures", key)
        yield number


def _pick_together(
    desk: _Desk, scenario: Scenario, keys: Keys, make: Callable[[int], Shot], errand: Errand
) -> Iterator[int]:
    """Run the pickers of one cell that want all micrographs at once."""
    for picker, spec in scenario.pickers.items():
        if not isinstance(spec, BatchPicker):
            continue
        missing = [
            number
            for number in errand.numbers
            if picker in errand.again or not desk.store.has("picks", keys.picks(picker, number))
        ]
        if not missing:
            continue
        key = keys.picks(picker, missing[0])
        with desk.surviving(key, f"picker {picker}, micrographs {missing[0]} to {missing[-1]}"):
            shots = [make(number) for number in missing]
            plates = [
                Plate(shot.name, Grid(shot.pixels.shape, scenario.image.pixel_size), _pixels_of(shot))
                for shot in shots
            ]
            banks = _banks(desk, scenario, keys, shots[0])
            with desk.timing(f"picker {picker}") as took:
                found = pick_batch(scenario, picker, plates=plates, banks=banks)
            for number, one in zip(missing, found, strict=True):
                arrays = _found_arrays(one, took() / len(missing))
                desk.store.put_arrays("picks", keys.picks(picker, number), arrays)
            desk.store.remove("failures", key)
        yield from missing


def _pixels_of(shot: Shot) -> Callable[[], FloatArray]:
    return lambda: shot.pixels


_drawn: dict[tuple[str, tuple[int, ...]], Banks] = {}


def _banks(desk: _Desk, scenario: Scenario, keys: Keys, shot: Shot) -> Banks:
    """Draw the templates, once for all micrographs and cells in a row that have the same."""
    key = (keys.banks, shot.pixels.shape)
    if key not in _drawn:
        _drawn.clear()
        with desk.watch.timing("templates"):
            _drawn[key] = draw_banks(
                scenario, Grid(shot.pixels.shape, scenario.image.pixel_size), own_micrographs(scenario)
            )
    return _drawn[key]


def _found_arrays(found: Found, seconds: float) -> Arrays:
    """Take apart what a picker found; of what it is told, the score map is left behind."""
    arrays: Arrays = {
        "seconds": np.array(seconds),
        "threshold": np.array(found.threshold),
        "noise_sd": np.array(np.nan if found.noise_sd is None else found.noise_sd),
        "expected_false": np.array(np.nan if found.expected_false is None else found.expected_false),
        "notices": np.array(found.notices, dtype=str),
    }
    arrays |= {f"picks {name}": values for name, values in table_arrays(found.picks).items()}
    if found.candidates is not None:
        arrays |= {f"candidates {name}": v for name, v in table_arrays(found.candidates).items()}
    return arrays


def found_of(arrays: Mapping[str, FloatArray]) -> tuple[Picks, Picks | None, float | None]:
    """Return picks, candidates and the noise's standard deviation of what was stored of a search."""

    def part(prefix: str) -> Arrays:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    candidates = part("candidates ")
    sd = float(arrays["noise_sd"])
    return (
        table_of(Picks, part("picks ")),
        table_of(Picks, candidates) if candidates else None,
        None if np.isnan(sd) else sd,
    )


def truth_of(arrays: Mapping[str, FloatArray]) -> tuple[str, Truth]:
    """Return name and copies of a simulated micrograph as it was stored."""
    return str(arrays["name"]), table_of(Truth, arrays)
