"""What spans the sections of a scenario: names that must exist, models that must fit each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from simkit.core.errors import ScenarioError
from simkit.core.symmetry import is_cyclic
from simkit.lattice.scattered import Scattered, most_that_fit
from simkit.scenario.origin import origin
from simkit.scenario.references import expectations, ignored, pickers, references, scored_classes, swept
from simkit.scenario.spec import Scenario
from simkit.template.specimen import SpecimenTemplate
from simkit.template.volume import VolumeTemplate
from simkit.unit_cell.volume import Volume
from simkit.view.map_file import MapFile

Errors = Iterator[ScenarioError]

RESERVED = ("all", "knows", "oracle")
"""Names that a species cannot have, since scores.json uses them beside the classes."""


def check(scenario: Scenario) -> list[ScenarioError]:
    """Return everything that cannot be right, each located from the scenario's root."""
    rules = (
        origin,
        _dimensions,
        _pictures,
        _solids,
        _phase_model,
        _snr,
        _names,
        _packing,
        references,
        ignored,
        pickers,
        _score,
        expectations,
        swept,
    )
    return [error for rule in rules for error in rule(scenario)]


def doubts(scenario: Scenario) -> list[ScenarioError]:
    """Return what is probably not meant, each located from the scenario's root."""
    return [error for rule in (_radius, _finds, _lens_without_phase, _maps) for error in rule(scenario)]


def _dimensions(scenario: Scenario) -> Errors:
    ndim = scenario.image.ndim
    for path, spec in scenario.members():
        explain = getattr(spec, "dimension_error", _dimension_error_of(spec))
        if message := explain(ndim):
            yield ScenarioError(message, path)


def _dimension_error_of(spec: Any) -> Any:
    existing = getattr(spec, "dimensions", frozenset({1, 2}))

    def explain(ndim: int) -> str | None:
        if ndim in existing:
            return None
        dimensions = " and ".join(f"{n}-D" for n in sorted(existing))
        return f"the kind `{spec.kind}` exists only in {dimensions}; this image is {ndim}-D"

    return explain


def _pictures(scenario: Scenario) -> Errors:
    """Read pictures early, so that what one lacks is said where the scenario names it."""
    for name, species in scenario.specimen.items():
        try:
            _ = species.unit_cell.support
        except ScenarioError as error:
            yield error.under("specimen", name, "unit_cell")


def _solids(scenario: Scenario) -> Errors:
    cells = {name: species.unit_cell for name, species in scenario.specimen.items()}
    for name, species in scenario.specimen.items():
        if not is_cyclic(species.symmetry) and not cells[name].solid:
            yield ScenarioError(
                f"{species.symmetry} is the symmetry of a solid; a flat particle has C1, C2 …",
                ("specimen", name, "symmetry"),
            )
    for name, template in scenario.templates.items():
        cell = cells.get(getattr(template, "of", ""))
        if isinstance(template, SpecimenTemplate) and cell is not None:
            single = cell.solid and len(cell.typical_views) == 1
            if message := template.views_error(solid=cell.solid, single=single):
                yield ScenarioError(message, ("templates", name, "views"))
        if isinstance(template, VolumeTemplate):
            try:
                _ = template.map
            except ScenarioError as error:
                yield error.under("templates", name)


def _phase_model(scenario: Scenario) -> Errors:
    if scenario.image.model != "phase":
        return
    lenses = [name for name, psf in scenario.psf.items() if psf.electron_voltage is not None]
    if not lenses:
        yield ScenarioError(
            "the phase model needs a lens with a voltage; add one of `kind: ctf` to `psf:`",
            ("image", "model"),
        )
    for name in lenses[1:]:
        yield ScenarioError(
            f"the phase model takes exactly one lens with a voltage; there is already {lenses[0]!r}",
            ("psf", name),
        )
    if scenario.image.level not in (None, 1.0):
        yield ScenarioError("is always 1 under the phase model; leave it out", ("image", "level"))
    cells = [(("specimen", name, "unit_cell"), s.unit_cell) for name, s in scenario.specimen.items()]
    drawn = [(("templates", name), template) for name, template in scenario.templates.items()]
    for path, spec in (*cells, *drawn):
        if getattr(spec, "needs_potential", False):
            yield ScenarioError(
                "the phase model needs the solid's `potential:` above the solvent; "
                "protein in ice has about `2.5 V`",
                (*path, "potential"),
            )


def _snr(scenario: Scenario) -> Errors:
    counted = False
    for name, noise in scenario.noise.items():
        if getattr(noise, "snr", None) is not None:
            if not scenario.specimen:
                yield ScenarioError(
                    "an snr refers to a particle; add a specimen or give `sd`", ("noise", name, "snr")
                )
            if counted:
                yield ScenarioError(
                    "an snr is not defined after electrons are counted; give `sd` in electrons per pixel",
                    ("noise", name, "snr"),
                )
        counted = counted or noise.counts


def _names(scenario: Scenario) -> Errors:
    for name in scenario.specimen:
        if name in RESERVED:
            yield ScenarioError(
                f"{name!r} has a meaning of its own in scores; choose another name", ("specimen", name)
            )
    for name in scenario.pickers:
        if name.endswith("_coordinates"):
            yield ScenarioError(
                "a run writes lists of coordinate files under names with this ending; choose another name",
                ("pickers", name),
            )
    for section in ("specimen", "background", "psf", "noise", "templates", "pickers", "audit"):
        seen: dict[str, str] = {}
        for name in getattr(scenario, section):
            if (other := seen.setdefault(name.lower(), name)) != name:
                yield ScenarioError(
                    f"differs from {other!r} only in upper and lower case, which some file systems confuse",
                    (section, name),
                )


def _packing(scenario: Scenario) -> Errors:
    for name, species in scenario.specimen.items():
        lattice = species.lattice
        if scenario.image.shape is None or not isinstance(lattice, Scattered) or lattice.min_distance == 0:
            continue
        periodic = scenario.image.boundary == "periodic"
        most = max(1, math.floor(most_that_fit(scenario.image.grid, lattice.min_distance, periodic=periodic)))
        if lattice.count > most:
            yield ScenarioError(
                f"{lattice.count} copies {lattice.min_distance:g} Å apart cannot stand in this image; "
                f"even the densest packing holds only {most}",
                ("specimen", name, "lattice", "count"),
            )


def _score(scenario: Scenario) -> Errors:
    real = scenario.micrographs
    known = scenario.specimen or scenario.null or (real is not None and real.truth is not None)
    if scenario.score is None or known:
        return
    missing = "a specimen" if real is None else "`micrographs.truth`"
    yield ScenarioError(
        f"there is no truth to score against without {missing}; `simkit score` judges coordinate files",
        ("score",),
    )


def _radius(scenario: Scenario) -> Errors:
    if scenario.score is None:
        return
    for name, species in scenario.specimen.items():
        spacing = species.lattice.shortest_spacing
        if spacing is not None and scenario.score.radius > spacing / 2:
            yield ScenarioError(
                f"is more than half the spacing of {name} ({spacing:g} Å): "
                "a pick may be matched with a neighbour",
                ("score", "radius"),
            )


def _finds(scenario: Scenario) -> Errors:
    if scenario.score is None:
        return
    for name, template in scenario.templates.items():
        finds = template.found_class(name)
        known = list(scored_classes(scenario))
        if known and finds not in known:
            yield ScenarioError(
                f"finds {finds!r}, which is no species: every match counts as one of a wrong class; "
                f"write `finds:` with one of {', '.join(known)}",
                ("templates", name),
            )


def _lens_without_phase(scenario: Scenario) -> Errors:
    for name, psf in scenario.psf.items():
        if scenario.image.model == "intensity" and psf.electron_voltage is not None:
            yield ScenarioError("a ctf images phases; write `image.model: phase`", ("psf", name))


def _maps(scenario: Scenario) -> Errors:
    for path, spec in scenario.members():
        if isinstance(spec, MapFile) and (message := spec.map_doubt(scenario.image.pixel_size)):
            yield ScenarioError(message, (*path, "file"))
    declared = [
        *((("specimen", name), s.unit_cell, s.symmetry) for name, s in scenario.specimen.items()),
        *((("templates", name), t, t.symmetry) for name, t in scenario.templates.items()),
    ]
    for at, spec, symmetry in declared:
        if isinstance(spec, (Volume, VolumeTemplate)) and (message := spec.symmetry_doubt(symmetry or "C1")):
            yield ScenarioError(message, (*at, "symmetry"))
