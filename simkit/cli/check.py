"""`simkit check` and `simkit explain`."""

from __future__ import annotations

import textwrap

import typer

from simkit.cli.manners import (
    AsJson,
    Debug,
    Overrides,
    ScenarioFile,
    Seed,
    Workers,
    emit_json,
    friendly,
    load,
    locating,
)

WIDTH = 100


@friendly
def check(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    seed: Seed = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Validate a scenario without running it.

    Every error of the file is told at once, as file:line:column: what is wrong, what would be right.

    Example: simkit check scenarios/lecture/crystal.yaml
    """
    from simkit.scenario.source import InvalidScenarioError

    try:
        loaded = load(scenario, overrides, seed)
    except InvalidScenarioError as error:
        if as_json:
            emit_json({"valid": False, "problems": [problem.as_dict() for problem in error.problems]})
        raise
    if as_json:
        emit_json({"valid": True, "problems": [warning.as_dict() for warning in loaded.warnings]})
    else:
        typer.echo(f"{scenario}: valid")


@friendly
def explain(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    seed: Seed = None,
    workers: Workers = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what a scenario means, before any run.

    First what is not modelled; then what physics allows, which no picker can exceed; then resolved values,
    contrast, electrons per pixel, SNR, and the memory a run needs.

    Example: simkit explain scenarios/lecture/hemocyanin.yaml
    """
    from simkit.engine.explanation import explain as sections_of
    from simkit.engine.memory import require_memory

    loaded = load(scenario, overrides, seed)
    with locating(loaded.source):
        require_memory(loaded.scenario, workers or 1)
        sections = sections_of(loaded.scenario, workers=workers or 1)
    if as_json:
        emit_json([{"title": s.title, "rows": [list(row) for row in s.rows]} for s in sections])
        return
    typer.echo("\n\n".join(_section(s.title, s.rows) for s in sections))


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    indent = 4 + max((len(name) for name, _ in rows), default=0)
    lines = [
        textwrap.fill(text, WIDTH, initial_indent=f"  {name}".ljust(indent), subsequent_indent=" " * indent)
        for name, text in rows
    ]
    return "\n".join([title, *lines])
