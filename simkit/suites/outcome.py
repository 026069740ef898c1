"""What came of an expectation, and how it is told: in words, as JSON, as Markdown, as JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SHOWN = ("tp", "fp", "fn", "recall", "precision", "f1", "rmse", "bias_y", "bias_x", "rmse_over_bound")
"""Values that a failure shows of its picker."""


@dataclass(frozen=True)
class Check:
    """One thing that an expectation states.

    Attributes
    ----------
    kind : str
        "limits", "theory", "baseline" or "run_time"; "error" where nothing could be judged.
    text : str
        What was found and what was demanded.
    passed : bool
        Whether it holds.
    value : float or None
        What was found.
    warning : bool
        Whether a person should know although it holds.
    """

    kind: Literal["limits", "theory", "baseline", "run_time", "error"]
    text: str
    passed: bool
    value: float | None = None
    warning: bool = False


@dataclass(frozen=True)
class Measured:
    """A metric of the picker in a case.

    Attributes
    ----------
    value : float
        What it came to.
    interval : tuple of float or None
        95 % limits of that.
    baseline : float or None
        What it came to in the accepted baseline.
    unit : str
        Of all of these; "" for pure numbers.
    """

    value: float
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Remark:
    """What a reader should know of a case of which nothing is demanded.

    Attributes
    ----------
    suite, case, name : str
        What it is about.
    text : str
        One or several lines.
    """

    suite: str
    case: str
    name: str
    text: str

    @property
    def story(self) -> str:
        """All of it, as a person reads it."""
        return "\n".join([f"{self.case}: {self.name}", *(f"  {line}" for line in self.text.splitlines())])


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation of one case.

    Attributes
    ----------
    suite, case, expectation : str
        Which.
    file, line : str, int
        Where it is written.
    checks : tuple of Check
        All that it states; under fresh seeds those of the confirmation too.
    reproduce : str
        The command that runs the case alone.
    table : mapping
        Metric → what the picker came to, of the class that is judged.
    report : str
        Path of the case's page, or why there is none; "" where nobody asked for it.
    """

    suite: str
    case: str
    expectation: str
    file: str
    line: int
    checks: tuple[Check, ...]
    reproduce: str
    table: Mapping[str, Measured] = field(default_factory=dict)
    report: str = ""

    @property
    def passed(self) -> bool:
        """Whether all of it holds."""
        return all(check.passed for check in self.checks)

    @property
    def status(self) -> Literal["passed", "warning", "failed", "error"]:
        """In one word."""
        if any(check.kind == "error" for check in self.checks):
            return "error"
        if not self.passed:
            return "failed"
        return "warning" if any(check.warning for check in self.checks) else "passed"

    @property
    def text(self) -> str:
        """All checks on one line."""
        return "; ".join(f"{check.kind}: {check.text}" for check in self.checks)

    @property
    def story(self) -> str:
        """What a person needs who sees it fail."""
        lines = [f"{self.file}:{self.line}: {self.case}: {self.expectation} {self.status}"]
        lines += [f"  {'ok  ' if c.passed else 'FAIL'} {c.kind}: {c.text}" for c in self.checks]
        lines += [f"  {line}" for line in _tabulated({n: self.table[n] for n in SHOWN if n in self.table})]
        lines += [f"  report: {self.report}"] if self.report else []
        return "\n".join([*lines, f"  again: {self.reproduce}"])


def _tabulated(table: Mapping[str, Measured]) -> list[str]:
    """Return metrics as lines of aligned columns; a column that nothing stands in is left out."""
    rows = [("", "value", "95 % interval", "baseline")]
    rows += [
        (name, _number(m.value, m.unit), _interval(m.interval), _number(m.baseline, m.unit))
        for name, m in table.items()
    ]
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    cells = zip(*columns, strict=True)
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    text = str(value) if isinstance(value, int) else f"{value:.4g}"
    return f"{text} {unit}" if unit else text


def _interval(ends: tuple[float, float] | None) -> str:
    return f"[{ends[0]:.4g}, {ends[1]:.4g}]" if ends else ""


def exit_code(outcomes: Sequence[Outcome], unused: Sequence[str] = ()) -> int:
    """Return 3 if something could not be run, 1 if an expectation failed or a baseline is unused, else 0."""
    if any(outcome.status == "error" for outcome in outcomes):
        return 3
    return int(bool(unused) or not all(outcome.passed for outcome in outcomes))


def as_plain(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return outcomes as plain data."""
    return [{**asdict(outcome), "status": outcome.status} for outcome in outcomes]


def markdown(outcomes: Sequence[Outcome], unused: Sequence[str] = (), remarks: Sequence[Remark] = ()) -> str:
    """Return a summary for a page of a code host; failures come with their whole story."""
    wrong = [outcome for outcome in outcomes if not outcome.passed]
    lines = [f"**simkit**: {len(outcomes) - len(wrong)} of {len(outcomes)} expectations hold", ""]
    lines += ["| case | expectation | result | found |", "|---|---|---|---|"]
    lines += [f"| {o.case} | {o.expectation} | {o.status} | {o.text.replace('|', '∣')} |" for o in outcomes]
    lines += ["", *(f"- {text}" for text in unused)]
    for remark in remarks:
        lines += ["", f"**{remark.case}, {remark.name}**", "", *_items(remark.text)]
    for outcome in wrong:
        lines += ["", "```", outcome.story, "```"]
    return "\n".join(lines).rstrip() + "\n"


def _items(text: str) -> list[str]:
    return [f"- {line.replace('|', '∣')}" for line in text.splitlines()]


def junit(outcomes: Sequence[Outcome], unused: Sequence[str] = (), remarks: Sequence[Remark] = ()) -> bytes:
    """Return JUnit XML, as continuous integration reads it."""
    root = ET.Element("testsuites")
    for name in dict.fromkeys([*(outcome.suite for outcome in outcomes), *(r.suite for r in remarks)]):
        members = [outcome for outcome in outcomes if outcome.suite == name]
        said = [remark for remark in remarks if remark.suite == name]
        failed, errors = (sum(o.status == s for o in members) for s in ("failed", "error"))
        counts = {"tests": str(len(members) + len(said)), "failures": str(failed), "errors": str(errors)}
        suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
        for o in members:
            place = {
                "classname": f"{name}.{o.case}",
                "name": o.expectation,
                "file": o.file,
                "line": str(o.line),
            }
            case = ET.SubElement(suite, "testcase", place)
            if not o.passed:
                tag = "error" if o.status == "error" else "failure"
                ET.SubElement(case, tag, {"message": o.text}).text = o.story
            elif o.status == "warning":
                ET.SubElement(case, "system-out").text = o.text
        for remark in said:
            place = {"classname": f"{name}.{remark.case}", "name": remark.name}
            ET.SubElement(ET.SubElement(suite, "testcase", place), "system-out").text = remark.text
    for i, text in enumerate(unused):
        suite = ET.SubElement(root, "testsuite", {"name": f"baselines {i}", "tests": "1", "failures": "1"})
        case = ET.SubElement(suite, "testcase", {"classname": "baselines", "name": "unused"})
        ET.SubElement(case, "failure", {"message": text})
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
