"""Truth and picks → scores. Pixels are never in scope here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simkit.core.tables import Picks, Truth
from simkit.engine.court import Answer, Court, Setting
from simkit.engine.results import Judgement, Value
from simkit.judging.confusion import confusion
from simkit.judging.curve import radius_curve
from simkit.judging.strata import stratify
from simkit.matching.published import published_scores
from simkit.metric.base import Comparison, Metric
from simkit.scenario.spec import Score
from simkit.statistics.bootstrap import interval
from simkit.statistics.proportion import wilson


def judge(truth: Truth, answer: Answer, setting: Setting) -> Judgement:
    """Score one picker over all micrographs.

    Parameters
    ----------
    truth : Truth
        All micrographs.
    answer : Answer
        What the picker found.
    setting : Setting
        How it is judged.
    """
    return sentence(Court(truth, answer, setting))


def sentence(court: Court) -> Judgement:
    """Say everything of a picker whose rows are sorted and matched; see `judge`."""
    answer, setting = court.answer, court.setting
    compared = {"all": court.blind, **{name: court.compare(name) for name in setting.classes}}
    metrics = setting.score.used_metrics
    judgement = Judgement(
        knows=answer.knows,
        oracle=answer.oracle,
        values={name: _values(metrics, comparison) for name, comparison in compared.items()},
        match=court.match,
        threshold=answer.threshold,
        intervals={name: _intervals(metrics, comparison, setting) for name, comparison in compared.items()},
        resampled=court.clusters.text,
        ignored_truth=court.left_out,
        ignored_picks=court.ignored_picks,
    )
    return _detailed(judgement, court, compared) if setting.details else judgement


def _detailed(judgement: Judgement, court: Court, compared: Mapping[str, Comparison]) -> Judgement:
    truth, picks, setting = court.truth, court.answer.picks, court.setting
    radius, ndim = setting.score.radius, setting.ndim
    counted = compared["all"].truth, compared["all"].picks
    return replace(
        judgement,
        curves={name: c.curve for name, c in compared.items() if c.curve is not None},
        by_radius=radius_curve(
            *counted, radius=radius, area=setting.area, ndim=ndim, rule=setting.score.rule
        ),
        strata=stratify(
            truth,
            picks,
            court.match,
            ignored_truth=court.left_out,
            ignored_picks=court.ignored_picks,
            complete=setting.complete,
            pick_border=court.pick_border,
        ),
        confusion=confusion(
            truth, picks, court.match, truth_counts=~court.left_out, pick_counts=~court.ignored_picks
        ),
        published=published_scores(*counted, radius=radius, ndim=ndim),
    )


def judge_points(truth: Truth, picks: Picks, radius: float) -> Judgement:
    """Judge coordinates of any origin, blind to class.

    Parameters
    ----------
    truth, picks : Truth, Picks
        Positions in Å; rows are compared within equal `micrograph` names.
    radius : float
        Å, inclusive.
    """
    names = tuple(dict.fromkeys([*truth.codes("micrograph")[1], *picks.codes("micrograph")[1]])) or ("",)
    return judge(
        truth.replace(**{"class": ""}),
        Answer(picks.replace(**{"class": ""})),
        Setting(Score(radius=radius), micrographs=names),
    )


def _values(metrics: tuple[Metric, ...], comparison: Comparison) -> dict[str, Value]:
    return {name: value for metric in metrics for name, value in metric.score(comparison).items()}


def _intervals(
    metrics: tuple[Metric, ...], comparison: Comparison, setting: Setting
) -> dict[str, tuple[float, float]]:
    """Return intervals by resampling clusters and, where no two of them differ or few hold any, Wilson's.

    F1 is the share of the hits in the mean of the numbers of particles and of picks.
    """
    found: dict[str, tuple[float, float]] = {}
    for metric in metrics:
        if sums := metric.sums(comparison):
            found |= interval(sums, metric.from_sums, seed=setting.seed)
    tp, truths, picks = len(comparison.match.truth), len(comparison.truth), len(comparison.picks)
    shares = {"precision": (tp, picks), "recall": (tp, truths), "f1": (tp, (truths + picks) / 2)}
    alone = {name: limits for name, share in shares.items() if (limits := wilson(*share)) is not None}
    return alone | found
