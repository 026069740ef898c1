"""`simkit ceiling`: what it prints, what it gives other programs, and when it fails."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simkit.cli.app import app
from simkit.engine import rehearsal

RINGS = """\
schema_version: 1
seed: 2
image: {shape: [240, 300], pixel_size: 4 Å}
specimen:
  ring:
    unit_cell: {kind: shapes, shapes: [{kind: ring, radius: 60 Å, width: 24 Å}]}
    lattice: {kind: scattered, count: 8, min_distance: 180 Å}
  disk:
    unit_cell: {kind: shapes, shapes: [{kind: disk, radius: 40 Å}]}
    lattice: {kind: scattered, count: 4, min_distance: 180 Å}
noise:
  film: {kind: gaussian, sd: 3.2}
score: {radius: 40 Å}
"""
CRYSTAL = """\
schema_version: 1
image: {shape: [160, 160], pixel_size: 4 Å, boundary: periodic}
specimen:
  dot:
    unit_cell: {kind: shapes, shapes: [{kind: disk, radius: 40 Å}]}
    lattice: {kind: square, a: 160 Å, origin: [80 Å, 80 Å]}
noise:
  film: {kind: gaussian, sd: 1}
"""


@pytest.fixture
def ceiling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rings.yaml").write_text(RINGS, encoding="utf-8")
    Path("crystal.yaml").write_text(CRYSTAL, encoding="utf-8")
    return lambda *words: CliRunner().invoke(app, ["ceiling", *words])


def rows_of(text: str) -> dict[str, list[str]]:
    """Return the cells after the first of every row, by the first; the last row of a name counts."""
    rows = (re.split(r"\s{2,}", line) for line in text.splitlines())
    return {first: cells for first, *cells in rows}


def test_help_shows_an_example_of_itself(ceiling) -> None:
    words = ceiling("--help").stdout.split()
    assert words[words.index("Example:") + 1 :][:2] == ["simkit", "ceiling"]


def test_it_prints_limits_and_recalls(ceiling) -> None:
    result = ceiling("rings.yaml")
    assert result.exit_code == 0, result.stderr
    rows = rows_of(result.stdout)
    assert rows["false picks"] == ["10", "1", "0.1", "0.01"]
    recalls = [float(cell) for cell in rows["all"]]
    levels = [float(cell) for cell in rows["above a score of"]]
    assert recalls == sorted(recalls, reverse=True)
    assert levels == sorted(levels)
    limits = rows_of(result.stdout.split("recall of")[0])
    assert limits["ring"][1:3] == [limits["ring"][1]] * 2
    assert limits["ring"][1].startswith("± ")
    assert "out of reach (d′ < 6)" in result.stdout


def test_a_crystal_has_limits_on_its_vectors(ceiling) -> None:
    result = ceiling("crystal.yaml")
    a, b, _, sites = rows_of(result.stdout.split("the lattice")[1])["dot"]
    assert a == b
    assert sites == "from 16 sites"


def test_json_says_the_same(ceiling) -> None:
    told = json.loads(ceiling("rings.yaml", "--json").stdout)
    assert told["species"]["ring"]["sigma_psi"] is None
    at_one = next(point for point in told["ideal_observer"] if point["false_picks"] == pytest.approx(1))
    both = at_one["species"]
    assert at_one["recall"] == pytest.approx((8 * both["ring"] + 4 * both["disk"]) / 12)
    crystal = json.loads(ceiling("crystal.yaml", "--json").stdout)
    assert crystal["lattices"]["dot"]["sites"] == 16


def solve(ceiling, path: str, target: str, *options: str):
    return ceiling("rings.yaml", "--solve", path, "--target", target, *options)


def test_a_target_is_turned_round_and_checked(ceiling) -> None:
    result = solve(ceiling, "noise.film.sd", "recall >= 0.9", "--workers", "1")
    # The check fails by chance for one seed in 100; this one is fixed.
    assert result.exit_code == 0, result.stdout + result.stderr
    first = result.stdout.splitlines()[0]
    assert first.startswith("recall ≥ 0.9 at 1 false pick per micrograph needs noise.film.sd of at most 3.8")
    assert "← just meets it" in result.stdout
    assert "now" in result.stdout
    assert re.search(r"99% interval 0\.\d+ to \d\.\d+; predicted 0\.\d+: agrees", result.stdout)
    assert "simulated" in result.stderr


def test_json_of_an_answer_can_be_given_to_set(ceiling) -> None:
    options = ("--no-check", "--json", "--false-picks", "0.1")
    told = json.loads(
        solve(ceiling, "specimen.disk.unit_cell.shapes.0.radius", "d_prime >= 6", *options).stdout
    )
    assert (told["outcome"], told["unit"], told["check"]) == ("found", "Å", None)
    again = json.loads(ceiling("rings.yaml", "--json", "--set", told["set"]).stdout)
    assert min(limit["d_prime"] for limit in again["species"].values()) == pytest.approx(told["reached"])
    assert 6 <= told["reached"] < 6.1


def test_a_range_can_be_given_and_one_species_meant(ceiling) -> None:
    options = ("--no-check", "--json", "--between", "1", "3", "--species", "ring")
    told = json.loads(solve(ceiling, "noise.film.sd", "d_prime >= 10", *options).stdout)
    assert told["outcome"] == "found"
    assert all(1 <= value <= 3 for value, _ in told["tried"])


def test_what_no_value_meets_is_exit_code_1(ceiling) -> None:
    # The same copies are found at best, and one false pick in 13 remains.
    result = solve(ceiling, "noise.film.sd", "precision >= 0.95")
    assert result.exit_code == 1
    assert "is met nowhere from noise.film.sd = 0.032 to 320" in result.stdout
    assert "best at 0." in result.stdout
    assert "precision 0.9231" in result.stdout
    assert solve(ceiling, "noise.film.sd", "precision >= 0.0001").exit_code == 0


def test_a_simulation_that_contradicts_the_prediction_is_exit_code_1(ceiling, monkeypatch) -> None:
    search = rehearsal.rehearse

    def twice_as_noisy(scenario, level, **options):
        """Search micrographs that are noisier than the scenario says."""
        film = scenario.noise["film"]
        worse = scenario.model_copy(update={"noise": {"film": film.model_copy(update={"sd": 2 * film.sd})}})
        promised, found = (search(s, level, **options) for s in (scenario, worse))
        return replace(found, predicted=promised.predicted)

    monkeypatch.setattr(rehearsal, "rehearse", twice_as_noisy)
    result = solve(ceiling, "noise.film.sd", "recall >= 0.9", "--workers", "1", "--replicates", "3")
    assert result.exit_code == 1
    assert "DISAGREES" in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--false-picks", "5"), ["--solve"]),
        (("--no-check",), ["--solve"]),
        (("--solve", "noise.film.sd"), ["--target"]),
        (
            ("--solve", "noise.film.dose", "--target", "recall >= 0.9"),
            ["noise.film.dose", "'dose'", "sd, kind"],
        ),
        (("--solve", "noise.film.kind", "--target", "recall >= 0.9"), ["noise.film.kind", "gaussian"]),
        (("--solve", "noise.film.sd", "--target", "recal >= 0.9"), ["recall"]),
        (("--solve", "noise.film.sd", "--target", "rmse <= 2"), ["2 Å"]),
        (("--solve", "noise.film.sd", "--target", "sigma_psi <= 2°"), ["sigma_psi"]),
        (("--solve", "noise.film.sd", "--target", "recall >= 0.9", "--between", "0", "1"), ["range"]),
        (
            ("--solve", "noise.film.sd", "--target", "recall >= 0.9", "--species", "rings"),
            ["did you mean `ring`"],
        ),
        (("--set", "noise={}"), ["noise", "snr: 0.1"]),
        (("--set", "specimen={}", "--set", "noise={}"), ["specimen"]),
    ],
)
def test_wrong_input_is_exit_code_2_with_what_would_be_right(ceiling, words, told) -> None:
    result = ceiling("rings.yaml", *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for text in told:
        assert text in result.stderr
