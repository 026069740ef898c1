"""Overlapping particles taken apart, for the pickers whose score is linear in the image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from simkit.core.grid import FloatArray
from simkit.correlation.candidates import best_peaks
from simkit.correlation.crowd import Crowd
from simkit.correlation.device import device_named
from simkit.correlation.exact import MayStand
from simkit.correlation.joint import closest
from simkit.correlation.models import Painter
from simkit.correlation.peaks import Peak
from simkit.correlation.refinement import Field, Probe
from simkit.correlation.search import Scan, scan
from simkit.picker._search import TemplateSearch
from simkit.picker.base import Sight

CLEAR = 4.0
"""Standard deviations of the score from which on a particle is taken out before noise is estimated anew."""


class LinearSearch(TemplateSearch):
    """A search whose score of two particles is the sum of the scores of each."""

    overlaps: Literal["separate", "joint"] = "separate"
    """separate: of close peaks only the best is picked. joint: each particle is taken out of the image, the
    next one is found in what is left, and those that overlap are fitted at once; `min_distance` then only
    forbids what cannot be told apart, by default where that fit is half as sure of an amplitude as alone."""

    @model_validator(mode="after")
    def _on_no_lattice(self) -> Self:
        if self.overlaps == "joint" and self.lattice == "fitted":
            raise ValueError("`overlaps: joint` searches everywhere alike; leave out `lattice: fitted`")
        return self

    def groups(self, probes: Sequence[Probe]) -> list[int]:
        """See `TemplateSearch.groups`: what is fitted at once is not chosen one by one."""
        return super().groups(probes) if self.overlaps == "separate" else [0] * len(probes)

    def peaks(
        self,
        found: Scan,
        field: Field,
        probes: Sequence[Probe],
        *,
        level: Callable[[FloatArray], float],
        low: float,
        reach: Sequence[float],
        may_stand: MayStand,
    ) -> tuple[list[Peak], float]:
        """See `TemplateSearch.peaks`."""
        peaks, cut = super().peaks(
            found, field, probes, level=level, low=low, reach=reach, may_stand=may_stand
        )
        if self.overlaps == "separate":
            return peaks, cut
        # Below, there is no end of what noise gives.
        stop = max(cut, low)
        apart = self._closest(field, probes)
        crowd = Crowd(found, field, probes, reach=reach, closest=apart, may_stand=may_stand)
        crowd.take([peak for peak in peaks if peak.score >= stop], level=stop)
        taken = crowd.peaks()
        left, _ = best_peaks(
            crowd.rescan.found,
            crowd.field,
            crowd.probes,
            level=lambda scores: stop,
            low=low,
            reach=reach,
            may_stand=may_stand,
        )
        everything = taken + [p for p in left if p.score < stop and _is_apart(p, taken, apart[p.template])]
        return everything, level(np.array([peak.score for peak in everything]))

    def left_of(self, image: FloatArray, field: Field, probes: Sequence[Probe], sight: Sight) -> FloatArray:
        """Return an image without the particles that are clearly seen in it."""
        device = device_named(sight.device)
        found = scan(field, probes, lost_energy=self.lost_energy, workers=sight.workers, device=device)
        may_stand = functools.partial(self._may_stand, sight, np.isfinite(sight.pixels))
        reach, level = self._reach(sight), CLEAR * found.noise_sd
        crowd = Crowd(
            found, field, probes, reach=reach, closest=self._closest(field, probes), may_stand=may_stand
        )
        peaks, _ = best_peaks(
            found, field, probes, level=lambda scores: level, low=None, reach=reach, may_stand=may_stand
        )
        crowd.take(peaks, level=level)
        return image - field.frame.cut(crowd.fit.picture(field.values.shape))

    def _reach(self, sight: Sight) -> list[float]:
        if self.overlaps == "separate":
            return super()._reach(sight)
        # Of one particle's scores, which are what noise gives a clump of.
        return [max(bank.diameter, self.min_distance or 0.0) for bank in sight.banks]

    def _closest(self, field: Field, probes: Sequence[Probe]) -> list[float]:
        if self.min_distance is not None:
            return [self.min_distance] * len(probes)
        painter, size = Painter(field, probes), field.frame.image.pixel_size
        return [size * closest(painter, i, int(probe.bank.diameter / size)) for i, probe in enumerate(probes)]


def _is_apart(peak: Peak, others: Sequence[Peak], distance: float) -> bool:
    return all(float(np.linalg.norm(other.position - peak.position)) >= distance for other in others)
