"""What other programs' rules say of the same picks, as the page tells it."""

from __future__ import annotations

from collections.abc import Sequence

from simkit.matching.published.base import PublishedScore
from simkit.reports.elements import Table
from simkit.reports.wording import number


def published_table(picker: str, scores: Sequence[PublishedScore]) -> Table | None:
    """List what every published rule says of a picker's picks; None where none was asked."""
    if not scores:
        return None
    rows = [
        [
            s.title,
            *(number(count, digits=6) for count in (s.tp, s.fp, s.fn)),
            *(number(rate, digits=3) for rate in (s.precision, s.recall, s.f1)),
            s.defect or "none",
        ]
        for s in scores
    ]
    columns = ["rule of", "TP", "FP", "FN", "precision", "recall", "F1", "its defect"]
    return Table(
        f"The picks of {picker}, judged by other programs’ published rules", columns, rows, words={7}
    )
