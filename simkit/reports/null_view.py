"""What was picked where no particle is, as the page tells it: counts against predictions, and ghosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scipy import stats

from simkit.core.grid import FloatArray, Grid
from simkit.engine.nulls import Ghost, NullRun, PickerNull
from simkit.reports import plates
from simkit.reports.elements import Illustration, Table
from simkit.reports.wording import MISSING, number

VARIANTS = {"noise_only": "noise alone", "phase_randomised": "phases drawn anew"}
"""Variant → what its micrographs hold."""

SIDE = 200
"""Pixels along a side of a ghost's picture."""


@dataclass(frozen=True)
class GhostView:
    """The average of boxes picked from noise, and the template that chose them."""

    title: str
    sentence: str
    pictures: Sequence[Illustration]


@dataclass(frozen=True)
class NullView:
    """What the null says."""

    table: Table
    ghosts: Sequence[GhostView]


def null_view(nulls: Sequence[NullRun], pixel_size: float) -> NullView | None:
    """Say everything about micrographs without particles; None if there are none.

    Parameters
    ----------
    nulls : sequence of NullRun
        Every variant that was searched.
    pixel_size : float
        Å.
    """
    rows = [_row(run, name, null) for run in nulls for name, null in run.pickers.items()]
    if not rows:
        return None
    columns = ["picker", "micrographs", "expected", "95 % of counts lie in", "counted", "which is"]
    caption = "Picks on micrographs that hold no particle: every one of them is false"
    return NullView(Table(caption, columns, rows, words={1, 5}), list(_ghosts(nulls, pixel_size)))


def _row(run: NullRun, name: str, null: PickerNull) -> list[str]:
    low, high = poisson_range(null.predicted) if null.predicted is not None else (0, 0)
    return [
        name,
        f"{run.micrographs} of {VARIANTS[run.variant]}",
        number(null.predicted, digits=3),
        MISSING if null.predicted is None else f"{low} to {high}",
        str(null.picks),
        null_verdict(null),
    ]


def null_verdict(null: PickerNull) -> str:
    """Say whether a picker made as many false picks as it expected."""
    if null.predicted is None:
        return "not predicted: its threshold promises nothing"
    low, high = poisson_range(null.predicted)
    if null.picks > high:
        return "✗ more than predicted"
    return "✓ as predicted" if null.picks >= low else "✓ fewer than predicted: the cut errs on the safe side"


def poisson_range(expected: float) -> tuple[int, int]:
    """Return the central 95 % of the counts of a Poisson law."""
    low, high = stats.poisson.interval(0.95, expected)
    return int(low), int(high)


def _ghosts(nulls: Sequence[NullRun], pixel_size: float) -> Iterator[GhostView]:
    for run in nulls:
        for name, null in run.pickers.items():
            if null.ghost is not None:
                yield _ghost(f"{name}, {VARIANTS[run.variant]}", run, null.ghost, pixel_size)


def _ghost(title: str, run: NullRun, ghost: Ghost, pixel_size: float) -> GhostView:
    source = "pure noise" if run.variant == "noise_only" else "micrographs whose phases were drawn anew"
    sentence = (
        f"This is the average of {ghost.boxes} boxes picked from {source}. It looks like the template "
        f"because the template chose them; it is no evidence of particles. Their correlation is "
        f"{number(ghost.correlation, digits=2)}, where boxes cut at random would give about 0."
    )
    pictures = [
        _picture(ghost.average, f"The average of {ghost.boxes} boxes picked from {source}.", pixel_size),
        _picture(ghost.reference, f"The template {ghost.template}.", pixel_size),
    ]
    return GhostView(title, sentence, pictures)


def _picture(values: FloatArray, caption: str, pixel_size: float) -> Illustration:
    plate = plates.grey(values, Grid(values.shape, pixel_size), alt=caption, side=SIDE)
    return Illustration(plate, caption)
