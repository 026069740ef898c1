"""What names what: templates and pickers that must exist, values that may be expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simkit.core import errors
from simkit.core.errors import ScenarioError
from simkit.scenario.expectation import Bound, Expectation
from simkit.scenario.messages import suggestion
from simkit.scenario.spec import Scenario
from simkit.scenario.sweep import Find, Until

Errors = Iterator[ScenarioError]

REFERENCES = {"of": "specimen", "species": "specimen", "picker": "pickers", "template": "templates"}
"""Field of a template or audit → section in which its value must be a name."""


def references(scenario: Scenario) -> Errors:
    """Yield every template or audit that names what is not there."""
    for path, spec in scenario.members():
        if path[0] not in ("templates", "audit"):
            continue
        for field, section in REFERENCES.items():
            name = getattr(spec, field, None)
            if isinstance(name, str):
                yield from _named(name, getattr(scenario, section), section, (*path, field))


def ignored(scenario: Scenario) -> Errors:
    """Yield every class under `score.ignore` that there is not, where the classes are known."""
    known = dict.fromkeys(scored_classes(scenario))
    for i, name in enumerate(scenario.score.ignore.classes if scenario.score and known else ()):
        yield from _named(name, known, "specimen", ("score", "ignore", "classes", i))


def _named(name: str, members: Mapping[str, Any], section: str, path: tuple[str | int, ...]) -> Errors:
    if name not in members:
        yield ScenarioError(f"{section} has no {name!r}{suggestion(name, list(members))}", path)


def pickers(scenario: Scenario) -> Errors:
    """Yield every picker without something to look for, or that names what is not there."""
    for name, picker in scenario.pickers.items():
        nothing = picker.needs_templates and not scenario.templates
        if nothing:
            yield ScenarioError("has nothing to look for; add `templates:`", ("pickers", name))
        for i, template in enumerate(() if nothing else picker.templates or ()):
            yield from _named(template, scenario.templates, "templates", ("pickers", name, "templates", i))
        if scenario.null and not picker.sees_pixels:
            yield ScenarioError(
                "lists what was found elsewhere, not in this null; leave it out", ("pickers", name)
            )
        declared = getattr(picker, "class_", None)
        if declared is not None and scenario.specimen:
            yield from _named(declared, scenario.specimen, "specimen", ("pickers", name, "class"))


def expectations(scenario: Scenario) -> Errors:
    """Yield every expectation of a value that there will not be, or that no value could meet."""
    for i, expectation in enumerate(scenario.expect):
        known = _known_values(scenario, expectation)
        if isinstance(known, ScenarioError):
            yield known.under("expect", i)
        elif expectation.metric not in known:
            message = f"no such value {expectation.metric!r}{suggestion(expectation.metric, list(known))}"
            yield ScenarioError(message, ("expect", i, "metric"))
        else:
            yield from _limits(expectation, known[expectation.metric], i)


def swept(scenario: Scenario) -> Errors:
    """Yield every picker, class or value that a sweep asks about and that there will not be."""
    sweep = scenario.sweep
    if sweep is None:
        return
    asked: list[tuple[Find | Until, tuple[str | None, ...], errors.Path]] = []
    if sweep.find is not None:
        asked.append((sweep.find, (sweep.find.overtakes,), ("sweep", "find")))
    if isinstance(sweep.replicates, Until):
        asked.append((sweep.replicates, (sweep.replicates.against,), ("sweep", "replicates")))
    for what, others, path in asked:
        for name in filter(None, others):
            field = "overtakes" if isinstance(what, Find) else "against"
            yield from _named(name, scenario.pickers, "pickers", (*path, field))
        at = Expectation(picker=what.picker, class_=what.class_, metric=what.metric, at_least=Bound(value=0))
        known = _known_values(scenario, at)
        if isinstance(known, ScenarioError):
            yield known.under(*path)
        elif what.metric not in known:
            message = f"no such value {what.metric!r}{suggestion(what.metric, list(known))}"
            yield ScenarioError(message, (*path, "metric"))


def _known_values(scenario: Scenario, expectation: Expectation) -> Mapping[str, str] | ScenarioError:
    """Return every value that could be expected there and its unit, or why there is none."""
    section = "audit" if expectation.audit is not None else "pickers"
    name = expectation.audit or expectation.picker or ""
    field = "audit" if expectation.audit is not None else "picker"
    for error in _named(name, getattr(scenario, section), section, (field,)):
        return error
    if expectation.audit is not None:
        if expectation.class_ != "all":
            return ScenarioError("an audit knows no classes; leave `class:` out", ("class",))
        return scenario.audit[name].units
    if scenario.score is None:
        return ScenarioError("a picker is judged only with `score: {radius: …}`; add it", ("picker",))
    known = {"all": None, **dict.fromkeys(scored_classes(scenario))}
    for error in _named(expectation.class_, known, "specimen", ("class",)):
        return error
    if not scenario.truth_is_complete and expectation.metric == "fp":
        return ScenarioError(
            "where the truth is not complete there are no false picks, only `unlabelled` ones", ("metric",)
        )
    return {value: unit for m in scenario.score.used_metrics for value, unit in m.units.items()}


def scored_classes(scenario: Scenario) -> Iterator[str]:
    """Yield the classes that can be scored: species, or on real micrographs what truth and templates name."""
    yield from scenario.specimen
    real = scenario.micrographs
    if real is None or real.truth is None:
        return
    if real.truth.class_ is not None:
        yield real.truth.class_
    else:
        yield from (t.found_class(name) for name, t in scenario.templates.items())


def _limits(expectation: Expectation, unit: str, i: int) -> Errors:
    for field, limits in expectation.limits_by_field.items():
        for limit in limits:
            if limit.unit != unit:
                right = (
                    f"write `{limit.value:g} {unit}`"
                    if unit
                    else f"it is a pure number: write `{limit.value:g}`"
                )
                message = f"{expectation.metric} is not in {limit.unit!r}; {right}" if limit.unit else right
                yield ScenarioError(message, ("expect", i, field))
    if expectation.empty:
        yield ScenarioError(
            "no value lies within these limits; the lower one is above the upper", ("expect", i)
        )
