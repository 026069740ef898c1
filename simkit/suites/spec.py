"""A suite file to a `Suite` and the scenarios of its cases: every error at once, each with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationError
from scipy.special import ndtr

from simkit.core import errors
from simkit.core.errors import DataError, ScenarioError
from simkit.core.quantity import UNITS_REQUIRED, Count, Index
from simkit.core.spec import Spec
from simkit.scenario.expectation import SuiteExpectation
from simkit.scenario.loading import Draft, read_draft
from simkit.scenario.messages import explained, is_echo, is_unknown_key, suggestion
from simkit.scenario.references import expectations
from simkit.scenario.source import InvalidScenarioError, Problem, SourceMap
from simkit.scenario.spec import Name, Scenario
from simkit.suites import theory
from simkit.suites.noninferiority import FEWEST, MEASURES

SUFFIX = ".simkit.yaml"
"""How the name of a suite ends."""

Marker = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class CaseSpec(Spec):
    """One scenario, changed where it is said, and what is expected of its pickers."""

    scenario: str
    """The scenario file, relative to the suite."""

    set: dict[str, JsonValue] = {}
    """Dotted path → value, in place of what the scenario says."""

    replicates: Count | None = None
    """Micrographs; as many as the scenario says by default."""

    seed: Index | None = None
    """Of the micrographs; that of the scenario by default."""

    pickers: tuple[str, ...] | None = None
    """Which pickers to run; all by default."""

    markers: tuple[Marker, ...] = ()
    """What pytest and `-k` know the case by besides its name."""

    expect: Annotated[tuple[SuiteExpectation, ...], Field(min_length=1)]
    """What must hold."""


class Suite(Spec):
    """Cases, and how often all of them together may raise a false alarm."""

    schema_version: Literal[1]
    """Version of this file's structure."""

    title: str = ""
    """One line that says what the suite holds."""

    false_alarm: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Chance that any of its statistical tests errs, shared among them."""

    cases: Annotated[dict[Name, CaseSpec], Field(min_length=1)]
    """Name → case."""


@dataclass(frozen=True)
class LoadedSuite:
    """A valid suite.

    Attributes
    ----------
    path : Path
        Its file.
    suite : Suite
        What it says.
    source : SourceMap
        Where it says it.
    scenarios : mapping
        Case → its scenario as it is run: settings made, without a sweep, audits and expectations of its own.
    overrides : tuple of str
        What the command line replaced in every case.
    root : Path
        The folder from which suites are told apart.
    """

    path: Path
    suite: Suite
    source: SourceMap
    scenarios: Mapping[str, Scenario]
    overrides: tuple[str, ...] = ()
    root: Path = field(default_factory=Path.cwd)

    @property
    def place(self) -> Path:
        """The path from the root without the suffix, by which no two suites are called; no path leads up."""
        whole, root = self.path.resolve().parent / self.name, self.root.resolve()
        return whole.relative_to(root if whole.is_relative_to(root) else whole.anchor)

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.name.removesuffix(SUFFIX).removesuffix(".yaml")

    @property
    def tests(self) -> int:
        """How many comparisons with a baseline share the budget."""
        return sum(e.baseline is not None for _, _, e in self.expectations())

    @property
    def alpha(self) -> float:
        """Share of the budget that each comparison with a baseline has (Bonferroni).

        What `within: theory` takes of it, 2 Φ(−sigmas) each, is taken off first.
        """
        return (self.suite.false_alarm - _of_theory(self.suite)) / max(1, self.tests)

    @property
    def budget(self) -> str:
        """How the budget is shared, in words."""
        with_theory = sum(e.sigmas is not None for _, _, e in self.expectations())
        return (
            f"false alarms at most {self.suite.false_alarm:g}: {_of_theory(self.suite):.2g} for {with_theory}"
            f" comparisons with theory, {self.alpha:.2g} for each of {self.tests} with a baseline"
        )

    def expectations(self) -> Iterator[tuple[str, int, SuiteExpectation]]:
        """Yield (case, number, expectation) of all cases."""
        for name, case in self.suite.cases.items():
            yield from ((name, i, expectation) for i, expectation in enumerate(case.expect))

    def line(self, case: str, number: int) -> int:
        """Return the line, counted from 1, on which an expectation is written."""
        index = self.source.keys.get(("cases", case, "expect", number), 0)
        return self.source.text.count("\n", 0, index) + 1


def load_suite(
    path: str | Path, *, overrides: Sequence[str] = (), root: str | Path | None = None
) -> LoadedSuite:
    """Read a suite file and the scenarios of its cases.

    Parameters
    ----------
    path : str or Path
        A YAML 1.2 file.
    overrides : sequence of str
        ``"pickers.ncc.threshold.value=0.4"``: replaced in the scenario of every case, after its own settings.
    root : str or Path or None
        The folder from which suites are told apart; the working folder by default.

    Raises
    ------
    InvalidScenarioError
        If anything in it, or in a scenario that it changes, is wrong; lists all of it.
    DataError
        If a file cannot be read.
    """
    draft = read_draft(path)
    suite = _validated(draft)
    problems: list[Problem] = list(draft.problems)
    scenarios: dict[str, Scenario] = {}
    for name, case in suite.cases.items():
        try:
            scenarios[name] = _scenario(case, Path(path).parent, overrides)
        except DataError as error:
            problems.append(draft.source.problem(ScenarioError(str(error), ("cases", name, "scenario"))))
            continue
        except InvalidScenarioError as error:
            problems += [_in_suite(problem, name, draft.source, case) for problem in error.problems]
            continue
        wrong = _wrong(case, scenarios[name])
        problems += [draft.source.problem(error.under("cases", name)) for error in wrong]
        scenarios[name] = _with_chosen(scenarios[name], case)
    if _of_theory(suite) >= suite.false_alarm:
        message = "comparisons with theory alone take more than that; raise it, or their `sigmas:`"
        problems.append(draft.source.problem(ScenarioError(message, ("false_alarm",))))
    if problems:
        raise InvalidScenarioError(problems)
    return LoadedSuite(
        Path(path),
        suite,
        draft.source,
        scenarios,
        tuple(overrides),
        Path.cwd() if root is None else Path(root),
    )


def _of_theory(suite: Suite) -> float:
    sigmas = [e.sigmas for case in suite.cases.values() for e in case.expect if e.sigmas is not None]
    return float(sum(2 * ndtr(-s) for s in sigmas))


def _validated(draft: Draft) -> Suite:
    try:
        return Suite.model_validate(draft.data, context=UNITS_REQUIRED)
    except ValidationError as error:
        problems = list(draft.problems)
        for details in error.errors():
            if not is_echo(details):
                found = explained(details, draft.data, Suite)
                problems.append(draft.source.problem(found, at_key=is_unknown_key(details)))
        raise InvalidScenarioError(problems) from None


def _scenario(case: CaseSpec, folder: Path, overrides: Sequence[str]) -> Scenario:
    settings = [f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in case.set.items()]
    if case.replicates is not None:
        settings.append(f"replicates={case.replicates}")
    draft = read_draft(folder / case.scenario, overrides=[*settings, *overrides], seed=case.seed)
    for section in ("sweep", "expect", "audit"):
        draft.data.pop(section, None)
    return draft.validated().scenario


def _with_chosen(scenario: Scenario, case: CaseSpec) -> Scenario:
    """Return a scenario with the pickers that a case names; one that there is not is not there."""
    if case.pickers is None:
        return scenario
    chosen = {name: spec for name, spec in scenario.pickers.items() if name in case.pickers}
    return scenario.model_copy(update={"pickers": chosen})


def _in_suite(problem: Problem, name: str, source: SourceMap, case: CaseSpec) -> Problem:
    """Return a problem of a scenario where the suite caused it, if it did."""
    written = problem.where.removeprefix("--set ")
    place: errors.Path = ("cases", name)
    if written in case.set and problem.where != written:
        return source.problem(ScenarioError(problem.message, (*place, "set", written)))
    for key, where in (("replicates", "--set replicates"), ("seed", "--seed")):
        if problem.where == where and getattr(case, key) is not None:
            return source.problem(ScenarioError(problem.message, (*place, key)))
    return replace(problem, message=f"{problem.message} (in the case {name})")


def _wrong(case: CaseSpec, scenario: Scenario) -> Iterator[ScenarioError]:
    unknown = [(i, name) for i, name in enumerate(case.pickers or ()) if name not in scenario.pickers]
    for i, name in unknown:
        known = suggestion(name, list(scenario.pickers))
        yield ScenarioError(f"pickers has no {name!r}{known}", ("pickers", i))
    if unknown:
        return
    scenario = _with_chosen(scenario, case)
    if scenario.score is None:
        yield ScenarioError("nothing of it is scored; it needs `score: {radius: …}`", ("scenario",))
        return
    # A run time alone has no metric; any that there is will do.
    any_metric = next(iter(scenario.score.used_metrics[0].units))
    asked = tuple(e.model_copy(update={"metric": e.metric or any_metric}) for e in case.expect)
    yield from expectations(scenario.model_copy(update={"expect": asked}))
    micrographs = len(scenario.micrographs.files) if scenario.micrographs else scenario.replicates
    for i, expectation in enumerate(case.expect):
        yield from (e.under("expect", i) for e in _not_comparable(expectation, micrographs))


def _not_comparable(expectation: SuiteExpectation, micrographs: int) -> Iterator[ScenarioError]:
    metric = expectation.metric
    if expectation.sigmas is not None and metric not in theory.METRICS:
        yield ScenarioError(f"theory says nothing of {metric}; it does of {', '.join(theory.METRICS)}")
    if expectation.baseline is None:
        return
    if metric not in MEASURES:
        yield ScenarioError(f"a baseline holds nothing of {metric}; it does of {', '.join(MEASURES)}")
    if micrographs < FEWEST:
        yield ScenarioError(
            f"a comparison needs at least {FEWEST} micrographs, and there are {micrographs}; "
            f"raise `replicates:`",
            ("baseline",),
        )
