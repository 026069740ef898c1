"""Pickers that are shown all micrographs together, once every micrograph is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simkit.core.grid import FloatArray, Grid
from simkit.engine.archive import Archive
from simkit.engine.micrographs import MicrographRun, NullMicrograph, Progress, Stopwatch, micrograph_of
from simkit.engine.null_search import null_search
from simkit.engine.nulls import Variant
from simkit.engine.picking import Banks, pick_batch
from simkit.engine.variants import null_variants, variant_of
from simkit.picker.base import BatchPicker, Found, Plate
from simkit.scenario.spec import Scenario


def search_together(
    scenario: Scenario,
    archive: Archive | None,
    banks: Mapping[tuple[int, ...], Banks],
    runs: Sequence[MicrographRun],
    empty: Sequence[NullMicrograph],
    *,
    workers: int,
    report: Progress,
    watch: Stopwatch,
) -> tuple[list[MicrographRun], list[NullMicrograph]]:
    """Run the pickers that want all micrographs at once, and add what they found.

    A run's own micrographs are one batch and those of each null variant another: what is found in the
    first does not depend on whether there are nulls.

    Parameters
    ----------
    scenario : Scenario
        Declares the pickers.
    archive : Archive or None
        The micrographs, where they are real.
    banks : mapping
        Shape of a micrograph → the templates drawn for it; a batch is given those of its first.
    runs, empty : sequence
        What `search_all` returned.
    workers : int
        Programs to run at a time; the results are the same bits for any number.
    report : callable
        Called as ``report(stage, done, total)``.
    watch : Stopwatch
        Takes the pickers' time.
    """
    together = [name for name, spec in scenario.pickers.items() if isinstance(spec, BatchPicker)]
    if not together:
        return list(runs), list(empty)
    plates = [_plate(scenario, archive, number, run) for number, run in enumerate(runs)]
    found: dict[str, list[Found]] = {}
    for number, picker in enumerate(together):
        report("programs", number, len(together))
        with watch.timing(f"picker {picker}"):
            drawn = banks[plates[0].grid.shape]
            found[picker] = pick_batch(scenario, picker, plates=plates, banks=drawn, workers=workers)
    searched = [
        replace(run, found=run.found | {picker: found[picker][i] for picker in together})
        for i, run in enumerate(runs)
    ]
    looking = [picker for picker in together if scenario.pickers[picker].sees_pixels]
    nulls: list[NullMicrograph] = []
    for variant in null_variants(scenario):
        of_variant = [one for one in empty if one.variant == variant]
        if looking:
            with watch.timing(f"null {variant}"):
                of_variant = _nulls(scenario, variant, looking, banks, of_variant, workers=workers)
        nulls += of_variant
    report("programs", len(together), len(together))
    return searched, nulls


def _plate(scenario: Scenario, archive: Archive | None, number: int, run: MicrographRun) -> Plate:
    """Show a micrograph of the run: from memory if simulated, from its file if real."""
    if archive is None:
        return Plate(run.name, scenario.image.grid, lambda: run.pixels)
    file = None if scenario.null else archive.files[number]
    return Plate(run.name, archive.grids[number], lambda: micrograph_of(scenario, number)[2], file)


def _nulls(
    scenario: Scenario,
    variant: Variant,
    pickers: Sequence[str],
    banks: Mapping[tuple[int, ...], Banks],
    searched: Sequence[NullMicrograph],
    *,
    workers: int,
) -> list[NullMicrograph]:
    """Add what pickers found in the micrographs of a null variant."""
    null = variant_of(scenario, variant)
    images = [micrograph_of(null, number)[1:] for number in range(len(searched))]
    plates = [_shown(name, pixels, scenario.image.pixel_size) for name, pixels in images]
    found = {
        picker: pick_batch(null, picker, plates=plates, banks=banks[plates[0].grid.shape], workers=workers)
        for picker in pickers
    }
    results = []
    for i, (one, (_, pixels)) in enumerate(zip(searched, images, strict=True)):
        here = {picker: found[picker][i] for picker in pickers}
        searches = null_search(null, here, pixels, banks[pixels.shape])
        logs = {picker: f.logs for picker, f in here.items() if f.logs}
        results.append(replace(one, searches=one.searches | searches, logs=logs))
    return results


def _shown(name: str, pixels: FloatArray, pixel_size: float) -> Plate:
    return Plate(name, Grid(pixels.shape, pixel_size), lambda: pixels)


def logs_of(runs: Sequence[MicrographRun], empty: Sequence[NullMicrograph]) -> dict[str, dict[str, str]]:
    """Return picker → file name → what its program printed; of a null, named after the variant."""
    logs: dict[str, dict[str, str]] = {}
    for run in runs:
        for picker, found in run.found.items():
            if found.logs:
                logs.setdefault(picker, {}).update(found.logs)
    for one in empty:
        for picker, texts in one.logs.items():
            named = {f"{one.variant}.{name}": text for name, text in texts.items()}
            logs.setdefault(picker, {}).update(named)
    return logs
