"""One picker before the judge: its rows sorted into those that count and those that do not, and matched."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from simkit.core.grid import Grid
from simkit.core.tables import Picks, Truth
from simkit.judging.chance import SQUARE_MICROMETRE
from simkit.judging.clusters import Clusters, clusters_of
from simkit.judging.ignore import border_distance, ignored_picks, ignored_truth, in_mask, judged_area
from simkit.matching.base import Match
from simkit.matching.rules import match
from simkit.metric.base import Comparison
from simkit.scenario.spec import Score

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Rows = TypeVar("Rows", Truth, Picks)


@dataclass(frozen=True)
class Setting:
    """What a judgement is about besides the picks: the same for every picker.

    Attributes
    ----------
    score : Score
        Radius, rule, metrics, and what is ignored.
    classes : tuple of str
        Classes to score one by one, besides the class-blind "all".
    symmetry : mapping
        Class → Cn or point group.
    micrographs : tuple of str
        All that are judged, those without any point too.
    grids : mapping
        Micrograph → its grid; empty where nothing says how large they are.
    ndim : int
        1 or 2.
    complete : bool
        Whether the truth holds every particle of the micrographs that are judged.
    unjudged : frozenset of str
        Micrographs of which no truth is known: picks on them count nowhere.
    mask : array of bool or None
        False where nothing is judged.
    seed : int
        Of the intervals' resampling.
    details : bool
        Whether curves against the radius, strata, confusion and other programs' rules are wanted too.
    """

    score: Score
    classes: tuple[str, ...] = ()
    symmetry: Mapping[str, str] = field(default_factory=dict)
    micrographs: tuple[str, ...] = ("",)
    grids: Mapping[str, Grid] = field(default_factory=dict)
    ndim: int = 2
    complete: bool = True
    unjudged: frozenset[str] = frozenset()
    mask: Mask | None = None
    seed: int = 0
    details: bool = True

    @property
    def sized(self) -> bool:
        """Whether the size of every judged micrograph is known."""
        return all(name in self.grids for name in self.micrographs)

    @functools.cached_property
    def area(self) -> float | None:
        """Area where picks are judged, of all micrographs, in µm² (µm in one dimension).

        The strip along the border and what the mask hides are no part of it: no pick there is false. None
        if a size is unknown, or nothing is left.
        """
        if not self.sized:
            return None
        grids = Counter(self.grids[name] for name in self.micrographs)
        border = self.score.ignore.border
        whole = sum(many * judged_area(grid, border=border, mask=self.mask) for grid, many in grids.items())
        return whole / SQUARE_MICROMETRE ** (self.ndim / 2) or None

    @property
    def extents(self) -> dict[str, tuple[float, ...]]:
        """Micrograph → its height and width in Å."""
        return {name: grid.extent for name, grid in self.grids.items()}


@dataclass(frozen=True)
class Answer:
    """What one picker gave, and what it was given.

    Attributes
    ----------
    picks : Picks
        All micrographs.
    candidates : Picks or None
        The same list kept down to a low level.
    sought : tuple of str or None
        Classes that it looks for; None for whatever there is.
    knows, oracle, threshold
        See `Judgement`.
    score_sd : float or None
        Standard deviation of its score where there is only noise.
    """

    picks: Picks
    candidates: Picks | None = None
    sought: tuple[str, ...] | None = None
    knows: tuple[str, ...] = ()
    oracle: bool = False
    threshold: str = ""
    score_sd: float | None = None


class Court:
    """One picker's rows sorted into those that count and those that do not, and matched once."""

    def __init__(self, truth: Truth, answer: Answer, setting: Setting) -> None:
        self.truth, self.answer, self.setting = truth, answer, setting
        ignore = setting.score.ignore
        border = self._border(truth)
        self.forgiven = ignored_truth(
            truth if border is None else truth.replace(border=border),
            border=ignore.border,
            edge=ignore.edge,
            overlap=ignore.overlap,
            classes=ignore.classes,
            outside=self._masked(truth),
        )
        self.left_out = self.forgiven | self._untargeted()
        self.pick_border = self._border(answer.picks)
        self.match, self.ignored_picks = self._matched(answer.picks, self.pick_border)
        self.clusters, self.truth_cluster, self.pick_cluster = self._clustered()

    def _clustered(self) -> tuple[Clusters, Indices, Indices]:
        """Return what intervals resample and which cluster each row is in; −1 for picks nobody judges."""
        setting, picks = self.setting, self.answer.picks
        clusters, (of_truth, of_judged) = clusters_of(
            setting.micrographs,
            setting.extents or None,
            [self.truth, _only(picks, ~self.ignored_picks)],
            ndim=setting.ndim,
        )
        of_picks = np.full(len(picks), -1)
        of_picks[~self.ignored_picks] = of_judged
        # A pair across the border of two tiles counts where its particle is.
        of_picks[self.match.pick] = of_truth[self.match.truth]
        return clusters, of_truth, of_picks

    def _untargeted(self) -> Mask:
        """Tell which truths nobody asked the picker for: they cannot be missed."""
        sought = self.answer.sought
        if sought is None:
            return np.zeros(len(self.truth), bool)
        return ~self.truth.labels("class").among(("", *sought))

    def _border(self, table: Truth | Picks) -> npt.NDArray[np.float64] | None:
        """Return every row's distance to the border of its micrograph in Å; None if sizes are unknown."""
        if not self.setting.sized:
            return None
        distance = np.full(len(table), np.nan)
        codes, names = table.codes("micrograph")
        grids = self.setting.grids
        for grid in {grids[name] for name in names if name in grids}:
            rows = np.array([grids.get(name) == grid for name in names], bool)[codes]
            distance[rows] = border_distance(
                table["y"][rows], table["x"][rows], shape=grid.shape, pixel_size=grid.pixel_size
            )
        return distance

    def _masked(self, table: Truth | Picks) -> Mask | None:
        """Tell which rows lie where the mask forbids judging."""
        mask, grids = self.setting.mask, self.setting.grids
        if mask is None:
            return None
        pixel = next(iter(grids.values())).pixel_size
        return ~in_mask(table["y"], table["x"], mask, pixel)

    def _matched(self, picks: Picks, border: npt.NDArray[np.float64] | None) -> tuple[Match, Mask]:
        """Match what counts, blind to class; return it by rows of the whole tables, and what is ignored."""
        score = self.setting.score
        unjudged = picks.labels("micrograph").among(self.setting.unjudged)
        pairs = self._pair(~self.left_out, ~unjudged, picks)
        strip = score.ignore.border
        region = np.zeros(len(picks), bool) if border is None or strip == 0 else border < strip
        if (outside := self._masked(picks)) is not None:
            region |= outside
        ignored = ignored_picks(
            self.truth,
            picks,
            match=pairs,
            forgiven=self.forgiven,
            region=region,
            radius=score.radius,
            ndim=self.setting.ndim,
        )
        return pairs, ignored | unjudged

    def _pair(self, truths: Mask, rows: Mask, picks: Picks) -> Match:
        """Match some truths with some picks; row numbers are those of the whole tables."""
        score = self.setting.score
        found = match(
            _only(self.truth, truths),
            _only(picks, rows),
            radius=score.radius,
            rule=score.rule,
            ndim=self.setting.ndim,
        )
        t, p = np.flatnonzero(truths), np.flatnonzero(rows)
        return Match(t[found.truth], p[found.pick], found.distance)

    @functools.cached_property
    def blind(self) -> Comparison:
        """The comparison of all rows, blind to class."""
        return self.compare(None)

    def compare(self, name: str | None) -> Comparison:
        """Compare the rows of one class, or of all blind to class."""
        setting, picks = self.setting, self.answer.picks
        truths, rows = ~self.left_out, ~self.ignored_picks
        if name is not None:
            truths, rows = (
                counted & table.labels("class").among([name])
                for counted, table in ((truths, self.truth), (rows, picks))
            )
        found = _only(picks, rows)
        pairs = self.match if name is None else self._pair(truths, rows, picks)
        return Comparison(
            truth=_only(self.truth, truths),
            picks=found,
            match=_renumbered(pairs, truths, rows),
            radius=setting.score.radius,
            symmetry=setting.symmetry,
            ndim=setting.ndim,
            complete=setting.complete,
            ignored_truths=self._left(name, self.truth, truths),
            ignored_picks=self._left(name, picks, rows),
            truth_cluster=self.truth_cluster[truths],
            pick_cluster=self.pick_cluster[rows],
            clusters=self.clusters.count,
            candidates=found if self.answer.candidates is picks else self._candidates(name),
            images=len(setting.micrographs),
            area=setting.area,
            score_sd=self.answer.score_sd,
            pixel_size=next((grid.pixel_size for grid in setting.grids.values()), None),
        )

    def _left(self, name: str | None, table: Truth | Picks, counted: Mask) -> int:
        """Count the rows of a class that are left out."""
        of_class = np.ones(len(table), bool) if name is None else table.labels("class").among([name])
        return int((of_class & ~counted).sum())

    @functools.cached_property
    def _counted_candidates(self) -> Picks | None:
        """The candidates that are not ignored."""
        everything = self.answer.candidates
        if everything is None:
            return None
        return _only(everything, ~self._matched(everything, self._border(everything))[1])

    def _candidates(self, name: str | None) -> Picks | None:
        """Return the counted candidates of a class, or all."""
        counted = self._counted_candidates
        if counted is None or name is None:
            return counted
        return _only(counted, counted.labels("class").among([name]))


def _only(table: Rows, counted: Mask) -> Rows:
    """Return the rows that count: the table itself, and no copy, where all do."""
    return table if counted.all() else table.take(counted)


def _renumbered(pairs: Match, truths: Mask, picks: Mask) -> Match:
    """Return pairs by rows of the tables' selected rows alone."""
    t, p = np.cumsum(truths) - 1, np.cumsum(picks) - 1
    return Match(t[pairs.truth], p[pairs.pick], pairs.distance)
