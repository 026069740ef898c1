"""The scores of a sweep as its figures and tables ask for them: by cell and picker, blind to class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simkit.sweeps.places import place_text
from simkit.sweeps.results import HIGH, LOW, AxisInfo, SweepResult

CEILING = {"f1": "f1", "recall": "recall", "precision": "precision", "recall_at_equal_false": "recall"}
"""Metric → what of the ideal observer it is held against."""

SHOWN = ("f1", "recall_at_equal_false", "recall", "precision", "rmse")
"""Metrics that are drawn, the most telling first."""

SHARES = frozenset(CEILING)
"""Metrics that lie between 0 and 1."""

Interval = tuple[float, float]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Scores:
    """What is drawn and told of a sweep.

    Attributes
    ----------
    result : SweepResult
        The sweep.
    cells : tuple of mapping
        Rows of its table of cells, in order.
    pickers : tuple of str
        In the scenario's order; those that nobody scored left out.
    by_cell : mapping
        (cell, picker) → row of the table of scores.
    ceilings : mapping
        Cell → row of the table of ceilings.
    """

    result: SweepResult
    cells: tuple[Row, ...]
    pickers: tuple[str, ...]
    by_cell: Mapping[tuple[int, str], Row]
    ceilings: Mapping[int, Row]

    @classmethod
    def of(cls, result: SweepResult) -> Scores:
        """Return the class-blind scores of a sweep."""
        told = [c for m in (*SHOWN, "rmse_bound") for c in (m, m + LOW, m + HIGH)]
        kept = [c for c in ("cell", "picker", "class", *told) if c in result.scores.column_names]
        rows = [row for row in result.scores.select(kept).to_pylist() if row["class"] == "all"]
        scored = {row["picker"] for row in rows}
        blind = [row for row in result.ceilings.to_pylist() if row["class"] == "all"]
        return cls(
            result=result,
            cells=tuple(result.cells.to_pylist()),
            pickers=tuple(name for name in result.scenario.pickers if name in scored),
            by_cell={(row["cell"], row["picker"]): row for row in rows},
            ceilings={row["cell"]: row for row in blind},
        )

    @property
    def axes(self) -> tuple[AxisInfo, ...]:
        """The sweep's axes."""
        return self.result.axes

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of `SHOWN` that exist anywhere."""
        return tuple(m for m in SHOWN if any(self.value(*key, m) is not None for key in self.by_cell))

    @property
    def fair(self) -> tuple[str, ...]:
        """The pickers that are no oracles."""
        return tuple(name for name in self.pickers if not self.oracle(name))

    def oracle(self, picker: str) -> bool:
        """Tell whether a picker was told what nobody knows."""
        return bool(self.result.scenario.pickers[picker].oracle)

    def value(self, cell: int, picker: str, metric: str) -> float | None:
        """Return a metric; None where it does not exist."""
        row = self.by_cell.get((cell, picker))
        return None if row is None else _finite(row.get(metric))

    def interval(self, cell: int, picker: str, metric: str) -> Interval | None:
        """Return its interval of 95 %; None where there is none."""
        row = self.by_cell.get((cell, picker), {})
        low, high = _finite(row.get(metric + LOW)), _finite(row.get(metric + HIGH))
        return None if low is None or high is None else (low, high)

    def limit(self, cell: int, metric: str) -> float | None:
        """Return what theory says is the best possible; None where it says nothing.

        Of shares that of the ideal observer, at as many false picks as `score.equal_false_picks` says; of the
        RMSE the lowest of the pickers' Cramér–Rao bounds, each of which is about the particles it found.
        """
        if metric == "rmse":
            bounds = [self.value(cell, picker, "rmse_bound") for picker in self.pickers]
            return min((bound for bound in bounds if bound is not None), default=None)
        return _finite(self.ceilings.get(cell, {}).get(CEILING[metric]))

    def place(self, row: Row, without: Sequence[AxisInfo] = ()) -> str:
        """Write where a row of a table is, on all axes but some."""
        return place_text([axis for axis in self.axes if axis not in without], row)


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
