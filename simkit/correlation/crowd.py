"""Crowded fields: the highest peak is taken out of the field, the next one found in what is left [1]_.

What is left of a field without its particles is noise, so that the level of noise ends the search: as many
false picks are expected as in a search of noise alone. Two things keep the misfit of a bright particle from
being picked. A peak is judged by the score that it would have if all particles near it were fitted again
beside it, and a particle that falls below the level when others came to stand beside it goes. Of disks
of d′ = 30 to 100 each is so picked once with a template 15 % too small to 10 % too large; one that is more
wrong may see several particles in one.

References
----------
.. [1] Högbom, Astron. Astrophys. Suppl. 15 (1974) 417: CLEAN.
.. [2] Pati, Rezaiifar & Krishnaprasad, Asilomar (1993) 40: all amplitudes fitted again after each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

from simkit.core.grid import FloatArray
from simkit.correlation.candidates import rough_peaks
from simkit.correlation.exact import MayStand
from simkit.correlation.joint import JointFit
from simkit.correlation.models import Painter, Particle, Patch
from simkit.correlation.peaks import Peak, suppress
from simkit.correlation.refinement import Field, Probe, climb, exact_scores, peaks_at
from simkit.correlation.rescan import Rescan, of_other_values
from simkit.correlation.search import Scan

TRIED = 0.4
"""Share of the level from which a peak right beside a particle is looked at: most of it may have been taken
out with the particle. At the template's diameter the share is 1."""

PROMISING = 0.75
"""Share of the level from which on a foretold score is worth a fit: one step of it errs on the low side."""

ROUNDS = 50
"""Most times that peaks are taken: of a crowd of so many in one place not even the last is missed."""


class Crowd:
    """Particles that are taken out of a field one after another.

    Parameters
    ----------
    found : Scan
        The scores of the field.
    field, probes
        What was searched, and for what.
    reach : sequence of float
        Å within which two peaks of a probe are one particle.
    closest : sequence of float
        Å within which no two particles of a probe may stand.
    may_stand : callable
        ``may_stand(position, template)`` → whether there may be one (Å).
    """

    def __init__(
        self,
        found: Scan,
        field: Field,
        probes: Sequence[Probe],
        *,
        reach: Sequence[float],
        closest: Sequence[float],
        may_stand: MayStand,
    ) -> None:
        self.reach, self.closest = np.array(reach), np.array(closest)
        self.field, self.probes = of_other_values(field, probes, field.values.astype(np.float64))
        self.rescan = Rescan(found, self.field, self.probes)
        self.fit = JointFit(Painter(field, probes), self.field.values)
        self._may_stand = may_stand
        self._shown: dict[int, Patch] = {}
        self._first: dict[int, Peak] = {}
        self._fitted: set[int] = set()
        self._refused: list[Peak] = []

    def take(self, peaks: Sequence[Peak], *, level: float) -> None:
        """Take peaks out, and then whatever rises above the level in what is left.

        Parameters
        ----------
        peaks : sequence of Peak
            Of the field, above the level and not within reach of each other.
        level : float
            Lowest score of a particle.
        """
        for _ in range(ROUNDS):
            if not peaks:
                break
            new = {self.fit.add(self._particle(peak)): peak for peak in peaks}
            self._first |= new
            self._settle([*new], level)
            self._show()
            peaks = self._next(level)
        # Of later neighbours farther away, too little was known to fit everything again each time.
        self.fit.refine(sorted(self._fitted & {*self.fit.particles}))
        self._show()
        self.rescan.searched()

    def peaks(self) -> list[Peak]:
        """Return the particles, best first; their scores are amplitudes / standard deviations."""
        peaks = [self._peak(name) for name in self.fit.particles]
        return sorted(peaks, key=lambda p: (-p.score, *p.position))

    def _particle(self, peak: Peak) -> Particle:
        frame = self.field.frame
        return Particle(peak.template, peak.position / frame.image.pixel_size + frame.before, peak.psi)

    def _position(self, name: int) -> FloatArray:
        frame = self.field.frame
        return (self.fit.particles[name].place - frame.before) * frame.image.pixel_size

    def _peak(self, name: int) -> Peak:
        if name not in self._fitted:
            return self._first[name]
        particle, estimate = self.fit.particles[name], self.fit.estimate(name)
        bank, ndim = self.probes[particle.template].bank, len(particle.place)
        psi = particle.psi % bank.period
        turn = (bank.angles - psi + bank.period / 2) % bank.period - bank.period / 2
        units = np.array([bank.pixel_size] * ndim + [1.0])
        return Peak(
            self._position(name),
            psi,
            estimate.score,
            particle.template,
            int(np.abs(turn).argmin()),
            estimate.covariance * np.multiply.outer(units, units) if self.field.noise is not None else None,
        )

    def _settle(self, new: Sequence[int], level: float) -> None:
        """Fit new particles and what they touch, and drop what then is none."""
        while new:
            group = self.fit.touching(new)
            together = [n for n in group if self.fit.touching([n]) != [n]]
            self.fit.refine(together)
            self._fitted.update(together)
            gone = self._failing(group, level)
            beside = self.fit.touching(gone)
            for name in gone:
                # A new particle would be found there again.
                self._refused.append(self._first[name])
                self.fit.drop(name)
            new = [name for name in beside if name not in gone]

    def _failing(self, group: Sequence[int], level: float) -> list[int]:
        """Return particles that are too weak, too close to better ones or where none may be.

        Of those that touch each other only the worst: without it the others may do.
        """
        scores = {n: self.fit.estimate(n).score for n in group}
        weak = [n for n in group if n in self._fitted and scores[n] < level]
        lost = [n for n in group if not self._may_be(n)]
        gone: list[int] = []
        for name in sorted({*weak, *lost, *self._too_close(scores)}, key=lambda n: scores[n]):
            if not gone or name not in self.fit.touching(gone):
                gone.append(name)
        return gone

    def _may_be(self, name: int) -> bool:
        return self._may_stand(self._position(name), self.fit.particles[name].template)

    def _too_close(self, scores: dict[int, float]) -> list[int]:
        names = list(scores)
        if len(names) < 2:
            return []
        closest = self.closest[[self.fit.particles[n].template for n in names]]
        kept = suppress(np.array([self._position(n) for n in names]), np.array([*scores.values()]), closest)
        return [name for i, name in enumerate(names) if i not in kept]

    def _show(self) -> None:
        """Tell the search what is no longer in the field."""
        for name in sorted({*self._shown, *self.fit.particles}):
            before, now = self._shown.pop(name, None), self.fit.particles.get(name)
            if now is not None:
                self._shown[name] = self.fit.shown(name)
            self._tell(before, self._shown.get(name))

    def _tell(self, before: Patch | None, now: Patch | None) -> None:
        if before is not None and now is not None and np.array_equal(before.values, now.values):
            return
        if before is not None:
            self.rescan.changed(before)
        if now is not None:
            self.rescan.changed(Patch(-now.values, now.corner))

    def _next(self, level: float) -> list[Peak]:
        """Return the peaks of what is left that look like particles before they are fitted."""
        peaks = [peak for part in self.rescan.searched() for peak in self._left(part, level)]
        judged = [(self.fit.score_of(self._particle(peak)), peak) for peak in self._new(peaks)]
        worth = [(score, peak) for score, peak in judged if score >= PROMISING * level]
        if not worth:
            return []
        reach = self.reach[[peak.template for _, peak in worth]]
        kept = suppress(np.array([p.position for _, p in worth]), np.array([s for s, _ in worth]), reach)
        return [worth[i][1] for i in kept]

    def _left(self, part: Scan, level: float) -> list[Peak]:
        rough = rough_peaks(part)
        if not self.fit.particles or not len(rough.position):
            return []
        tree = KDTree([self._position(name) for name in self.fit.particles])
        share = tree.query(rough.position)[0] / self.reach.max()
        looked_at = rough.height >= level * np.clip(share, TRIED, 1.0)
        peaks = [
            self._near(position, int(part.winner[tuple(index)]))
            for position, index in zip(rough.position[looked_at], rough.index[looked_at], strict=True)
        ]
        return [peak for peak in peaks if peak is not None]

    def _near(self, position: FloatArray, template: int) -> Peak | None:
        """Return the peak that is climbed to from the best view at a place."""
        field, probe = self.field, self.probes[template]
        pixel = position / field.frame.image.pixel_size + field.frame.before
        place = tuple(np.rint(pixel).astype(int).tolist())
        views = range(0, len(probe.kernels), self.rescan.found.banks[template].stride)
        best = views[int(exact_scores(field, probe, [place], [views], radius=0).argmax())]
        (top,) = climb(field, probe, [(place, best)])
        if top is None:
            return None
        (peak,) = peaks_at(field, probe, [top], template)
        return peak if self._may_stand(peak.position, template) else None

    def _new(self, peaks: Sequence[Peak]) -> list[Peak]:
        """Return the peaks that stand apart from particles and from what was refused."""
        names = list(self.fit.particles)
        ndim = self.field.values.ndim
        places = np.array([self._position(name) for name in names]).reshape(-1, ndim)
        refused = np.array([peak.position for peak in self._refused]).reshape(-1, ndim)
        new = []
        for peak in peaks:
            # Of two particles seen as one, the first was taken out of their middle.
            closest = self.closest[peak.template] / 2
            gaps = np.linalg.norm(places - peak.position, axis=1)
            again = bool((np.linalg.norm(refused - peak.position, axis=1) < closest).any())
            if not again and gaps.min(initial=np.inf) >= closest:
                new.append(peak)
        return new
