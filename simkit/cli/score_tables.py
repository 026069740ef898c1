"""What `simkit score` prints: values with intervals, pickers against each other, other programs' rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simkit.cli import verdict
from simkit.cli.manners import aligned, number

if TYPE_CHECKING:
    from simkit.engine.court import Setting
    from simkit.engine.results import Judgement
    from simkit.judging.comparison import PairedComparison

SHOWN = {"own thresholds": "f1", "equal false picks": "recall"}
"""What tells two pickers apart on each basis; the other metrics stand in the JSON."""

COUNTS = ("tp", "fp", "unlabelled", "fn", "duplicates")
SHARES = ("precision", "recall", "f1")


def labels(files: Sequence[Path]) -> list[str]:
    """Return a short name for each file: what tells it from the others, or its own name."""
    if len(files) == 1:
        return [files[0].stem]
    parts = [re.split(r"[./_\s-]+", str(file).strip("./")) for file in files]
    common = [set(words) for words in parts]
    shared = set.intersection(*common)
    names = ["_".join(word for word in words if word not in shared) for words in parts]
    if all(names) and len(set(names)) == len(names):
        return names
    return [str(file) for file in files]


def text(
    judgements: Mapping[str, Judgement],
    comparisons: Sequence[PairedComparison],
    setting: Setting,
    *,
    rules: bool,
) -> str:
    """Return everything that is said of the picks."""
    parts = (
        [_one(next(iter(judgements.values())), setting)]
        if len(judgements) == 1
        else [_several(judgements, complete=setting.complete)]
    )
    parts.append(_resampled(judgements))
    if comparisons:
        parts.append(differences(comparisons))
    if rules:
        parts.append(published(judgements))
    return "\n\n".join(parts)


def as_json(
    judgements: Mapping[str, Judgement], comparisons: Sequence[PairedComparison], *, rules: bool
) -> dict[str, Any]:
    """Return the same for other programs: one picker's entry of scores.json, or all of them."""
    from simkit.engine.verdict import intervals_entry, picker_entry

    entries = {
        name: {
            **picker_entry(judgement),
            "intervals": intervals_entry(judgement),
            **({"published": [asdict(said) for said in judgement.published]} if rules else {}),
        }
        for name, judgement in judgements.items()
    }
    if len(entries) == 1:
        return next(iter(entries.values()))
    return {"pickers": entries, "comparisons": [asdict(comparison) for comparison in comparisons]}


def _one(judgement: Judgement, setting: Setting) -> str:
    """Return every value of one picker, a row each, a column for each class."""
    from simkit.metric.detection import MEANINGLESS

    units = {name: unit for metric in setting.score.used_metrics for name, unit in metric.units.items()}
    values = judgement.values
    rows = []
    for name in values["all"]:
        if name == MEANINGLESS[setting.complete] or all(of[name] is None for of in values.values()):
            continue
        cells = [verdict.score(name, of[name], complete=setting.complete) for of in values.values()]
        limits = judgement.intervals["all"].get(name)
        rows.append([name, *cells, units[name], interval(limits)])
    head = [
        "",
        *(values if len(values) > 1 else ["value"]),
        "",
        "95 % interval" + (" of all" if len(values) > 1 else ""),
    ]
    return aligned([head, *rows])


def _several(judgements: Mapping[str, Judgement], *, complete: bool) -> str:
    """Return the main values of several pickers, a row each."""
    from simkit.metric.detection import MEANINGLESS

    counts = [name for name in COUNTS if name != MEANINGLESS[complete]]
    rows = [["", *counts, *(f"{name} (95 %)" for name in SHARES), "rmse (Å)"]]
    for name, judgement in judgements.items():
        values, limits = judgement.values["all"], judgement.intervals["all"]
        shares = [
            " ".join(filter(None, (verdict.score(m, values[m], complete=complete), interval(limits.get(m)))))
            for m in SHARES
        ]
        rows.append([name, *(number(values[c]) for c in counts), *shares, number(values["rmse"])])
    return aligned(rows)


def interval(limits: tuple[float, float] | None) -> str:
    """Write an interval; nothing where there is none."""
    return "" if limits is None else verdict.interval(limits)


def _resampled(judgements: Mapping[str, Judgement]) -> str:
    first = next(iter(judgements.values()))
    if "tile" not in first.resampled:
        return f"intervals: {first.resampled}, resampled whole"
    return f"intervals: {first.resampled}, resampled whole; they say nothing of other micrographs"


def differences(comparisons: Sequence[PairedComparison]) -> str:
    """Return a table of paired differences, the difference and its interval first."""
    rows = [
        [
            "a − b",
            "cut at",
            "metric",
            "difference",
            "95 %",
            "p (Holm)",
            "found by a alone",
            "by b alone",
            "p (McNemar)",
        ]
    ]
    for c in comparisons:
        if c.metric != SHOWN[c.basis]:
            continue
        basis = c.basis if c.false_per_image is None else f"{c.false_per_image:.3g} false per micrograph"
        rows.append(
            [
                f"{c.a} − {c.b}",
                basis,
                c.metric,
                "–" if c.difference is None else f"{c.difference:+.4g}",
                interval(c.interval),
                _p(c.p_holm),
                str(c.only_a),
                str(c.only_b),
                _p(c.p_mcnemar),
            ]
        )
    return aligned(rows)


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def published(judgements: Mapping[str, Judgement]) -> str:
    """Return what other programs' rules make of the same picks, and then what is wrong with each rule."""
    rows = [["rule", *(f"{name}: precision, recall, f1" for name in judgements)]]
    ours = [judgement.values["all"] for judgement in judgements.values()]
    rows.append(["simkit", *(_three([values[m] for m in SHARES]) for values in ours)])
    by_rule = list(zip(*(judgement.published for judgement in judgements.values()), strict=True))
    rows += [
        [said[0].name, *(_three([one.precision, one.recall, one.f1]) for one in said)] for said in by_rule
    ]
    wrong = [[said[0].name, said[0].title, said[0].defect] for said in by_rule if said[0].defect]
    return "\n\n".join([aligned(rows), aligned([["rule", "of", "what is wrong with it"], *wrong])])


def _three(values: Sequence[float | None]) -> str:
    return " ".join(("–" if value is None else f"{value:.3f}").ljust(6) for value in values)
