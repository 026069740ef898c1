"""Which particles one version of a picker lost and which it found, beside another on the same micrographs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simkit.core.tables import Picks, Table, Truth
from simkit.io.names import few
from simkit.matching.rules import match
from simkit.suites.evidence import Deed, Evidence, Scene, judge
from simkit.suites.noninferiority import MEASURES, Gain, paired
from simkit.suites.outcome import Remark
from simkit.sweeps.completion import Case

Rows = npt.NDArray[np.intp]

OF_PARTICLES = ("class", "y", "x", "d_prime")
OF_PICKS = ("class", "y", "x", "score")


@dataclass(frozen=True)
class Change:
    """Two versions of a picker on the micrographs of one case.

    Attributes
    ----------
    suite, case, picker : str
        Which.
    other : str
        What the new version is compared with.
    run : Case
        The case as the new version ran it.
    scene : Scene
        What is in the micrographs.
    new, old : Deed
        What the two did.
    lost, found : array of int
        Rows of the truth: what the old one alone found, and what the new one alone did.
    appeared, gone : Picks
        Picks without a particle that the new one alone has, and those that the old one alone had.
    gains : mapping
        Metric → by how much the new one is better; only those that exist.
    """

    suite: str
    case: str
    picker: str
    other: str
    run: Case
    scene: Scene
    new: Deed
    old: Deed
    lost: Rows
    found: Rows
    appeared: Picks
    gone: Picks
    gains: Mapping[str, Gain]

    @property
    def particles(self) -> int:
        """How many particles count."""
        return int(self.new.vectors.truths.sum())

    @property
    def counts(self) -> str:
        """What was lost and found, in a few words."""
        return f"{len(self.lost)} of {self.particles} particles lost, {len(self.found)} found"

    def remark(self, page: str) -> Remark:
        """Return what was lost and found, by name, and which page shows the boxes."""
        truth, names = self.scene.truth, particle_ids(self.scene.truth)
        lines = [f"against {self.other}: {self.counts}"]
        for word, rows in (("lost", self.lost), ("found", self.found)):
            placed = [f"{names[r]} (y {truth['y'][r]:.1f} Å, x {truth['x'][r]:.1f} Å)" for r in rows]
            lines += [f"{word}: {few(placed)}"] if placed else []
        if len(self.appeared) or len(self.gone):
            lines.append(f"picks on no particle: {len(self.appeared)} new, {len(self.gone)} gone")
        lines.append(f"boxes: {page}")
        return Remark(self.suite, self.case, f"{self.picker} against the other", "\n".join(lines))

    @property
    def plain(self) -> dict[str, Any]:
        """All of it as plain data."""
        truth = self.scene.truth
        names = particle_ids(truth)
        return {
            **{name: getattr(self, name) for name in ("suite", "case", "picker", "other", "particles")},
            "gains": {name: asdict(gain) for name, gain in self.gains.items()},
            "lost": [{"id": names[row], **_row(truth, row, OF_PARTICLES)} for row in self.lost],
            "found": [{"id": names[row], **_row(truth, row, OF_PARTICLES)} for row in self.found],
            "false_picks_new": [_row(self.appeared, row, OF_PICKS) for row in range(len(self.appeared))],
            "false_picks_gone": [_row(self.gone, row, OF_PICKS) for row in range(len(self.gone))],
        }


def change_of(evidence: Evidence, picks: Picks, *, suite: str, case: str, picker: str, other: str) -> Change:
    """Compare two versions of a picker, particle by particle.

    Parameters
    ----------
    evidence : Evidence
        What the new one did.
    picks : Picks
        What the other one found in the same micrographs; judged as the new one's are.
    suite, case, picker, other : str
        See `Change`.
    """
    scenario, scene = evidence.case.scenario, evidence.scene
    new, old = evidence.deeds[picker], judge(scenario, scene, {picker: picks})[picker]
    gains = {metric: paired(metric, new.vectors, old.vectors) for metric in MEASURES}
    radius = scenario.score.radius if scenario.score else 0.0
    before = Truth(**{name: old.false[name] for name in ("micrograph", "y", "x")})
    same = match(before, new.false, radius=radius, ndim=scenario.image.ndim)
    return Change(
        suite,
        case,
        picker,
        other,
        evidence.case,
        scene,
        new,
        old,
        lost=np.flatnonzero(new.missed & old.found),
        found=np.flatnonzero(new.found & old.missed),
        appeared=_without(new.false, same.pick),
        gone=_without(old.false, same.truth),
        gains={metric: gain for metric, gain in gains.items() if gain is not None},
    )


def particle_ids(truth: Truth) -> list[str]:
    """Name particles: ``"0003#7"`` is row 7, counted from 0, of micrograph 0003 in the truth."""
    seen: dict[str, int] = {}
    names = []
    for micrograph in truth["micrograph"].tolist():
        number = seen.get(micrograph, 0)
        seen[micrograph] = number + 1
        names.append(f"{micrograph}#{number}")
    return names


def _without(picks: Picks, rows: Rows) -> Picks:
    return picks.take(np.setdiff1d(np.arange(len(picks)), rows))


def _row(table: Table, row: int, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return a row as plain data; what does not exist is None."""
    values = {name: table[name][row].item() for name in columns}
    there = {n: None if isinstance(v, float) and math.isnan(v) else v for n, v in values.items()}
    return {"micrograph": str(table["micrograph"][row]), **there}
