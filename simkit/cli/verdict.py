"""What a run says of itself on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simkit.cli.manners import aligned, number

SHARES = frozenset({"precision", "recall", "f1"})
"""Metrics whose interval stands beside them."""

NULLS = {"noise_only": "noise alone", "phase_randomised": "micrographs of random phases"}
"""Null variants, in words."""

SHOWN = ("tp", "fp", "unlabelled", "fn", "precision", "recall", "f1", "rmse")
"""Metrics in the summary, where they were computed."""


def expectations(scores: Mapping[str, Any]) -> str:
    """Return a table of every expectation, its value, its limits and whether it holds."""
    rows = [["expectation", "value", "limit", ""]]
    for entry in scores["expectations"]:
        source = entry.get("audit") or f"{entry['picker']} · {entry['class']}"
        verdict = "met" if entry["passed"] else "FAILED"
        value = " ".join(filter(None, (number(entry["value"]), _unit(scores, entry))))
        rows.append([f"{source} · {entry['metric']}", value, limit(entry), verdict])
    return aligned(rows)


def limit(entry: Mapping[str, Any]) -> str:
    """Return the limits of an expectation as a reader would write them."""
    parts = [f"≥ {entry['at_least']}"] if "at_least" in entry else []
    parts += [f"≤ {entry['at_most']}"] if "at_most" in entry else []
    parts += [f"{entry['within'][0]} … {entry['within'][1]}"] if "within" in entry else []
    return ", ".join(parts)


def pickers(scores: Mapping[str, Any]) -> str:
    """Return a table of the scores of every picker, over all and by class."""
    from simkit.metric.detection import MEANINGLESS

    complete = scores["complete_truth"]
    names = [name for name in SHOWN if name in scores["units"]["pickers"] and name != MEANINGLESS[complete]]
    units = [scores["units"]["pickers"][name] for name in names]
    header = [f"{name} ({unit})" if unit else name for name, unit in zip(names, units, strict=True)]
    rows = [["picker", "class", *header]]
    for picker, entry in scores["pickers"].items():
        label = f"{picker} (oracle)" if entry["oracle"] else picker
        classes = {name: values for name, values in entry.items() if isinstance(values, Mapping)}
        limits = scores["intervals"][picker]
        rows += [
            [label, name, *(_with_interval(n, v[n], limits[name].get(n), complete=complete) for n in names)]
            for name, v in classes.items()
        ]
    return aligned(rows)


def _with_interval(name: str, value: float | None, limits: Sequence[float] | None, *, complete: bool) -> str:
    """Write a score and, of a share, its interval of 95 %."""
    written = score(name, value, complete=complete)
    return f"{written} {interval(limits)}" if limits and name in SHARES else written


def interval(limits: Sequence[float]) -> str:
    """Write an interval."""
    return f"[{limits[0]:.3g}, {limits[1]:.3g}]"


def conditions(scores: Mapping[str, Any]) -> str:
    """Say of every picker how it was cut, what it was told, and how near it came to what physics allows."""
    lines = []
    for picker, entry in scores["pickers"].items():
        cut = f"cut at {entry['threshold']}; " if entry["threshold"] else ""
        lines.append(f"{picker}: {cut}told {', '.join(entry['knows']) or 'nothing'}")
        if near := _near_the_limit(entry["all"]):
            lines.append(f"  {near}")
    return "\n".join(lines)


def _near_the_limit(values: Mapping[str, Any]) -> str:
    parts = []
    if values.get("eta_detection") is not None:
        seen, most = number(values["d_prime_observed"]), number(values["d_prime"])
        parts.append(f"peaks of d′ {seen} where physics allows {most} (η {values['eta_detection']:.2g})")
    if values.get("rmse_over_bound") is not None:
        parts.append(f"RMSE {values['rmse_over_bound']:.3g} × the Cramér–Rao limit")
    return "; ".join(parts)


def nulls(scores: Mapping[str, Any]) -> str:
    """Say what was picked where no particle is, and what was expected."""
    lines = []
    for variant, null in scores["nulls"].items():
        counts = ", ".join(
            f"{found['picks']} by {picker} ({_expected(found['predicted'])})"
            for picker, found in null["pickers"].items()
        )
        count = null["micrographs"]
        lines.append(f"picks in {NULLS[variant]}, {count} micrograph{'s' * (count > 1)}: {counts}")
    return "\n".join(lines)


def _expected(predicted: float | None) -> str:
    if predicted is None:
        return "none promised"
    return f"{predicted:.3g} expected" if predicted >= 1e-3 else "< 0.001 expected"


def score(name: str, value: float | None, *, complete: bool) -> str:
    """Write a score; precision and F1 are lower bounds where particles may be missing from the truth."""
    from simkit.metric.detection import BOUNDED_BELOW

    bound = value is not None and name in BOUNDED_BELOW and not complete
    return f"{'≥ ' if bound else ''}{number(value)}"


def _unit(scores: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    units = scores["units"]["audit"][entry["audit"]] if "audit" in entry else scores["units"]["pickers"]
    return str(units.get(entry["metric"], ""))
