"""A picker as the page tells it: in a sentence, in numbers, in pictures, and micrograph by micrograph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import tables
from simkit.engine.results import RunResult, Value
from simkit.metric.detection import BOUNDED_BELOW, MEANINGLESS
from simkit.reports import figures, wording
from simkit.reports.elements import Illustration, Table
from simkit.reports.marks import Outcomes, sought, unmatched

HEADLINE = ("recall", "precision", "f1")

MOST_ROWS = 50
"""Micrographs that the table of them lists."""


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


def picker_view(result: RunResult, name: str, base: Illustration, outcomes: Outcomes) -> PickerView:
    """Say everything about one picker; `base` is the micrograph that its picks are marked on."""
    run, spec = result.pickers[name], result.scenario.pickers[name]
    mapped = run.first.score_map.size > 0
    return PickerView(
        name=name,
        kind=wording.kind(spec),
        headline=_headline(result, name, outcomes),
        remarks=_remarks(result, name),
        marked=figures.marked_micrograph(result, base, name, outcomes, radius(result, name)),
        score_map=figures.score_map(name, run, result.micrograph_names[0]) if mapped else None,
        charts=_charts(result, name, outcomes),
        table=_metrics_table(result, name),
    )


def radius(result: RunResult, picker: str) -> float:
    """Return the radius in Å of the largest particle that a picker looks for."""
    used = result.scenario.pickers[picker].templates or tuple(result.banks)
    return max((result.banks[t][0].support for t in used), default=0.0)


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
                _value(result, metric, of_class.get(metric), _unit(result, metric))
                for of_class in values.values()
            ),
        ]
        for metric in metrics
    ]
    glossary = {wording.name_of(m): wording.GLOSSARY[m] for m in metrics if m in wording.GLOSSARY}
    columns = ["", "all, whatever the class" if len(values) > 1 else "all", *list(values)[1:]]
    return Table(f"Scores of {name}", columns, rows, glossary)


def by_micrograph(result: RunResult, outcomes: Mapping[str, Outcomes]) -> Table | None:
    """Count what became of every real micrograph's particles and picks, one row each."""
    if not result.sources or len(result.micrograph_names) < 2:
        return None
    shown = result.micrograph_names[:MOST_ROWS]
    columns = {"micrograph": list(shown)}
    told, unknown = {"pick": "picks"}, frozenset[str]()
    if result.judgements:
        told, unknown = {"hit": "found", unmatched(result): unmatched(result)}, result.unjudged
        columns["known particles"] = _counted(result.truth, shown, unknown)
    for picker, found in outcomes.items():
        by_outcome = dict(found.tables())
        for outcome, word in told.items():
            columns[f"{picker}: {word}"] = _counted(by_outcome[outcome], shown, unknown)
    some = f": the first {MOST_ROWS} of {n}" if (n := len(result.micrograph_names)) > MOST_ROWS else ""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return Table(f"By micrograph{some}", list(columns), rows)


def _counted(table: tables.Table, micrographs: Sequence[str], unknown: frozenset[str]) -> list[str]:
    """Count the rows on each micrograph; a dash where nothing is known."""
    counts = Counter(table["micrograph"].tolist())
    return [wording.MISSING if name in unknown else str(counts[name]) for name in micrographs]


def _unit(result: RunResult, metric: str) -> str:
    return str(result.scores["units"]["pickers"].get(metric, ""))
