"""Rough peaks worked out on full pixels, each once: climbs to exact scores, then to the likeliest place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy import ndimage

from simkit.core.grid import FloatArray
from simkit.correlation.likelihood import Likelihood
from simkit.correlation.normalised import ratio
from simkit.correlation.padding import boxes_around
from simkit.correlation.peaks import Indices, Peak
from simkit.correlation.refinement import Field, Probe, Start, Summit, climb, fitted, heights, peaks_at
from simkit.correlation.search import Scan
from simkit.correlation.subpixel import quadratic_peak

RELATIVE_MARGIN = 0.08
"""Share of its score by which a peak of the fast search may differ from the exact one."""

NOISE_MARGIN = 0.5
"""Standard deviations of the noise by which it may differ besides."""

MOST_STARTS = 4
"""Places and angles from which one peak is climbed: all angles of a round template are alike."""

TOGETHER = 8
"""Rough peaks that are worked out in one go: enough that two threads share the work well."""

MayStand = Callable[[FloatArray, int], bool]
T = TypeVar("T")


@dataclass(frozen=True)
class RoughPeaks:
    """Local maxima of a scan, not yet exact.

    Attributes
    ----------
    index : array of int, shape (n, ndim)
        Sample of the scan.
    position : array, shape (n, ndim)
        Å.
    height : array, shape (n,)
        Score at the top between the samples.
    """

    index: Indices
    position: FloatArray
    height: FloatArray


def margin(score: FloatArray | float, noise_sd: float, rise: FloatArray | float = 0.0) -> FloatArray | float:
    """Return by how much an exact peak may be higher than in the fast search; it rises between views."""
    # What a peak rises between coarse angles may take half of the margin.
    return np.maximum(RELATIVE_MARGIN, 2 * rise) * np.abs(score) + NOISE_MARGIN * noise_sd


class _Once(Generic[T]):
    """Answers for rows, each worked out once, several of them together."""

    def __init__(self, answers: Callable[[list[int]], Sequence[T]]) -> None:
        self._answers = answers
        self._known: dict[int, T] = {}

    def __call__(self, rows: Sequence[int]) -> list[T]:
        fresh = [i for i in rows if i not in self._known]
        if fresh:
            self._known.update(zip(fresh, self._answers(fresh), strict=True))
        return [self._known[i] for i in rows]


class ExactPeaks:
    """Rough peaks worked out on full pixels, each once; rows asked for together are of one template."""

    def __init__(
        self, found: Scan, field: Field, probes: Sequence[Probe], rough: RoughPeaks, may_stand: MayStand
    ) -> None:
        self.found, self.field, self.rough, self.may_stand = found, field, rough, may_stand
        self.winner: Indices = found.winner[tuple(rough.index.T)].astype(np.intp)
        self.probes = probes
        self.likelihood = Likelihood(field, field.noise)
        self.summits = _Once(self._summits)
        self.highest = _Once(self._highest)
        self.seen = _Once(self._seen)
        self.promises = _Once(self._promises)
        self.starts = _Once(self._starts)

    def shared_out(self, peaks: Callable[[list[int]], list[Peak | None]], rows: Indices) -> list[Peak | None]:
        """Return the peaks of rows of any template, in their order; threads share them out, few at a time."""
        own = [rows[self.winner[rows] == template] for template in range(len(self.probes))]
        shares = [of[i : i + TOGETHER].tolist() for of in own for i in range(0, len(of), TOGETHER)]
        with ThreadPoolExecutor(self.found.workers) as pool:
            found = dict(
                zip(itertools.chain(*shares), itertools.chain(*pool.map(peaks, shares)), strict=True)
            )
        return [found[i] for i in rows.tolist()]

    def exact(self, rows: Sequence[int], *, floor: float) -> list[Peak | None]:
        """Return the exact peaks near rough ones, None where they cannot reach the floor."""
        hoped = [i for i, promise in zip(rows, self.promises(rows), strict=True) if promise >= floor]
        tops = {i: top for i, top in zip(hoped, self.summits(hoped), strict=True) if top is not None}
        if not tops:
            return [None] * len(rows)
        lowest, rise = floor / (1 + RELATIVE_MARGIN), 1 + self._probe(rows).rise
        high = [
            i
            for (i, top), height in zip(tops.items(), heights(list(tops.values())), strict=True)
            if top.score * rise >= lowest and height >= lowest
        ]
        peaks = dict(zip(high, self.highest(high), strict=True))
        return [peaks.get(i) for i in rows]

    def near(self, rows: Sequence[int], *, below: float) -> list[Peak | None]:
        """Return the nearest peaks, reached from the likeliest starts alone, if lower than a score."""
        starts = [of[0] for of in self.starts(rows)]
        peaks = self._standing(rows, climb(self.field, self._probe(rows), starts))
        return [peak if peak and peak.score < below else None for peak in peaks]

    def _probe(self, rows: Sequence[int]) -> Probe:
        return self.probes[self.winner[rows[0]]]

    def _highest(self, rows: Sequence[int]) -> list[Peak | None]:
        # Only from where a pick may be is it worth looking further, across a dip.
        probe, tops = self._probe(rows), self.summits(rows)
        begun = [(top.place, top.view) for top in tops if top is not None]
        further = iter(climb(self.field, probe, begun, radius=2))
        return self._standing(rows, [top and next(further) for top in tops], likeliest=probe.rigid)

    def _standing(
        self, rows: Sequence[int], tops: Sequence[Summit | None], *, likeliest: bool = False
    ) -> list[Peak | None]:
        probe = self._probe(rows)
        standing = {i: top for i, top in zip(rows, tops, strict=True) if top is not None and top.score > 0}
        if not standing:
            return [None] * len(rows)
        summits = list(standing.values())
        peaks = peaks_at(self.field, probe, summits, int(self.winner[rows[0]]))
        if likeliest:
            peaks = self.likelihood.at_tops(probe, summits, peaks)
        kept = {
            i: peak
            for i, peak in zip(standing, peaks, strict=True)
            if self.may_stand(peak.position, peak.template)
        }
        return [kept.get(i) for i in rows]

    def _summits(self, rows: Sequence[int]) -> list[Summit | None]:
        field, grid = self.field, self.found.grid
        starts = self.starts(rows)
        climbed = iter(climb(field, self._probe(rows), [start for of in starts for start in of]))
        step = grid.pixel_size / field.frame.image.pixel_size
        highest = []
        for i, of in zip(rows, starts, strict=True):
            summits = [s for s in itertools.islice(climbed, len(of)) if s is not None]
            # A summit further off is another candidate's; it must not take the place of a lower one here.
            own = [s for s in summits if np.abs(s.place - self._pixel(i)).max() <= step + 1]
            highest.append(max(own or summits, key=lambda s: s.score, default=None))
        return highest

    def _promises(self, rows: Sequence[int]) -> list[float]:
        """Return bounds of the exact scores, from all angles on the search's own grid."""
        windows = []
        for _, scores in self.seen(rows):
            middle = scores[(1,) * (scores.ndim - 1)]
            views = fitted(self._probe(rows).bank, int(middle.argmax()))
            window = np.moveaxis(scores[..., views], -1, 0)
            windows.append(window if len(views) == 3 else window[0])
        tops = quadratic_peak(np.stack(windows))[1]
        return [float(top + margin(top, self.found.noise_sd)) for top in tops]

    def _seen(self, rows: Sequence[int]) -> list[tuple[list[Indices], FloatArray]]:
        """Return the pixels of rough peaks' samples and their neighbours, and all views' scores there."""
        found, probe = self.found, self._probe(rows)
        bank = found.banks[self.winner[rows[0]]]
        box = bank.basis.shape[1:]
        samples = self.rough.index[list(rows)] + np.array(found.start)
        patches = boxes_around(found.samples, samples, box)
        step = found.grid.pixel_size / self.field.frame.image.pixel_size
        pixels = [
            [np.rint((s + np.arange(-1, 2)) * step).astype(int) for s in sample]
            for sample in samples.tolist()
        ]
        meshes = [np.ix_(*along) for along in pixels]
        scores = bank.scores(patches, np.stack([probe.sums[mesh] for mesh in meshes]))
        if probe.norm is not None:
            scores = ratio(scores, np.stack([probe.norm[mesh] for mesh in meshes])[..., None])
        return list(zip(pixels, scores, strict=True))

    def _starts(self, rows: Sequence[int]) -> list[list[Start]]:
        """Return the pixels and views from which exact peaks may be reached, likeliest first.

        Neighbouring samples hold peaks of other angles that the best over all angles hides, and a
        score that is nearly the best may be so on finer pixels.
        """
        return [self._starts_among(i, *seen) for i, seen in zip(rows, self.seen(rows), strict=True)]

    def _starts_among(self, i: int, pixels: list[Indices], scores: FloatArray) -> list[Start]:
        size = (3,) * len(pixels) + (1 if self._probe([i]).bank.step is None else 3,)
        modes = ["constant"] * len(pixels) + ["wrap"]
        tops = scores == ndimage.maximum_filter(scores, size, mode=modes, cval=-np.inf)
        likely = scores >= scores.max() - margin(scores.max(), self.found.noise_sd)
        index = np.argwhere(tops & likely)
        best = np.argsort(-scores[tuple(index.T)], kind="stable")[: MOST_STARTS - 1]
        starts: list[Start] = [
            (tuple(int(p[j]) for p, j in zip(pixels, row, strict=False)), int(row[-1])) for row in index[best]
        ]
        # Between the samples there may be a hill of its own.
        between = np.rint(self._pixel(i)).astype(int)
        view = int(scores[(1,) * len(pixels)].argmax())
        return list(dict.fromkeys([*starts, (tuple(between.tolist()), view)]))

    def _pixel(self, i: int) -> FloatArray:
        """Return where in the frame a rough peak is, in pixels."""
        frame = self.field.frame
        return np.asarray(self.rough.position[i] / frame.image.pixel_size + frame.before)
