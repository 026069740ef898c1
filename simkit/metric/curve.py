"""How a picker ranks what it sees, whatever its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from simkit.core.quantity import PositiveNumber
from simkit.judging.curve import average_precision, best_f1, recall_at
from simkit.metric.base import Comparison, Metric

TUNED_ON_TRUTH = frozenset({"oracle_f1", "oracle_threshold"})
"""Values whose threshold was chosen by looking at the truth, which nobody can do who has none."""


class Curve(Metric):
    """Scores over all thresholds, from the candidates that a picker keeps far below its own.

    `average_precision` is the area under the raw steps of precision over recall.
    `recall_at_equal_false` is the recall where false picks are at most `false_per_image` in a
    micrograph, which compares pickers of different boldness. `oracle_f1` is the best F1 that any
    threshold gives and `oracle_threshold` the highest one that does, in the picker's own scale: both
    are tuned on the truth. None of them exists where no candidates are kept, or one has no score.
    """

    kind: Literal["curve"] = "curve"

    false_per_image: PositiveNumber = 1.0
    """False picks per micrograph at which `recall_at_equal_false` is read off."""

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("average_precision", "recall_at_equal_false", "oracle_f1", "oracle_threshold"), "")
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`."""
        curve = comparison.curve
        if curve is None:
            return dict.fromkeys(self.units)
        best = best_f1(curve)
        return {
            "average_precision": average_precision(curve),
            "recall_at_equal_false": recall_at(curve, self.false_per_image),
            "oracle_f1": best[0] if best else None,
            "oracle_threshold": best[1] if best else None,
        }
