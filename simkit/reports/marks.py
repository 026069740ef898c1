"""What became of every pick and every particle, and how it is marked: colour and shape together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.core.holes import Holes
from simkit.core.tables import Array, Picks, Table, Truth
from simkit.engine.results import Mask, RunResult
from simkit.reports import plates
from simkit.reports.elements import Layer

STYLES = {
    "hit": ("found: a pick of the right class near a particle", "circle", "sky"),
    "wrong": ("wrong class: near a particle, but of another class", "diamond", "purple"),
    "false": ("false: a pick with no particle near it", "cross", "vermillion"),
    "unlabelled": ("unlabelled: a pick near none of the known particles", "square", "green"),
    "missed": ("missed: a particle looked for that no pick is near", "triangle", "orange"),
    "ignored": ("ignored: a pick counted neither as a hit nor as false", "hexagon", "grey"),
    "excused": ("ignored: a particle counted neither as found nor as missed", "wedge", "grey"),
    "pick": ("pick, not judged", "plus", "sky"),
}
"""Outcome → what it means, its shape, its colour."""

OF_TRUTH = ("missed", "excused")
"""Outcomes of particles; all others are of picks."""


@dataclass(frozen=True)
class Outcomes:
    """Rows of the run's picks and truth, sorted by what became of them.

    Attributes
    ----------
    picks, truth : Picks, Truth
        All micrographs.
    rows : mapping
        Outcome → row numbers: of the truth for those in `OF_TRUTH`, else of the picks.
    pairs : array, shape (n, 2)
        (truth row, pick row) of every hit.
    """

    picks: Picks
    truth: Truth
    rows: dict[str, Array]
    pairs: Array

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield (outcome, its rows as a table)."""
        for outcome, rows in self.rows.items():
            yield outcome, (self.truth if outcome in OF_TRUTH else self.picks).take(rows)

    def displacements(self) -> tuple[FloatArray, FloatArray]:
        """Return pick − truth of every hit in Å, as (y, x)."""
        truth, pick = self.pairs.T
        return (
            self.picks["y"][pick] - self.truth["y"][truth],
            self.picks["x"][pick] - self.truth["x"][truth],
        )

    def scores(self) -> dict[str, FloatArray]:
        """Return the scores of the picks of every outcome that has any; not every list has scores."""
        scores = {o: t["score"] for o, t in self.tables() if isinstance(t, Picks)}
        finite = {outcome: values[np.isfinite(values)] for outcome, values in scores.items()}
        return {outcome: values for outcome, values in finite.items() if len(values)}


def sought(result: RunResult, picker: str) -> tuple[str, ...]:
    """Return the classes that a picker looks for; all there are, where it looks for whatever there is."""
    scenario = result.scenario
    classes = scenario.pickers[picker].sought({name: banks[0].finds for name, banks in result.banks.items()})
    if classes is not None:
        return classes
    return tuple(scenario.specimen) or tuple(name for name in result.truth.codes("class")[1] if name)


def unmatched(result: RunResult) -> str:
    """Name the outcome of a pick near no particle, which is false only if none is missing from the truth."""
    return "false" if result.scenario.truth_is_complete else "unlabelled"


def outcomes_of(result: RunResult, picker: str) -> Outcomes:
    """Sort a picker's picks, and the particles it looked for and missed, by outcome."""
    picks, truth = result.pickers[picker].picks, result.truth
    judgement = result.judgements.get(picker)
    if judgement is None:
        return Outcomes(picks, truth, {"pick": np.arange(len(picks))}, np.empty((0, 2), int))
    unjudged = np.isin(picks["micrograph"], list(result.unjudged))
    ignored, excused = _rows(judgement.ignored_picks, picks), _rows(judgement.ignored_truth, truth)
    pairs = np.stack([judgement.match.truth, judgement.match.pick], axis=1)
    pairs = pairs[~excused[pairs[:, 0]] & ~ignored[pairs[:, 1]]]
    known = truth["class"][pairs[:, 0]]
    right = (known == picks["class"][pairs[:, 1]]) | (known == "")
    wanted = np.isin(truth["class"], ("", *sought(result, picker)))
    rows = {
        "hit": np.sort(pairs[right, 1]),
        "wrong": np.sort(pairs[~right, 1]),
        unmatched(result): np.setdiff1d(np.flatnonzero(~unjudged & ~ignored), pairs[:, 1]),
        "missed": np.setdiff1d(np.flatnonzero(wanted & ~excused), pairs[:, 0]),
    }
    # Of the classes that the picker was not asked for, those alone that the scenario says to ignore.
    ignoring = result.scenario.score.ignore.classes if result.scenario.score else ()
    shown = excused & (wanted | np.isin(truth["class"], ignoring))
    rare = {"ignored": ignored & ~unjudged, "excused": shown, "pick": unjudged}
    rows |= {outcome: np.flatnonzero(of_rows) for outcome, of_rows in rare.items() if of_rows.any()}
    return Outcomes(picks, truth, rows, pairs[right])


def _rows(ignored: Mask, table: Table) -> Mask:
    """Return which rows of a table are ignored: none, where nothing is said of them."""
    return ignored if len(ignored) else np.zeros(len(table), bool)


def layers(outcomes: Outcomes, grid: Grid, micrograph: str, radius: float) -> list[Layer]:
    """Mark one micrograph.

    Parameters
    ----------
    outcomes : Outcomes
        Of one picker.
    grid : Grid
        Of the micrograph.
    micrograph : str
        Its name.
    radius : float
        Radius in Å of the particles looked for; symbols are of about that size.
    """
    size = float(np.clip(radius / grid.pixel_size * plates.units_per_pixel(grid), 10, 45))
    return [
        _layer(outcome, table.take(table["micrograph"] == micrograph), len(table), grid, size)
        for outcome, table in outcomes.tables()
    ]


def _layer(outcome: str, table: Table, total: int, grid: Grid, size: float) -> Layer:
    meaning, symbol, tone = STYLES[outcome]
    across, down = plates.to_units(grid, table["y"], table["x"])
    inner = size if symbol == "circle" else max(0.7 * size, 10)
    drawn = plates.marks(symbol, across, down, inner, (_title(outcome, row) for row in table.rows()))
    return Layer(f"{meaning} ({count_text(len(table), total)})", symbol, tone, drawn)


def count_text(here: int, total: int) -> str:
    """Write a count on the shown micrograph and, where it differs, over all of them."""
    return f"{here}" if here == total else f"{here} here, {total} on all micrographs"


def _title(outcome: str, row: dict[str, Any]) -> str:
    words = f"{outcome}: {row['class']}"
    if "score" in row:
        words += f", score {row['score']:.4g}"
    if row.get("runner_up"):
        words += f", {100 * row['certainty']:.3g} % sure, against {row['runner_up']}"
    return f"{words}, y {row['y']:.1f} Å, x {row['x']:.1f} Å"


def crosses(picks: Picks, grid: Grid, micrograph: str) -> Layer:
    """Mark the peaks that became picks with crosses, as the lecture does."""
    mine = picks.take(picks["micrograph"] == micrograph)
    across, down = plates.to_units(grid, mine["y"], mine["x"])
    size = float(np.clip(160 / np.sqrt(max(len(mine), 1)), 10, 20))
    titles = (_title("peak", row) for row in mine.rows())
    return Layer(
        f"peaks above the threshold ({len(mine)})",
        "sight",
        "white",
        plates.marks("sight", across, down, size, titles),
    )


def vacancies(holes: Holes, grid: Grid, micrograph: str, radius: float) -> Layer:
    """Mark the sites of a fitted lattice at which a picker found nothing."""
    mine = holes.take(holes["micrograph"] == micrograph)
    across, down = plates.to_units(grid, mine["y"], mine["x"])
    size = float(np.clip(0.5 * radius / grid.pixel_size * plates.units_per_pixel(grid), 8, 30))
    titles = (f"hole: h {row['h']}, k {row['k']}" for row in mine.rows())
    drawn = plates.marks("square", across, down, size, titles)
    return Layer(
        f"hole: a site of the fitted lattice without a pick ({count_text(len(mine), len(holes))})",
        "square",
        "white",
        drawn,
    )
