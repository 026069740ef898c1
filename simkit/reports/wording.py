"""Numbers and names as a reader meets them."""

from __future__ import annotations

import re

from simkit.core.quantity import shortest
from simkit.engine.results import Value
from simkit.scenario.expectation import Bound, Expectation

MISSING = "–"

GLOSSARY = {
    "tp": "particles that a pick was matched with",
    "fp": "picks without a particle",
    "fn": "particles without a pick",
    "unlabelled": "picks without a known particle, where particles may be missing from the truth",
    "duplicates": "false picks next to a particle that another pick has taken",
    "wrong_class": "pairs in which the pick's class is not the particle's",
    "precision": "share of the picks that are particles",
    "recall": "share of the particles that were picked",
    "f1": "harmonic mean of precision and recall",
    "bias_y": "mean of pick − truth, down",
    "bias_x": "mean of pick − truth, to the right",
    "rmse": "root mean square distance of pick and truth",
    "median": "median distance of pick and truth",
    "psi_median_error": "of the in-plane angle, modulo the particle's symmetry",
    "orientation_median_error": "turn in space from truth to pick, modulo the solid's point group",
}
"""Metric → what it means."""

_NAMES = {
    "lost_energy": "share of the templates' energy that the search could not see",
    "noise_sd": "standard deviation of the score where there is only noise",
    "sampling": "pixels per sample of the search grid",
    "tp": "true positives",
    "fp": "false positives",
    "fn": "false negatives",
    "f1": "F1",
    "psi_median_error": "median angle error",
    "orientation_median_error": "median orientation error",
}

_ACRONYMS = {"snr": "SNR", "fft": "FFT", "rmse": "RMSE"}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: Value, unit: str = "", *, digits: int = 4) -> str:
    """Write a value with its unit; what does not exist is a dash."""
    if value is None:
        return MISSING
    text = str(value) if isinstance(value, int) else f"{value:.{digits}g}"
    return _typeset(text + _suffix(unit))


def _suffix(unit: str) -> str:
    return unit if unit in ("", "°") else f" {unit}"


def _typeset(text: str) -> str:
    """Turn `1e-12` into 1×10⁻¹² and hyphens into minus signs."""
    powers = re.sub(
        r"(\d)e([-+]?\d+)",
        lambda found: f"{found[1]}×10{str(int(found[2])).translate(_SUPERSCRIPTS)}",
        text,
    )
    return powers.replace("-", "−")


def name_of(metric: str) -> str:
    """Write a metric's or fact's name in words."""
    words = (_ACRONYMS.get(word, word) for word in metric.split("_"))
    return _NAMES.get(metric, " ".join(words))


def subject(expectation: Expectation) -> str:
    """Say what an expectation is about."""
    metric = name_of(expectation.metric)
    if expectation.audit is not None:
        return f"{metric} · {expectation.audit}"
    who = "" if expectation.class_ == "all" else f" · class {expectation.class_}"
    return f"{metric} · {expectation.picker}{who}"


def limit(expectation: Expectation) -> str:
    """Write the limits of an expectation as its file does."""
    parts = []
    if expectation.at_least is not None:
        parts.append(f"≥ {_exact(expectation.at_least)}")
    if expectation.at_most is not None:
        parts.append(f"≤ {_exact(expectation.at_most)}")
    if expectation.within is not None:
        parts.append(" to ".join(_exact(bound) for bound in expectation.within))
    return " and ".join(parts)


def _exact(bound: Bound) -> str:
    return _typeset(shortest(bound.value) + _suffix(bound.unit))


def digits_for(expectation: Expectation) -> int:
    """Return how many digits of a value show on which side of its limits it lies."""
    mantissas = (shortest(bound.value).partition("e")[0] for bound in expectation.limits)
    return max(4, *(len(re.sub(r"\D", "", m).lstrip("0")) + 1 for m in mantissas))


def kind(spec: object) -> str:
    """Write what a scenario calls a member's kind; of a class without one, its name."""
    return str(getattr(spec, "kind", type(spec).__name__))


def plural(count: int, noun: str) -> str:
    """Write a count and its noun: "1 pick", "2 picks"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(names: tuple[str, ...]) -> str:
    """Write names as a list in a sentence."""
    return ", ".join(names) if names else "nothing"
