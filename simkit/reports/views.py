"""A run as the page tells it: every text, table and picture, in order, before any HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from simkit.engine.explanation import not_modelled
from simkit.engine.results import RunResult, Value
from simkit.metric.detection import BOUNDED_BELOW, MEANINGLESS
from simkit.reports import equation, figures, wording
from simkit.reports.elements import Illustration, Table
from simkit.reports.marks import Outcomes, outcomes_of, sought, unmatched
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
class Headline:
    """One picker in a sentence, and in a line (class, recall, precision, F1) for each class."""

    name: str
    sentence: str
    lines: Sequence[Sequence[str]]
    knows: str
    oracle: bool


@dataclass(frozen=True)
class PickerView:
    """Everything about one picker."""

    name: str
    kind: str
    headline: Headline
    remarks: Sequence[str]
    marked: Illustration
    score_map: Illustration | None
    charts: Sequence[Illustration]
    table: Table | None


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
    audits: Sequence[AuditView]
    facts: Table | None
    not_modelled: Sequence[tuple[str, str]]
    notices: Sequence[str]
    complete: bool
    by_micrograph: Table | None
    absent: Sequence[tuple[str, str]]
    scenario: str
    command: str
    seed: int
    version: str
    files: Sequence[tuple[str, str]]


def report_of(result: RunResult, command: str) -> Report:
    """Say everything that the page says about a run."""
    scenario = result.scenario
    base = figures.micrograph(result, max((_radius(result, p) for p in result.pickers), default=0.0))
    outcomes = {name: outcomes_of(result, name) for name in result.pickers}
    pickers = [_picker(result, name, base, found) for name, found in outcomes.items()]
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
        audits=[_audit(result, name) for name in result.measurements],
        facts=_facts(result),
        not_modelled=not_modelled(scenario) if result.first is not None else [],
        notices=result.scores["notices"],
        complete=scenario.truth_is_complete,
        by_micrograph=_by_micrograph(result, outcomes),
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


def _picker(result: RunResult, name: str, base: Illustration, outcomes: Outcomes) -> PickerView:
    run, spec = result.pickers[name], result.scenario.pickers[name]
    mapped = run.first.score_map.size > 0
    return PickerView(
        name=name,
        kind=_kind(spec),
        headline=_headline(result, name, outcomes),
        remarks=_remarks(result, name),
        marked=figures.marked_micrograph(result, base, name, outcomes, _radius(result, name)),
        score_map=figures.score_map(name, run, result.micrograph_names[0]) if mapped else None,
        charts=_charts(result, name, outcomes),
        table=_metrics_table(result, name),
    )


def _kind(spec: object) -> str:
    return str(getattr(spec, "kind", type(spec).__name__))


def _radius(result: RunResult, picker: str) -> float:
    used = result.scenario.pickers[picker].templates or tuple(result.banks)
    return max((result.banks[t][0].support for t in used), default=0.0)


HEADLINE = ("recall", "precision", "f1")


def _value(result: RunResult, metric: str, value: Value, unit: str = "") -> str:
    """Write a score; where the truth is not complete, a bound as one."""
    bound = value is not None and metric in BOUNDED_BELOW and not result.scenario.truth_is_complete
    return f"{'≥ ' if bound else ''}{wording.number(value, unit)}"


def _headline(result: RunResult, name: str, outcomes: Outcomes) -> Headline:
    judgement = result.judgements.get(name)
    spec = result.scenario.pickers[name]
    return Headline(
        name=name,
        sentence=_summary(result, name, outcomes),
        lines=[
            [c, *(_value(result, metric, values.get(metric)) for metric in HEADLINE)]
            for c, values in _by_class(result, name).items()
        ],
        knows=wording.listed(judgement.knows if judgement else spec.knows),
        oracle=judgement.oracle if judgement else spec.oracle,
    )


def _by_class(result: RunResult, name: str) -> dict[str, Mapping[str, Value]]:
    """Return a picker's values on all particles and, where those differ, on each class it looks for."""
    judgement = result.judgements.get(name)
    if judgement is None:
        return {}
    everything = judgement.values["all"]
    classes = {c: judgement.values[c] for c in sought(result, name) if c in judgement.values}
    return {"all": everything} | {c: values for c, values in classes.items() if values != everything}


def _summary(result: RunResult, name: str, outcomes: Outcomes) -> str:
    if name not in result.judgements:
        count = wording.plural(len(outcomes.picks), "pick")
        return f"{name} made {count}; nothing says how many are right."
    classes = sought(result, name)
    wanted = int(np.isin(outcomes.truth["class"], ("", *classes)).sum())
    some = set(result.scenario.specimen) - set(classes)
    noun = f"{' and '.join(classes)} particle" if some else "particle"
    alone = unmatched(result)
    known = "" if result.scenario.truth_is_complete else "known "
    hits, others, wrong = (len(outcomes.rows[o]) for o in ("hit", alone, "wrong"))
    sentence = (
        f"{name} found {hits} of {wording.plural(wanted, known + noun)}, "
        f"with {wording.plural(others, f'{alone} pick')}"
    )
    return f"{sentence} and {wrong} of a wrong class." if wrong else f"{sentence}."


def _remarks(result: RunResult, name: str) -> list[str]:
    run = result.pickers[name]
    remarks = [f"{wording.name_of(note)}: {wording.number(value)}" for note, value in run.first.notes.items()]
    finite = [t for t in run.thresholds if np.isfinite(t)]
    if len(set(finite)) > 1:
        low, high = wording.number(min(finite)), wording.number(max(finite))
        remarks.insert(0, f"the threshold ran from {low} to {high} over the micrographs")
    return remarks


def _charts(result: RunResult, name: str, outcomes: Outcomes) -> list[Illustration]:
    charts = []
    if outcomes.scores():
        charts.append(figures.score_histogram(name, result.pickers[name], outcomes))
    score, image = result.scenario.score, result.scenario.image
    if len(outcomes.pairs) and score is not None:
        charts.append(
            figures.localisation(
                name, outcomes, radius=score.radius, pixel_size=image.pixel_size, ndim=image.ndim
            )
        )
    return charts


def _metrics_table(result: RunResult, name: str) -> Table | None:
    values = _by_class(result, name)
    if not values:
        return None
    meaningless = MEANINGLESS[result.scenario.truth_is_complete]
    metrics = [metric for metric in values["all"] if metric != meaningless]
    rows = [
        [
            wording.name_of(metric),
            *(
                _value(result, metric, of_class.get(metric), _unit(result, None, metric))
                for of_class in values.values()
            ),
        ]
        for metric in metrics
    ]
    glossary = {wording.name_of(m): wording.GLOSSARY[m] for m in metrics if m in wording.GLOSSARY}
    columns = ["", "all, whatever the class" if len(values) > 1 else "all", *list(values)[1:]]
    return Table(f"Scores of {name}", columns, rows, glossary)


MOST_ROWS = 50
"""Micrographs that the table of them lists."""


def _by_micrograph(result: RunResult, outcomes: Mapping[str, Outcomes]) -> Table | None:
    """Count what became of every real micrograph's particles and picks, one row each."""
    if not result.sources or len(result.micrograph_names) < 2:
        return None
    columns = ["micrograph", "known particles"] if result.judgements else ["micrograph"]
    shown = result.micrograph_names[:MOST_ROWS]
    particles = Counter(result.truth["micrograph"].tolist())
    cells = {name: [name, _known(result, name, particles)] if result.judgements else [name] for name in shown}
    told = ("hit", unmatched(result)) if result.judgements else ("pick",)
    for picker, found in outcomes.items():
        counts = {outcome: Counter(table["micrograph"].tolist()) for outcome, table in found.tables()}
        columns += [f"{picker}: {'found' if outcome == 'hit' else outcome}" for outcome in told]
        for name in shown:
            judged = name not in result.unjudged
            cells[name] += [str(counts[o][name]) if judged or o == "pick" else wording.MISSING for o in told]
    some = f": the first {MOST_ROWS} of {n}" if (n := len(result.micrograph_names)) > MOST_ROWS else ""
    return Table(f"By micrograph{some}", columns, list(cells.values()))


def _known(result: RunResult, name: str, particles: Counter[str]) -> str:
    return wording.MISSING if name in result.unjudged else str(particles[name])


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
        kind=_kind(result.scenario.audit[name]),
        table=Table(f"What {name} measured", ["", "value"], rows),
        panels=[figures.audit_panel(panel) for panel in measured.panels],
    )


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
