"""What was picked where no particle is, as the page tells it: counts against predictions, and ghosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simkit.core.grid import FloatArray, Grid
from simkit.engine.nulls import Ghost, NullRun, PickerNull
from simkit.reports import plates
from simkit.reports.elements import Illustration, Table
from simkit.reports.wording import MISSING, number
from simkit.statistics.counts import poisson_quantile

VARIANTS = {"noise_only": "noise alone", "phase_randomised": "phases drawn anew"}
"""Variant → what its micrographs hold."""

MADE_OF = {
    "noise_only": "noise alone holds the background and the noise of the scenario, and nothing else",
    "phase_randomised": (
        "in those with phases drawn anew, every frequency has the power that it has in the micrograph, but "
        "every shape is destroyed"
    ),
}
"""Variant → how its micrographs are made."""

HARDLY = 1e-3
"""Expected picks below which how many does not matter."""

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

    made_of: str
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
    made_of = "; ".join(MADE_OF[variant] for variant in dict.fromkeys(run.variant for run in nulls))
    table = Table(caption, columns, rows, words={1, 5})
    return NullView(made_of, table, list(_ghosts(nulls, pixel_size)))


def _row(run: NullRun, name: str, null: PickerNull) -> list[str]:
    low, high = poisson_range(null.predicted) if null.predicted is not None else (0, 0)
    return [
        name,
        f"{run.micrographs} of {VARIANTS[run.variant]}",
        _expected(null.predicted),
        MISSING if null.predicted is None else f"{low} to {high}",
        str(null.picks),
        null_verdict(null),
    ]


def _expected(predicted: float | None) -> str:
    if predicted is not None and predicted < HARDLY:
        return f"< {HARDLY:g}"
    return number(predicted, digits=3)


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
    low, high = poisson_quantile([0.025, 0.975], expected)
    return int(low), int(high)


def _ghosts(nulls: Sequence[NullRun], pixel_size: float) -> Iterator[GhostView]:
    """Show one ghost of each picker, the first: those of other variants look alike."""
    seen: set[str] = set()
    for run in nulls:
        for name, null in run.pickers.items():
            if null.ghost is not None and name not in seen:
                seen.add(name)
                yield _ghost(f"{name}, {VARIANTS[run.variant]}", run, null.ghost, pixel_size)


def _ghost(title: str, run: NullRun, ghost: Ghost, pixel_size: float) -> GhostView:
    source = "pure noise" if run.variant == "noise_only" else "micrographs whose phases were drawn anew"
    sentence = (
        f"This is the average of {ghost.boxes} boxes picked from {source}: the highest peaks, whether or not "
        "they pass the threshold. It looks like the template because the template chose them; it is no "
        f"evidence of particles. Its correlation with the template is {number(ghost.correlation, digits=2)}, "
        "where boxes cut at random would give about 0."
    )
    pictures = [
        _picture(ghost.average, f"The average of {ghost.boxes} boxes picked from {source}.", pixel_size),
        _picture(ghost.reference, f"The template {ghost.template}.", pixel_size),
    ]
    return GhostView(title, sentence, pictures)


def _picture(values: FloatArray, caption: str, pixel_size: float) -> Illustration:
    plate = plates.grey(values, Grid(values.shape, pixel_size), alt=caption, side=SIDE)
    return Illustration(plate, caption)
