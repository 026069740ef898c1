"""Numbers and names as a reader meets them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from simkit.core.quantity import shortest
from simkit.engine.results import Value
from simkit.metric.curve import TUNED_ON_TRUTH
from simkit.reports.glossary import NAMES
from simkit.scenario.expectation import Bound, Expectation

MISSING = "–"

_ACRONYMS = {"snr": "SNR", "fft": "FFT", "rmse": "RMSE"}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: Value, unit: str = "", *, digits: int = 4) -> str:
    """Write a value with its unit; what does not exist is a dash."""
    if value is None:
        return MISSING
    text = str(value) if isinstance(value, int) else f"{value:.{digits}g}"
    return _typeset(text + _suffix(unit))


def between(interval: tuple[float, float] | None) -> str:
    """Write a 95 % interval in brackets; "" where there is none."""
    if interval is None:
        return ""
    low, high = (_fixed(float(bound), interval) for bound in interval)
    return f"[{low}, {high}]"


def _fixed(value: float, interval: tuple[float, float]) -> str:
    """Write a value with as many decimals as its interval has two digits for."""
    width = abs(interval[1] - interval[0])
    decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 3
    return _typeset(f"{value:.{min(decimals, 6)}f}")


def sure(value: Value, interval: tuple[float, float] | None, unit: str = "") -> str:
    """Write a value and how sure it is, with the decimals that its interval leaves it."""
    if value is None or interval is None:
        return number(value, unit)
    text = str(value) if isinstance(value, int) else _fixed(value, interval)
    return f"{text}{_suffix(unit)} {between(interval)}"


def conjoined(clauses: Sequence[str]) -> str:
    """Join clauses as a sentence does: "a, b and c"."""
    *most, last = clauses
    return f"{', '.join(most)} and {last}" if most else last


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
    name = NAMES.get(metric, " ".join(words))
    return f"{name} (tuned on the truth)" if metric in TUNED_ON_TRUTH else name


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
