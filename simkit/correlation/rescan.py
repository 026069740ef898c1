"""A search kept true to a field that changes here and there: only what a change reaches is searched again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simkit.core.grid import FloatArray, Grid
from simkit.correlation.local import Mask, OnDemand, moments_under
from simkit.correlation.models import Patch
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.search import Scan
from simkit.correlation.tiles import best_over_views

TAIL = 4
"""Samples beyond a change within which it is seen on a coarser grid: a sinc has died down there, nearly."""

BLOCK = 128
"""Samples along the edge of what is searched again at once."""

Region = tuple[slice, ...]


class Rescan:
    """The scores of a field that changes.

    Parameters
    ----------
    found : Scan
        The scores of the field as it was.
    field : Field
        The field; its values are changed elsewhere, and `changed` is told.
    probes : sequence of Probe
        The prepared templates, with sums of the field's values as they are when asked: `of_other_values`.
    """

    def __init__(self, found: Scan, field: Field, probes: Sequence[Probe]) -> None:
        copies = {name: getattr(found, name).copy() for name in ("best", "winner", "samples")}
        self.found, self.field, self.probes = replace(found, **copies), field, probes
        self._step = found.grid.pixel_size / field.frame.image.pixel_size
        self._box = np.max([bank.basis.shape[1:] for bank in found.banks], axis=0)
        self._stale: set[tuple[int, ...]] = set()

    def changed(self, patch: Patch) -> None:
        """Take note of what was added to the field: one array on its pixels."""
        values = patch.values[0]
        region, blocks = [], []
        for axis, (a, b, n) in enumerate(
            zip(patch.corner, patch.stop, self.found.samples.shape, strict=True)
        ):
            low, high = max(int(a / self._step) - TAIL, 0), min(int(b / self._step) + TAIL, n)
            to_samples = np.sinc(np.arange(low, high)[:, None] - np.arange(a, b) / self._step) / self._step
            values = np.moveaxis(np.tensordot(to_samples, values, (1, axis)), 0, axis)
            region.append(slice(low, high))
            first = self.found.start[axis] + int(self._box[axis]) // 2
            last = self.found.start[axis] - int(self._box[axis]) // 2
            size = self.found.best.shape[axis]
            blocks.append(range(max(low - first, 0) // BLOCK, (min(high - last, size) - 1) // BLOCK + 1))
        self.found.samples[tuple(region)] += values.astype(np.float32)
        self._stale.update(itertools.product(*blocks))

    def searched(self) -> list[Scan]:
        """Search again where scores are no longer true; return those parts, with a sample around each."""
        shape = self.found.best.shape
        regions = [
            tuple(slice(b * BLOCK, min((b + 1) * BLOCK, n)) for b, n in zip(block, shape, strict=True))
            for block in sorted(self._stale)
        ]
        self._stale.clear()
        for region in regions:
            self._search(region)
        return [self._part(region) for region in regions]

    def _search(self, region: Region) -> None:
        start = tuple(a + r.start for a, r in zip(self.found.start, region, strict=True))
        best = np.full([r.stop - r.start for r in region], -np.inf, np.float32)
        winner = np.zeros(best.shape, self.found.winner.dtype)
        at = [np.arange(a, a + n) for a, n in zip(start, best.shape, strict=True)]
        pixels = np.ix_(*[np.rint(samples * self._step).astype(int) for samples in at])
        for i, (probe, bank) in enumerate(zip(self.probes, self.found.banks, strict=True)):
            sums = probe.sums[pixels].astype(np.float32)
            scores = best_over_views(self.found.samples, bank, sums, start=start)
            winner[scores > best] = i
            best = np.maximum(best, scores)
        self.found.best[region], self.found.winner[region] = best, winner

    def _part(self, region: Region) -> Scan:
        found = self.found
        region = tuple(
            slice(max(r.start - 1, 0), min(r.stop + 1, n))
            for r, n in zip(region, found.best.shape, strict=True)
        )
        first = np.array([r.start for r in region])
        best = found.best[region]
        origin = tuple((np.array(found.grid.origin) + first * found.grid.pixel_size).tolist())
        start = tuple(int(a + f) for a, f in zip(found.start, first, strict=True))
        grid = Grid(best.shape, found.grid.pixel_size, origin)
        return replace(found, best=best, winner=found.winner[region], grid=grid, start=start)


def of_other_values(field: Field, probes: Sequence[Probe], values: FloatArray) -> tuple[Field, list[Probe]]:
    """Return a field of other values, and the probes with the sums of those; they may change afterwards."""
    field = replace(field, values=values)

    def sums(mask: Mask) -> OnDemand:
        # Nothing is remembered of values that change.
        return OnDemand(values.shape, lambda pixels: moments_under(values, mask, pixels, squares=False)[0])

    return field, [replace(probe, sums=sums(probe.mask)) for probe in probes]
