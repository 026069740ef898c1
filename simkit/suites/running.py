"""Cases run, and their expectations judged: one outcome for each."""

from __future__ import annotations

import contextlib
import functools
import shlex
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from simkit.core.errors import SimkitError
from simkit.picker.command import Command
from simkit.scenario.expectation import SuiteExpectation
from simkit.scenario.spec import Scenario
from simkit.suites import baseline as baselines
from simkit.suites import checks
from simkit.suites.against import Against
from simkit.suites.evidence import Evidence, collect
from simkit.suites.fingerprint import fingerprint
from simkit.suites.noninferiority import MEASURES
from simkit.suites.outcome import Check, Measured, Outcome, Remark
from simkit.suites.rival import Rival
from simkit.suites.spec import LoadedSuite
from simkit.suites.turns import turn
from simkit.suites.yardstick import Accepted, Yardstick, shown
from simkit.sweeps.completion import Case, Manner, complete, failures
from simkit.sweeps.errand import Failure
from simkit.sweeps.executors import Executor, Here
from simkit.sweeps.store import Store

STORE = Path(".simkit/store")
"""Where results are kept by default."""

REPORTS = Path(".simkit/reports")
"""Where the pages of failed cases are written by default."""

CONFIRMATION = 1
"""Added to what fresh seeds are drawn from, for the micrographs that confirm a failure."""


class CaseFailedError(SimkitError):
    """A case has no scores: a picker or the simulation failed."""

    exit_code = 3


@dataclass
class Bench:
    """A suite being run: each case once, whoever asks for it.

    Attributes
    ----------
    suite : LoadedSuite
        The suite.
    folder : Path
        Where results are kept.
    executor : Executor
        Who does the work.
    fresh : int or None
        Draws other micrographs than the suite's own; a failure then counts if yet others confirm it.
    reports : Path or None
        Where the page of a case that failed is written, as ``<place of the suite>/<case>/report.html``; None
        for no pages.
    rival : Rival or None
        Another version of the pickers, which stands for the accepted baselines.
    session : str
        What benches of several processes have in common that share the cases of one run.
    """

    suite: LoadedSuite
    folder: Path = STORE
    executor: Executor = field(default_factory=Here)
    fresh: int | None = None
    reports: Path | None = None
    rival: Rival | None = None
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    _done: dict[tuple[str, int], Evidence] = field(default_factory=dict)
    _broken: dict[tuple[str, int], CaseFailedError] = field(default_factory=dict)
    _reported: dict[str, str] = field(default_factory=dict)
    _compared: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def store(self) -> Store:
        """Results of the code as it is now."""
        return Store((self.folder / fingerprint(self.suite.scenarios.values())).absolute())

    @functools.cached_property
    def yardstick(self) -> Yardstick:
        """What a value is compared with."""
        return self.against or self._accepted

    @functools.cached_property
    def against(self) -> Against | None:
        """The comparison with another version, if one is asked for."""
        if self.rival is None:
            return None
        return Against(self._accepted, self.rival, self.store, self.executor.workers)

    @property
    def _accepted(self) -> Accepted:
        return Accepted(self.suite, fresh=self.fresh is not None)

    @property
    def proposed(self) -> Path:
        """Where baselines are proposed."""
        return self.folder / "proposed" / self.suite.place

    def labels(self, case: str) -> list[str]:
        """Return what the expectations of a case are called, one of a name that is taken with a number."""
        names = [expectation.name for expectation in self.suite.suite.cases[case].expect]
        before = [names[:i].count(name) for i, name in enumerate(names)]
        return [f"{name}-{n + 1}" if n else name for name, n in zip(names, before, strict=True)]

    def run(self, chosen: Sequence[tuple[str, int]]) -> list[Outcome]:
        """Return the outcomes of expectations, in their order."""
        if self.against is not None:
            self.against.choose(chosen)
        self._complete([self._case(case, 0) for case in dict.fromkeys(case for case, _ in chosen)])
        return [self.outcome(case, number) for case, number in chosen]

    def outcome(self, case: str, number: int) -> Outcome:
        """Return what comes of one expectation; of a failure with the report of its case."""
        outcome = self._judged(case, number)
        return replace(outcome, report=self.report(case)) if outcome.status == "failed" else outcome

    def report(self, case: str) -> str:
        """Return where the report of a case is, made if it was not; "" where none is wanted."""
        if self.reports is None:
            return ""
        if case not in self._reported:
            from simkit.suites.case_report import write_case  # loads matplotlib, which no success needs

            outcomes = [self._judged(case, i) for i in range(len(self.suite.suite.cases[case].expect))]
            folder = self.reports / self.suite.place / case
            try:
                page = write_case(self._scenario(case, 0), outcomes, folder, workers=self.executor.workers)
                self._reported[case] = str(shown(page))
            except Exception as error:  # whatever it is, it must not hide why the case failed
                self._reported[case] = f"could not be made: {error}"
        return self._reported[case]

    def comparison(self, case: str, number: int) -> Remark | None:
        """Return what another version did otherwise than the picker of an expectation; None if none is known.

        The page that shows it is of the case alone, ``<place of the suite>/<case>/against.html``.
        """
        changes = [c for c in self.against.changes if c.case == case] if self.against else []
        picker = self.suite.suite.cases[case].expect[number].picker
        mine = next((change for change in changes if change.picker == picker), None)
        if mine is None or self.against is None or self.reports is None:
            return None
        if case not in self._compared:
            from simkit.suites.against_report import write_against

            outcomes = [self._judged(case, i) for i in range(len(self.suite.suite.cases[case].expect))]
            folder = self.reports / self.suite.place / case
            page = write_against(self.against, changes, outcomes, folder, command=self.command(case))
            self._compared[case] = str(shown(page))
        return mine.remark(self._compared[case])

    def _judged(self, case: str, number: int) -> Outcome:
        expectation = self.suite.suite.cases[case].expect[number]
        try:
            found = tuple(self._checks(case, expectation, 0))
            if self.fresh is not None and not all(check.passed for check in found):
                again = tuple(self._checks(case, expectation, CONFIRMATION))
                found = again if all(check.passed for check in again) else (*found, *again)
        except SimkitError as error:
            found = (Check("error", str(error), False),)
        return Outcome(
            suite=str(self.suite.place),
            case=case,
            expectation=self.labels(case)[number],
            file=str(shown(self.suite.path)),
            line=self.suite.line(case, number),
            checks=found,
            reproduce=self.command(case),
            table=self._table(case, expectation) if (case, 0) in self._done else {},
        )

    def command(self, case: str | None = None) -> str:
        """Return the command that runs the suite, or a case of it alone."""
        words = ["simkit", "suite", "run", str(shown(self.suite.path)), *(["-k", case] if case else [])]
        for override in self.suite.overrides:
            words += ["--set", override]
        words += [] if self.rival is None else ["--against", self.rival.text]
        return shlex.join([*words, *([] if self.fresh is None else ["--fresh", str(self.fresh)])])

    def evidence(self, case: str, stage: int = 0) -> Evidence:
        """Return what the pickers of a case did, run if it was not; what broke once is not tried again.

        Raises
        ------
        CaseFailedError
            If it could not be run.
        """
        if (case, stage) in self._broken:
            raise self._broken[case, stage]
        if (case, stage) not in self._done:
            cell = self._case(case, stage)
            self._complete([cell])
            found = collect(cell, self.store)
            if found is None:
                why = _told(failures(cell, self.store)) or "no scores came of it"
                self._broken[case, stage] = CaseFailedError(why)
                raise self._broken[case, stage]
            self._done[case, stage] = found
            if self.fresh is None and case in baselines.needed(self.suite):
                baselines.write(self.proposed / f"{case}.yaml", self._proposal(case, found))
        return self._done[case, stage]

    def _complete(self, cases: Sequence[Case]) -> None:
        """Have cases searched and judged, each once in a session whatever comes of it."""
        with contextlib.ExitStack() as turns:
            # In one order, so that no two processes wait for each other.
            keys = sorted({case.keys.scores for case in cases})
            files = {key: self.store.root / "turns" / key for key in keys}
            done = {key for key in keys if turns.enter_context(turn(files[key], self.session))}
            new = [case for case in cases if case.keys.scores not in done]
            # What a program loads is not all seen, and the other version is run anew as well.
            again = _commands(new) if self.against is not None else ()
            manner = Manner(images=self.against is not None, again=again, rerun_failed=True)
            complete(new, self.store, self.executor, manner=manner)

    def _case(self, case: str, stage: int) -> Case:
        return Case.of(self._scenario(case, stage))

    def _scenario(self, case: str, stage: int) -> Scenario:
        scenario = self.suite.scenarios[case]
        if self.fresh is None:
            return scenario
        words = [self.fresh, stage, *case.encode()]
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
        return scenario.model_copy(update={"seed": seed})

    def _proposal(self, case: str, evidence: Evidence) -> baselines.Baseline:
        from importlib.metadata import version

        wanted = baselines.needed(self.suite)[case]
        return baselines.Baseline(
            versions={name: version(name) for name in ("simkit", "numpy", "scipy")},
            micrographs=evidence.case.keys.micrographs,
            pickers={n: baselines.entry(deed) for n, deed in evidence.deeds.items() if n in wanted},
        )

    def _checks(self, case: str, expectation: SuiteExpectation, stage: int) -> Iterator[Check]:
        evidence = self.evidence(case, stage)
        if expectation.absolute:
            yield checks.limits(evidence, expectation)
        if expectation.sigmas is not None:
            yield checks.theory(evidence, expectation)
        yield from self.yardstick.checks(case, expectation, evidence, stage)

    def _table(self, case: str, expectation: SuiteExpectation) -> dict[str, Measured]:
        picker, class_ = str(expectation.picker), expectation.class_
        record = self._done[case, 0].record
        intervals = record["intervals"][picker].get(class_, {})
        # A baseline is blind to class.
        old = self.yardstick.vectors(case, picker) if class_ == "all" else None
        before = {name: measure.value(old) for name, measure in MEASURES.items()} if old else {}
        score = self.suite.scenarios[case].score
        units = {name: unit for m in (score.used_metrics if score else ()) for name, unit in m.units.items()}
        return {
            name: Measured(value, intervals.get(name), before.get(name), units.get(name, ""))
            for name, value in record["pickers"][picker][class_].items()
            if value is not None
        }


def _commands(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the pickers that are programs of others."""
    return tuple(n for case in cases for n, p in case.scenario.pickers.items() if isinstance(p, Command))


def _told(failed: Sequence[Failure]) -> str:
    """Return what failed and why, each reason once."""
    places: dict[str, list[str]] = {}
    for failure in failed:
        places.setdefault(failure.message, []).append(failure.what)
    more = {why: f" and {len(what) - 1} more" if len(what) > 1 else "" for why, what in places.items()}
    return "; ".join(f"{what[0]}{more[why]}: {why}" for why, what in places.items())
