"""The pytest plugin: every `*.simkit.yaml` is a file of tests, one for each case and expectation.

Nothing of simkit is loaded before there is a suite to collect.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simkit.suites.rival import Rival
    from simkit.suites.running import Bench

_RIVAL = pytest.StashKey["Rival"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `simkit suite run` that make sense under pytest."""
    group = parser.getgroup("simkit", "suites of simkit (*.simkit.yaml)")
    group.addoption(
        "--simkit-store",
        metavar="DIR",
        help="where results are kept; .simkit/store under the root by default",
    )
    group.addoption(
        "--simkit-fresh",
        metavar="SEED",
        type=int,
        help="other micrographs; a failure is confirmed by yet others",
    )
    group.addoption(
        "--simkit-report-dir",
        metavar="DIR",
        help="where a case that failed leaves its HTML page; .simkit/reports under the root by default",
    )
    group.addoption(
        "--simkit-against",
        metavar="OTHER",
        help="compare with another version of the pickers on the same micrographs, in place of stored "
        "baselines: what `simkit suite run --against` takes",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make known what each case is marked with, should xdist not have done so."""
    config.addinivalue_line("markers", "xdist_group(name): tests that one worker has under --dist loadgroup")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take up suites."""
    if file_path.name.endswith(".simkit.yaml"):
        return SuiteFile.from_parent(parent, path=file_path)
    return None


def _rival(config: pytest.Config) -> Rival | None:
    """Return the other version that is asked for; an environment says its version once."""
    text = config.getoption("--simkit-against")
    if text is not None and _RIVAL not in config.stash:
        from simkit.suites.rival import rival_of

        config.stash[_RIVAL] = rival_of(text)
    return config.stash.get(_RIVAL, None)


def _session(config: pytest.Config) -> str:
    """Return what the processes of a run have in common: xdist's name for it, which workers are told."""
    return str(getattr(config, "workerinput", {}).get("testrunuid") or uuid.uuid4().hex)


class SuiteFile(pytest.File):
    """One suite."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield its cases, and an item for each baseline that nobody uses."""
        from simkit.core.errors import SimkitError
        from simkit.suites import baseline
        from simkit.suites.against import NothingToCompareError
        from simkit.suites.running import REPORTS, STORE, Bench
        from simkit.suites.spec import load_suite

        try:
            suite = load_suite(self.path, root=self.config.rootpath)
            bench = Bench(
                suite,
                self._folder("--simkit-store", STORE),
                fresh=self.config.getoption("--simkit-fresh"),
                reports=self._folder("--simkit-report-dir", REPORTS),
                rival=_rival(self.config),
                session=_session(self.config),
            )
            unused = [] if bench.rival else baseline.unused(suite)
            if bench.against is not None:
                bench.against.choose((case, number) for case, number, _ in suite.expectations())
        except NothingToCompareError as error:
            pytest.skip(str(error), allow_module_level=True)
        except SimkitError as error:
            raise self.CollectError(str(error)) from None
        for case in suite.suite.cases:
            yield CaseCollector.from_parent(self, name=case, bench=bench)
        for number, text in enumerate(unused, 1):
            yield UnusedBaselineItem.from_parent(self, name=f"unused-baseline-{number}", text=text)

    def _folder(self, option: str, default: Path) -> Path:
        """Return a folder, by default one under the root, wherever pytest was started."""
        given = self.config.getoption(option)
        return Path(given).absolute() if given else self.config.rootpath / default


class CaseCollector(pytest.Collector):
    """One case, so that ``suite.simkit.yaml::case`` names all that is expected of it."""

    def __init__(self, *, bench: Bench, **named: Any) -> None:
        super().__init__(**named)
        self._bench = bench
        for marker in bench.suite.suite.cases[self.name].markers:
            self.add_marker(marker)
        # A case is run once however its tests are shared out; so no worker waits for another's.
        self.add_marker(pytest.mark.xdist_group(f"{self.path}::{self.name}"))

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each expectation."""
        for number, label in enumerate(self._bench.labels(self.name)):
            yield ExpectationItem.from_parent(self, name=label, bench=self._bench, number=number)


class ExpectationItem(pytest.Item):
    """One expectation of one case."""

    def __init__(self, *, bench: Bench, number: int, **named: Any) -> None:
        super().__init__(**named)
        self._bench, self._number = bench, number

    def setup(self) -> None:
        """Run the case, if no other expectation did; one that broke is an error, not a failure."""
        self._outcome = self._bench.outcome(self._case, self._number)
        if self._outcome.status == "error":
            pytest.fail(self._outcome.story, pytrace=False)

    def runtest(self) -> None:
        """Tell what came of the expectation."""
        outcome = self._outcome
        self.user_properties += [(check.kind, check.text) for check in outcome.checks]
        if not outcome.passed:
            self.user_properties.append(("report", outcome.report))
            compared = self._bench.comparison(self._case, self._number)
            told = [outcome.story] if compared is None else [outcome.story, compared.story]
            pytest.fail("\n\n".join(told), pytrace=False)
        for check in outcome.checks:
            if check.warning:
                self.warn(pytest.PytestWarning(f"{self._case}: {self.name}: {check.text}"))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the expectation is written."""
        line = self._bench.suite.line(self._case, self._number) - 1
        # pytest replaces dots in what ends a node's id where it shows it, and the id then selects nothing.
        return self.path, line, f"{self._case}: {self.name}"

    @property
    def _case(self) -> str:
        return str(self.parent.name) if self.parent else ""


class UnusedBaselineItem(pytest.Item):
    """A baseline that no expectation names; it fails."""

    def __init__(self, *, text: str, **named: Any) -> None:
        super().__init__(**named)
        self._text = text

    def runtest(self) -> None:
        """Fail."""
        pytest.fail(self._text, pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the suite."""
        return self.path, 0, self.name
