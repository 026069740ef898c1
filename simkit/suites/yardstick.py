"""What a value is compared with where an expectation is relative: by default the accepted baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from simkit.scenario.expectation import SuiteExpectation
from simkit.suites import baseline as baselines
from simkit.suites import checks
from simkit.suites.baseline import Baseline, PickerBaseline
from simkit.suites.evidence import Deed, Evidence
from simkit.suites.noninferiority import Vectors
from simkit.suites.outcome import Check
from simkit.suites.spec import LoadedSuite


class Yardstick(Protocol):
    """Whatever a case is compared with."""

    def checks(
        self, case: str, expectation: SuiteExpectation, evidence: Evidence, stage: int
    ) -> Iterator[Check]:
        """Yield what comes of all that is relative in an expectation.

        Parameters
        ----------
        case : str
            Its name.
        expectation : SuiteExpectation
            Of that case.
        evidence : Evidence
            What its pickers did.
        stage : int
            0, and another number where a failure is confirmed with other micrographs.

        Raises
        ------
        SimkitError
            If what it is compared with cannot be had.
        """

    def vectors(self, case: str, picker: str) -> Vectors | None:
        """Return what the picker did that a value is compared with; None where nothing is known of it."""


@dataclass(frozen=True)
class Accepted:
    """The baselines that somebody accepted.

    Attributes
    ----------
    suite : LoadedSuite
        The suite.
    fresh : bool
        Whether the micrographs are others than those of the baselines.
    """

    suite: LoadedSuite
    fresh: bool = False

    def checks(
        self, case: str, expectation: SuiteExpectation, evidence: Evidence, stage: int
    ) -> Iterator[Check]:
        """See `Yardstick.checks`."""
        if expectation.baseline is None and expectation.run_time is None:
            return
        picker, kept = str(expectation.picker), self._kept(case)
        deed, old = evidence.deeds[picker], kept.pickers.get(picker) if kept else None
        if kept is None or old is None:
            trouble = f"there is no baseline of {picker} in {shown(self._file(case))}"
            yield Check("baseline", f"{trouble}; {self._advice}", False)
            return
        if not self.fresh and not _same_micrographs(kept, old, evidence, deed):
            trouble = f"{shown(self._file(case))} is of other micrographs"
            yield Check("baseline", f"{trouble}; {self._advice}", False)
            return
        if expectation.baseline is not None:
            yield checks.against_baseline(
                expectation.metric,
                deed.vectors,
                old.vectors,
                margin=expectation.baseline.margin.value,
                # A failure on fresh micrographs has to happen twice.
                alpha=math.sqrt(self.suite.alpha) if self.fresh else self.suite.alpha,
                same=not self.fresh,
            )
        if expectation.run_time is not None:
            yield checks.run_time(expectation.run_time, deed.seconds, old.seconds)

    def vectors(self, case: str, picker: str) -> Vectors | None:
        """See `Yardstick.vectors`."""
        kept = self._kept(case)
        return kept.pickers[picker].vectors if kept and picker in kept.pickers else None

    def _file(self, case: str) -> Path:
        return baselines.folder_of(self.suite) / f"{case}.yaml"

    def _kept(self, case: str) -> Baseline | None:
        file = self._file(case)
        return baselines.read(file) if file.is_file() else None

    @property
    def _advice(self) -> str:
        command = f'`simkit suite accept --reason "…" {shown(self.suite.path)}`'
        return f"if all is well, {command} makes this run the baseline"


def _same_micrographs(kept: Baseline, old: PickerBaseline, evidence: Evidence, deed: Deed) -> bool:
    truths = tuple(int(n) for n in deed.vectors.truths)
    return kept.micrographs == evidence.case.keys.micrographs and old.truths == truths


def shown(path: Path) -> Path:
    """Return a path as one types it here: relative where it lies under the working folder."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
