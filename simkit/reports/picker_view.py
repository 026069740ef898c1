"""A picker as the page tells it: in numbers, in pictures, and micrograph by micrograph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.core import tables
from simkit.engine.results import RunResult, Value
from simkit.metric.detection import MEANINGLESS
from simkit.reports import curves, figures, limits, placement, wording
from simkit.reports.efficiency import efficiency_table
from simkit.reports.elements import Illustration, Table
from simkit.reports.glossary import GLOSSARY
from simkit.reports.headline import HEADLINE, Headline, headline, score_text, values_by_class
from simkit.reports.marks import Outcomes, unmatched
from simkit.reports.published_view import published_table
from simkit.reports.strata_view import confusion_table, recall_by_difficulty, strata_table

MOST_ROWS = 50
"""Micrographs that the table of them lists."""


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
    undefined: Sequence[str]
    efficiency: Table | None
    difficulty: Illustration | None
    strata: Table | None
    confusion: Table | None
    published: Table | None


def picker_view(result: RunResult, name: str, base: Illustration, outcomes: Outcomes) -> PickerView:
    """Say everything about one picker; `base` is the micrograph that its picks are marked on."""
    run, spec = result.pickers[name], result.scenario.pickers[name]
    mapped = run.first.score_map.size > 0
    judgement = result.judgements.get(name)
    strata = judgement.strata if judgement else ()
    recall = judgement.values["all"].get("recall") if judgement else None
    return PickerView(
        name=name,
        kind=wording.kind(spec),
        headline=headline(result, name, outcomes),
        remarks=_remarks(result, name),
        marked=figures.marked_micrograph(result, base, name, outcomes, radius(result, name)),
        score_map=figures.score_map(name, run, result.micrograph_names[0]) if mapped else None,
        charts=_charts(result, name, outcomes),
        table=_metrics_table(result, name),
        undefined=[wording.name_of(metric) for metric in _undefined(values_by_class(result, name))],
        efficiency=efficiency_table(result, name) if judgement else None,
        difficulty=recall_by_difficulty(name, strata, recall) if strata else None,
        strata=strata_table(name, strata) if strata else None,
        confusion=confusion_table(name, judgement.confusion) if judgement else None,
        published=published_table(name, judgement.published) if judgement else None,
    )


def radius(result: RunResult, picker: str) -> float:
    """Return the radius in Å of the largest particle that a picker looks for."""
    return max((views[0].support for views in result.banks_of(picker).values()), default=0.0)


def _remarks(result: RunResult, name: str) -> list[str]:
    run = result.pickers[name]
    remarks = [f"{wording.name_of(note)}: {wording.number(value)}" for note, value in run.first.notes.items()]
    finite = [t for t in run.thresholds if np.isfinite(t)]
    if len(set(finite)) > 1:
        low, high = wording.number(min(finite)), wording.number(max(finite))
        remarks.insert(0, f"the threshold ran from {low} to {high} over the micrographs")
    return remarks


def _charts(result: RunResult, name: str, outcomes: Outcomes) -> list[Illustration]:
    """Draw what is known of a picker: its scores, its curves, where it puts a pick."""
    charts: list[Illustration | None] = []
    if outcomes.scores():
        charts.append(figures.score_histogram(name, result.pickers[name], outcomes))
    if name in result.judgements:
        charts += _curves(result, name)
    score, image = result.scenario.score, result.scenario.image
    if len(outcomes.pairs) and score is not None:
        pixel = image.pixel_size
        charts.append(placement.localisation(name, outcomes, score.radius, pixel, image.ndim))
        charts.append(placement.over_limit(name, outcomes, image.ndim))
    return [chart for chart in charts if chart is not None]


def _curves(result: RunResult, name: str) -> list[Illustration]:
    judgement, score = result.judgements[name], result.scenario.score
    curve, ideal = judgement.curves.get("all"), limits.ideal_curve(result, name, "all")
    cut = curves.own_cut(judgement.values["all"])
    complete, drawn = result.scenario.truth_is_complete, []
    if curve is not None and len(curve.tp) and curve.truths:
        drawn.append(curves.precision_recall(name, curve, cut, ideal, complete=complete))
        ndim = result.scenario.image.ndim
        drawn.append(curves.froc(name, curve, cut, ideal, complete=complete, ndim=ndim))
    if judgement.by_radius is not None and score is not None:
        drawn.append(curves.against_radius(name, judgement.by_radius, score.radius, complete=complete))
    return drawn


def _metrics_table(result: RunResult, name: str) -> Table | None:
    values = values_by_class(result, name)
    if not values:
        return None
    meaningless = MEANINGLESS[result.scenario.truth_is_complete]
    left_out = {meaningless, *_undefined(values)}
    metrics = [metric for metric in values["all"] if metric not in left_out]
    rows = [
        [
            wording.name_of(metric),
            *(score_text(result, name, class_, metric, _unit(result, metric)) for class_ in values),
        ]
        for metric in metrics
    ]
    glossary = {wording.name_of(m): GLOSSARY[m] for m in metrics if m in GLOSSARY}
    columns = ["", "all, whatever the class" if len(values) > 1 else "all", *list(values)[1:]]
    sure = ", with 95 % intervals in brackets" if result.judgements[name].intervals else ""
    return Table(f"Scores of {name}{sure}", columns, rows, glossary)


def _undefined(values: Mapping[str, Mapping[str, Value]]) -> list[str]:
    """Return the metrics that exist under no class; those of every headline are shown all the same."""
    told = {*HEADLINE, *MEANINGLESS.values()}
    return [
        metric
        for metric in values.get("all", ())
        if metric not in told and all(of_class.get(metric) is None for of_class in values.values())
    ]


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
