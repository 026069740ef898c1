"""The pytest plugin: every `*.simkit.yaml` is a file of tests, one for each case and expectation.

Nothing of simkit is loaded before there is a suite to collect.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simkit.suites.running import Bench


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


def pytest_configure(config: pytest.Config) -> None:
    """Make known what each case is marked with, should xdist not have done so."""
    config.addinivalue_line("markers", "xdist_group(name): tests that one worker has under --dist loadgroup")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take up suites."""
    if file_path.name.endswith(".simkit.yaml"):
        return SuiteFile.from_parent(parent, path=file_path)
    return None


class FailedExpectationError(Exception):
    """An expectation does not hold; the text is its whole story."""


class SuiteFile(pytest.File):
    """One suite."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each case and expectation, and one for each baseline that nobody uses."""
        from simkit.core.errors import SimkitError
        from simkit.suites import baseline
        from simkit.suites.running import STORE, Bench
        from simkit.suites.spec import load_suite

        store = self.config.getoption("--simkit-store")
        folder = Path(store) if store else self.config.rootpath / STORE
        try:
            suite = load_suite(self.path)
            unused = baseline.unused(suite)
        except SimkitError as error:
            raise self.CollectError(str(error)) from None
        bench = Bench(suite, folder, fresh=self.config.getoption("--simkit-fresh"))
        for case, number, expectation in suite.expectations():
            item = ExpectationItem.from_parent(
                self, name=f"{case}::{expectation.name}", bench=bench, case=case, number=number
            )
            for marker in suite.suite.cases[case].markers:
                item.add_marker(marker)
            # Under `--dist loadgroup` one worker has all of a case.
            item.add_marker(pytest.mark.xdist_group(f"{self.path}::{case}"))
            yield item
        for text in unused:
            yield UnusedBaselineItem.from_parent(self, name="baselines::unused", text=text)


class ExpectationItem(pytest.Item):
    """One expectation of one case."""

    def __init__(self, *, bench: Bench, case: str, number: int, **named: Any) -> None:
        super().__init__(**named)
        self._bench, self._case, self._number = bench, case, number

    def runtest(self) -> None:
        """Judge the expectation; its case is run by whichever of them comes first."""
        outcome = self._bench.outcome(self._case, self._number)
        self.user_properties += [(check.kind, check.text) for check in outcome.checks]
        if not outcome.passed:
            raise FailedExpectationError(outcome.story)
        for check in outcome.checks:
            if check.warning:
                self.warn(pytest.PytestWarning(f"{self.name}: {check.text}"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what a person needs, not a traceback of simkit."""
        if isinstance(excinfo.value, FailedExpectationError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the expectation is written."""
        return self.path, self._bench.suite.line(self._case, self._number) - 1, self.name


class UnusedBaselineItem(pytest.Item):
    """A baseline that no expectation names; it fails."""

    def __init__(self, *, text: str, **named: Any) -> None:
        super().__init__(**named)
        self._text = text

    def runtest(self) -> None:
        """Fail."""
        raise FailedExpectationError(self._text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Say which."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the suite."""
        return self.path, 0, self.name
