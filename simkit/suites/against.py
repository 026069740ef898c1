"""Base against head: another version of a picker on the same micrographs in place of the stored baselines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from simkit.core.errors import OutsideError, SimkitError
from simkit.picker.base import Plate
from simkit.scenario.expectation import SuiteExpectation
from simkit.suites import checks
from simkit.suites.change import Change, change_of
from simkit.suites.evidence import Evidence, pixels_of
from simkit.suites.noninferiority import Vectors
from simkit.suites.outcome import Check
from simkit.suites.rival import Rival
from simkit.suites.spec import LoadedSuite
from simkit.suites.yardstick import Accepted
from simkit.sweeps.store import Store

Place = tuple[str, str, int]
"""Case, picker and stage."""


class NothingToCompareError(SimkitError):
    """There is another version of none of the pickers that were chosen."""


@dataclass
class Against:
    """Another version of the pickers; what it has no other version of is compared with what was accepted.

    Attributes
    ----------
    accepted : Accepted
        The stored baselines.
    rival : Rival
        The other version.
    store : Store
        Where the micrographs are that the new version has seen.
    workers : int
        Processor cores to use.
    """

    accepted: Accepted
    rival: Rival
    store: Store
    workers: int = 1
    _played: set[tuple[str, str]] = field(default_factory=set)
    _changes: dict[Place, Change] = field(default_factory=dict)
    _broken: dict[Place, OutsideError] = field(default_factory=dict)

    @property
    def suite(self) -> LoadedSuite:
        """The suite."""
        return self.accepted.suite

    @property
    def alpha(self) -> float:
        """Chance that a loss as large as the margin passes; on fresh micrographs it has two chances to."""
        return self.suite.alpha / 2 if self.accepted.fresh else self.suite.alpha

    def choose(self, chosen: Iterable[tuple[str, int]]) -> None:
        """Say which expectations are judged: only their pickers are compared.

        Raises
        ------
        NothingToCompareError
            If the rival is another version of none of them.
        SimkitError
            If it lacks what it needs.
        """
        for case, number in chosen:
            picker = str(self.suite.suite.cases[case].expect[number].picker)
            if self.rival.plays(self.suite.scenarios[case].pickers[picker]):
                self._played.add((case, picker))
        if not self._played:
            raise NothingToCompareError(
                f"--against {self.rival.name} is another version of none of the pickers that were chosen: a "
                "command stands for that of a `kind: command`, an environment (its folder, its python or its "
                "simkit) for whatever looks at pixels and is no oracle"
            )
        for case, picker in sorted(self._played):
            self.rival.require_ready(self.suite.scenarios[case].pickers[picker])

    @property
    def changes(self) -> list[Change]:
        """What was lost and found, case by case; not of what confirms a failure."""
        return [change for (_, _, stage), change in self._changes.items() if stage == 0]

    def checks(
        self, case: str, expectation: SuiteExpectation, evidence: Evidence, stage: int
    ) -> Iterator[Check]:
        """See `Yardstick.checks`."""
        picker = str(expectation.picker)
        if (case, picker) not in self._played:
            yield from self.accepted.checks(case, expectation, evidence, stage)
            return
        change = self._change(case, picker, evidence, stage)
        if expectation.baseline is not None:
            check = checks.against_baseline(
                expectation.metric,
                change.new.vectors,
                change.old.vectors,
                margin=expectation.baseline.margin.value,
                alpha=self.alpha,
                same=True,
            )
            yield replace(check, text=f"{change.counts}: {check.text}")
        if expectation.run_time is not None:
            yield Check("run_time", "not compared: the other is started in another way", True)

    def vectors(self, case: str, picker: str) -> Vectors | None:
        """See `Yardstick.vectors`."""
        change = self._changes.get((case, picker, 0))
        return self.accepted.vectors(case, picker) if change is None else change.old.vectors

    def _change(self, case: str, picker: str, evidence: Evidence, stage: int) -> Change:
        """Return what is different, run if it was not; what broke once is not tried again."""
        place = case, picker, stage
        if place in self._broken:
            raise self._broken[place]
        if place not in self._changes:
            try:
                self._changes[place] = self._compared(case, picker, evidence)
            except SimkitError as error:
                self._broken[place] = OutsideError(f"--against {self.rival.name}: {error}")
                raise self._broken[place] from error
        return self._changes[place]

    def _compared(self, case: str, picker: str, evidence: Evidence) -> Change:
        plates = [self._plate(evidence, number) for number in evidence.case.numbers]
        picks = self.rival.picks(evidence.case.scenario, picker, plates, workers=self.workers)
        names = {"suite": str(self.suite.place), "case": case, "picker": picker, "other": self.rival.name}
        return change_of(evidence, picks, **names)

    def _plate(self, evidence: Evidence, number: int) -> Plate:
        """Show a micrograph as the new version saw it."""
        case, archive = evidence.case, evidence.scene.archive
        grid = archive.grids[number] if archive else case.scenario.image.grid
        return Plate(evidence.scene.names[number], grid, lambda: pixels_of(case, number, self.store))
