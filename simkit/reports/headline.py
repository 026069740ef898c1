"""A picker in a sentence and in a line: what it found, how surely, and what could have been found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simkit.engine.results import Judgement, RunResult, Value
from simkit.metric.detection import BOUNDED_BELOW
from simkit.reports import limits, wording
from simkit.reports.marks import Outcomes, sought, unmatched

HEADLINE = ("recall", "precision", "f1")


@dataclass(frozen=True)
class Headline:
    """One picker in a sentence, and in a line for each class.

    Attributes
    ----------
    name : str
        The picker.
    sentence : str
        What it found.
    lines : sequence of sequences of str
        (class, recall, precision, F1, recall of the ideal observer), with intervals.
    knows : str
        What it was told.
    cut : str
        How its threshold was chosen; "" where nothing says so.
    oracle : bool
        Whether it used what nobody has.
    resampled : str
        What the intervals resample; "" without intervals.
    tuned : str
        F1 that it would reach at the best of all thresholds, which only the truth tells; "" if unknown.
    """

    name: str
    sentence: str
    lines: Sequence[Sequence[str]]
    knows: str
    cut: str
    oracle: bool
    resampled: str = ""
    tuned: str = ""


def headline(result: RunResult, name: str, outcomes: Outcomes) -> Headline:
    """Say what a picker found."""
    judgement = result.judgements.get(name)
    spec = result.scenario.pickers[name]
    values = values_by_class(result, name)
    return Headline(
        name=name,
        sentence=_summary(result, name, outcomes),
        lines=[_line(result, name, class_) for class_ in values],
        knows=wording.listed(judgement.knows if judgement else spec.knows),
        cut=judgement.threshold if judgement else "",
        oracle=judgement.oracle if judgement else spec.oracle,
        resampled=judgement.resampled if judgement and any(judgement.intervals.values()) else "",
        tuned=wording.number(best, digits=3) if (best := _best_f1(judgement)) is not None else "",
    )


def values_by_class(result: RunResult, name: str) -> dict[str, Mapping[str, Value]]:
    """Return a picker's values on all particles and, where those differ, on each class it looks for."""
    judgement = result.judgements.get(name)
    if judgement is None:
        return {}
    everything = judgement.values["all"]
    classes = {c: judgement.values[c] for c in sought(result, name) if c in judgement.values}
    return {"all": everything} | {c: values for c, values in classes.items() if values != everything}


def score_text(result: RunResult, name: str, class_: str, metric: str, unit: str = "") -> str:
    """Write a score with its interval; where the truth is not complete, a bound as one."""
    judgement = result.judgements[name]
    value = judgement.values[class_].get(metric)
    bound = value is not None and metric in BOUNDED_BELOW and not result.scenario.truth_is_complete
    interval = judgement.intervals.get(class_, {}).get(metric)
    return f"{'≥ ' if bound else ''}{wording.sure(value, interval, unit)}"


def _line(result: RunResult, name: str, class_: str) -> list[str]:
    ideal = wording.number(limits.recall_beside(result, name, class_), digits=3)
    return [class_, *(score_text(result, name, class_, metric) for metric in HEADLINE), ideal]


def _best_f1(judgement: Judgement | None) -> Value:
    return judgement.values["all"].get("oracle_f1") if judgement else None


def _summary(result: RunResult, name: str, outcomes: Outcomes) -> str:
    if name not in result.judgements:
        count = wording.plural(len(outcomes.picks), "pick")
        return f"{name} made {count}; nothing says how many are right."
    classes = sought(result, name)
    excused = outcomes.rows.get("excused", np.zeros(0, int))
    asked = np.isin(outcomes.truth["class"], ("", *classes))
    asked[excused] = False
    some = set(result.scenario.specimen) - set(classes)
    noun = f"{' and '.join(classes)} particle" if some else "particle"
    alone = unmatched(result)
    known = "" if result.scenario.truth_is_complete else "known "
    hits, others, wrong = (len(outcomes.rows[o]) for o in ("hit", alone, "wrong"))
    sentence = (
        f"{name} found {hits} of {wording.plural(int(asked.sum()), known + noun)}, "
        f"with {wording.plural(others, f'{alone} pick')}"
    )
    sentence += f" and {wrong} of a wrong class." if wrong else "."
    return f"{sentence}{_ignored(outcomes)}{_ideal(result, name)}"


def _ignored(outcomes: Outcomes) -> str:
    counts = {"excused": "particle", "ignored": "pick"}
    ignored = [
        wording.plural(len(outcomes.rows[o]), noun) for o, noun in counts.items() if o in outcomes.rows
    ]
    if not ignored:
        return ""
    return f" Ignored, as the scenario asks: {wording.conjoined(ignored)}, neither right nor wrong."


def _ideal(result: RunResult, name: str) -> str:
    best = limits.recall_beside(result, name, "all")
    if best is None:
        return ""
    share, own = (
        wording.number(best, digits=3),
        wording.number(result.judgements[name].values["all"].get("recall"), digits=3),
    )
    return f" Its recall is {own}; at as many false picks the ideal observer would reach {share}."
