"""What physics allows, on the terminal: tables for a person, plain data for a program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simkit.cli.manners import aligned

if TYPE_CHECKING:
    from simkit.engine.ceiling import Ceiling, LatticeCeiling, SpeciesCeiling
    from simkit.engine.design import Design
    from simkit.engine.operating import OperatingPoint
    from simkit.engine.rehearsal import Rehearsal
    from simkit.theory.observer import IdealCurve

RATES = (10.0, 1.0, 0.1, 0.01)
"""False picks in a micrograph at which recall is told."""

AROUND = 4.0
"""Factor around the value that is found within which others that were tried are shown."""

APART = 1.15
"""Factor between two of them at least."""


def told(found: Ceiling) -> str:
    """Return the limits of a scenario as tables."""
    rows = [["", "d′", "y (Å)", "x (Å)", "ψ (°)", ""], *(_limits(n, s) for n, s in found.species.items())]
    tables = {
        "limits for one whole particle, alone (d′: its peak over the noise’s standard deviation)": aligned(
            rows
        )
    }
    if found.curve is not None:
        title = "recall of the ideal observer at so many false picks per micrograph"
        tables[title] = _recalls(found, found.curve)
    if found.lattices:
        tables["limits for the lattice, from one micrograph"] = _lattices(found)
    return "\n\n".join(f"{title}\n{table}" for title, table in tables.items())


def _limits(name: str, limit: SpeciesCeiling) -> list[str]:
    low, high = (f"{d:.3g}" for d in limit.d_prime_range)
    seen = f"{limit.d_prime:.3g}" + ("" if low == high else f" ({low} to {high})")
    if limit.reachable:
        return [name, seen, *(_sigma(s) for s in (limit.sigma_y, limit.sigma_x, limit.sigma_psi)), ""]
    doubt = f"out of reach (d′ < 6): about {100 * limit.outliers:.2g} % gross outliers"
    return [name, seen, "–", "–", "–", doubt]


def _sigma(value: float) -> str:
    return f"± {value:.3g}" if math.isfinite(value) else "–"


def _recalls(found: Ceiling, curve: IdealCurve) -> str:
    from simkit.engine.operating import operating_point, recall_above_level

    points = [operating_point(curve, rate) for rate in RATES]
    rows = [["false picks", *(f"{rate:g}" for rate in RATES)]]
    for name, alone in found.curves.items():
        rows.append([name, *(_share(recall_above_level(alone, point.level)) for point in points)])
    if len(found.curves) > 1:
        rows.append(["all", *(_share(point.recall) for point in points)])
    rows.append(["above a score of", *(f"{point.level:.3g}" for point in points)])
    return aligned(rows)


def _share(value: float) -> str:
    return f"{value:.4f}" if value < 0.99995 else "1"


def _lattices(found: Ceiling) -> str:
    rows = [["", "a (Å)", "b (Å)", "origin (Å)", ""]]
    for name, net in found.lattices.items():
        limits = (net.sigma_a, net.sigma_b, net.sigma_origin)
        rows.append([name, *map(_sigma, limits), f"from {net.sites} sites"])
    return aligned(rows)


def answer_told(answer: Design, checked: Rehearsal | str | None, false_picks: float) -> str:
    """Return where a target begins to be met, what is reached around there, and how the check went."""
    parts = [_verdict(answer, false_picks)]
    if answer.solution.outcome == "found":
        parts.append(_around(answer))
    if checked is not None and answer.solution.value is not None:
        parts.append(_check(checked, answer))
    return "\n\n".join(parts)


def _verdict(answer: Design, false_picks: float) -> str:
    from simkit.engine.target import SHARES

    knob, target, solution = answer.knob, answer.target, answer.solution
    plural = "" if false_picks == 1 else "s"
    at = f" at {false_picks:g} false pick{plural} per micrograph" if target.quantity in SHARES else ""
    now = f"now {_value(answer, knob.value)}: {target.write(answer.now)}"
    if solution.outcome == "found":
        least = f"{_side(answer)} {_value(answer, solution.value)}"
        return f"{target.write()}{at} needs {knob.path} of {least} ({now})"
    first, last = (_value(answer, solution.trials[i][0]) for i in (0, -1))
    best, reached = solution.best(highest=(target.relation == "≥") == (solution.outcome == "nowhere"))
    which = "best" if solution.outcome == "nowhere" else "tightest"
    return (
        f"{target.write()}{at} is met {solution.outcome} from {knob.path} = {first} to {last}\n"
        f"{which} at {_value(answer, best)}: {target.write(reached)} ({now})"
    )


def _side(answer: Design) -> str:
    """Return on which side of the value that was found the target is met."""
    found = answer.solution.value or 0.0
    failed = [value for value, reached in answer.solution.trials if not answer.target.met(reached)]
    nearest = min(failed, key=lambda value: abs(value - found))
    return "at least" if nearest < found else "at most"


def _value(answer: Design, value: float | None) -> str:
    from simkit.engine.explanation import readable

    return "–" if value is None else readable(answer.knob.write(value))


def _around(answer: Design) -> str:
    """Return a table of what is reached at the value that was found, at the present one and between."""
    found, now = answer.solution.value or 0.0, answer.knob.value
    shown = [found, now] if now != found else [found]
    for value, _ in answer.solution.trials:
        near = value * found > 0 and 1 / AROUND <= value / found <= AROUND
        if near and all(max(value / other, other / value) >= APART for other in shown if other):
            shown.append(value)
    rows = [[answer.knob.path, answer.target.quantity, ""]]
    for value, reached in answer.solution.trials:
        if value in shown:
            mark = "← just meets it" if value == found else "now" if value == now else ""
            rows.append([_value(answer, value), answer.target.written(reached), mark])
    return aligned(rows)


def _check(checked: Rehearsal | str, answer: Design) -> str:
    from simkit.engine.rehearsal import CONFIDENCE

    if isinstance(checked, str):
        return f"not checked by simulation: {checked}"
    low, high = checked.interval
    verdict = "agrees" if checked.agrees else "DISAGREES"
    foreseen = f"{checked.expected_false:.2g}"
    lines = [
        f"checked by simulation, micrographs: {checked.micrographs} (oracle: exact images, true noise)",
        f"  recall       {checked.recall:.3f}: {checked.found} of {checked.particles} whole particles, alone",
        f"  {CONFIDENCE:.0%} interval {low:.3f} to {high:.3f}; predicted {checked.predicted:.3f}: {verdict}",
        f"  false picks  {checked.false_picks:.2g} per micrograph; {foreseen} expected at most",
    ]
    if answer.target.quantity in ("rmse", "sigma_y", "sigma_x"):
        lines.append(f"  error        {checked.rmse:.3g} Å; limit {checked.limit:.3g} Å")
    if not checked.agrees and checked.recall > checked.predicted:
        lines.append("  more is found than predicted: a particle has more peaks above the level than its own")
    lines.append("a picker that has to estimate the noise, or whose templates are not exact, does worse")
    return "\n".join(lines)


# --- as data ---------------------------------------------------------------------------------------------


def as_data(found: Ceiling) -> dict[str, Any]:
    """Return the limits of a scenario as plain data; what does not exist is None."""
    from simkit.engine.operating import operating_point, recall_above_level

    points = [operating_point(found.curve, rate) for rate in RATES] if found.curve is not None else []
    return {
        "species": {name: _fields(limit) for name, limit in found.species.items()},
        "ideal_observer": [
            {
                **_fields(point),
                "species": {n: recall_above_level(c, point.level) for n, c in found.curves.items()},
            }
            for point in points
        ],
        "lattices": {name: _fields(net) for name, net in found.lattices.items()},
    }


def answer_as_data(answer: Design, checked: Rehearsal | str | None, false_picks: float) -> dict[str, Any]:
    """Return the answer as plain data; `set` is what `--set` takes."""
    knob, solution = answer.knob, answer.solution
    value = solution.value
    return {
        "path": knob.path,
        "unit": knob.unit,
        "target": answer.target.write(),
        "false_picks": false_picks,
        "now": {"value": knob.value, "reached": _number(answer.now)},
        "outcome": solution.outcome,
        "value": value,
        "reached": None if value is None else _number(dict(solution.trials)[value]),
        "set": None if value is None else f"{knob.path}={knob.write(value)}",
        "tried": [[value, _number(reached)] for value, reached in solution.trials],
        "check": {"left_out": checked} if isinstance(checked, str) else _checked(checked),
    }


def _checked(checked: Rehearsal | None) -> dict[str, Any] | None:
    if checked is None:
        return None
    return {**_fields(checked), "recall": checked.recall, "agrees": checked.agrees}


def _fields(of: SpeciesCeiling | LatticeCeiling | OperatingPoint | Rehearsal) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        name: [_number(v) for v in value] if isinstance(value, tuple) else _number(value)
        for name, value in asdict(of).items()
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
