"""Baselines: what a picker did when somebody last said that it was good, in files that a person can read.

<suite's folder>/baselines/<suite>/<case>.yaml     accepted
<store>/proposed/<place of the suite>/<case>.yaml  what the last run came to
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from simkit.core.errors import DataError
from simkit.core.spec import Spec
from simkit.io.atomic import write_bytes_atomic
from simkit.scenario.loading import read_draft
from simkit.suites.evidence import Deed
from simkit.suites.noninferiority import Vectors
from simkit.suites.spec import LoadedSuite

DIGITS = 5
"""Of an error in Å: what machines differ by lies below."""


class PickerBaseline(Spec):
    """What one picker did."""

    tp: tuple[int, ...]
    """Pairs of each micrograph."""

    picks: tuple[int, ...]
    truths: tuple[int, ...]

    rmse: tuple[float | None, ...]
    """Å, of each micrograph; null without a pair."""

    seconds: float
    """Of a micrograph, on the machine that ran it."""

    @property
    def vectors(self) -> Vectors:
        """The counts as they are compared."""
        tp, picks, truths = (np.array(v, float) for v in (self.tp, self.picks, self.truths))
        squares = tp * np.array([0.0 if e is None else e for e in self.rmse]) ** 2
        return Vectors(tp, picks, truths, squares)


class Baseline(Spec):
    """What the pickers of one case did, and who said that it was good."""

    schema_version: Literal[1] = 1
    accepted: dict[str, str] = {}
    """Who, when (UTC), why."""

    versions: dict[str, str] = {}
    """Of the software that ran it."""

    micrographs: str
    """Key of all that the micrographs depend on."""

    pickers: dict[str, PickerBaseline]


def entry(deed: Deed) -> PickerBaseline:
    """Return what a picker did as it is kept."""
    v = deed.vectors
    with np.errstate(invalid="ignore", divide="ignore"):
        rmse = np.sqrt(v.squares / v.tp)
    tp, picks, truths = (tuple(int(n) for n in counts) for counts in (v.tp, v.picks, v.truths))
    return PickerBaseline(
        tp=tp,
        picks=picks,
        truths=truths,
        rmse=tuple(None if np.isnan(e) else round(float(e), DIGITS) for e in rmse),
        seconds=float(f"{deed.seconds:.3g}"),
    )


def folder_of(suite: LoadedSuite) -> Path:
    """Return the folder of a suite's accepted baselines."""
    return suite.path.parent / "baselines" / suite.name


def needed(suite: LoadedSuite) -> dict[str, set[str]]:
    """Return case → pickers whose baseline some expectation names."""
    wanted: dict[str, set[str]] = {}
    for case, _, expectation in suite.expectations():
        if expectation.baseline is not None or expectation.run_time is not None:
            wanted.setdefault(case, set()).add(str(expectation.picker))
    return wanted


def unused(suite: LoadedSuite) -> list[str]:
    """Return, in words, every accepted baseline that no expectation names."""
    folder, wanted = folder_of(suite), needed(suite)
    told = []
    for file in sorted(folder.glob("*.yaml")):
        if file.stem not in wanted:
            told.append(f"{file}: no case of the suite uses it; delete it")
            continue
        surplus = sorted(set(read(file).pickers) - wanted[file.stem])
        told += [f"{file}: nothing is expected of {name} against it; delete its part" for name in surplus]
    return told


def read(file: Path) -> Baseline:
    """Read a baseline.

    Raises
    ------
    DataError
        If the file is no baseline.
    """
    draft = read_draft(file)
    try:
        return Baseline.model_validate(draft.data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{place}: {first['msg']}; a baseline is written by `simkit suite accept`, not by hand", str(file)
        ) from None


def write(file: Path, baseline: Baseline) -> None:
    """Write a baseline: a picker's counts on one line each, the same text for the same content."""
    lines = ["schema_version: 1"]
    for name, facts in (("accepted", baseline.accepted), ("versions", baseline.versions)):
        lines += (
            [f"{name}:", *(f"  {key}: {_scalar(value)}" for key, value in facts.items())] if facts else []
        )
    lines += [f"micrographs: {_scalar(baseline.micrographs)}", "pickers:"]
    for name, picker in baseline.pickers.items():
        lines.append(f"  {name}:")
        lines += [f"    {field}: {_scalar(value)}" for field, value in picker.model_dump().items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(file, ("\n".join(lines) + "\n").encode())


def _scalar(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def same(a: Baseline, b: Baseline) -> bool:
    """Tell whether two baselines say the same of the same micrographs, times and versions aside."""

    def bare(baseline: Baseline) -> Mapping[str, PickerBaseline]:
        return {n: p.model_copy(update={"seconds": 0.0}) for n, p in baseline.pickers.items()}

    return a.micrographs == b.micrographs and bare(a) == bare(b)


def accept(
    suite: LoadedSuite, proposed: Path, cases: Iterable[str], facts: Mapping[str, str]
) -> dict[str, str]:
    """Promote proposed baselines; return case → what became of it.

    Parameters
    ----------
    suite : LoadedSuite
        The suite.
    proposed : Path
        Folder of its proposed baselines.
    cases : iterable of str
        Which.
    facts : mapping
        Who, when and why.

    Raises
    ------
    DataError
        If there is none for a case.
    """
    wanted = needed(suite)
    told = {}
    for case in (case for case in cases if case in wanted):
        file, target = proposed / f"{case}.yaml", folder_of(suite) / f"{case}.yaml"
        if not file.is_file():
            raise DataError(f"nothing is proposed; run `simkit suite run {suite.path}` first", str(file))
        new = read(file)
        if target.is_file() and same(read(target), new):
            told[case] = "unchanged"
            continue
        told[case] = "replaced" if target.is_file() else "new"
        write(target, new.model_copy(update={"accepted": dict(facts)}))
    return told
