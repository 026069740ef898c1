"""A run as the page tells it: every text, table and picture, in order, before any HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from simkit.engine.explanation import not_modelled
from simkit.engine.results import RunResult, Value
from simkit.reports import equation, figures, limits, wording
from simkit.reports.comparison_view import ComparisonView, comparison_view
from simkit.reports.elements import Illustration, Table
from simkit.reports.headline import Headline
from simkit.reports.marks import outcomes_of
from simkit.reports.null_view import VARIANTS, NullView, null_view
from simkit.reports.picker_view import PickerView, by_micrograph, picker_view, radius
from simkit.scenario.loading import dump


@dataclass(frozen=True)
class Verdict:
    """Whether the run is as expected: a state for the style sheet, a symbol, a word, a sentence."""

    state: str
    symbol: str
    word: str
    sentence: str


@dataclass(frozen=True)
class Check:
    """One expectation and what became of it."""

    what: str
    limit: str
    value: str
    passed: bool


@dataclass(frozen=True)
class AuditView:
    """Everything that one audit measured."""

    name: str
    kind: str
    table: Table
    panels: Sequence[Illustration]


@dataclass(frozen=True)
class Report:
    """The whole page."""

    title: str
    description: str
    verdict: Verdict
    checks: Sequence[Check]
    headlines: Sequence[Headline]
    steps: Sequence[equation.Step]
    micrograph: Illustration
    pickers: Sequence[PickerView]
    judged: bool
    comparison: ComparisonView | None
    null: NullView | None
    audits: Sequence[AuditView]
    facts: Table | None
    limits: Sequence[Table]
    not_modelled: Sequence[tuple[str, str]]
    notices: Sequence[str]
    variant: str
    complete: bool
    by_micrograph: Table | None
    absent: Sequence[tuple[str, str]]
    scenario: str
    command: str
    seed: int
    version: str
    files: Sequence[tuple[str, str]]

    @property
    def ideal(self) -> bool:
        """Whether the ideal observer's recall is known for any picker."""
        return any(line[-1] != wording.MISSING for headline in self.headlines for line in headline.lines)

    @property
    def sections(self) -> dict[str, str]:
        """The sections that this page has after its verdict: id → title."""
        return {name: title for name, (there, title) in self._all_sections().items() if there}

    def _all_sections(self) -> dict[str, tuple[bool, str]]:
        found = "What was found, and what was not" if self.judged else "What was picked"
        searched = bool(self.pickers)
        return {
            "equation": (bool(self.steps), "The experiment as an equation"),
            "micrograph": (True, found if searched else "The micrograph"),
            "scores": (searched, "How it was found"),
            "failures": (any(p.difficulty or p.confusion for p in self.pickers), "Where it fails"),
            "comparison": (self.comparison is not None, "Which picker is better"),
            "null": (self.null is not None, "Where there is nothing to find"),
            "published": (any(p.published for p in self.pickers), "What other rules would have said"),
            "audits": (bool(self.audits), "Measurements"),
            "facts": (self.facts is not None, "Contrast, dose and noise"),
            "absent": (bool(self.absent), "What is not on this page, and why"),
            "reproduce": (True, "How to reproduce this"),
        }


def report_of(result: RunResult, command: str) -> Report:
    """Say everything that the page says about a run."""
    scenario = result.scenario
    base = figures.micrograph(result, max((radius(result, p) for p in result.pickers), default=0.0))
    outcomes = {name: outcomes_of(result, name) for name in result.pickers}
    pickers = [picker_view(result, name, base, found) for name, found in outcomes.items()]
    return Report(
        title=scenario.title or "Untitled scenario",
        description=scenario.description,
        verdict=verdict(result),
        checks=checks(result),
        headlines=[picker.headline for picker in pickers],
        steps=equation.steps(result),
        micrograph=base,
        pickers=pickers,
        judged=bool(result.judgements),
        comparison=comparison_view(result.comparisons),
        null=null_view(result.nulls, scenario.image.pixel_size),
        audits=[_audit(result, name) for name in result.measurements],
        facts=_facts(result),
        limits=_limits(result),
        not_modelled=not_modelled(scenario) if result.first is not None else [],
        notices=result.scores["notices"],
        variant=VARIANTS[scenario.null] if scenario.null else "",
        complete=scenario.truth_is_complete,
        by_micrograph=by_micrograph(result, outcomes),
        absent=_absent(result),
        scenario=dump(scenario),
        command=command,
        seed=scenario.seed,
        version=version("simkit"),
        files=run_files(result),
    )


def verdict(result: RunResult) -> Verdict:
    """Judge the run as a whole."""
    outcomes = [bool(entry["passed"]) for entry in result.scores["expectations"]]
    if not outcomes:
        return Verdict("none", "○", "No verdict", "The scenario states no expectation.")
    failed = outcomes.count(False)
    if failed:
        all_of_them = f"{failed} of {wording.plural(len(outcomes), 'expectation')} failed."
        return Verdict("failed", "✗", "Failed", all_of_them)
    return Verdict("passed", "✓", "Passed", f"Every expectation is met ({len(outcomes)} of {len(outcomes)}).")


def checks(result: RunResult) -> list[Check]:
    """List every expectation with its limit and value."""
    pairs = zip(result.scenario.expect, result.scores["expectations"], strict=True)
    return [
        Check(
            what=wording.subject(expectation),
            limit=wording.limit(expectation),
            value=wording.number(
                outcome["value"],
                _unit(result, expectation.audit, expectation.metric),
                digits=wording.digits_for(expectation),
            ),
            passed=bool(outcome["passed"]),
        )
        for expectation, outcome in pairs
    ]


def _unit(result: RunResult, audit: str | None, metric: str) -> str:
    units = result.scores["units"]
    return str((units["pickers"] if audit is None else units["audit"].get(audit, {})).get(metric, ""))


def _absent(result: RunResult) -> list[tuple[str, str]]:
    """Say which parts of the page only a simulation can fill, and why they are not there."""
    if not result.sources:
        return []
    rows = [
        ("specimen, optics and noise", "the micrographs are real: what made them is not known, only seen"),
        ("contrast, dose and SNR", "they need the noise-free image, which nobody has of a real micrograph"),
        ("audits", "they compare a simulation with what theory says of it"),
    ]
    if not result.scenario.pickers or result.judgements:
        return rows
    return [*rows, ("scores", "nothing is known of the particles; give `micrographs.truth` and `score`")]


def _audit(result: RunResult, name: str) -> AuditView:
    measured = result.measurements[name]
    rows = [
        [wording.name_of(metric), wording.number(value, _unit(result, name, metric))]
        for metric, value in measured.values.items()
    ]
    return AuditView(
        name=name,
        kind=wording.kind(result.scenario.audit[name]),
        table=Table(f"What {name} measured", ["", "value"], rows),
        panels=[figures.audit_panel(panel) for panel in measured.panels],
    )


def _limits(result: RunResult) -> list[Table]:
    if result.ceiling is None:
        return []
    tables = limits.limits_table(result.ceiling), limits.lattice_table(result.ceiling)
    return [table for table in tables if table is not None]


_FACTS = {
    "peak_contrast": "peak contrast: largest |I − level| ÷ level",
    "electrons_per_pixel": "electrons per pixel, on average",
    "noise_sd": "noise, standard deviation of a pixel",
}


def _facts(result: RunResult) -> Table | None:
    if result.first is None:
        return None
    unit = str(result.first.micrograph.attrs.get("units", ""))
    facts = {name: value for name, value in result.first.facts.items() if value is not None}
    rows = [[_fact_name(name), _fact(name, value, unit)] for name, value in facts.items()]
    return Table(f"Micrograph {result.micrograph_names[0]} in numbers", ["", "value"], rows)


def _fact_name(name: str) -> str:
    family, _, species = name.partition(".")
    if family == "snr":
        return f"SNR of {species}: variance of one copy inside its support ÷ noise variance of a pixel"
    return _FACTS.get(name, wording.name_of(name))


def _fact(name: str, value: Value, unit: str) -> str:
    if name == "peak_contrast" and value is not None:
        return f"{100 * value:.3g} %"
    return wording.number(value, unit if name == "noise_sd" else "")


def run_files(result: RunResult) -> list[tuple[str, str]]:
    """List the files that a run leaves beside the report, with what is in them."""
    flat = result.scenario.image.ndim == 2
    files = [
        ("scenario.yaml", "the resolved scenario; running it again gives the same bits"),
        ("scores.json, scores.csv", "every number on this page"),
    ]
    if not result.sources:
        kind = "mrc" if flat else "npy"
        files.append((f"micrographs/0000.{kind} …", wording.plural(len(result.micrographs), "image")))
    if flat:
        files.append(("micrographs.star", "the list of images (RELION)"))
    tables = {f"picks/{name}": wording.plural(len(run.picks), "pick") for name, run in result.pickers.items()}
    if result.scenario.specimen or len(result.truth):
        tables = {"truth": wording.plural(len(result.truth), "true position"), **tables}
    kinds = "csv and .star (RELION)" if flat else "csv"
    files += [(f"{table}.{kinds}", content) for table, content in tables.items()]
    if flat and tables:
        first = result.micrograph_names[0]
        listed = ", ".join(f"{table}_coordinates.star" for table in tables)
        files.append((listed, "lists of one file a micrograph, for RELION's import and extraction"))
        files.append((", ".join(f"{table}/{first}.star …" for table in tables), "those files"))
    return [
        *files,
        ("provenance.json", "versions, seed, hash of the scenario"),
        ("timings.json", "how long each stage took"),
    ]
