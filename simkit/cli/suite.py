"""`simkit suite`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simkit.cli.manners import Debug, Overrides, Workers, aligned, friendly, note

if TYPE_CHECKING:
    from simkit.suites.change import Change
    from simkit.suites.outcome import Outcome, Remark
    from simkit.suites.running import Bench
    from simkit.suites.spec import LoadedSuite

suite = typer.Typer(no_args_is_help=True, help="Hold pickers to what is expected of them, on every change.")

Suites = Annotated[
    list[Path], typer.Argument(metavar="FILE…|DIR", help="Suites (*.simkit.yaml), or folders of them.")
]
Expression = Annotated[
    str | None,
    typer.Option("-k", metavar="EXPR", help="Only names that fit, as in pytest: 'ncc and not slow'."),
]
StoreFolder = Annotated[Path, typer.Option("--store", metavar="DIR", help="Where results are kept.")]
STORE = Path(".simkit/store")
ReportFolder = Annotated[
    Path,
    typer.Option("--report-dir", metavar="DIR", help="Where a case that failed leaves its HTML page."),
]
REPORTS = Path(".simkit/reports")
AGAINST = (
    "Compare with another version of the pickers on the same micrographs, in place of stored baselines, and "
    "tell which particles were lost and found. OTHER is an environment, /path/to/venv or its python or "
    "simkit, that has the other version installed beside a simkit; or a command for `kind: command` pickers "
    "that replaces the first words of theirs, '/opt/base/bin/mypick' or '{python} base/pick.py', or all of "
    "them if it holds {micrographs}. A picker of which it is no other version is judged as ever."
)


@suite.command()
@friendly
def run(
    files: Suites,
    expression: Expression = None,
    overrides: Overrides = None,
    workers: Workers = None,
    junitxml: Annotated[
        Path | None, typer.Option("--junitxml", metavar="FILE", help="Write JUnit XML.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write JSON.")] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write a summary in Markdown.")
    ] = None,
    fresh: Annotated[
        int | None,
        typer.Option(
            "--fresh", min=0, metavar="SEED", help="Other micrographs; a failure is confirmed by yet others."
        ),
    ] = None,
    other: Annotated[
        str | None, typer.Option("--against", metavar="OTHER", help=AGAINST, show_default=False)
    ] = None,
    report_dir: ReportFolder = REPORTS,
    store: StoreFolder = STORE,
    debug: Debug = False,
) -> None:
    """Run suites. The exit code is 1 if an expectation failed or a baseline is of no use, 3 if a case broke.

    Example: simkit suite run suites/everyday.simkit.yaml
    """
    import json
    import os

    from simkit.suites import baseline
    from simkit.suites.against import NothingToCompareError
    from simkit.suites.choosing import files_of
    from simkit.suites.outcome import Remark as _Remark
    from simkit.suites.outcome import as_plain, exit_code, junit, markdown
    from simkit.suites.rival import rival_of
    from simkit.suites.running import Bench
    from simkit.suites.spec import load_suite
    from simkit.sweeps.executors import executor

    outcomes: list[Outcome] = []
    unused: list[str] = []
    rival = None if other is None else rival_of(other)
    benches: list[Bench] = []
    skipped: dict[str, NothingToCompareError] = {}
    with executor(workers or os.cpu_count() or 1) as who:
        for loaded in [load_suite(file, overrides=overrides or ()) for file in files_of(files)]:
            bench = Bench(loaded, store, who, fresh, report_dir, rival)
            try:
                outcomes += bench.run(_chosen(loaded, expression))
            except NothingToCompareError as error:
                skipped[str(loaded.path)] = error
                continue
            benches.append(bench)
            unused += baseline.unused(loaded) if rival is None else []
            note(f"{loaded.path}: {loaded.budget}")
    if skipped and not benches:
        raise next(iter(skipped.values()))
    changes, pages = _compared(benches, outcomes, report_dir)
    remarks = [change.remark(pages[change.suite]) for change in changes]
    remarks += [_Remark(file, file, "skipped", str(error)) for file, error in skipped.items()]
    typer.echo(_told(outcomes, unused, remarks))
    plain: Any = as_plain(outcomes)
    if rival is not None:
        against = {"other": rival.name, "changes": [change.plain for change in changes], "pages": pages}
        against["skipped"] = {file: str(error) for file, error in skipped.items()}
        plain = {"outcomes": plain, "against": against}
    _write(junitxml, junit(outcomes, unused, remarks))
    _write(json_file, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
    _write(markdown_file, markdown(outcomes, unused, remarks).encode())
    if code := exit_code(outcomes, unused):
        raise typer.Exit(code)


@suite.command()
@friendly
def accept(
    file: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why this is the measure from now on.")
    ],
    expression: Expression = None,
    store: StoreFolder = STORE,
    debug: Debug = False,
) -> None:
    """Make what the last run came to the baseline. In continuous integration (CI is set) it is refused.

    Example: simkit suite accept --reason "Sub-pixel fit is more precise" suites/everyday.simkit.yaml
    """
    import getpass
    import os
    from datetime import UTC, datetime

    from simkit.core.errors import SimkitError
    from simkit.suites import baseline
    from simkit.suites.running import Bench
    from simkit.suites.spec import load_suite

    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise SimkitError("CI is set: a baseline is accepted by a person, never by the run that it judges")
    if not reason.strip():
        raise SimkitError("--reason is empty; say why this is the measure from now on")
    loaded = load_suite(file)
    cases = list(dict.fromkeys(case for case, _ in _chosen(loaded, expression)))
    facts = {
        "who": os.environ.get("SIMKIT_USER") or getpass.getuser(),
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "why": reason,
    }
    told = baseline.accept(loaded, Bench(loaded, store).proposed, cases, facts)
    typer.echo(aligned([["case", "baseline"], *([case, what] for case, what in told.items())]))


@suite.command()
@friendly
def calibrate(
    file: Annotated[Path, typer.Argument(metavar="SUITE", help="The suite.")],
    runs: Annotated[int, typer.Option("--runs", min=1, metavar="N", help="How often it is run.")] = 20,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="What the micrographs start from.")
    ] = 0,
    expression: Expression = None,
    workers: Workers = None,
    store: StoreFolder = STORE,
    debug: Debug = False,
) -> None:
    """Run the code as it is on ever other micrographs: how often a suite errs, and what loss it sees.

    Example: simkit suite calibrate suites/everyday.simkit.yaml --runs 100
    """
    import os

    from simkit.suites.calibration import POWER, tally
    from simkit.suites.running import Bench
    from simkit.suites.spec import load_suite
    from simkit.sweeps.executors import executor

    loaded = load_suite(file)
    chosen = _chosen(loaded, expression)
    with executor(workers or os.cpu_count() or 1) as who:
        found = tally([Bench(loaded, store, who, seed + i).run(chosen) for i in range(runs)])
    low, high = found.interval
    rows = [["case", "expectation", "alarms", "margin", "passes at it", "smallest loss seen"]]
    for case, number in chosen:
        label = Bench(loaded, store).labels(case)[number]
        rows.append([case, label, str(found.by_expectation[case, label]), *_seen(loaded, case, number)])
    typer.echo(aligned(rows))
    typer.echo(
        f"\nfalse alarms in {found.alarms} of {runs} runs: {found.alarms / runs:.3g} "
        f"[{low:.3g}, {high:.3g}], promised at most {loaded.suite.false_alarm:g}\n"
        f"a loss is seen if it fails with a chance of {POWER:g}, against the baseline on the same micrographs"
    )
    note(loaded.budget)


def _seen(loaded: LoadedSuite, case: str, number: int) -> list[str]:
    """Return the cells that say what a comparison with a baseline sees."""
    from simkit.suites.calibration import sight

    seen = sight(loaded, case, number)
    if seen is None:
        compared = loaded.suite.cases[case].expect[number].baseline is not None
        return ["", "", "no baseline is accepted" if compared else ""]
    loss = "none for sure" if seen.loss is None else f"{seen.loss:.2g} {seen.margin.unit}".rstrip()
    return [str(seen.margin.written), f"{seen.passes:.2g}", loss]


def _chosen(loaded: LoadedSuite, expression: str | None) -> list[tuple[str, int]]:
    from simkit.suites.choosing import chosen

    try:
        return chosen(loaded, expression)
    except ValueError as error:
        raise typer.BadParameter(f"-k: {error}") from None


def _write(file: Path | None, content: bytes) -> None:
    """Write a file, and the folder that it is in, if it is asked for."""
    from simkit.io.atomic import write_bytes_atomic

    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(file, content)


def _compared(
    benches: list[Bench], outcomes: list[Outcome], folder: Path
) -> tuple[list[Change], dict[str, str]]:
    """Return what another version does otherwise, and suite → the page that shows it."""
    from simkit.suites.against_report import write_against

    changes, pages = [], {}
    for bench in benches:
        if bench.against is not None and bench.against.changes:
            suite = str(bench.suite.place)
            changes += bench.against.changes
            of_suite = [outcome for outcome in outcomes if outcome.suite == suite]
            page = write_against(
                bench.against,
                bench.against.changes,
                of_suite,
                folder / bench.suite.place,
                command=bench.command(),
            )
            pages[suite] = str(page)
    return changes, pages


def _told(outcomes: list[Outcome], unused: list[str], remarks: list[Remark]) -> str:
    from simkit.suites.outcome import Outcome as _Outcome

    rows = [["case", "expectation", "result", "found"]]
    rows += [[o.case, o.expectation, o.status, o.text] for o in outcomes]
    wrong: list[_Outcome] = [outcome for outcome in outcomes if not outcome.passed]
    parts = [aligned(rows), *(outcome.story for outcome in wrong), *unused]
    parts += [remark.story for remark in remarks]
    held = len(outcomes) - len(wrong)
    return "\n\n".join([*parts, f"{held} of {len(outcomes)} expectations hold"])
