"""`simkit ceiling`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simkit.cli import limits
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
    note,
)

if TYPE_CHECKING:
    from simkit.engine.design import Design
    from simkit.engine.rehearsal import Rehearsal
    from simkit.scenario.spec import Scenario

ENOUGH = 100
MOST_MICROGRAPHS = 8
"""By default so many micrographs are simulated that they hold enough particles, but not more than this."""


@friendly
def ceiling(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    seed: Seed = None,
    path: Annotated[
        str | None,
        typer.Option("--solve", metavar="PATH", help="The number to find, for example noise.shot.dose."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="TEXT",
            help="What it must achieve: 'recall >= 0.95', 'rmse <= 2 Å', 'sigma_psi <= 1°', 'd_prime >= 8'.",
        ),
    ] = None,
    false_picks: Annotated[
        float,
        typer.Option(
            "--false-picks", min=1e-9, metavar="N", help="Allowed in a micrograph; sets the level of recall."
        ),
    ] = 1.0,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--between",
            metavar="LOW HIGH",
            help="Where to look; by default 100 times less to 100 times more.",
        ),
    ] = None,
    species: Annotated[
        str | None, typer.Option("--species", metavar="NAME", help="The only one that the target is about.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check/--no-check", help="Whether to hold the answer against a short simulation."),
    ] = True,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            min=1,
            metavar="N",
            help="Micrographs to simulate for that; by default 100 particles.",
        ),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what the best conceivable picker could do, and what it would take.

    Without --solve: how well every species can be seen, placed and turned, and what the ideal observer
    finds at so many false picks. It knows the particles and the noise, so no picker does better.

    With --solve and --target: the value of one number at which it just meets the target, checked on a few
    simulated micrographs. The exit code is 1 if no value meets it, or if they contradict the prediction.

    Example: simkit ceiling scenarios/lecture/hemocyanin.yaml --solve noise.shot.dose --target 'recall>=0.95'
    """
    from simkit.engine.design import required_ceiling

    if (path is None) != (target is None):
        raise typer.BadParameter(
            "--solve and --target belong together: which number, and what it must achieve"
        )
    if path is None and (between or species or replicates or not check or false_picks != 1.0):
        raise typer.BadParameter(
            "--false-picks, --between, --species, --replicates and --no-check are about --solve; "
            "give it and --target, or leave them out"
        )
    loaded = load(scenario, overrides, seed)
    with locating(loaded.source):
        if path is None or target is None:
            found = required_ceiling(loaded.scenario)
            if as_json:
                emit_json(limits.as_data(found))
            else:
                typer.echo(limits.told(found))
            return
        answer = _solve(scenario, path, target, overrides or [], seed, between, species, false_picks)
    checked = None
    if check and answer.loaded is not None:
        with locating(answer.loaded.source):
            checked = _rehearse(answer.loaded.scenario, false_picks, replicates, workers)
    if as_json:
        emit_json(limits.answer_as_data(answer, checked, false_picks))
    else:
        typer.echo(limits.answer_told(answer, checked, false_picks))
    contradicted = checked is not None and not isinstance(checked, str) and not checked.agrees
    if answer.solution.outcome == "nowhere" or contradicted:
        raise typer.Exit(1)


def _solve(
    scenario: Path,
    path: str,
    target: str,
    overrides: list[str],
    seed: int | None,
    between: tuple[str, str] | None,
    species: str | None,
    false_picks: float,
) -> Design:
    from simkit.engine.design import design
    from simkit.engine.target import parse_target

    try:
        return design(
            scenario,
            path,
            parse_target(target),
            overrides=overrides,
            seed=seed,
            between=between,
            species=species,
            false_picks=false_picks,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _rehearse(
    scenario: Scenario, false_picks: float, replicates: int | None, workers: int | None
) -> Rehearsal | str:
    import os

    from simkit.engine.design import required_ceiling
    from simkit.engine.memory import require_memory
    from simkit.engine.operating import operating_point
    from simkit.engine.rehearsal import rehearse

    curve = required_ceiling(scenario).curve
    if curve is None:
        return "no copy is in the image or looked for"
    require_memory(scenario, 1)
    micrographs = replicates or min(math.ceil(ENOUGH / curve.particles_per_image), MOST_MICROGRAPHS)
    note(f"checking on {micrographs} simulated micrograph{'s' * (micrographs > 1)}; --no-check leaves it out")
    level = operating_point(curve, false_picks).level
    return rehearse(scenario, level, micrographs=micrographs, workers=workers or os.cpu_count() or 1)
