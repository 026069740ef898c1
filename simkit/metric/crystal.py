"""Whether the picks on a crystal stand on the right sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from simkit.core.grid import FloatArray
from simkit.core.tables import Table
from simkit.judging.crystal import CrystalPicks, CrystalScore, judge_crystal
from simkit.matching.base import Match
from simkit.metric.base import Comparison, Indices, Metric


class Crystal(Metric):
    """Scores that see a picker whose every pick is one cell off, which positions alone call perfect.

    A crystal is what the truth lists of one class with indices in one micrograph. Its registry is the
    shift by whole cells that, undone, puts picks on the most sites, no shift where that does as well;
    where the picks carry indices it is the commonest difference of the site stood on less that claimed.

    `registry_shift_h` and `registry_shift_k` are the shift of most particles' crystals, in cells;
    `registry_ambiguous` is the share of particles in crystals for which another shift explains the picks
    as well, because they show no edge. `right_site` is the share of particles whose own pick stands on
    the right site: none of a crystal whose registry is shifted, unless its picks carry indices. With the
    registry put right, `occupancy_recall` is the share of occupied sites that have a pick, `off_by_cell`
    the pairs that are yet not right, and `vacancies_picked` the empty sites inside the convex hull of a
    crystal that have one. `cell_a_error` and `cell_b_error` are the lengths of the errors of the lattice
    vectors fitted to the picks against those fitted to the truth, root mean square over crystals, and
    `cell_error` is the larger. None of them exists in one dimension or without two-dimensional crystals.
    """

    kind: Literal["crystal"] = "crystal"

    units: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **dict.fromkeys(("registry_shift_h", "registry_shift_k", "registry_ambiguous"), ""),
            **dict.fromkeys(("right_site", "off_by_cell", "occupancy_recall", "vacancies_picked"), ""),
            **dict.fromkeys(("cell_error", "cell_a_error", "cell_b_error"), "Å"),
        }
    )

    def score(self, comparison: Comparison) -> dict[str, float | int | None]:
        """See `Metric.score`."""
        crystals = list(_crystals(comparison)) if comparison.ndim == 2 else []
        if not crystals:
            return dict.fromkeys(self.units)
        truths, pairs = (sum(getattr(c, name) for c in crystals) for name in ("truths", "pairs"))
        right = sum(c.right for c in crystals)
        return {
            **_registry(crystals),
            "right_site": right / truths,
            "off_by_cell": pairs - right,
            "occupancy_recall": pairs / truths,
            "vacancies_picked": sum(c.vacancies_picked for c in crystals),
            **_cell_errors([c.cell_error for c in crystals if c.cell_error is not None]),
        }


def _registry(crystals: list[CrystalScore]) -> dict[str, float | None]:
    weight: Counter[tuple[float, float]] = Counter()
    ambiguous = 0
    for crystal in crystals:
        if crystal.registry is not None:
            weight[crystal.registry.shift] += crystal.truths
            ambiguous += crystal.truths * crystal.registry.ambiguous
    if not weight:
        return dict.fromkeys(("registry_shift_h", "registry_shift_k", "registry_ambiguous"))
    h, k = min(weight, key=lambda shift: (-weight[shift], abs(shift[0]) + abs(shift[1]), shift))
    return {
        "registry_shift_h": h,
        "registry_shift_k": k,
        "registry_ambiguous": ambiguous / weight.total(),
    }


def _cell_errors(errors: list[FloatArray]) -> dict[str, float | None]:
    if not errors:
        return dict.fromkeys(("cell_error", "cell_a_error", "cell_b_error"))
    a, b = np.sqrt(np.mean(np.square(errors), axis=0)).tolist()
    return {"cell_error": max(a, b), "cell_a_error": a, "cell_b_error": b}


def _crystals(c: Comparison) -> Iterator[CrystalScore]:
    """Judge every crystal of every micrograph."""
    if np.isnan(c.truth["h"]).all():
        return
    truth_indices, claimed = (_columns(table, "h", "k") for table in (c.truth, c.picks))
    sites, positions = (_columns(table, "y", "x") for table in (c.truth, c.picks))
    picks_of = _rows_of(c.picks, "micrograph")
    matched = np.zeros(len(c.picks), bool)
    matched[c.match.pick] = True
    pair_of = np.full(len(c.truth), -1)
    pair_of[c.match.truth] = np.arange(len(c.match.truth))
    for name, rows in _rows_of(c.truth, "micrograph", "class").items():
        on_net = rows[np.isfinite(truth_indices[rows]).all(axis=1)]
        mine = picks_of.get(name[:1], np.zeros(0, np.intp))
        match = _within(c.match, pair_of[on_net], on_net, mine)
        elsewhere = matched[mine]
        elsewhere[match.pick] = False
        crystal = judge_crystal(
            truth_indices[on_net],
            sites[on_net],
            CrystalPicks(positions[mine], claimed[mine], elsewhere),
            match=match,
            radius=c.radius,
        )
        if crystal is not None:
            yield crystal


def _columns(table: Table, *names: str) -> FloatArray:
    return np.stack([table[name] for name in names], axis=1)


def _rows_of(table: Table, *columns: str) -> dict[tuple[str, ...], Indices]:
    """Return texts in some columns → the rows that hold them, in their order."""
    coded = [table.codes(name) for name in columns]
    keys, group = np.unique(np.stack([codes for codes, _ in coded]), axis=1, return_inverse=True)
    group = group.ravel()
    rows = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    texts = [[names[code] for code in key] for key, (_, names) in zip(keys, coded, strict=True)]
    return dict(zip(zip(*texts, strict=True), rows, strict=True)) if len(table) else {}


def _within(match: Match, pairs: Indices, truths: Indices, picks: Indices) -> Match:
    """Return the pairs of some truths, −1 where one has none, numbered within these truths and picks."""
    kept = pairs[pairs >= 0]
    return Match(
        np.searchsorted(truths, match.truth[kept]),
        np.searchsorted(picks, match.pick[kept]),
        match.distance[kept],
    )
