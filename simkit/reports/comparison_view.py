"""Which picker is better, by how much and how surely, as the page tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simkit.judging.comparison import PairedComparison
from simkit.reports import canvas
from simkit.reports.elements import Illustration, Plot, Table
from simkit.reports.wording import name_of, number, sure

EQUAL = "equal false picks"
"""The basis on which thresholds play no part."""

MARKERS = {"recall": ("o", canvas.BLUE), "precision": ("s", canvas.VERMILLION), "f1": ("D", "black")}
"""Metric → shape and colour of its dots."""

LEAST_REACH = 0.02
"""Difference that the axis of the forest plot reaches at least, either way."""

MOST_ROWS = 30
"""Rows that the forest plot can hold on each side; the table has all."""


@dataclass(frozen=True)
class ComparisonView:
    """The comparison of pickers."""

    sentences: Sequence[str]
    forest: Illustration | None
    table: Table


def comparison_view(comparisons: Sequence[PairedComparison]) -> ComparisonView | None:
    """Say everything about the comparison of pickers; None of fewer than two."""
    if not comparisons:
        return None
    return ComparisonView(
        [sentence(c) for c in _told(comparisons)],
        _forest([c for c in comparisons if c.difference is not None]),
        _table(comparisons),
    )


def _told(comparisons: Sequence[PairedComparison]) -> list[PairedComparison]:
    """Return the comparisons that are put in words: recall, at equal false picks where there is such."""
    recall = [c for c in comparisons if c.metric == "recall" and c.difference is not None]
    return [c for c in recall if c.basis == EQUAL] or recall


def sentence(comparison: PairedComparison) -> str:
    """Put a difference of recall in words, the better picker first."""
    c = comparison
    if c.difference is None:
        return f"{c.a} and {c.b} cannot be compared."
    better, worse = (c.a, c.b) if c.difference >= 0 else (c.b, c.a)
    size = number(abs(c.difference), digits=2)
    found = f"{better} finds {size} more of the particles than {worse}"
    if c.difference == 0:
        found = f"{c.a} and {c.b} find equally many of the particles"
    if c.interval is None:
        few = "; one micrograph or tile cannot say how surely" if c.clusters < 2 else ""
        return f"{found} {_basis(c.basis)}{few}."
    low, high = c.interval if c.difference >= 0 else (-c.interval[1], -c.interval[0])
    surely = f"(95 %: {number(low, digits=2)} to {number(high, digits=2)}) {_basis(c.basis)}"
    doubt = ", which may be chance" if low <= 0 <= high and c.difference else ""
    return f"{found} {surely}{doubt}."


def _basis(basis: str) -> str:
    return f"at {'their ' if basis.startswith('own') else ''}{basis}"


def _forest(comparisons: Sequence[PairedComparison]) -> Illustration | None:
    if not comparisons:
        return None
    bases = list(dict.fromkeys(c.basis for c in comparisons))
    sides = [[c for c in comparisons if c.basis == basis][:MOST_ROWS] for basis in bases]
    bounds = [bound for c in comparisons for bound in (c.difference or 0.0, *(c.interval or ()))]
    reach = 1.05 * max(LEAST_REACH, *map(abs, bounds))
    tallest = max(map(len, sides))

    def paint(figure: Figure) -> None:
        for axes, basis, members in zip(
            figure.subplots(1, len(bases), squeeze=False).ravel(), bases, sides, strict=True
        ):
            axes.set(title=_basis(basis), xlabel="difference", xlim=(-reach, reach))
            _rows(axes, members)

    size = {"width": 4.6 * len(bases), "height": 1.0 + 0.26 * tallest}
    caption = (
        "Differences of two pickers on the same micrographs, with their 95 % intervals. Right of the line "
        "the first is better, left of it the second; an interval that crosses the line leaves it open."
    )
    words = "; ".join(f"{_who(c)}, {c.basis}: {number(c.difference, digits=2)}" for c in comparisons)
    return Illustration(Plot(f"Paired differences. {words}", canvas.draw(paint, **size)), caption)


def _rows(axes: Axes, members: Sequence[PairedComparison]) -> None:
    for place, c in enumerate(members):
        shape, colour = MARKERS.get(c.metric, ("^", canvas.GREEN))
        if c.interval is not None:
            axes.plot(c.interval, [place, place], color=colour, linewidth=1.8)
        axes.plot([c.difference or 0.0], [place], shape, color=colour, markersize=6)
    axes.axvline(0, color="0.3", linewidth=0.9)
    axes.set_ylim(len(members) - 0.5, -0.5)
    axes.set_yticks(np.arange(len(members)), [_who(c) for c in members])
    axes.grid(axis="x", color="0.9")


def _who(comparison: PairedComparison) -> str:
    return f"{comparison.a} − {comparison.b}, {name_of(comparison.metric)}"


def _table(comparisons: Sequence[PairedComparison]) -> Table:
    rows = [
        [
            f"{c.a}\u00a0−\u00a0{c.b}",
            c.basis.replace(" ", "\u00a0"),
            name_of(c.metric),
            sure(c.difference, c.interval),
            number(c.p, digits=2),
            number(c.p_holm, digits=2),
            str(c.only_a),
            str(c.only_b),
            number(c.p_mcnemar, digits=2),
        ]
        for c in comparisons
    ]
    columns = ["pickers", "at", "of", "difference [95 %]", "p", "p (Holm)"]
    columns += ["only the first found", "only the second found", "p (McNemar)"]
    caption = (
        "Every comparison: the difference first, then how often chance alone would give one as large "
        "(sign-flip permutation; Holm: corrected for all comparisons), and the particles that one of the two "
        "alone found"
    )
    return Table(caption, columns, rows, words={1, 2})
