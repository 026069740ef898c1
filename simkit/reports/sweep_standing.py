"""Which picker is best in every cell, and which others it is surely better than."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simkit.reports.elements import Table
from simkit.reports.sweep_table import Scores
from simkit.reports.wording import sure
from simkit.sweeps.duels import OWN, Duel
from simkit.sweeps.places import value_text


@dataclass(frozen=True)
class Standing:
    """How the pickers stand in one cell, by F1 at their own thresholds.

    Attributes
    ----------
    best : str
        The one with the highest value; the first of several.
    beaten, near : tuple of str
        Those that it is better than by the interval of their difference, and those that it is not told
        apart from.
    """

    best: str
    beaten: tuple[str, ...]
    near: tuple[str, ...]

    @property
    def sure(self) -> bool:
        """Whether it is better than every other."""
        return not self.near


def standings(scores: Scores, duels: Sequence[Duel]) -> dict[int, Standing]:
    """Return cell → how the pickers stand in it; cells with fewer than two of them are left out."""
    winners = {
        (tuple(duel.place.items()), frozenset((duel.a, duel.b))): duel.winner
        for duel in duels
        if duel.basis == OWN and duel.metric == "f1"
    }
    found = {}
    for cell in scores.cells:
        values = {p: v for p in scores.fair if (v := scores.value(cell["cell"], p, "f1")) is not None}
        if len(values) < 2:
            continue
        best = max(values, key=lambda picker: values[picker])
        place = tuple((a.name, cell[a.name]) for a in scores.axes if cell[a.name] is not None)
        beaten = tuple(p for p in values if p != best and winners.get((place, frozenset((best, p)))) == best)
        near = tuple(p for p in values if p != best and p not in beaten)
        found[cell["cell"]] = Standing(best, beaten, near)
    return found


def standing_table(scores: Scores, found: dict[int, Standing], most: int) -> Table | None:
    """Tell of every cell which picker is best and how sure that is; None where nothing is compared."""
    if not found:
        return None
    axes = scores.axes
    rows = [
        [
            str(cell["cell"]),
            *(value_text(axis, cell[axis.name]) for axis in axes),
            standing.best,
            sure(
                scores.value(cell["cell"], standing.best, "f1"),
                scores.interval(cell["cell"], standing.best, "f1"),
            ),
            ", ".join(standing.beaten) or "none",
            ", ".join(standing.near) or "none",
        ]
        for cell in scores.cells
        if (standing := found.get(cell["cell"])) is not None
    ]
    columns = ["cell", *(axis.name for axis in axes), "best in F1", "its F1 [95 %]"]
    columns += ["surely better than", "not told apart from"]
    words = {len(axes) + 1, len(axes) + 3, len(axes) + 4}
    caption = "Where each one wins: the picker with the highest F1 in every cell"
    if len(rows) > most:
        caption += f" (the first {most} of {len(rows)})"
    return Table(caption, columns, rows[:most], words=words)
