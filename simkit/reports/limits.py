"""What physics allows, as the page tells it: the ideal observer beside a picker, and tables of limits."""

from __future__ import annotations

import math

from simkit.engine.ceiling import Ceiling
from simkit.engine.results import RunResult
from simkit.reports.elements import Table
from simkit.reports.marks import sought
from simkit.reports.wording import number, plural
from simkit.theory.observer import IdealCurve
from simkit.theory.outliers import LOWEST_REACHABLE


def ideal_curve(result: RunResult, picker: str, class_: str) -> IdealCurve | None:
    """Return the ideal observer's curve for the particles that a picker is judged by.

    Parameters
    ----------
    result : RunResult
        The run.
    picker : str
        Its name.
    class_ : str
        One class, or "all" that the picker looks for.

    Returns
    -------
    IdealCurve or None
        None where nothing is known of it, as of some classes together but not all; and for a picker that
        knows from a fitted lattice where particles are, which the observer does not.
    """
    if result.ceiling is None or getattr(result.scenario.pickers[picker], "lattice", "none") == "fitted":
        return None
    wanted = sought(result, picker) if class_ == "all" else (class_,)
    if set(wanted) >= set(result.ceiling.curves):
        return result.ceiling.curve
    return result.ceiling.curves.get(wanted[0]) if len(wanted) == 1 else None


def recall_beside(result: RunResult, picker: str, class_: str) -> float | None:
    """Return the recall of the ideal observer at as many false picks per micrograph as a picker made.

    A picker that made none is read as if it had made one in all micrographs: a lower rate is not measured.
    """
    curve = ideal_curve(result, picker, class_)
    false = result.judgements[picker].values[class_].get("fp")
    if curve is None or false is None:
        return None
    return float(curve.recall_at(max(false, 1) / len(result.micrograph_names)))


def limits_table(ceiling: Ceiling) -> Table | None:
    """List what physics allows of a copy of each species."""
    rows = []
    for name, limits in ceiling.species.items():
        low, high = (number(d, digits=3) for d in limits.d_prime_range)
        spread = f" ({low} to {high})" if low != high else ""
        rows.append(
            [
                name,
                f"{number(limits.d_prime, digits=3)}{spread}",
                *(_limit(sigma, "Å") for sigma in (limits.sigma_y, limits.sigma_x)),
                _limit(limits.sigma_psi, "°"),
                "< 0.1 %" if limits.outliers < 0.001 else f"{100 * limits.outliers:.2g} %",
                "within reach" if limits.reachable else _out_of_reach(),
            ]
        )
    columns = ["", "d′ (range)", "limit of y", "limit of x", "limit of ψ", "gross outliers", "limits are"]
    caption = "The least standard deviation that position and angle of one copy can have (Cramér–Rao)"
    return Table(caption, columns, rows, words={6}) if rows else None


def _out_of_reach() -> str:
    return f"out of reach: below d′ = {LOWEST_REACHABLE:g} the highest peak is often not the particle’s"


def _limit(sigma: float, unit: str) -> str:
    return number(sigma if math.isfinite(sigma) else None, unit, digits=3)


def lattice_table(ceiling: Ceiling) -> Table | None:
    """List what physics allows of each crystal's lattice vectors."""
    rows = [
        [
            f"{name} ({plural(limits.sites, 'site')})",
            *(_limit(sigma, "Å") for sigma in (limits.sigma_a, limits.sigma_b, limits.sigma_origin)),
        ]
        for name, limits in ceiling.lattices.items()
    ]
    caption = "The least standard deviation that a lattice fitted to one micrograph can have"
    return Table(caption, ["", "limit of a", "limit of b", "limit of the origin"], rows) if rows else None
